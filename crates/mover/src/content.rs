//! Reading data extents, and whole files to hash them.

use std::ops::Range;
use std::os::fd::OwnedFd;

use sys::{Errno, extents, files};

/// The block that holes, hashes and direct reads and writes are made of.
pub(crate) const BLOCK: usize = sys::slots::BLOCK;

/// Data extents of a file, rounded out to whole blocks and cut at its size.
pub(crate) struct Extents<'a> {
    file: &'a OwnedFd,
    size: u64,
    at: u64,
    /// Ranges of whole blocks that are passed over as if they were holes; in order.
    freed: Vec<Range<u64>>,
}

impl<'a> Extents<'a> {
    pub fn new(file: &'a OwnedFd, size: u64, freed: Vec<Range<u64>>) -> Extents<'a> {
        Extents {
            file,
            size,
            at: 0,
            freed,
        }
    }

    /// The next extent (start, end). A file system that cannot tell has one extent, the whole file.
    pub fn next(&mut self) -> sys::Result<Option<(u64, u64)>> {
        loop {
            let Some((start, end)) = self.next_data()? else {
                return Ok(None);
            };
            let here = |freed: &&Range<u64>| freed.end > start;
            match self.freed.iter().find(here) {
                Some(freed) if freed.start <= start => self.at = freed.end,
                Some(freed) if freed.start < end => {
                    self.at = freed.end;
                    return Ok(Some((start, freed.start)));
                }
                _ => return Ok(Some((start, end))),
            }
        }
    }

    fn next_data(&mut self) -> sys::Result<Option<(u64, u64)>> {
        if self.at >= self.size {
            return Ok(None);
        }
        let block = BLOCK as u64;
        let start = match extents::next_data(self.file, self.at) {
            Ok(Some(found)) => (found / block * block).max(self.at),
            Ok(None) => {
                self.at = self.size;
                return Ok(None);
            }
            Err(Errno::INVAL | Errno::OPNOTSUPP) => self.at,
            Err(errno) => return Err(errno),
        };
        if start >= self.size {
            self.at = self.size;
            return Ok(None);
        }
        let end = match extents::next_hole(self.file, start.max(self.at)) {
            // `start` may lie in the hole before the data when it was rounded down.
            Ok(found) if found > start => found.div_ceil(block) * block,
            Ok(_) => start + block,
            Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NXIO) => self.size,
            Err(errno) => return Err(errno),
        };
        self.at = end.min(self.size);
        Ok(Some((start, self.at)))
    }
}

/// Fills the buffer from the file. @returns false if the file ended before.
pub(crate) fn read_full(file: &OwnedFd, buffer: &mut [u8], offset: u64) -> sys::Result<bool> {
    let mut filled = 0;
    while filled < buffer.len() {
        match files::read_at(file, &mut buffer[filled..], offset + filled as u64)? {
            0 => return Ok(false),
            read => filled += read,
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freed_ranges_are_passed_over_like_holes() {
        let file = tempfile::tempfile().unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &[7; 100_000], 0).unwrap();
        let own = OwnedFd::from(file);
        let all = |freed: Vec<Range<u64>>| -> Vec<(u64, u64)> {
            let mut extents = Extents::new(&own, 100_000, freed);
            std::iter::from_fn(|| extents.next().unwrap()).collect()
        };
        assert_eq!(all(vec![]), [(0, 100_000)]);
        assert_eq!(
            all(vec![0..4096, 8192..16384, 98304..102_400]),
            [(4096, 8192), (16384, 98304)]
        );
        assert_eq!(all(vec![0..4096, 4096..102_400]), []);
    }
}
