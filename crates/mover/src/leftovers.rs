//! What lies in the `fetching/` directories of a storage path.

use std::path::Path;

use sys::{Errno, files};

use crate::failure::{Code, During, Failure, Result};
use crate::mover::Mover;
use crate::place::{FETCHING, Root, sync_directory};
use crate::tree;

/// Something unfinished, of this program or of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Relative to the storage path: `<type>/fetching/<name>`.
    pub name: String,
    /// Bytes on the disk.
    pub bytes: u64,
    /// Last change, milliseconds since the epoch.
    pub modified_ms: i64,
    /// An open move of this journal uses it.
    pub owned: bool,
}

impl Mover {
    /// Lists them, without a judgement.
    pub fn leftovers(&self, root: &Path) -> Result<Vec<Leftover>> {
        let root = Root::open(root)?;
        let mut found = Vec::new();
        for kind in
            files::list(&root.dir).during("getdents64", || root.path.display().to_string())?
        {
            let under = format!("{kind}/{FETCHING}");
            let path = |name: &str| root.path.join(&under).join(name).display().to_string();
            let fetching = match files::open_dir(&root.dir, &under) {
                // Not a directory, no such directory in it, a link: nothing of ours.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS | Errno::XDEV) => {
                    continue;
                }
                other => other.during("openat2", || path(""))?,
            };
            for leaf in files::list(&fetching).during("getdents64", || path(""))? {
                let Ok(stat) = files::stat_at(&fetching, &leaf) else {
                    continue;
                };
                found.push(Leftover {
                    name: format!("{under}/{leaf}"),
                    bytes: tree::usage(&fetching, &leaf)
                        .during("fstatat", || path(&leaf))?
                        .unwrap_or(0),
                    modified_ms: i64::try_from(stat.mtime_ns.div_euclid(1_000_000)).unwrap_or(0),
                    owned: self.owns(&leaf),
                });
            }
        }
        Ok(found)
    }

    /// Removes one, durably; what is not there is removed already.
    /// # Errors
    /// `Busy` if an open move uses it; `Invalid` for a name that is no leftover's.
    pub fn discard(&self, root: &Path, name: &str) -> Result<()> {
        let label = || root.join(name).display().to_string();
        let parts: Vec<&str> = name.split('/').collect();
        let [kind, FETCHING, leaf] = parts[..] else {
            return Err(Failure::new(
                Code::Invalid,
                label(),
                "not a name of the form <type>/fetching/<name>",
            ));
        };
        if [kind, leaf]
            .iter()
            .any(|part| part.is_empty() || part.starts_with('.'))
        {
            return Err(Failure::new(
                Code::Invalid,
                label(),
                "not a name of the form <type>/fetching/<name>",
            ));
        }
        if self.owns(leaf) {
            return Err(Failure::new(Code::Busy, label(), "an open move uses it"));
        }
        let root = Root::open(root)?;
        let fetching = match files::open_dir(&root.dir, &format!("{kind}/{FETCHING}")) {
            Err(Errno::NOENT) => return Ok(()),
            other => other.during("openat2", label)?,
        };
        root.check()?;
        tree::remove(&fetching, leaf)
            .and_then(|()| sync_directory(&fetching))
            .during("unlinkat", label)
    }
}
