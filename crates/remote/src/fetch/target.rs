//! The private file or directory a fetch writes, and its removal when nothing of it is to stay.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use sys::{Errno, files, names};

use super::Order;
use super::failure::{Code, Failure, Result};
use super::record::{self, Mark, Record};

/// One file that was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedFile {
    /// Name in the directory; empty for a single file.
    pub name: String,
    /// Length in bytes.
    pub size: u64,
}

/// A name in an open directory.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub dir: &'a OwnedFd,
    pub leaf: &'a str,
    pub path: &'a Path,
}

impl Place<'_> {
    /// A refused kernel call on it.
    pub(crate) fn failed(&self, call: &'static str) -> impl Fn(Errno) -> Failure {
        move |errno| Failure::disk(call, self.path, errno)
    }

    /// Removes what has the name; nothing is removed already.
    pub(crate) fn clear(&self) -> Result<()> {
        remove(self.dir, self.leaf).map_err(self.failed("remove"))
    }
}

/// The record, if the order has one, and what it says.
pub(crate) type Known = (Option<Record>, Option<Mark>);

/// Where an order writes: a name in an open directory, and the record beside it.
pub(crate) struct Target {
    parent: OwnedFd,
    leaf: String,
    path: PathBuf,
    record: Option<String>,
}

impl Target {
    /// Opens the parent; makes nothing yet.
    pub(crate) fn open(order: &Order) -> Result<Self> {
        let path = &order.target;
        let (parent, leaf) = split(path)?;
        let dir = files::open_root(parent).map_err(|errno| Failure::disk("open", parent, errno))?;
        let record = match order.record.as_deref().map(split).transpose()? {
            Some((same, name)) if same == parent && name != leaf => Some(name.to_owned()),
            Some(_) => {
                let detail = format!("{}: its record must be beside it", path.display());
                return Err(Failure::new(Code::Io, detail));
            }
            None => None,
        };
        Ok(Self {
            parent: dir,
            leaf: leaf.to_owned(),
            path: path.clone(),
            record,
        })
    }

    pub(crate) fn place(&self) -> Place<'_> {
        Place {
            dir: &self.parent,
            leaf: &self.leaf,
            path: &self.path,
        }
    }

    /// Opens the record, and says what it knows.
    pub(crate) fn open_record(&self) -> Result<Known> {
        let Some(leaf) = &self.record else {
            return Ok((None, None));
        };
        let (record, mark) =
            Record::open(&self.parent, leaf).map_err(self.place().failed("open the record of"))?;
        Ok((Some(record), mark))
    }

    /// What stays after a failure: what the record names, where the failure spares it; else nothing.
    pub(crate) fn after(&self, mut failure: Failure) -> Failure {
        let kept = self.record.as_deref().and_then(|leaf| {
            let mark = Record::open(&self.parent, leaf).ok()?.1?;
            (failure.code.spares() && mark.before + mark.offset > 0).then_some(mark)
        });
        if let Some(mark) = kept {
            failure.bytes_kept = mark.before + mark.offset;
            return failure;
        }
        let own = self.path.to_str();
        let is_taken = failure.errno == Some(Errno::EXIST.raw_os_error());
        if self.record.is_none() && is_taken && failure.path.as_deref() == own {
            // Somebody else's, and never touched.
            return failure;
        }
        let removed = remove(&self.parent, &self.leaf).and_then(|()| {
            let leaf = self.record.as_deref();
            leaf.map_or(Ok(()), |leaf| record::remove(&self.parent, leaf))
        });
        if let Err(errno) = removed {
            let left = Failure::disk("remove", &self.path, errno).detail;
            failure.detail = format!(
                "{}; what was fetched could not be removed: {left}",
                failure.detail
            );
        }
        failure
    }
}

fn split(path: &Path) -> Result<(&Path, &str)> {
    let parts = path
        .parent()
        .zip(path.file_name().and_then(|leaf| leaf.to_str()));
    parts.filter(|_| path.is_absolute()).ok_or_else(|| {
        let detail = format!(
            "{}: not an absolute path to a file or directory",
            path.display()
        );
        Failure::new(Code::Io, detail)
    })
}

/// Removes a file, or a directory of files; nothing is removed already.
fn remove(parent: &OwnedFd, leaf: &str) -> sys::Result<()> {
    match names::unlink(parent, leaf) {
        Err(Errno::ISDIR) => {}
        Err(Errno::NOENT) => return Ok(()),
        other => return other,
    }
    let dir = files::open_dir(parent, leaf)?;
    for name in files::list(&dir)? {
        names::unlink(&dir, &name)?;
    }
    names::remove_dir(parent, leaf)
}
