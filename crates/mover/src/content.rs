//! Reading data extents, and a hash of content that does not depend on where the holes are.

use std::os::fd::OwnedFd;

use sys::{Errno, extents, files};

use crate::Control;
use crate::failure::{Code, During, Failure, Result};
use crate::trace::Trace;

/// Bytes per read.
pub(crate) const CHUNK: usize = 1 << 20;
const BLOCK: usize = 4096;
const ZEROS: [u8; BLOCK] = [0; BLOCK];

/// A BLAKE3 over each run of blocks that are not all zero (start, data, length), then the file's size.
///
/// Blocks of zeros and holes count the same, so a sparse copy hashes as its dense source, and
/// terabytes of holes cost nothing. Parsed from the end the input is unambiguous.
pub(crate) struct ContentHash {
    hasher: blake3::Hasher,
    run: Option<(u64, u64)>,
}

impl ContentHash {
    pub fn new() -> ContentHash {
        ContentHash {
            hasher: blake3::Hasher::new(),
            run: None,
        }
    }

    /// Adds data at an offset that is a multiple of the block size and not before what came earlier.
    pub fn update(&mut self, offset: u64, bytes: &[u8]) {
        debug_assert_eq!(offset % BLOCK as u64, 0, "hashed in whole blocks");
        let mut at = 0;
        while at < bytes.len() {
            let from = at;
            while at < bytes.len() && !is_zero(block_at(bytes, at)) {
                at += block_at(bytes, at).len();
            }
            if at > from {
                self.add_run(offset + from as u64, &bytes[from..at]);
            } else {
                at += block_at(bytes, at).len();
            }
        }
    }

    fn add_run(&mut self, start: u64, bytes: &[u8]) {
        match self.run {
            Some((first, end)) if end == start => {
                self.run = Some((first, end + bytes.len() as u64))
            }
            _ => {
                self.end_run();
                self.hasher.update(&start.to_le_bytes());
                self.run = Some((start, start + bytes.len() as u64));
            }
        }
        self.hasher.update(bytes);
    }

    fn end_run(&mut self) {
        if let Some((first, end)) = self.run.take() {
            self.hasher.update(&(end - first).to_le_bytes());
        }
    }

    pub fn finish(mut self, size: u64) -> [u8; 32] {
        self.end_run();
        self.hasher.update(&size.to_le_bytes());
        *self.hasher.finalize().as_bytes()
    }
}

fn block_at(bytes: &[u8], at: usize) -> &[u8] {
    &bytes[at..bytes.len().min(at + BLOCK)]
}

fn is_zero(block: &[u8]) -> bool {
    block == &ZEROS[..block.len()]
}

/// Data extents of a file, rounded out to whole blocks and cut at its size.
pub(crate) struct Extents<'a> {
    file: &'a OwnedFd,
    size: u64,
    at: u64,
}

impl<'a> Extents<'a> {
    pub fn new(file: &'a OwnedFd, size: u64) -> Extents<'a> {
        Extents { file, size, at: 0 }
    }

    /// The next extent (start, end). A file system that cannot tell has one extent, the whole file.
    pub fn next(&mut self) -> sys::Result<Option<(u64, u64)>> {
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

/// Hashes a file from front to back.
/// @param from_disk drops cached pages first, so that what the disk holds is read
pub(crate) fn hash_file(
    file: &OwnedFd,
    size: u64,
    from_disk: bool,
    label: &str,
    control: &Control,
) -> Result<[u8; 32]> {
    if from_disk {
        extents::forget_cached(file, 0, 0).during("fadvise", || label.to_owned())?;
    }
    // Reading back is no reason to push others out of the page cache.
    let mut trace = from_disk.then(|| Trace::cold(file));
    let mut hash = ContentHash::new();
    let mut buffer = vec![0u8; CHUNK];
    let mut parts = Extents::new(file, size);
    while let Some((mut at, end)) = parts.next().during("lseek", || label.to_owned())? {
        while at < end {
            control.check(label)?;
            if let Some(trace) = &mut trace {
                trace.look(at).during("fadvise", || label.to_owned())?;
            }
            let part = &mut buffer[..CHUNK.min((end - at) as usize)];
            if !read_full(file, part, at).during("pread", || label.to_owned())? {
                let message = "the file became shorter while it was read";
                return Err(Failure::new(Code::SourceChanged, label, message));
            }
            hash.update(at, part);
            at += part.len() as u64;
            if let Some(trace) = &mut trace {
                trace.read(at).during("fadvise", || label.to_owned())?;
            }
        }
    }
    if let Some(mut trace) = trace {
        trace.finish().during("fadvise", || label.to_owned())?;
    }
    Ok(hash.finish(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash_in_pieces(bytes: &[u8], piece: usize) -> [u8; 32] {
        let mut hash = ContentHash::new();
        for (at, part) in bytes.chunks(piece).enumerate() {
            hash.update((at * piece) as u64, part);
        }
        hash.finish(bytes.len() as u64)
    }

    #[test]
    fn the_hash_does_not_depend_on_how_the_content_was_cut() {
        let mut bytes = vec![0u8; 20 * BLOCK + 77];
        bytes[3 * BLOCK..5 * BLOCK].fill(1);
        bytes[9 * BLOCK + 5] = 9;
        bytes[20 * BLOCK..].fill(3);
        let whole = hash_in_pieces(&bytes, bytes.len());
        for blocks in 1..8 {
            assert_eq!(hash_in_pieces(&bytes, blocks * BLOCK), whole);
        }
    }

    #[test]
    fn the_hash_skips_holes_and_tells_every_change() {
        let bytes = vec![7u8; 2 * BLOCK];
        let mut sparse = ContentHash::new();
        sparse.update(4 * BLOCK as u64, &bytes);
        let mut dense = ContentHash::new();
        dense.update(0, &[0u8; 4 * BLOCK]);
        dense.update(4 * BLOCK as u64, &bytes);
        let expected = dense.finish(99 * BLOCK as u64);
        assert_eq!(sparse.finish(99 * BLOCK as u64), expected);
        let mut moved = ContentHash::new();
        moved.update(5 * BLOCK as u64, &bytes);
        assert_ne!(moved.finish(99 * BLOCK as u64), expected);
        let mut longer = ContentHash::new();
        longer.update(4 * BLOCK as u64, &bytes);
        assert_ne!(longer.finish(98 * BLOCK as u64), expected);
    }
}
