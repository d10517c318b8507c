//! Reservation arithmetic over a snapshot.
//!
//! `available = free − Σ max(0, reserved − on disk) − floor`, per file system, and the operator's
//! MaxStorage per path. Nothing is kept here: who asks also keeps what was granted.

use std::fmt;

/// A file system as statvfs saw it. Two paths on one share its free space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filesystem {
    /// Names it in paths.
    pub id: String,
    /// Bytes free now.
    pub available_bytes: u64,
    /// Bytes that are never handed out.
    pub floor_bytes: u64,
}

/// A storage path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoragePath {
    /// Its storage ID.
    pub id: String,
    /// The file system it is on.
    pub filesystem: String,
    /// The operator's MaxStorage.
    pub max_bytes: Option<u64>,
    /// Bytes its sector files take on the disk, finished and growing ones.
    pub used_bytes: u64,
}

/// A promise of space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Of (sector, file type, path). The same id asked for again replaces the entry, never adds to it.
    pub id: String,
    /// The storage path it is on.
    pub path: String,
    /// Peak bytes promised.
    pub bytes: u64,
    /// How much of that is on the disk already.
    pub on_disk_bytes: u64,
}

impl Entry {
    /// Bytes promised and not yet written.
    pub fn outstanding(&self) -> u64 {
        self.bytes.saturating_sub(self.on_disk_bytes)
    }
}

/// All that a decision rests on.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Each file system once.
    pub filesystems: Vec<Filesystem>,
    /// Each path once.
    pub paths: Vec<StoragePath>,
    /// Every reservation that is held, of anyone, on these file systems.
    pub held: Vec<Entry>,
}

/// A snapshot that contradicts itself: a caller's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// An entry names a path that the snapshot lacks.
    UnknownPath(String),
    /// A path names a file system that the snapshot lacks.
    UnknownFilesystem(String),
    /// Two of one kind have the same id.
    Twice(String),
}

impl fmt::Display for Invalid {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Invalid::UnknownPath(id) => write!(out, "the snapshot has no storage path {id}"),
            Invalid::UnknownFilesystem(id) => write!(out, "the snapshot has no file system {id}"),
            Invalid::Twice(id) => write!(out, "{id} stands twice in the snapshot or the request"),
        }
    }
}

impl std::error::Error for Invalid {}

/// The first entry that did not fit; none of its set was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The entry's id.
    pub id: String,
    /// The path it should have gone to.
    pub path: String,
    /// The file system below it.
    pub filesystem: String,
    /// Bytes it still needed.
    pub wanted_bytes: u64,
    /// Bytes that were left for it, after the entries before it.
    pub available_bytes: u64,
    /// True if MaxStorage was the tighter limit.
    pub limited_by_max: bool,
}

/// All or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything fits at once.
    Granted,
    /// Nothing was granted.
    Refused(Refusal),
}

fn check_unique<'a>(ids: impl Iterator<Item = &'a str>) -> Result<(), Invalid> {
    let mut seen = std::collections::HashSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(Invalid::Twice(id.to_owned()));
        }
    }
    Ok(())
}

impl Snapshot {
    /// Checks that names are unique and lead somewhere.
    pub fn check(&self) -> Result<(), Invalid> {
        check_unique(self.filesystems.iter().map(|entry| entry.id.as_str()))?;
        check_unique(self.paths.iter().map(|entry| entry.id.as_str()))?;
        check_unique(self.held.iter().map(|entry| entry.id.as_str()))?;
        for path in &self.paths {
            self.filesystem(&path.filesystem)?;
        }
        for entry in &self.held {
            self.path(&entry.path)?;
        }
        Ok(())
    }

    fn filesystem(&self, id: &str) -> Result<&Filesystem, Invalid> {
        let found = self.filesystems.iter().find(|entry| entry.id == id);
        found.ok_or_else(|| Invalid::UnknownFilesystem(id.to_owned()))
    }

    fn path(&self, id: &str) -> Result<&StoragePath, Invalid> {
        let found = self.paths.iter().find(|entry| entry.id == id);
        found.ok_or_else(|| Invalid::UnknownPath(id.to_owned()))
    }

    fn outstanding_where(&self, holds: impl Fn(&Entry) -> bool) -> u64 {
        let entries = self.held.iter().filter(|entry| holds(entry));
        entries.fold(0, |sum, entry| sum.saturating_add(entry.outstanding()))
    }

    /// Bytes left for new reservations on a file system; 0 rather than negative when others filled the disk.
    pub fn available_on_filesystem(&self, id: &str) -> Result<u64, Invalid> {
        let filesystem = self.filesystem(id)?;
        let promised = self.outstanding_where(|entry| {
            self.path(&entry.path)
                .is_ok_and(|path| path.filesystem == filesystem.id)
        });
        let free = filesystem.available_bytes;
        Ok(free
            .saturating_sub(promised)
            .saturating_sub(filesystem.floor_bytes))
    }

    /// Bytes left below the operator's MaxStorage, None where there is none.
    fn left_below_max(&self, path: &StoragePath) -> Option<u64> {
        let promised = self.outstanding_where(|entry| entry.path == path.id);
        let taken = path.used_bytes.saturating_add(promised);
        path.max_bytes.map(|max| max.saturating_sub(taken))
    }

    /// Bytes left for new reservations on a path: the tighter of its file system and its MaxStorage.
    pub fn available_on_path(&self, id: &str) -> Result<u64, Invalid> {
        let path = self.path(id)?;
        let on_filesystem = self.available_on_filesystem(&path.filesystem)?;
        Ok(self
            .left_below_max(path)
            .map_or(on_filesystem, |left| left.min(on_filesystem)))
    }
}

/// Whether all of `wanted` fit at once, beside what is held. An entry that is held already is replaced.
pub fn admit(snapshot: &Snapshot, wanted: &[Entry]) -> Result<Verdict, Invalid> {
    snapshot.check()?;
    check_unique(wanted.iter().map(|entry| entry.id.as_str()))?;
    let mut with = snapshot.clone();
    with.held
        .retain(|held| wanted.iter().all(|entry| entry.id != held.id));
    for entry in wanted {
        let available_bytes = with.available_on_path(&entry.path)?;
        let wanted_bytes = entry.outstanding();
        if wanted_bytes > available_bytes {
            let path = with.path(&entry.path)?;
            return Ok(Verdict::Refused(Refusal {
                id: entry.id.clone(),
                path: path.id.clone(),
                filesystem: path.filesystem.clone(),
                wanted_bytes,
                available_bytes,
                limited_by_max: with
                    .left_below_max(path)
                    .is_some_and(|left| left == available_bytes),
            }));
        }
        with.held.push(entry.clone());
        let left = with.available_on_path(&entry.path)?;
        assert_eq!(
            left,
            available_bytes - wanted_bytes,
            "a grant takes exactly what it asked for"
        );
    }
    Ok(Verdict::Granted)
}
