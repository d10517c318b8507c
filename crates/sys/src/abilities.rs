//! What this kernel, and this user in it, may do.

use std::os::fd::{FromRawFd, OwnedFd};

/// Whether an io_uring can be made; containers often forbid it.
pub fn io_uring() -> bool {
    // struct io_uring_params is 120 bytes, all zero for the defaults.
    let mut params = [0u64; 15];
    // SAFETY: the kernel reads and writes exactly sizeof(io_uring_params) = 120 bytes behind the pointer.
    let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1u32, params.as_mut_ptr()) };
    if fd < 0 {
        return false;
    }
    // SAFETY: a descriptor the kernel has just given to us alone.
    drop(unsafe { OwnedFd::from_raw_fd(fd as i32) });
    true
}

/// Whether the page cache can be asked what it holds (cachestat, Linux 6.5).
pub fn cachestat() -> bool {
    let Ok(fd) = crate::files::open_root(std::path::Path::new("/")) else {
        return false;
    };
    // A directory has no pages to count, but only a kernel without the call says ENOSYS.
    !matches!(
        crate::extents::cached_pages(&fd, 0, 0),
        Err(crate::Errno::NOSYS | crate::Errno::PERM)
    )
}

/// Whether this process acts as root.
pub fn root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The kernel's release, such as `6.8.0-45-generic`.
pub fn kernel_release() -> String {
    rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned()
}
