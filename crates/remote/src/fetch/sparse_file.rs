//! Writing a file as it comes: blocks of zeros become holes, and the page cache stays as it was.

use std::io::IoSlice;
use std::os::fd::OwnedFd;

use rustix::io::{ReadWriteFlags, pwritev2, retry_on_intr};
use sys::{Errno, Result, extents, files};

/// Zeros are left out in whole blocks of this size.
const BLOCK: usize = 4096;
const ZEROS: [u8; BLOCK] = [0; BLOCK];
/// Bytes written ahead of those that have surely reached the disk and left the page cache.
const WINDOW: u64 = 16 << 20;
/// RWF_DONTCACHE (Linux 6.14): written back at once, then dropped by the kernel itself.
const DONTCACHE: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x80);

/// A file written from front to back.
pub(crate) struct SparseFile {
    file: OwnedFd,
    length: u64,
    /// Start of what may still be in the page cache, where the kernel cannot drop it itself.
    cached_from: u64,
    dontcache: bool,
}

impl SparseFile {
    pub(crate) fn new(file: OwnedFd) -> Self {
        Self {
            file,
            length: 0,
            cached_from: 0,
            dontcache: true,
        }
    }

    /// Appends; every piece but the last must be a multiple of the block size.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        debug_assert_eq!(
            self.length % BLOCK as u64,
            0,
            "only the last piece may end within a block"
        );
        let start = self.length;
        for (from, to) in DataRuns::of(bytes) {
            self.write_all(&bytes[from..to], start + from as u64)?;
        }
        self.length = start + bytes.len() as u64;
        if self.dontcache {
            Ok(())
        } else {
            self.drop_behind()
        }
    }

    /// Sets the length, makes everything durable once, and closes.
    pub(crate) fn finish(self, mode: u32) -> Result<u64> {
        files::set_length(&self.file, self.length)?;
        files::set_mode(&self.file, mode)?;
        files::sync(&self.file)?;
        // Clean now, so that nothing of it has to stay; a kernel that refuses loses only memory.
        let _ = extents::forget_cached(&self.file, 0, 0);
        files::close(self.file)?;
        Ok(self.length)
    }

    fn write_all(&mut self, mut bytes: &[u8], mut offset: u64) -> Result<()> {
        while !bytes.is_empty() {
            let written = self.write_some(bytes, offset)?;
            if written == 0 {
                return Err(Errno::IO);
            }
            bytes = &bytes[written..];
            offset += written as u64;
        }
        Ok(())
    }

    fn write_some(&mut self, bytes: &[u8], offset: u64) -> Result<usize> {
        if self.dontcache {
            let slices = [IoSlice::new(bytes)];
            match retry_on_intr(|| pwritev2(&self.file, &slices, offset, DONTCACHE)) {
                // This kernel or this file system cannot; then we drop behind us ourselves.
                Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => self.dontcache = false,
                other => return other,
            }
        }
        files::write_at(&self.file, bytes, offset)
    }

    /// Starts write-back of the last window, and drops the one before it, which has had time to land.
    fn drop_behind(&mut self) -> Result<()> {
        if self.length - self.cached_from < 2 * WINDOW {
            return Ok(());
        }
        let (old, new) = (self.cached_from, self.cached_from + WINDOW);
        understood(extents::start_writeback(&self.file, new, WINDOW))?;
        if understood(extents::finish_writeback(&self.file, old, WINDOW))? {
            let _ = extents::forget_cached(&self.file, old, WINDOW);
        }
        self.cached_from = new;
        Ok(())
    }
}

/// Whether a call that only hastens write-back is known here; tmpfs and the like refuse it. An error of the data
/// itself is told once on each descriptor: passed over here, fsync would call the file durable that lost a block.
fn understood(result: Result<()>) -> Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL | Errno::SPIPE) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Runs of blocks that are not all zero: start and end.
struct DataRuns<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> DataRuns<'b> {
    fn of(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn block(&self) -> Option<&'b [u8]> {
        let end = self.bytes.len().min(self.at + BLOCK);
        (self.at < end).then(|| &self.bytes[self.at..end])
    }

    fn skip(&mut self, zero: bool) {
        while let Some(block) = self
            .block()
            .filter(|block| (*block == &ZEROS[..block.len()]) == zero)
        {
            self.at += block.len();
        }
    }
}

impl Iterator for DataRuns<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        self.skip(true);
        let from = self.at;
        self.skip(false);
        (self.at > from).then_some((from, self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_write_back_ends_the_fetch_because_fsync_will_not_tell_it_again() {
        assert_eq!(understood(Err(Errno::IO)), Err(Errno::IO));
        assert_eq!(understood(Err(Errno::NOSPC)), Err(Errno::NOSPC));
        assert_eq!(understood(Err(Errno::OPNOTSUPP)), Ok(false));
        assert_eq!(understood(Ok(())), Ok(true));
    }
}
