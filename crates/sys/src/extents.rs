//! What a file's data rests on: clones, holes, allocation, write-back and the page cache.

use std::os::fd::{AsFd, AsRawFd};

use rustix::fs::{self, Advice, FallocateFlags, SeekFrom};
use rustix::io::{Errno, retry_on_intr};

use crate::Result;

/// Makes `target` share all blocks of `source` (FICLONE). Elsewhere than on one xfs or btrfs: EXDEV, EOPNOTSUPP, …
pub fn clone_file(target: impl AsFd, source: impl AsFd) -> Result<()> {
    fs::ioctl_ficlone(target, source)
}

/// Start of the next data at or after `offset`, None if only a hole is left.
pub fn next_data(fd: impl AsFd, offset: u64) -> Result<Option<u64>> {
    match fs::seek(fd, SeekFrom::Data(offset)) {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NXIO) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Start of the next hole at or after `offset`; the end of the file counts as one.
pub fn next_hole(fd: impl AsFd, offset: u64) -> Result<u64> {
    fs::seek(fd, SeekFrom::Hole(offset))
}

/// Reserves blocks for a range without changing the length.
pub fn allocate(fd: impl AsFd, offset: u64, bytes: u64) -> Result<()> {
    let fd = fd.as_fd();
    retry_on_intr(|| fs::fallocate(fd, FallocateFlags::KEEP_SIZE, offset, bytes))
}

/// Drops clean cached pages of a range (all, for 0 bytes).
pub fn forget_cached(fd: impl AsFd, offset: u64, bytes: u64) -> Result<()> {
    fs::fadvise(
        fd,
        offset,
        std::num::NonZeroU64::new(bytes),
        Advice::DontNeed,
    )
}

/// Starts writing a range back, without waiting. No durability is promised by it, and an error of the data that it
/// reports is not reported again by fsync on this descriptor.
pub fn start_writeback(fd: impl AsFd, offset: u64, bytes: u64) -> Result<()> {
    sync_range(fd, offset, bytes, libc::SYNC_FILE_RANGE_WRITE)
}

/// Waits until a range has been written back, so that its pages can be dropped. No durability is promised by it, and
/// an error of the data that it reports is not reported again by fsync on this descriptor.
pub fn finish_writeback(fd: impl AsFd, offset: u64, bytes: u64) -> Result<()> {
    let flags = libc::SYNC_FILE_RANGE_WAIT_BEFORE
        | libc::SYNC_FILE_RANGE_WRITE
        | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    sync_range(fd, offset, bytes, flags)
}

fn sync_range(fd: impl AsFd, offset: u64, bytes: u64, flags: libc::c_uint) -> Result<()> {
    let fd = fd.as_fd().as_raw_fd();
    // SAFETY: plain integers; the descriptor is borrowed for the whole call.
    let status = unsafe { libc::sync_file_range(fd, offset as i64, bytes as i64, flags) };
    if status == 0 {
        Ok(())
    } else {
        Err(last_errno())
    }
}

#[repr(C)]
struct CachestatRange {
    offset: u64,
    bytes: u64,
}

#[repr(C)]
#[derive(Default)]
struct Cachestat {
    cached: u64,
    dirty: u64,
    writeback: u64,
    evicted: u64,
    recently_evicted: u64,
}

/// The same number on every architecture of Linux (6.5 and later).
const SYS_CACHESTAT: libc::c_long = 451;

/// Pages of a range that are in the page cache. ENOSYS before Linux 6.5.
pub fn cached_pages(fd: impl AsFd, offset: u64, bytes: u64) -> Result<u64> {
    let range = CachestatRange { offset, bytes };
    let mut found = Cachestat::default();
    // SAFETY: both structures are laid out as the kernel's and live over the call; flags must be 0.
    let status = unsafe {
        libc::syscall(
            SYS_CACHESTAT,
            fd.as_fd().as_raw_fd(),
            std::ptr::from_ref(&range),
            std::ptr::from_mut(&mut found),
            0u32,
        )
    };
    if status == 0 {
        Ok(found.cached)
    } else {
        Err(last_errno())
    }
}

/// Bytes of a range that are in the page cache (all, for 0 bytes). ENOSYS before Linux 6.5.
pub fn cached_bytes(fd: impl AsFd, offset: u64, bytes: u64) -> Result<u64> {
    // SAFETY: asks for a constant of the system.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Ok(cached_pages(fd, offset, bytes)? * page as u64)
}

pub(crate) fn last_errno() -> Errno {
    Errno::from_raw_os_error(
        std::io::Error::last_os_error()
            .raw_os_error()
            .unwrap_or(libc::EIO),
    )
}
