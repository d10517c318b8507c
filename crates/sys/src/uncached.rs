//! Reads and writes that leave no pages behind: past the page cache (O_DIRECT), or through it without staying.

use std::io::{IoSlice, IoSliceMut};
use std::os::fd::AsFd;

use rustix::fs::{self, OFlags};
use rustix::io::{self, ReadWriteFlags, retry_on_intr};
use rustix::mm::{self, MapFlags, ProtFlags};

use crate::Result;
use crate::extents::last_errno;

/// RWF_DONTCACHE (Linux 6.14): pages that the call itself brought in are dropped when they are clean.
const DONTCACHE: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x80);

/// Makes reads and writes of an open file go past the page cache, or again through it.
/// EINVAL where the file system has no such way.
pub fn set_direct(fd: impl AsFd, direct: bool) -> Result<()> {
    let fd = fd.as_fd();
    let mut flags = fs::fcntl_getfl(fd)?;
    flags.set(OFlags::DIRECT, direct);
    fs::fcntl_setfl(fd, flags)
}

/// As `files::read_at`, leaving in the page cache what was there. EOPNOTSUPP where the kernel or file system cannot.
pub fn read_at(fd: impl AsFd, buffer: &mut [u8], offset: u64) -> Result<usize> {
    let fd = fd.as_fd();
    retry_on_intr(|| io::preadv2(fd, &mut [IoSliceMut::new(buffer)], offset, DONTCACHE))
}

/// As `files::write_at`, starting write-back at once and dropping the pages after it. EOPNOTSUPP as above.
pub fn write_at(fd: impl AsFd, buffer: &[u8], offset: u64) -> Result<usize> {
    let fd = fd.as_fd();
    retry_on_intr(|| io::pwritev2(fd, &[IoSlice::new(buffer)], offset, DONTCACHE))
}

/// Bytes of a range that are in the page cache, on kernels without cachestat (mincore).
///
/// To users who may not write the file the kernel says that all of it is.
pub fn mapped_bytes(fd: impl AsFd, offset: u64, bytes: u64) -> Result<u64> {
    let length = usize::try_from(bytes).map_err(|_| rustix::io::Errno::OVERFLOW)?;
    if length == 0 {
        return Ok(0);
    }
    // SAFETY: asks for a constant of the system.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    let mut pages = vec![0u8; length.div_ceil(page)];
    // SAFETY: a new mapping at an address of the kernel's choice; it is never read.
    let at = unsafe {
        mm::mmap(
            std::ptr::null_mut(),
            length,
            ProtFlags::READ,
            MapFlags::SHARED,
            fd,
            offset,
        )?
    };
    // SAFETY: the mapping is `length` long, and the kernel writes one byte for each of its pages.
    let status = unsafe { libc::mincore(at, length, pages.as_mut_ptr()) };
    let outcome = if status == 0 {
        Ok(())
    } else {
        Err(last_errno())
    };
    // SAFETY: the mapping was made above, and nothing refers to it.
    unsafe { mm::munmap(at, length)? };
    outcome.map(|()| pages.iter().filter(|page| **page & 1 == 1).count() as u64 * page as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extents;
    use std::io::Write;

    #[test]
    fn mincore_counts_as_cachestat_does() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 3 << 20]).unwrap();
        file.sync_all().unwrap();
        for drop in [false, true] {
            if drop {
                extents::forget_cached(&file, 1 << 20, 1 << 20).unwrap();
            }
            let Ok(expected) = extents::cached_bytes(&file, 0, 3 << 20) else {
                println!("SKIP: mincore beside cachestat: this kernel has no cachestat");
                return;
            };
            assert_eq!(
                mapped_bytes(&file, 0, 3 << 20),
                Ok(expected),
                "dropped: {drop}"
            );
        }
        assert_eq!(mapped_bytes(&file, 0, 0), Ok(0));
    }
}
