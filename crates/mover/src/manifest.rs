//! What a sector file consists of, and whether it is still that.

use std::os::fd::OwnedFd;

use sys::Errno;
use sys::files::{self, Kind, Stat};

use crate::Control;
use crate::copy::Side;
use crate::failure::{Code, During, Failure, Result};
use crate::freed::freed_ranges;
use crate::hash::{Digest, HashKind};
use crate::place::sync_directory;
use crate::read_back::Wanted;
use crate::residency::cached_bytes;

/// One file: how it looked, and its hash where one was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileMark {
    pub name: String,
    pub size: u64,
    pub mtime_ns: i128,
    pub digest: Option<Digest>,
}

/// A regular file (one mark), or a flat directory (a mark per file, sorted by name).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub directory: bool,
    pub files: Vec<FileMark>,
}

/// A manifest with the open directory its files are in, and their full stats.
#[derive(Debug)]
pub(crate) struct Contents {
    pub directory: bool,
    /// Where the files are: the type directory, or the directory itself.
    pub dir: OwnedFd,
    pub own: Stat,
    pub files: Vec<(String, Stat)>,
}

fn clone_dir(dir: &OwnedFd, label: &str) -> Result<OwnedFd> {
    files::open_dir(dir, ".").during("openat2", || label.to_owned())
}

impl Contents {
    /// Reads what has this name, None if nothing has.
    pub fn read(dir: &OwnedFd, name: &str, label: &str) -> Result<Option<Contents>> {
        let own = match files::stat_at(dir, name) {
            Err(Errno::NOENT) => return Ok(None),
            other => other.during("fstatat", || label.to_owned())?,
        };
        match own.kind {
            Kind::File => Ok(Some(Contents {
                directory: false,
                dir: clone_dir(dir, label)?,
                own,
                files: vec![(name.to_owned(), own)],
            })),
            Kind::Directory => Contents::read_directory(dir, name, own, label).map(Some),
            Kind::Other => Err(Failure::new(
                Code::UnexpectedFile,
                label,
                "neither a regular file nor a directory; links are not followed",
            )),
        }
    }

