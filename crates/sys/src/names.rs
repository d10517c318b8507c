//! Giving names to inodes and taking them away.

use std::os::fd::AsFd;

use rustix::fs::{self, AtFlags, RenameFlags};

use crate::Result;

/// Renames unless the new name is taken (EEXIST). NFS answers EINVAL: it cannot do this.
pub fn rename_noreplace(from: impl AsFd, old: &str, to: impl AsFd, new: &str) -> Result<()> {
    fs::renameat_with(from, old, to, new, RenameFlags::NOREPLACE)
}

/// Renames, replacing what has the new name: a file, or an empty directory.
pub fn rename(from: impl AsFd, old: &str, to: impl AsFd, new: &str) -> Result<()> {
    fs::renameat(from, old, to, new)
}

/// Gives a file a second name; EEXIST if it is taken.
pub fn link(from: impl AsFd, old: &str, to: impl AsFd, new: &str) -> Result<()> {
    fs::linkat(from, old, to, new, AtFlags::empty())
}

/// Takes a name from a file.
pub fn unlink(dir: impl AsFd, name: &str) -> Result<()> {
    fs::unlinkat(dir, name, AtFlags::empty())
}

/// Removes an empty directory.
pub fn remove_dir(dir: impl AsFd, name: &str) -> Result<()> {
    fs::unlinkat(dir, name, AtFlags::REMOVEDIR)
}
