//! A file written past the page cache, in pieces that come in any order; blocks of zeros become holes.
//!
//! ```text
//! direct ──EINVAL──► dontcache ──EOPNOTSUPP──► drop behind
//! ```

use std::io::IoSlice;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use rustix::io::{ReadWriteFlags, pwritev2, retry_on_intr};
use sys::direct::{BLOCK, set_direct};
use sys::{Errno, Result, extents, files};

/// Zeros are left out in whole, aligned stretches of this size: smaller holes would cost more calls than they
/// save blocks.
const HOLE: usize = 64 << 10;
static ZEROS: [u8; HOLE] = [0; HOLE];
/// Where we drop cached pages ourselves: bytes behind the newest that have had time to reach the disk.
const WINDOW: u64 = 8 << 20;
/// RWF_DONTCACHE (Linux 6.14): written back at once, then dropped by the kernel itself.
const DONTCACHE: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x80);

const DIRECT: u8 = 0;
const DONT_CACHE: u8 = 1;
const DROP_BEHIND: u8 = 2;

/// An open file, and the best way to write it that has not been refused.
#[derive(Debug)]
pub(crate) struct DiskFile {
    file: OwnedFd,
    way: AtomicU8,
}

impl DiskFile {
    pub(crate) fn new(file: OwnedFd) -> Self {
        let way = match set_direct(&file, true) {
            Ok(()) => DIRECT,
            // tmpfs before 6.6, some FUSE and network filesystems.
            Err(_) => DONT_CACHE,
        };
        Self {
            file,
            way: AtomicU8::new(way),
        }
    }

    /// Writes `bytes[..length]` at `offset`, a multiple of the block size, as is the address of `bytes`. Only the
    /// last piece of a file may end within a block; it is filled up with zeros, which the final length cuts off.
    pub(crate) fn write_piece(&self, bytes: &mut [u8], length: usize, offset: u64) -> Result<()> {
        let blocks = length.next_multiple_of(BLOCK);
        bytes[length..blocks].fill(0);
        for (from, to) in DataRuns::of(&bytes[..blocks]) {
            self.write_all(&bytes[from..to], offset + from as u64)?;
        }
        if self.way.load(Relaxed) == DROP_BEHIND {
            return self.drop_behind(offset, length as u64);
        }
        Ok(())
    }

    /// Reads to fill `buffer`, from the disk where that can be told from the page cache.
    /// @returns bytes read; fewer at the end of the file
    pub(crate) fn read_piece(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match files::read_at(&self.file, &mut buffer[filled..], offset + filled as u64)? {
                0 => break,
                read => filled += read,
            }
            // Only the end of the file is odd, and behind it nothing can be read directly.
            if filled % BLOCK != 0 {
                break;
            }
        }
        Ok(filled)
    }

    pub(crate) fn stat(&self) -> Result<files::Stat> {
        files::stat(&self.file)
    }

    /// The length that is to come: writes within a file run side by side, those that make it longer do not.
    pub(crate) fn set_length(&self, bytes: u64) -> Result<()> {
        files::set_length(&self.file, bytes)
    }

    /// Brings what was written to the disk, so that it may be recorded.
    pub(crate) fn sync_data(&self) -> Result<()> {
        files::sync_data(&self.file)
    }

    /// Sets length and mode, and makes everything durable, once.
    pub(crate) fn finish(&self, length: u64, mode: u32) -> Result<()> {
        files::set_length(&self.file, length)?;
        files::set_mode(&self.file, mode)?;
        files::sync(&self.file)?;
        // Clean now, so that nothing of it has to stay; a kernel that refuses loses only memory.
        let _ = extents::forget_cached(&self.file, 0, 0);
        Ok(())
    }

    /// Closes and reports, as NFS tells of a failed write here.
    pub(crate) fn close(self) -> Result<()> {
        files::close(self.file)
    }

    fn write_all(&self, mut bytes: &[u8], mut offset: u64) -> Result<()> {
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

    fn write_some(&self, bytes: &[u8], offset: u64) -> Result<usize> {
        if self.way.load(Relaxed) == DIRECT {
            match files::write_at(&self.file, bytes, offset) {
                // Direct I/O was promised at open and is not done here: a short write has left the grid, or the
                // disk's blocks are larger than ours.
                Err(Errno::INVAL) => {
                    set_direct(&self.file, false)?;
                    self.way.fetch_max(DONT_CACHE, Relaxed);
                }
                other => return other,
            }
        }
        if self.way.load(Relaxed) == DONT_CACHE {
            let slices = [IoSlice::new(bytes)];
            match retry_on_intr(|| pwritev2(&self.file, &slices, offset, DONTCACHE)) {
                // This kernel or this file system cannot; then we drop behind us ourselves.
                Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS) => {
                    self.way.fetch_max(DROP_BEHIND, Relaxed);
                }
                other => return other,
            }
        }
        files::write_at(&self.file, bytes, offset)
    }

    /// Starts write-back of this piece, and drops what was written a window before, which has had time to land.
    fn drop_behind(&self, offset: u64, length: u64) -> Result<()> {
        understood(extents::start_writeback(&self.file, offset, length))?;
        let Some(old) = offset.checked_sub(WINDOW) else {
            return Ok(());
        };
        if understood(extents::finish_writeback(&self.file, old, length))? {
            let _ = extents::forget_cached(&self.file, old, length);
        }
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

/// Runs of stretches that are not all zero: start and end.
struct DataRuns<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> DataRuns<'b> {
    fn of(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn stretch(&self) -> Option<&'b [u8]> {
        let end = self.bytes.len().min(self.at + HOLE);
        (self.at < end).then(|| &self.bytes[self.at..end])
    }

    fn skip(&mut self, zero: bool) {
        while let Some(stretch) = self
            .stretch()
            .filter(|stretch| (*stretch == &ZEROS[..stretch.len()]) == zero)
        {
            self.at += stretch.len();
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
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn an_error_of_write_back_ends_the_fetch_because_fsync_will_not_tell_it_again() {
        assert_eq!(understood(Err(Errno::IO)), Err(Errno::IO));
        assert_eq!(understood(Err(Errno::NOSPC)), Err(Errno::NOSPC));
        assert_eq!(understood(Err(Errno::OPNOTSUPP)), Ok(false));
        assert_eq!(understood(Ok(())), Ok(true));
    }

    #[test]
    fn each_way_to_write_gives_the_same_file() {
        let mut content = vec![0u8; (5 << 20) + 700];
        for (at, byte) in content.iter_mut().enumerate() {
            *byte = if at / HOLE % 3 == 1 {
                0
            } else {
                (at % 251) as u8
            };
        }
        for way in [DIRECT, DONT_CACHE, DROP_BEHIND] {
            let dir = tempfile::tempdir().unwrap();
            let parent = files::open_root(dir.path()).unwrap();
            let file = DiskFile::new(files::create_file(&parent, "file").unwrap());
            file.way.fetch_max(way, Relaxed);
            let mut buffer = super::super::writers::Buffer::new();
            for (at, piece) in content.chunks(buffer.bytes().len()).enumerate() {
                let offset = (at * buffer.bytes().len()) as u64;
                buffer.bytes()[..piece.len()].copy_from_slice(piece);
                file.write_piece(buffer.bytes(), piece.len(), offset)
                    .unwrap();
            }
            file.finish(content.len() as u64, 0o644).unwrap();
            assert!(std::fs::read(dir.path().join("file")).unwrap() == content);
            let blocks = std::fs::metadata(dir.path().join("file")).unwrap().blocks();
            assert!(blocks * 512 < content.len() as u64 * 3 / 4, "{blocks}");
        }
    }
}
