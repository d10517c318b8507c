//! The cheapest method between two storage paths, found by trying it with a small file.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sys::{Errno, extents, files, names};

use crate::failure::{During, Result};
use crate::naming::give_name;
use crate::place::Root;
use crate::request::Method;

/// What is ours below a storage path.
const OURS: &str = ".sealyard";
const PROBE_BYTES: [u8; 4096] = [0x5e; 4096];

/// Tries `in-place`, `rename` and `clone`; where none works there is `copy`.
///
/// Device numbers lie both ways: a bind mount has the same one and no rename, two subvolumes have
/// different ones and share blocks.
/// # Errors
/// One of the paths is not there or cannot be written.
pub fn probe_tier(source: &Path, target: &Path) -> Result<Method> {
    let (source, target) = (Probe::open(source)?, Probe::open(target)?);
    if source.same_path(&target)? {
        return Ok(Method::InPlace);
    }
    let name = Probe::name();
    let tried = source
        .put(&name)
        .and_then(|()| source.reach(&target, &name));
    // One of them has it, unless the process is killed here: then 4 KiB stay.
    for end in [&source, &target] {
        match names::unlink(&end.ours, &name) {
            Err(Errno::NOENT) => {}
            other => other.during("unlinkat", || end.label(&name))?,
        }
    }
    tried
}

/// What of ours is below a storage path, where small files may be tried out.
pub(crate) struct Probe {
    root: Root,
    pub ours: OwnedFd,
}

impl Probe {
    /// A name that no other probe has.
    pub fn name() -> String {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        format!(
            "probe-{}-{since:x}-{}",
            std::process::id(),
            COUNTER.fetch_add(1, Ordering::Relaxed)
        )
    }

    pub fn open(path: &Path) -> Result<Probe> {
        let root = Root::open(path)?;
        let label = || path.join(OURS).display().to_string();
        match files::make_dir(&root.dir, OURS, 0o755) {
            Err(Errno::EXIST) => {}
            other => other.during("mkdirat", label)?,
        }
        let ours = files::open_dir(&root.dir, OURS).during("openat2", label)?;
        Ok(Probe { root, ours })
    }

    pub fn label(&self, name: &str) -> String {
        self.root.path.join(OURS).join(name).display().to_string()
    }

    fn same_path(&self, other: &Probe) -> Result<bool> {
        let at = |end: &Probe| files::stat(&end.root.dir).during("fstat", || end.label(""));
        let one_nonce = !self.root.nonce.is_empty() && self.root.nonce == other.root.nonce;
        Ok(one_nonce || at(self)?.same_inode(&at(other)?))
    }

    pub fn put(&self, name: &str) -> Result<()> {
        let file = files::create_file(&self.ours, name).during("openat2", || self.label(name))?;
        // Content, because some file systems clone an empty file where they could not clone a block.
        files::write_at(&file, &PROBE_BYTES, 0).during("pwrite", || self.label(name))?;
        Ok(())
    }

    fn reach(&self, target: &Probe, name: &str) -> Result<Method> {
        // Another mount of the same share shows the file there too.
        if files::stat_at(&target.ours, name).is_ok() {
            return Ok(Method::InPlace);
        }
        match give_name(&self.ours, name, &target.ours, name, false) {
            Err(Errno::XDEV) => self.clone_to(target, name),
            other => other
                .during("renameat2", || target.label(name))
                .map(|_| Method::Rename),
        }
    }

    fn clone_to(&self, target: &Probe, name: &str) -> Result<Method> {
        let from = files::open_file(&self.ours, name).during("openat2", || self.label(name))?;
        let to = files::create_file(&target.ours, name).during("openat2", || target.label(name))?;
        Ok(if extents::clone_file(&to, &from).is_ok() {
            Method::Clone
        } else {
            Method::Copy
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_directories_of_one_mount_are_a_rename_apart_and_a_path_is_in_place_with_itself() {
        let temp = tempfile::tempdir().unwrap();
        let (a, b) = (temp.path().join("a"), temp.path().join("b"));
        std::fs::create_dir(&a).unwrap();
        std::fs::create_dir(&b).unwrap();
        assert_eq!(probe_tier(&a, &b).unwrap(), Method::Rename);
        assert_eq!(probe_tier(&a, &a).unwrap(), Method::InPlace);
        std::os::unix::fs::symlink(&a, temp.path().join("link")).unwrap();
        assert_eq!(
            probe_tier(&temp.path().join("link"), &a).unwrap(),
            Method::InPlace
        );
        for path in [&a, &b] {
            assert_eq!(
                std::fs::read_dir(path.join(OURS)).unwrap().count(),
                0,
                "the probe is removed"
            );
        }
        assert_eq!(
            probe_tier(&a, &temp.path().join("none")).unwrap_err().code,
            crate::Code::NotFound
        );
    }

    #[test]
    fn two_paths_with_one_nonce_are_one_path() {
        let temp = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            std::fs::create_dir_all(temp.path().join(name).join(OURS)).unwrap();
            std::fs::write(temp.path().join(name).join(OURS).join("nonce"), "same\n").unwrap();
        }
        let tier = probe_tier(&temp.path().join("a"), &temp.path().join("b")).unwrap();
        assert_eq!(tier, Method::InPlace);
    }
}
