//! Reads and writes past the page cache.

use std::os::fd::AsFd;

use rustix::fs::{self, OFlags};

use crate::Result;

/// What every filesystem takes as unit of direct I/O: offsets, lengths and addresses are multiples of it.
pub const BLOCK: usize = 4096;

/// Turns O_DIRECT of an open file on or off. EINVAL where the filesystem does not have it.
pub fn set_direct(file: impl AsFd, on: bool) -> Result<()> {
    let flags = fs::fcntl_getfl(file.as_fd())?;
    let wanted = if on {
        flags | OFlags::DIRECT
    } else {
        flags - OFlags::DIRECT
    };
    fs::fcntl_setfl(file, wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files;
    use rustix::io::Errno;

    #[test]
    fn a_file_is_switched_to_direct_writes_and_back() {
        let dir = tempfile::tempdir().unwrap();
        let parent = files::open_root(dir.path()).unwrap();
        let file = files::create_file(&parent, "file").unwrap();
        match set_direct(&file, true) {
            Err(Errno::INVAL) => return eprintln!("skipped: no direct I/O on this filesystem"),
            other => other.unwrap(),
        }
        assert!(fs::fcntl_getfl(&file).unwrap().contains(OFlags::DIRECT));
        set_direct(&file, false).unwrap();
        assert_eq!(files::write_at(&file, b"odd", 1), Ok(3));
    }
}
