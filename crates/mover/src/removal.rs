//! Removing what was moved, exactly that, and removing a sector file for good.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sys::files::{self, Kind, Stat};
use sys::{Errno, names};

use crate::control::{Control, Step};
use crate::failure::{Code, During, Failure, Result};
use crate::journal::OpenMove;
use crate::manifest::{Contents, Manifest};
use crate::mover::Mover;
use crate::naming::give_name;
use crate::place::{Place, Root, Spot, split_name, sync_directory};
use crate::record::Record;
use crate::tree;

/// What a removal gave back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    /// False if nothing had the name.
    pub removed: bool,
    /// Bytes it took on the disk.
    pub allocated_bytes: u64,
}

impl Mover {
    /// Unlinks the files that were moved, after checking that the target still has them, that the source
    /// holds nothing else and that nothing was written to it since.
    /// # Errors
    /// `WrongState` if the target is not durable or the source is to be kept. Nothing was unlinked unless
    /// the kernel failed half-way; the source has then lost its final name, and another call goes on.
    pub fn remove_source(&self, op: &str, control: &Control) -> Result<()> {
        let Some((_claim, entry)) = self.claim_open(op)? else {
            if self.is_unrecorded(op) {
                return Ok(());
            }
            return Err(Failure::new(
                Code::WrongState,
                op,
                "no open move has this id",
            ));
        };
        let intent = &entry.intent;
        if entry.source_removed {
            return Ok(());
        }
        let Some(manifest) = entry.durable.as_ref().filter(|_| !intent.keep_source) else {
            let message = if intent.keep_source {
                "this move keeps its source"
            } else {
                "its target is not durable"
            };
            return Err(Failure::new(Code::WrongState, op, message));
        };
        check_target(&entry, manifest)?;
        unlink_source(&entry, manifest, control)?;
        control.step(Step::SourceUnlinked);
        self.append(Record::SourceRemoved { op: op.to_owned() })?;
        control.step(Step::SourceRecorded);
        Ok(())
    }

    /// Removes a file or directory durably; a name that is not there is removed already.
    /// # Errors
    /// `Busy` while a thread moves it. After another failure it may be removed in part, without its name.
    pub fn remove(&self, root: &Path, name: &str) -> Result<Removed> {
        split_name(name)?;
        let place = Place {
            root: root.to_owned(),
            name: name.to_owned(),
        };
        let _claim = self.claim_removal(place)?;
        let root = Root::open(root)?;
        let spot = match Spot::open(root, name) {
            Err(failure) if failure.errno == Some(Errno::NOENT.raw_os_error()) => {
                return Ok(NOTHING);
            }
            other => other?,
        };
        let Some(found) = spot.stat()? else {
            return Ok(NOTHING);
        };
        let taken = tree::usage(&spot.dir, &spot.leaf).during("fstatat", || spot.label())?;
        spot.root.check()?;
        if found.kind == Kind::Directory {
            remove_directory(&spot)?;
        } else {
            names::unlink(&spot.dir, &spot.leaf).during("unlinkat", || spot.label())?;
            spot.sync_names()?;
        }
        Ok(Removed {
            removed: true,
            allocated_bytes: taken.unwrap_or(0),
        })
    }
}

const NOTHING: Removed = Removed {
    removed: false,
    allocated_bytes: 0,
};

/// A directory loses its name first: half of one is never seen under it.
fn remove_directory(spot: &Spot) -> Result<()> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let temp = spot.temp(&format!(
        "removed-{:x}-{}",
        since.as_nanos(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    ));
    let fetching = spot.fetching()?;
    names::rename(&spot.dir, &spot.leaf, &fetching, &temp).during("renameat", || spot.label())?;
    sync_directory(&fetching).during("fsync", || spot.label_of("fetching"))?;
    spot.sync_names()?;
    tree::remove(&fetching, &temp)
        .during("unlinkat", || spot.label_of(&format!("fetching/{temp}")))?;
    sync_directory(&fetching).during("fsync", || spot.label_of("fetching"))
}

fn check_target(entry: &OpenMove, manifest: &Manifest) -> Result<()> {
    let intent = &entry.intent;
    let target = Spot::open(
        Root::open_again(&intent.target.root, &intent.target_nonce)?,
        &intent.target.name,
    )?;
    let label = target.label();
    match Contents::read(&target.dir, &target.leaf, &label)? {
        Some(now) if manifest.fits(&now) => Ok(()),
        Some(_) => Err(Failure::new(
            Code::TargetDiffers,
            label,
            "is no longer what was moved; the source is kept",
        )),
        None => Err(Failure::new(
            Code::TargetDiffers,
            label,
            "is no longer there; the source is kept",
        )),
    }
}

