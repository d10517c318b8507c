//! How much of a file is in the page cache.

use std::os::fd::OwnedFd;

use sys::{Errno, extents, uncached};

/// Bytes of a range that are in the page cache, None where nobody can tell.
pub(crate) fn cached_bytes(file: &OwnedFd, offset: u64, bytes: u64) -> sys::Result<Option<u64>> {
    match extents::cached_bytes(file, offset, bytes) {
        // Before Linux 6.5, or forbidden to this process.
        Err(Errno::NOSYS | Errno::PERM) => {}
        // Huge page files.
        Err(Errno::OPNOTSUPP) => return Ok(None),
        other => return other.map(Some),
    }
    match uncached::mapped_bytes(file, offset, bytes) {
        Err(Errno::NOSYS | Errno::PERM | Errno::ACCESS | Errno::NODEV | Errno::NOMEM) => Ok(None),
        other => other.map(Some),
    }
}
