//! What a file system says of itself, and which paths share its space.

use std::path::Path;

use sys::{files, filesystem};

use crate::failure::{During, Result};

/// Space, inodes and identity of the file system below a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesystemState {
    /// Size in bytes.
    pub capacity_bytes: u64,
    /// Free for an ordinary user.
    pub available_bytes: u64,
    /// Inodes in all; 0 where they are not counted.
    pub total_inodes: u64,
    /// Inodes free.
    pub free_inodes: u64,
    /// Paths with the same string share their free space.
    pub filesystem: String,
    /// `xfs`, `ext4`, … or the magic number in hex.
    pub kind: String,
    /// The mount the path was reached through.
    pub mount_id: u64,
}

/// Names of the kinds of file system that hold sectors, by magic number (statfs(2)).
const KINDS: [(u64, &str); 13] = [
    (0xef53, "ext4"),
    (0x5846_5342, "xfs"),
    (0x9123_683e, "btrfs"),
    (0x0102_1994, "tmpfs"),
    (0x6969, "nfs"),
    (0x2fc1_2fc1, "zfs"),
    (0xf2f5_2010, "f2fs"),
    (0x794c_7630, "overlay"),
    (0x6573_5546, "fuse"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb2"),
    (0x00c3_6400, "ceph"),
    (0xca45_1a4e, "bcachefs"),
];

/// Asks the file system below a directory.
/// # Errors
/// The path is not there, or is no directory.
pub fn filesystem_of(path: &Path) -> Result<FilesystemState> {
    let label = || path.display().to_string();
    let dir = files::open_root(path).during("open", label)?;
    let state = filesystem::filesystem(&dir).during("fstatfs", label)?;
    let device = files::stat(&dir).during("fstat", label)?.dev;
    let kind = KINDS.iter().find(|(magic, _)| *magic == state.magic);
    let kind = kind.map_or_else(
        || format!("0x{:x}", state.magic),
        |(_, name)| (*name).to_owned(),
    );
    // Each subvolume of a btrfs has a device number of its own; its UUID is one.
    let filesystem = match filesystem::btrfs_uuid(&dir) {
        Ok(uuid) if kind == "btrfs" => format!("btrfs:{:032x}", u128::from_be_bytes(uuid)),
        _ => format!("{kind}:{device:x}:{:x}", state.fsid),
    };
    Ok(FilesystemState {
        capacity_bytes: state.capacity,
        available_bytes: state.available,
        total_inodes: state.inodes,
        free_inodes: state.free_inodes,
        filesystem,
        kind,
        mount_id: files::mount_id(&dir).during("statx", label)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_directories_of_one_file_system_share_its_space() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::create_dir(temp.path().join("a")).unwrap();
        let (outer, inner) = (
            filesystem_of(temp.path()).unwrap(),
            filesystem_of(&temp.path().join("a")).unwrap(),
        );
        assert_eq!(outer.filesystem, inner.filesystem);
        assert!(outer.capacity_bytes >= outer.available_bytes && outer.available_bytes > 0);
        assert_ne!(
            filesystem_of(Path::new("/proc")).unwrap().filesystem,
            outer.filesystem
        );
        let failure = filesystem_of(&temp.path().join("none")).unwrap_err();
        assert_eq!(
            (failure.code, failure.errno),
            (crate::Code::NotFound, Some(2))
        );
    }
}
