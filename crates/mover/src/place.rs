//! Where a sector file is: a storage path held open, and a name of two parts below it.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use sys::{Errno, files};

use crate::failure::{Code, During, Failure, Result};

/// Unfinished files of a type lie in this directory beside the finished ones, so on one file system with them.
pub(crate) const FETCHING: &str = "fetching";

/// A storage path and a name such as `sealed/s-t01000-7` below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The storage path.
    pub root: PathBuf,
    /// `<type>/<sector>`.
    pub name: String,
}

impl Place {
    /// The path, for messages.
    pub fn label(&self) -> String {
        self.root.join(&self.name).display().to_string()
    }
}

fn plain(part: &str) -> bool {
    let letters = part
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    letters && !part.is_empty() && !part.starts_with('.') && part != FETCHING && part.len() <= 128
}

/// Splits `<type>/<leaf>`, refusing whatever could lead elsewhere.
pub(crate) fn split_name(name: &str) -> Result<(&str, &str)> {
    match name.split_once('/') {
        Some((kind, leaf)) if plain(kind) && plain(leaf) => Ok((kind, leaf)),
        _ => Err(Failure::new(
            Code::Invalid,
            name,
            "not a name of the form <type>/<sector>",
        )),
    }
}

/// An operation id becomes part of file names.
pub(crate) fn check_op(op: &str) -> Result<()> {
    let letters = op
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if letters && !op.is_empty() && op.len() <= 64 {
        return Ok(());
    }
    Err(Failure::new(
        Code::Invalid,
        op,
        "an operation id is 1 to 64 letters, digits, '-' or '_'",
    ))
}

/// A storage path, held open, and what it looked like when it was opened.
#[derive(Debug)]
pub(crate) struct Root {
    pub path: PathBuf,
    pub dir: OwnedFd,
    identity: (u64, u64, u64),
    /// Content of `.sealyard/nonce`, empty where there is none.
    pub nonce: String,
}

impl Root {
    pub fn open(path: &Path) -> Result<Root> {
        let label = || path.display().to_string();
        let dir = files::open_root(path).during("open", label)?;
        let stat = files::stat(&dir).during("fstat", label)?;
        let mount = files::mount_id(&dir).during("statx", label)?;
        let nonce = read_nonce(&dir).during("read", || {
            path.join(".sealyard/nonce").display().to_string()
        })?;
        Ok(Root {
            path: path.to_owned(),
            dir,
            identity: (stat.dev, stat.ino, mount),
            nonce,
        })
    }

    /// Opens a path that a journal record is about; a nonce that differs means another disk.
    pub fn open_again(path: &Path, nonce: &str) -> Result<Root> {
        let root = Root::open(path)?;
        if nonce.is_empty() || root.nonce == nonce {
            return Ok(root);
        }
        let message = "this is not the storage path that the move was begun on; is it mounted?";
        Err(Failure::new(
            Code::PathChanged,
            path.display().to_string(),
            message,
        ))
    }

    /// Fails when the path no longer leads to the directory we hold: unmounted, mounted over, replaced.
    pub fn check(&self) -> Result<()> {
        let label = || self.path.display().to_string();
        let now = files::identity_of_path(&self.path).during("statx", label)?;
        if now == self.identity {
            return Ok(());
        }
        let message = "the storage path was unmounted or replaced while it was in use";
        Err(Failure::new(Code::PathChanged, label(), message))
    }
}

fn read_nonce(dir: &OwnedFd) -> sys::Result<String> {
    let file = match files::open_file(dir, ".sealyard/nonce") {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS | Errno::LOOP) => return Ok(String::new()),
        other => other?,
    };
    let mut text = [0u8; 256];
    let read = files::read_at(&file, &mut text, 0)?;
    Ok(String::from_utf8_lossy(&text[..read]).trim().to_owned())
}

/// A root, its directory for one type, and a name in it.
#[derive(Debug)]
pub(crate) struct Spot {
    pub root: Root,
    kind: String,
    pub leaf: String,
    /// The directory that holds the final name.
    pub dir: OwnedFd,
}

impl Spot {
    /// Opens an existing type directory.
    pub fn open(root: Root, name: &str) -> Result<Spot> {
        let (kind, leaf) = split_name(name)?;
        let dir = files::open_dir(&root.dir, kind)
            .during("openat2", || root.path.join(kind).display().to_string())?;
        Ok(Spot {
            kind: kind.to_owned(),
            leaf: leaf.to_owned(),
            dir,
            root,
        })
    }

    /// As `open`, creating the type directory if it is missing.
    pub fn open_or_create(root: Root, name: &str) -> Result<Spot> {
        let (kind, _) = split_name(name)?;
        make_durable(&root.dir, kind)
            .during("mkdirat", || root.path.join(kind).display().to_string())?;
        Spot::open(root, name)
    }

    /// Whether both are in the directory of one file type.
    pub fn same_kind(&self, other: &Spot) -> bool {
        self.kind == other.kind
    }

    /// Whether the file may end with a trailer that says what of it is freed.
    pub fn is_unsealed(&self) -> bool {
        self.kind == "unsealed"
    }

    /// The directory of unfinished names, created if it is missing.
    pub fn fetching(&self) -> Result<OwnedFd> {
        make_durable(&self.dir, FETCHING).during("mkdirat", || self.label_of(FETCHING))?;
        files::open_dir(&self.dir, FETCHING).during("openat2", || self.label_of(FETCHING))
    }

    /// The same, None if it is missing.
    pub fn existing_fetching(&self) -> Result<Option<OwnedFd>> {
        match files::open_dir(&self.dir, FETCHING) {
            Err(Errno::NOENT) => Ok(None),
            other => other
                .map(Some)
                .during("openat2", || self.label_of(FETCHING)),
        }
    }

    /// The private name this operation uses, on both sides.
    pub fn temp(&self, op: &str) -> String {
        format!("{}.{op}", self.leaf)
    }

    pub fn label(&self) -> String {
        self.label_of(&self.leaf)
    }

    pub fn label_of(&self, leaf: &str) -> String {
        self.root
            .path
            .join(&self.kind)
            .join(leaf)
            .display()
            .to_string()
    }

    pub fn temp_label(&self, op: &str) -> String {
        self.label_of(&format!("{FETCHING}/{}", self.temp(op)))
    }

    pub fn stat(&self) -> Result<Option<files::Stat>> {
        match files::stat_at(&self.dir, &self.leaf) {
            Err(Errno::NOENT) => Ok(None),
            other => other.map(Some).during("fstatat", || self.label()),
        }
    }

    /// Makes the names in the type directory durable, and the type directory itself.
    pub fn sync_names(&self) -> Result<()> {
        sync_directory(&self.dir).during("fsync", || self.label_of("."))?;
        sync_directory(&self.root.dir).during("fsync", || self.root.path.display().to_string())
    }
}

/// fsync of a directory, believed only if the file system is alive afterwards: once an XFS has shut itself down
/// (a log that cannot be written) this fsync succeeds without having written anything, while opening fails with EIO.
pub(crate) fn sync_directory(dir: impl AsFd + Copy) -> sys::Result<()> {
    files::sync(dir)?;
    files::open_dir(dir, ".").map(drop)
}

fn make_durable(parent: &OwnedFd, name: &str) -> sys::Result<()> {
    match files::make_dir(parent, name, 0o755) {
        Ok(()) => sync_directory(parent),
        Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}
