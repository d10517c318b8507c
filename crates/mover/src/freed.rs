//! What of an `unsealed` file nobody needs any more: its trailer says which ranges hold pieces.

use std::fs::File;
use std::ops::Range;
use std::os::fd::OwnedFd;

use crate::content::BLOCK;

/// Sizes of sectors, which the file itself does not tell.
const SECTOR_BYTES: [u64; 5] = [2 << 10, 8 << 20, 512 << 20, 32 << 30, 64 << 30];
/// A trailer is a few dozen bytes; it is never longer than this.
const LONGEST_TRAILER: u64 = 1 << 20;

/// Ranges of whole blocks of an `unsealed` file that are freed; in order. Empty where there is no trailer, or one
/// that cannot be read: then everything counts.
pub(crate) fn freed_ranges(file: &OwnedFd, size: u64) -> Vec<Range<u64>> {
    let sector = SECTOR_BYTES
        .into_iter()
        .find(|sector| *sector < size && size - sector <= LONGEST_TRAILER);
    let (Some(sector), Ok(own)) = (sector, file.try_clone()) else {
        return Vec::new();
    };
    match unsealed::read(&File::from(own), sector) {
        Ok(allocated) => between(allocated.ranges(), sector),
        Err(_) => Vec::new(),
    }
}

fn between(held: &[Range<u64>], sector: u64) -> Vec<Range<u64>> {
    let block = BLOCK as u64;
    let starts = std::iter::once(0).chain(held.iter().map(|range| range.end));
    let ends = held.iter().map(|range| range.start).chain([sector]);
    starts
        .zip(ends)
        .map(|(start, end)| start.next_multiple_of(block)..end / block * block)
        .filter(|freed| freed.start < freed.end)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use unsealed::Allocated;

    fn ranges_of(allocated: &Allocated, sector: u64) -> Vec<Range<u64>> {
        let file = tempfile::tempfile().unwrap();
        file.set_len(sector).unwrap();
        unsealed::write(&file, sector, allocated).unwrap();
        let size = file.metadata().unwrap().len();
        freed_ranges(&OwnedFd::from(file), size)
    }

    #[test]
    fn what_lies_between_the_pieces_is_freed_in_whole_blocks() {
        let mut allocated = Allocated::none();
        allocated.insert(128..8192);
        allocated.insert(16384 + 128..1 << 20);
        let freed = ranges_of(&allocated, 8 << 20);
        assert_eq!(freed, [8192..16384, 1 << 20..8 << 20]);
        assert_eq!(
            ranges_of(&Allocated::none(), 8 << 20),
            std::slice::from_ref(&(0..8 << 20))
        );
        assert_eq!(ranges_of(&Allocated::all(8 << 20), 8 << 20), []);
        assert_eq!(ranges_of(&Allocated::none(), 2048), []);
    }

    #[test]
    fn without_a_trailer_or_with_a_bad_one_nothing_is_freed() {
        let file = tempfile::tempfile().unwrap();
        for size in [8 << 20, (8 << 20) + 100, 12345] {
            file.set_len(size).unwrap();
            let own = OwnedFd::from(file.try_clone().unwrap());
            assert_eq!(freed_ranges(&own, size), []);
        }
    }
}
