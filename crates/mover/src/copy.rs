//! The content of one file into another that is empty: cloned where that works, else its data extents.
//!
//! The page cache is left as it was found: pages that only this copy brought in are dropped behind it,
//! so that PC1's parent cache stays.

use std::os::fd::OwnedFd;

use sys::{Errno, extents, files};

use crate::Control;
use crate::content::{CHUNK, ContentHash, Extents, read_full};
use crate::failure::{Code, During, Failure, Result};
use crate::trace::Trace;

/// Dirty bytes of a copy in flight: enough to keep a disk busy, little enough not to flush others out.
const WINDOW: u64 = 8 << 20;

/// An open file and its path, for messages.
pub(crate) struct Side<'a> {
    pub file: &'a OwnedFd,
    pub label: &'a str,
}

impl Side<'_> {
    fn path(&self) -> String {
        self.label.to_owned()
    }
}

/// Makes the target share the source's blocks; false where this pair of files cannot.
pub(crate) fn clone(source: &Side<'_>, target: &Side<'_>) -> Result<bool> {
    match extents::clone_file(target.file, source.file) {
        Ok(()) => Ok(true),
        // Another file system, none that can, files of different flags, or no such call.
        Err(
            Errno::XDEV
            | Errno::OPNOTSUPP
            | Errno::INVAL
            | Errno::NOTTY
            | Errno::NOSYS
            | Errno::TXTBSY,
        ) => Ok(false),
        other => other.during("FICLONE", || target.path()).map(|()| true),
    }
}

/// What a copy read and wrote: bytes without holes, and the hash of the content if one was wanted.
pub(crate) struct Copied {
    pub bytes: u64,
    pub digest: Option<[u8; 32]>,
}

/// Copies the data extents of a file of `size` bytes and sets the length. Nothing is durable yet.
/// @param before bytes of earlier files, for the progress counter
pub(crate) fn copy(
    source: &Side<'_>,
    target: &Side<'_>,
    (size, before): (u64, u64),
    with_digest: bool,
    control: &Control,
) -> Result<Copied> {
    let mut buffer = vec![0u8; CHUNK];
    let mut hash = with_digest.then(ContentHash::new);
    let mut trace = Trace::of(source.file, size).during("cachestat", || source.path())?;
    let mut behind = DropBehind {
        target,
        pending: None,
    };
    let mut parts = Extents::new(source.file, size);
    let mut bytes = 0;
    while let Some((mut at, end)) = parts.next().during("lseek", || source.path())? {
        reserve(target, at, end - at)?;
        while at < end {
            control.check(source.label)?;
            let part = &mut buffer[..CHUNK.min((end - at) as usize)];
            read_part(source, part, at, &mut trace)?;
            if let Some(hash) = &mut hash {
                hash.update(at, part);
            }
            write_full(target, part, at)?;
            at += part.len() as u64;
            bytes += part.len() as u64;
            behind.wrote(at - part.len() as u64, at)?;
            control.arrived(before + at);
        }
    }
    trace.finish().during("fadvise", || source.path())?;
    behind.finish()?;
    files::set_length(target.file, size).during("ftruncate", || target.path())?;
    control.arrived(before + size);
    Ok(Copied {
        bytes,
        digest: hash.map(|hash| hash.finish(size)),
    })
}

/// Finds out that the disk is full before writing, and gets long extents. Not every file system can.
fn reserve(target: &Side<'_>, offset: u64, bytes: u64) -> Result<()> {
    match extents::allocate(target.file, offset, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        other => other.during("fallocate", || target.path()),
    }
}

fn read_part(source: &Side<'_>, part: &mut [u8], at: u64, trace: &mut Trace<'_>) -> Result<()> {
    trace.look(at).during("fadvise", || source.path())?;
    if !read_full(source.file, part, at).during("pread", || source.path())? {
        let message = "the file became shorter while it was read; nothing was moved";
        return Err(Failure::new(Code::SourceChanged, source.label, message));
    }
    trace
        .read(at + part.len() as u64)
        .during("fadvise", || source.path())
}

fn write_full(target: &Side<'_>, part: &[u8], offset: u64) -> Result<()> {
    let mut done = 0;
    while done < part.len() {
        match files::write_at(target.file, &part[done..], offset + done as u64) {
            Ok(0) => return Err(Failure::kernel("pwrite", target.label, Errno::IO)),
            Ok(written) => done += written,
            Err(errno) => return Err(Failure::kernel("pwrite", target.label, errno)),
        }
    }
    Ok(())
}

