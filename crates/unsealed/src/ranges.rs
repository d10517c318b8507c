use std::ops::Range;

/// Allocated padded byte ranges of one sector: sorted, disjoint, never touching, never empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allocated {
    ranges: Vec<Range<u64>>,
}

impl Allocated {
    /// Nothing is allocated.
    pub fn none() -> Self {
        Self::default()
    }

    /// The whole sector is.
    pub fn all(sector_size: u64) -> Self {
        let mut all = Self::none();
        all.insert(0..sector_size);
        all
    }

    /// The ranges, in order.
    pub fn ranges(&self) -> &[Range<u64>] {
        &self.ranges
    }

    /// Whether every byte of `range` is allocated; an empty range never is.
    pub fn contains(&self, range: &Range<u64>) -> bool {
        range.start < range.end
            && self
                .ranges
                .iter()
                .any(|held| held.start <= range.start && range.end <= held.end)
    }

    /// Allocates `range`; what was allocated stays so.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.start >= range.end {
            return;
        }
        let mut merged = range;
        let mut kept = Vec::with_capacity(self.ranges.len() + 1);
        for held in self.ranges.drain(..) {
            if held.end < merged.start || merged.end < held.start {
                kept.push(held);
            } else {
                merged = held.start.min(merged.start)..held.end.max(merged.end);
            }
        }
        kept.push(merged);
        kept.sort_by_key(|held| held.start);
        self.ranges = kept;
    }

    /// Frees `range`; parts that were free already stay so.
    pub fn remove(&mut self, range: &Range<u64>) {
        let cut = |held: Range<u64>| {
            let before = held.start..held.end.min(range.start);
            let after = held.start.max(range.end)..held.end;
            [before, after]
                .into_iter()
                .filter(|part| part.start < part.end)
        };
        if range.start < range.end {
            self.ranges = self.ranges.drain(..).flat_map(cut).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_what_touches_and_splits_what_is_cut() {
        let mut held = Allocated::none();
        held.insert(128..256);
        held.insert(512..1024);
        held.insert(256..512);
        assert_eq!(held.ranges(), std::slice::from_ref(&(128..1024)));
        held.remove(&(256..384));
        assert_eq!(held.ranges(), [128..256, 384..1024]);
        assert!(held.contains(&(384..1024)));
        assert!(!held.contains(&(128..300)));
        assert!(!held.contains(&(128..128)));
    }
}