fn unlink_source(entry: &OpenMove, manifest: &Manifest, control: &Control) -> Result<()> {
    let intent = &entry.intent;
    let root = Root::open_again(&intent.source.root, &intent.source_nonce)?;
    let source = Spot::open(root, &intent.source.name)?;
    check_not_target(entry, &source)?;
    source.root.check()?;
    let temp = source.temp(&intent.op);
    if manifest.directory {
        let fetching = source.fetching()?;
        let aside_label = source.temp_label(&intent.op);
        match Contents::read(&fetching, &temp, &aside_label)? {
            // An earlier call may have been stopped before it looked a second time.
            Some(aside) => manifest.check_source(&aside, &aside_label)?,
            None if set_aside(&source, &fetching, &temp, manifest)? => {
                control.step(Step::SourceSetAside);
            }
            None => return source.sync_names(),
        }
        return unlink_directory(&source, &fetching, &temp, manifest);
    }
    let label = source.label();
    if let Some(now) = Contents::read(&source.dir, &source.leaf, &label)? {
        manifest.check_source(&now, &label)?;
        names::unlink(&source.dir, &source.leaf).during("unlinkat", || label)?;
    }
    source.sync_names()
}

/// The last thing before an unlink: one file must not be taken for two.
fn check_not_target(entry: &OpenMove, source: &Spot) -> Result<()> {
    let intent = &entry.intent;
    let target = Spot::open(
        Root::open_again(&intent.target.root, &intent.target_nonce)?,
        &intent.target.name,
    )?;
    let at = |spot: &Spot| files::stat(&spot.dir).during("fstat", || spot.label_of("."));
    let one_dir = is_one_object(&at(source)?, &at(&target)?);
    let one_file = match (source.stat()?, target.stat()?) {
        // A second hard link is another name: taking one away leaves the other.
        (Some(ours), Some(theirs)) if ours.kind == Kind::File && ours.links > 1 => {
            one_dir && is_one_object(&ours, &theirs)
        }
        (Some(ours), Some(theirs)) => is_one_object(&ours, &theirs),
        _ => false,
    };
    if one_file || one_dir && source.leaf == target.leaf {
        let message =
            "source and target are now one file; it is kept. Was a storage path mounted elsewhere?";
        return Err(Failure::new(Code::PathChanged, source.label(), message));
    }
    Ok(())
}

/// Whether two stats are of one inode. One share mounted twice has two device numbers; but no two inodes share
/// their number and both their times to the nanosecond.
fn is_one_object(one: &Stat, other: &Stat) -> bool {
    let seen = |stat: &Stat| (stat.ino, stat.size, stat.mtime_ns, stat.ctime_ns);
    one.same_inode(other) || seen(one) == seen(other)
}

/// Gives the source directory its private name, so that half of it is never seen. False if it is gone.
fn set_aside(source: &Spot, fetching: &OwnedFd, temp: &str, manifest: &Manifest) -> Result<bool> {
    let label = source.label();
    let Some(now) = Contents::read(&source.dir, &source.leaf, &label)? else {
        return Ok(false);
    };
    manifest.check_source(&now, &label)?;
    if !give_name(&source.dir, &source.leaf, fetching, temp, true)
        .during("renameat2", || label.clone())?
    {
        return Err(Failure::kernel("renameat2", label, Errno::EXIST));
    }
    // Something may have come in between the look and the rename.
    let unchanged = Contents::read(fetching, temp, &label)
        .and_then(|now| now.map_or(Ok(()), |now| manifest.check_source(&now, &label)));
    if let Err(failure) = unchanged {
        let back = give_name(fetching, temp, &source.dir, &source.leaf, true);
        return Err(if back == Ok(true) {
            failure
        } else {
            failure.adding("it is under fetching/ now")
        });
    }
    sync_directory(fetching).during("fsync", || source.label_of("fetching"))?;
    source.sync_names()?;
    Ok(true)
}

/// Unlinks the files that were moved; a directory that then is not empty stays.
fn unlink_directory(
    source: &Spot,
    fetching: &OwnedFd,
    temp: &str,
    manifest: &Manifest,
) -> Result<()> {
    let label = source.label_of(&format!("fetching/{temp}"));
    let dir = files::open_dir(fetching, temp).during("openat2", || label.clone())?;
    for mark in &manifest.files {
        match names::unlink(&dir, &mark.name) {
            Err(Errno::NOENT) => {}
            other => other.during("unlinkat", || format!("{label}/{}", mark.name))?,
        }
    }
    match names::remove_dir(fetching, temp) {
        Err(Errno::NOTEMPTY | Errno::EXIST) => {
            let message = "holds something that was not moved; it stays";
            return Err(Failure::new(Code::UnexpectedFile, label, message));
        }
        other => other.during("unlinkat", || label)?,
    }
    sync_directory(fetching).during("fsync", || source.label_of("fetching"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_seen_through_two_mounts_of_one_share_is_one_file() {
        let temp = tempfile::tempdir().unwrap();
        let dir = files::open_root(temp.path()).unwrap();
        for name in ["a", "b"] {
            std::fs::write(temp.path().join(name), "same").unwrap();
        }
        let (a, b) = (
            files::stat_at(&dir, "a").unwrap(),
            files::stat_at(&dir, "b").unwrap(),
        );
        let elsewhere = |stat: Stat| Stat {
            dev: stat.dev + 1,
            ..stat
        };
        assert!(is_one_object(&a, &elsewhere(a)));
        assert!(!is_one_object(&a, &b));
        let same_number = Stat {
            ino: a.ino,
            ctime_ns: a.ctime_ns + 1,
            ..elsewhere(b)
        };
        assert!(!is_one_object(&a, &same_number));
    }
}
