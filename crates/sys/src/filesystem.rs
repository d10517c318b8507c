//! What a file system says of itself: space, inodes, kind, identity.

use std::os::fd::{AsFd, AsRawFd};

use rustix::fs;

use crate::Result;

/// Space and identity of a mounted file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filesystem {
    /// Size in bytes.
    pub capacity: u64,
    /// Bytes free for an ordinary user.
    pub available: u64,
    /// Inodes in all; 0 where they are not counted (btrfs).
    pub inodes: u64,
    /// Inodes free for an ordinary user.
    pub free_inodes: u64,
    /// The magic number of its kind.
    pub magic: u64,
    /// f_fsid; 0 on NFS.
    pub fsid: u64,
    /// True when nothing can be written.
    pub read_only: bool,
}

// The widths of these fields differ between architectures.
/// statvfs and statfs of the file system an open file is on.
#[allow(clippy::unnecessary_cast)]
pub fn filesystem(fd: impl AsFd) -> Result<Filesystem> {
    let fd = fd.as_fd();
    let space = fs::fstatvfs(fd)?;
    let kind = fs::fstatfs(fd)?;
    Ok(Filesystem {
        capacity: space.f_blocks.saturating_mul(space.f_frsize),
        available: space.f_bavail.saturating_mul(space.f_frsize),
        inodes: space.f_files,
        free_inodes: space.f_favail,
        magic: kind.f_type as u64 & 0xffff_ffff,
        fsid: space.f_fsid,
        read_only: space.f_flag.contains(fs::StatVfsMountFlags::RDONLY),
    })
}

/// `struct btrfs_ioctl_fs_info_args`, of which only the UUID is read.
#[repr(C)]
struct BtrfsFsInfo {
    max_id: u64,
    devices: u64,
    uuid: [u8; 16],
    rest: [u8; 992],
}

/// _IOR(0x94, 31, struct btrfs_ioctl_fs_info_args)
const BTRFS_IOC_FS_INFO: u64 = 0x8400_941f;

/// The UUID of a btrfs: each subvolume has a device number and f_fsid of its own, but space is shared.
pub fn btrfs_uuid(fd: impl AsFd) -> Result<[u8; 16]> {
    let mut info = BtrfsFsInfo {
        max_id: 0,
        devices: 0,
        uuid: [0; 16],
        rest: [0; 992],
    };
    const { assert!(size_of::<BtrfsFsInfo>() == 1024) };
    // SAFETY: the structure has the 1024 bytes that the request number says, and outlives the call.
    let status = unsafe {
        libc::ioctl(
            fd.as_fd().as_raw_fd(),
            BTRFS_IOC_FS_INFO as _,
            std::ptr::from_mut(&mut info),
        )
    };
    if status == 0 {
        Ok(info.uuid)
    } else {
        Err(crate::extents::last_errno())
    }
}