/// Starts write-back of one window while the next is filled, then waits for it and drops its pages.
struct DropBehind<'a> {
    target: &'a Side<'a>,
    /// Written, write-back not yet waited for; and where the part begins that was not even started.
    pending: Option<(u64, u64)>,
}

impl DropBehind<'_> {
    fn wrote(&mut self, from: u64, to: u64) -> Result<()> {
        let (start, _) = self.pending.unwrap_or((from, from));
        self.range(from, to, |file, at, bytes| {
            extents::start_writeback(file, at, bytes)
        })?;
        self.pending = Some((start, to));
        if to - start >= WINDOW {
            // All but the newest chunk, whose write-back has only begun.
            self.drop_until(from)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        self.pending.map_or(Ok(()), |(_, to)| self.drop_until(to))
    }

    fn drop_until(&mut self, until: u64) -> Result<()> {
        let Some((start, to)) = self.pending else {
            return Ok(());
        };
        if until > start {
            self.range(start, until, |file, at, bytes| {
                extents::finish_writeback(file, at, bytes)
            })?;
            let path = || self.target.path();
            extents::forget_cached(self.target.file, start, until - start)
                .during("fadvise", path)?;
        }
        self.pending = (until < to).then_some((until, to));
        Ok(())
    }

    /// An error of write-back is told once, here or by fsync: it must not be passed over.
    fn range(
        &self,
        from: u64,
        to: u64,
        call: impl Fn(&OwnedFd, u64, u64) -> sys::Result<()>,
    ) -> Result<()> {
        match call(self.target.file, from, to - from) {
            Err(Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL | Errno::SPIPE) => Ok(()),
            other => other.during("sync_file_range", || self.target.path()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::hash_file;

    fn copied(content: &[u8], length: u64) -> (Vec<u8>, u64, Copied) {
        let temp = tempfile::tempdir().unwrap();
        let from = temp.path().join("from");
        std::fs::write(&from, content).unwrap();
        std::fs::OpenOptions::new()
            .write(true)
            .open(&from)
            .unwrap()
            .set_len(length)
            .unwrap();
        let dir = files::open_root(temp.path()).unwrap();
        let (source, target) = (
            files::open_file(&dir, "from").unwrap(),
            files::create_file(&dir, "to").unwrap(),
        );
        let control = Control::new();
        let sides = (
            Side {
                file: &source,
                label: "from",
            },
            Side {
                file: &target,
                label: "to",
            },
        );
        let result = copy(&sides.0, &sides.1, (length, 0), true, &control).unwrap();
        assert_eq!(control.progress().0, length);
        files::sync(&target).unwrap();
        assert_eq!(
            result.digest,
            Some(hash_file(&target, length, true, "to", &control).unwrap())
        );
        let allocated = files::stat(&target).unwrap().allocated;
        (
            std::fs::read(temp.path().join("to")).unwrap(),
            allocated,
            result,
        )
    }

    #[test]
    fn every_length_around_a_block_and_a_window_arrives() {
        for size in [
            0,
            1,
            4095,
            4096,
            4097,
            CHUNK - 1,
            CHUNK + 1,
            (WINDOW + 5) as usize,
            2 * WINDOW as usize + 1,
        ] {
            let content: Vec<u8> = (0..size).map(|at| (at * 7 + at / 4096) as u8 | 1).collect();
            let (arrived, _, result) = copied(&content, size as u64);
            assert!(arrived == content, "{size} bytes");
            assert_eq!(result.bytes, size as u64);
        }
    }

    #[test]
    fn a_hole_at_the_end_is_neither_read_nor_allocated() {
        let (arrived, allocated, result) = copied(&[5; 10_000], 64 << 20);
        assert_eq!(arrived.len(), 64 << 20);
        assert_eq!(&arrived[..10_000], &[5; 10_000]);
        assert!(
            result.bytes <= 12_288 && allocated < 1 << 20,
            "{} {allocated}",
            result.bytes
        );
    }

    #[test]
    fn a_cancelled_copy_ends_at_the_next_chunk() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::write(temp.path().join("from"), [1; 100]).unwrap();
        let dir = files::open_root(temp.path()).unwrap();
        let (source, target) = (
            files::open_file(&dir, "from").unwrap(),
            files::create_file(&dir, "to").unwrap(),
        );
        let control = Control::new();
        control.cancel();
        let sides = (
            Side {
                file: &source,
                label: "from",
            },
            Side {
                file: &target,
                label: "to",
            },
        );
        let failure = copy(&sides.0, &sides.1, (100, 0), false, &control)
            .err()
            .unwrap();
        assert_eq!(failure.code, Code::Cancelled);
    }
}
