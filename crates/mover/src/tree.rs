//! Whole trees: what they take on the disk, and their removal. Links are never followed.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::path::Path;

use sys::files::{self, Kind, Stat};
use sys::{Errno, names};

use crate::failure::{Code, During, Failure, Result};

/// Bytes a name and all below it take on the disk (st_blocks × 512); None if it is not there.
pub(crate) fn usage(dir: &OwnedFd, name: &str) -> sys::Result<Option<u64>> {
    let mut seen = HashSet::new();
    usage_of(dir, name, &mut seen)
}

fn usage_of(dir: &OwnedFd, name: &str, seen: &mut HashSet<(u64, u64)>) -> sys::Result<Option<u64>> {
    // What vanishes while it is counted takes nothing.
    let stat = match files::stat_at(dir, name) {
        Err(Errno::NOENT) => return Ok(None),
        other => other?,
    };
    let mut bytes = counted_once(&stat, seen);
    if stat.kind == Kind::Directory {
        let own = match files::open_dir(dir, name) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(Some(bytes)),
            other => other?,
        };
        for child in files::list(&own)? {
            bytes += usage_of(&own, &child, seen)?.unwrap_or(0);
        }
    }
    Ok(Some(bytes))
}

fn counted_once(stat: &Stat, seen: &mut HashSet<(u64, u64)>) -> u64 {
    let again = stat.kind == Kind::File && stat.links > 1 && !seen.insert((stat.dev, stat.ino));
    if again { 0 } else { stat.allocated }
}

/// Unlinks a name and all below it. What is gone already does not matter.
pub(crate) fn remove(dir: &OwnedFd, name: &str) -> sys::Result<()> {
    let stat = match files::stat_at(dir, name) {
        Err(Errno::NOENT) => return Ok(()),
        other => other?,
    };
    let outcome = if stat.kind == Kind::Directory {
        let own = files::open_dir(dir, name)?;
        for child in files::list(&own)? {
            remove(&own, &child)?;
        }
        names::remove_dir(dir, name)
    } else {
        names::unlink(dir, name)
    };
    match outcome {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

/// Bytes that a file or tree takes on its disk (st_blocks × 512); None if it is not there.
/// # Errors
/// The path has no name of its own (`/`, `..`), or the kernel refused.
pub fn disk_usage(path: &Path) -> Result<Option<u64>> {
    let label = || path.display().to_string();
    let (Some(parent), Some(name)) = (
        path.parent(),
        path.file_name().and_then(|name| name.to_str()),
    ) else {
        return Err(Failure::new(
            Code::Invalid,
            label(),
            "not the path of a file or directory",
        ));
    };
    let parent = if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    };
    let dir = match files::open_root(parent) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        other => other.during("open", || parent.display().to_string())?,
    };
    usage(&dir, name).during("fstatat", label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_counts_blocks_and_an_inode_with_two_names_once() {
        let temp = tempfile::tempdir().unwrap();
        let at = temp.path().join("tree");
        std::fs::create_dir(&at).unwrap();
        std::fs::write(at.join("a"), vec![1u8; 100_000]).unwrap();
        std::fs::File::create(at.join("sparse"))
            .unwrap()
            .set_len(1 << 30)
            .unwrap();
        let before = disk_usage(&at).unwrap().unwrap();
        assert!((100_000..1 << 20).contains(&before), "{before}");
        std::fs::hard_link(at.join("a"), at.join("b")).unwrap();
        assert_eq!(disk_usage(&at).unwrap(), Some(before));
        assert_eq!(disk_usage(&temp.path().join("none")).unwrap(), None);
        assert_eq!(disk_usage(&temp.path().join("none/below")).unwrap(), None);
        assert_eq!(disk_usage(Path::new("/")).unwrap_err().code, Code::Invalid);
    }

    #[test]
    fn removal_takes_links_but_not_what_they_lead_to() {
        let temp = tempfile::tempdir().unwrap();
        let other = temp.path().join("other");
        std::fs::create_dir_all(temp.path().join("tree/deep")).unwrap();
        std::fs::create_dir(&other).unwrap();
        std::fs::write(other.join("kept"), "kept").unwrap();
        std::os::unix::fs::symlink(&other, temp.path().join("tree/deep/link")).unwrap();
        let dir = files::open_root(temp.path()).unwrap();
        remove(&dir, "tree").unwrap();
        remove(&dir, "tree").unwrap();
        assert!(!temp.path().join("tree").exists());
        assert_eq!(std::fs::read(other.join("kept")).unwrap(), b"kept");
    }
}
