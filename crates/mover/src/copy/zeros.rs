//! Written zeros, which a target may have as holes.

use std::ops::Range;

use crate::content::BLOCK;
use crate::hash::is_zero;

/// Shorter runs of zeros are written: each hole costs the file an extent more.
const WORTH_A_HOLE: usize = 64 << 10;

/// Parts of a buffer that are not zeros, in order, cut at whole blocks.
pub(super) fn parts_with_data(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    for start in (0..bytes.len()).step_by(BLOCK) {
        let end = bytes.len().min(start + BLOCK);
        if is_zero(&bytes[start..end]) {
            continue;
        }
        match parts.last_mut() {
            Some(last) if start - last.end < WORTH_A_HOLE => last.end = end,
            _ => parts.push(start..end),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_runs_of_zeros_are_left_out() {
        let mut bytes = vec![0; 50 * BLOCK + 7];
        assert_eq!(parts_with_data(&bytes), []);
        bytes[BLOCK] = 1;
        bytes[5 * BLOCK - 1] = 1;
        bytes[50 * BLOCK + 6] = 1;
        assert_eq!(
            parts_with_data(&bytes),
            [BLOCK..5 * BLOCK, 50 * BLOCK..50 * BLOCK + 7]
        );
        bytes.fill(1);
        assert_eq!(
            parts_with_data(&bytes),
            std::slice::from_ref(&(0..50 * BLOCK + 7))
        );
    }
}