    fn read_directory(parent: &OwnedFd, name: &str, own: Stat, label: &str) -> Result<Contents> {
        let dir = files::open_dir(parent, name).during("openat2", || label.to_owned())?;
        let names = files::list(&dir).during("getdents64", || label.to_owned())?;
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            let path = || format!("{label}/{name}");
            let stat = files::stat_at(&dir, &name).during("fstatat", path)?;
            if stat.kind != Kind::File {
                let message = "only regular files may be in a sector's directory";
                return Err(Failure::new(Code::UnexpectedFile, path(), message));
            }
            found.push((name, stat));
        }
        Ok(Contents {
            directory: true,
            dir,
            own,
            files: found,
        })
    }

    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, stat)| stat.size).sum()
    }

    pub fn allocated(&self) -> u64 {
        let own = if self.directory {
            self.own.allocated
        } else {
            0
        };
        self.files
            .iter()
            .map(|(_, stat)| stat.allocated)
            .sum::<u64>()
            + own
    }

    pub fn manifest(&self) -> Manifest {
        let mark = |(name, stat): &(String, Stat)| FileMark {
            name: name.clone(),
            size: stat.size,
            mtime_ns: stat.mtime_ns,
            digest: None,
        };
        Manifest {
            directory: self.directory,
            files: self.files.iter().map(mark).collect(),
        }
    }

    /// Fails if anything was written, added or taken away since this was read.
    pub fn check_unchanged(&self, parent: &OwnedFd, name: &str, label: &str) -> Result<()> {
        let now = Contents::read(parent, name, label)?;
        if now.is_some_and(|now| now.own.same_inode(&self.own) && self.same_files(&now)) {
            return Ok(());
        }
        Err(Failure::new(
            Code::SourceChanged,
            label,
            "changed while it was copied; nothing was moved",
        ))
    }

    fn same_files(&self, now: &Contents) -> bool {
        // Blocks on the disk may come and go without a write: delayed and speculative allocation.
        let state = |stat: &Stat| (stat.dev, stat.ino, stat.size, stat.mtime_ns, stat.ctime_ns);
        let same = |(ours, theirs): (&(String, Stat), &(String, Stat))| {
            ours.0 == theirs.0 && state(&ours.1) == state(&theirs.1)
        };
        self.files.len() == now.files.len() && self.files.iter().zip(&now.files).all(same)
    }

    /// Makes the content of every file durable, and the names in a directory.
    pub fn sync(&self, label: &str) -> Result<()> {
        for (name, _) in &self.files {
            let file = files::open_file(&self.dir, name)
                .during("openat2", || format!("{label}: {name}"))?;
            files::sync(&file).during("fsync", || format!("{label}: {name}"))?;
        }
        if self.directory {
            sync_directory(&self.dir).during("fsync", || label.to_owned())?;
        }
        Ok(())
    }

    /// Whether both hold the same files with the same content; hashes both sides where sizes agree.
    ///
    /// The other side is made durable first and read back from its disk: a copy that someone else made may never have
    /// been synced, and one whose write-back failed still looks whole in the page cache. Of an `unsealed` file only what
    /// is not freed is compared.
    pub fn same_content(
        &self,
        other: &Contents,
        labels: (&str, &str),
        unsealed: bool,
        control: &Control,
    ) -> Result<bool> {
        let shape = |side: &Contents| -> Vec<(String, u64)> {
            let named = |(name, stat): &(String, Stat)| {
                (
                    if side.directory {
                        name.clone()
                    } else {
                        String::new()
                    },
                    stat.size,
                )
            };
            side.files.iter().map(named).collect()
        };
        if self.directory != other.directory || shape(self) != shape(other) {
            return Ok(false);
        }
        other.sync(labels.1)?;
        for ((ours, stat), (theirs, _)) in self.files.iter().zip(&other.files) {
            if self.hash(ours, stat.size, (false, unsealed), labels.0, control)?
                != other.hash(theirs, stat.size, (true, unsealed), labels.1, control)?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn hash(
        &self,
        name: &str,
        size: u64,
        (from_disk, unsealed): (bool, bool),
        label: &str,
        control: &Control,
    ) -> Result<Digest> {
        let file = files::open_file(&self.dir, name).during("openat2", || label.to_owned())?;
        // Where nothing was cached, nothing shall be afterwards.
        let cold = from_disk || matches!(cached_bytes(&file, 0, size), Ok(Some(0)));
        Wanted {
            size,
            kind: HashKind::Blake3,
            from_disk: cold,
            freed: if unsealed {
                freed_ranges(&file, size)
            } else {
                Vec::new()
            },
            control,
            file: Side { file: &file, label },
        }
        .hash()
    }
}

impl Manifest {
    /// Whether what is there now has the files and lengths that were moved.
    pub fn fits(&self, now: &Contents) -> bool {
        let shape = self
            .files
            .iter()
            .map(|mark| (mark.name.as_str(), mark.size));
        let named = |(name, stat): &(String, Stat)| (name.clone(), stat.size);
        self.directory == now.directory
            && self.files.len() == now.files.len()
            && shape
                .zip(now.files.iter().map(named))
                .all(|((name, size), (there, length))| {
                    size == length && (!self.directory || name == there)
                })
    }

    /// Fails if the source holds anything that was not moved, or something that changed since.
    /// Files that are gone already do not matter: a removal may have been interrupted.
    pub fn check_source(&self, now: &Contents, label: &str) -> Result<()> {
        if self.directory != now.directory {
            return Err(Failure::new(
                Code::SourceChanged,
                label,
                "is something else than what was moved",
            ));
        }
        for (name, stat) in &now.files {
            let known = |mark: &&FileMark| !self.directory || mark.name == *name;
            let Some(mark) = self.files.iter().find(known) else {
                let path = format!("{label}/{name}");
                return Err(Failure::new(
                    Code::UnexpectedFile,
                    path,
                    "was not moved, so it is not removed",
                ));
            };
            if (mark.size, mark.mtime_ns) != (stat.size, stat.mtime_ns) {
                let message = "was written to after it was moved; it is kept";
                return Err(Failure::new(
                    Code::SourceChanged,
                    format!("{label}: {name}"),
                    message,
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sys::extents;

    #[test]
    fn a_copy_that_someone_else_made_is_compared_as_its_disk_holds_it() {
        let temp = tempfile::tempdir().unwrap();
        let dir = files::open_root(temp.path()).unwrap();
        for name in ["ours", "theirs"] {
            std::fs::write(temp.path().join(name), vec![7; 1 << 20]).unwrap();
        }
        let read = |name: &str| Contents::read(&dir, name, name).unwrap().unwrap();
        let control = Control::new();
        let (ours, theirs) = (read("ours"), read("theirs"));
        assert!(
            ours.same_content(&theirs, ("ours", "theirs"), false, &control)
                .unwrap()
        );
        let file = files::open_file(&dir, "theirs").unwrap();
        let before = extents::cached_pages(&file, 0, 0);
        extents::forget_cached(&file, 0, 0).unwrap();
        if extents::cached_pages(&file, 0, 0) != Ok(0) {
            println!(
                "SKIP: a copy compared from its disk: pages cannot be dropped or counted here"
            );
            return;
        }
        assert_eq!(before, Ok(0), "it was read from the page cache");
    }
}
