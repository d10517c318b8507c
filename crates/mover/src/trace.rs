//! Reading a file without leaving a trace in the page cache: what was not there before is dropped behind.

use std::os::fd::OwnedFd;

use sys::extents;

use crate::residency::cached_bytes;

/// The page cache is judged in parts of this size.
const PART: u64 = 32 << 20;
/// What is dropped in one go.
const DROP: u64 = 8 << 20;

/// Which parts of a file were cold before it was read, and the cold stretch that is being read.
pub(crate) struct Trace<'a> {
    file: &'a OwnedFd,
    /// One for each part; empty where all are cold.
    hot: Vec<bool>,
    /// Where the cold stretch began; None in one that others use.
    cold_from: Option<u64>,
    read_to: u64,
    dropped_to: u64,
}

impl<'a> Trace<'a> {
    /// Looks at the whole file at once: later, pages read ahead of us would look like others'.
    pub fn of(file: &'a OwnedFd, size: u64) -> sys::Result<Trace<'a>> {
        let mut hot = Vec::new();
        for offset in (0..size).step_by(PART as usize) {
            let bytes = PART.min(size - offset);
            // Where nobody can tell: a sector file was last used by its task, a while ago.
            let cached = cached_bytes(file, offset, bytes)?.unwrap_or(0);
            hot.push(cached > bytes / 8);
        }
        Ok(Trace {
            hot,
            ..Trace::cold(file)
        })
    }

    /// As `of`, for a file whose pages nobody needs: all of them go.
    pub fn cold(file: &'a OwnedFd) -> Trace<'a> {
        Trace {
            file,
            hot: Vec::new(),
            cold_from: None,
            read_to: 0,
            dropped_to: 0,
        }
    }

    /// Call it before reading at `offset`.
    pub fn look(&mut self, offset: u64) -> sys::Result<()> {
        let hot = self
            .hot
            .get((offset / PART) as usize)
            .copied()
            .unwrap_or(false);
        if hot {
            return self.finish();
        }
        self.cold_from.get_or_insert(offset);
        Ok(())
    }

    /// Call it after reading up to `end`.
    pub fn read(&mut self, end: u64) -> sys::Result<()> {
        self.read_to = end;
        match self.cold_from {
            Some(from) if end >= self.dropped_to.max(from) + DROP => self.drop_pages(from),
            _ => Ok(()),
        }
    }

    /// Drops what is left of the cold stretch.
    pub fn finish(&mut self) -> sys::Result<()> {
        match self.cold_from.take() {
            Some(from) => self.drop_pages(from),
            None => Ok(()),
        }
    }

    /// From the start of the stretch each time: a large folio goes only when all of it is in the range.
    fn drop_pages(&mut self, from: u64) -> sys::Result<()> {
        self.dropped_to = self.read_to;
        // Up to a whole page of any size.
        let end = self.read_to.next_multiple_of(64 << 10);
        if end == from {
            Ok(())
        } else {
            extents::forget_cached(self.file, from, end - from)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy::tests::{ALL, Pair};
    use crate::copy::{Engine, EngineChoice};
    use sys::files;

    const SIZE: u64 = 40 << 20;

    fn cached(file: &OwnedFd) -> u64 {
        extents::cached_bytes(file, 0, 0).unwrap()
    }

    /// Copies and then hashes a file that is in the page cache or not; cached bytes of source and target.
    /// None where pages cannot be dropped or counted.
    fn cached_after_a_copy(hot: bool, engine: Engine) -> Option<(u64, u64)> {
        let pair = Pair::of(&vec![7; SIZE as usize], SIZE);
        files::sync(&pair.source).unwrap();
        if !hot {
            extents::forget_cached(&pair.source, 0, 0).unwrap();
        }
        match extents::cached_bytes(&pair.source, 0, 0) {
            Ok(bytes) if (bytes == SIZE) == hot => {}
            other => {
                println!(
                    "SKIP: the page cache after a copy: pages cannot be dropped or counted here ({other:?})"
                );
                return None;
            }
        }
        pair.copy(SIZE, EngineChoice::Forced(engine));
        files::sync(&pair.target).unwrap();
        pair.hash_target(SIZE);
        Some((cached(&pair.source), cached(&pair.target)))
    }

    #[test]
    fn a_copy_of_a_cold_file_leaves_neither_side_in_the_page_cache() {
        for engine in ALL {
            let Some((source, target)) = cached_after_a_copy(false, engine) else {
                return;
            };
            let few = 2 << 20;
            assert!(
                source < few && target < few,
                "{engine:?}: {source} {target}"
            );
        }
    }

    #[test]
    fn a_copy_of_a_hot_file_leaves_it_hot() {
        for engine in ALL {
            let Some((source, target)) = cached_after_a_copy(true, engine) else {
                return;
            };
            assert!(
                source == SIZE && target < 2 << 20,
                "{engine:?}: {source} {target}"
            );
        }
    }
}
