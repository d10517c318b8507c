//! Which disks never make an open wait for a server.
//!
//! A name that is in the kernel's caches is looked up without the disk, but opening it may still ask: NFS and
//! FUSE do so each time, and a server that is gone would stop whoever asked. Only the block-backed
//! filesystems below are known not to.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::sync::{OnceLock, PoisonError, RwLock};

/// `statfs.f_type` of ext2 to ext4, and of xfs (linux/magic.h).
const LOCAL: [i64; 2] = [0xEF53, 0x5846_5342];

/// By device number. A number may go to another disk after an unmount, but that of a block device never to
/// a network's filesystem, which has an anonymous one (major 0).
fn known() -> &'static RwLock<HashMap<u64, bool>> {
    static KNOWN: OnceLock<RwLock<HashMap<u64, bool>>> = OnceLock::new();
    KNOWN.get_or_init(RwLock::default)
}

/// Remembers of what kind the disk of an open file is. It may ask the disk, so only bulk threads call it.
pub(super) fn learn(file: impl AsFd, device: u64) {
    if known()
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .contains_key(&device)
    {
        return;
    }
    let has_block_device = rustix::fs::major(device) != 0;
    let local = has_block_device
        && rustix::fs::fstatfs(file).is_ok_and(|stat| {
            // The width of this field differs between architectures.
            #[allow(clippy::unnecessary_cast)]
            let kind = stat.f_type as i64;
            LOCAL.contains(&kind)
        });
    known()
        .write()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(device, local);
}

/// Whether an open on this device is known not to wait for a server; false until a file of it was served.
pub(super) fn opens_at_once(device: u64) -> bool {
    known()
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&device)
        .copied()
        .unwrap_or(false)
}
