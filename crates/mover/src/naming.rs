//! Giving a final name without ever replacing what has it.

use std::os::fd::AsFd;

use sys::{Errno, files, names};

use crate::place::sync_directory;

/// Renames unless the new name is taken; false if it is. Where the kernel or the server cannot do
/// that in one step (NFS says EINVAL), a file is linked and unlinked. Both directories stay to be
/// synced by the caller, except that a link is durable before the old name goes.
pub(crate) fn give_name(
    from: impl AsFd,
    old: &str,
    to: impl AsFd,
    new: &str,
    directory: bool,
) -> sys::Result<bool> {
    let (from, to) = (from.as_fd(), to.as_fd());
    match names::rename_noreplace(from, old, to, new) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST | Errno::NOTEMPTY) => Ok(false),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            name_in_steps(from, old, to, new, directory)
        }
        Err(errno) => Err(errno),
    }
}

fn name_in_steps(
    from: impl AsFd + Copy,
    old: &str,
    to: impl AsFd + Copy,
    new: &str,
    directory: bool,
) -> sys::Result<bool> {
    if directory {
        return rename_if_free(from, old, to, new);
    }
    match names::link(from, old, to, new) {
        // A server that lost its answer is asked again and then finds its own link.
        Err(Errno::EXIST) if !same_file(from, old, to, new)? => return Ok(false),
        Ok(()) | Err(Errno::EXIST) => {}
        // No hard links here (FAT and some FUSE file systems).
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => {
            return rename_if_free(from, old, to, new);
        }
        Err(errno) => return Err(errno),
    }
    if let Err(errno) = sync_directory(to) {
        // A name that may vanish is none. Left there, the next try would sync the directory again, and be lied to.
        let _ = names::unlink(to, new);
        return Err(errno);
    }
    names::unlink(from, old)?;
    Ok(true)
}

/// Not one step: another writer of this name could lose a file. A directory is replaced only if it is empty.
fn rename_if_free(
    from: impl AsFd,
    old: &str,
    to: impl AsFd + Copy,
    new: &str,
) -> sys::Result<bool> {
    match files::stat_at(to, new) {
        Ok(_) => return Ok(false),
        Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno),
    }
    match names::rename(from, old, to, new) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST | Errno::NOTEMPTY) => Ok(false),
        Err(errno) => Err(errno),
    }
}

fn same_file(from: impl AsFd, old: &str, to: impl AsFd, new: &str) -> sys::Result<bool> {
    Ok(files::stat_at(from, old)?.same_inode(&files::stat_at(to, new)?))
}

/// Whether a rename between these directories can work at all. The kernel compares the mounts before
/// it looks for the name, so a name that is nowhere answers without doing anything.
pub(crate) fn one_mount(from: impl AsFd, to: impl AsFd, nowhere: &str) -> bool {
    !matches!(
        names::rename_noreplace(from, nowhere, to, nowhere),
        Err(Errno::XDEV)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn dirs(at: &Path) -> (std::os::fd::OwnedFd, std::os::fd::OwnedFd) {
        for name in ["from", "to"] {
            std::fs::create_dir(at.join(name)).unwrap();
        }
        (
            files::open_root(&at.join("from")).unwrap(),
            files::open_root(&at.join("to")).unwrap(),
        )
    }

    #[test]
    fn a_taken_name_is_never_replaced_by_any_way_of_naming() {
        let temp = tempfile::tempdir().unwrap();
        let (from, to) = dirs(temp.path());
        std::fs::write(temp.path().join("from/a"), "new").unwrap();
        std::fs::write(temp.path().join("to/a"), "old").unwrap();
        assert_eq!(give_name(&from, "a", &to, "a", false), Ok(false));
        assert_eq!(
            name_in_steps(from.as_fd(), "a", to.as_fd(), "a", false),
            Ok(false)
        );
        assert_eq!(rename_if_free(&from, "a", to.as_fd(), "a"), Ok(false));
        assert_eq!(std::fs::read(temp.path().join("to/a")).unwrap(), b"old");
        assert_eq!(std::fs::read(temp.path().join("from/a")).unwrap(), b"new");
    }

    #[test]
    fn the_steps_for_nfs_give_files_and_directories_their_name() {
        let temp = tempfile::tempdir().unwrap();
        let (from, to) = dirs(temp.path());
        std::fs::write(temp.path().join("from/a"), "file").unwrap();
        std::fs::create_dir(temp.path().join("from/d")).unwrap();
        std::fs::write(temp.path().join("from/d/x"), "in it").unwrap();
        assert_eq!(
            name_in_steps(from.as_fd(), "a", to.as_fd(), "b", false),
            Ok(true)
        );
        assert_eq!(
            name_in_steps(from.as_fd(), "d", to.as_fd(), "d", true),
            Ok(true)
        );
        assert_eq!(std::fs::read(temp.path().join("to/b")).unwrap(), b"file");
        assert_eq!(std::fs::read(temp.path().join("to/d/x")).unwrap(), b"in it");
        assert_eq!(files::list(&from).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_link_whose_directory_cannot_be_synced_is_taken_back() {
        use std::os::unix::fs::OpenOptionsExt;
        let temp = tempfile::tempdir().unwrap();
        let (from, _) = dirs(temp.path());
        std::fs::write(temp.path().join("from/a"), "file").unwrap();
        // Names can be made below an O_PATH descriptor, but fsync refuses it.
        let o_path = 0o10_000_000;
        let to = std::fs::OpenOptions::new()
            .read(true)
            .custom_flags(o_path)
            .open(temp.path().join("to"))
            .unwrap();
        let named = name_in_steps(from.as_fd(), "a", to.as_fd(), "a", false);
        assert_eq!(named, Err(Errno::BADF));
        assert!(!temp.path().join("to/a").exists());
        assert_eq!(std::fs::read(temp.path().join("from/a")).unwrap(), b"file");
    }

    #[test]
    fn a_link_made_by_an_answer_that_got_lost_counts_as_ours() {
        let temp = tempfile::tempdir().unwrap();
        let (from, to) = dirs(temp.path());
        std::fs::write(temp.path().join("from/a"), "file").unwrap();
        names::link(&from, "a", &to, "a").unwrap();
        assert_eq!(
            name_in_steps(from.as_fd(), "a", to.as_fd(), "a", false),
            Ok(true)
        );
        assert_eq!(files::list(&from).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn asking_for_the_mount_changes_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let (from, to) = dirs(temp.path());
        assert!(one_mount(&from, &to, "nowhere"));
        let proc = files::open_root(Path::new("/proc/self")).unwrap();
        assert!(!one_mount(&from, &proc, "nowhere"));
    }
}
