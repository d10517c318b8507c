//! The private file or directory a fetch writes, and its removal when the fetch fails.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use sys::{Errno, files, names};

use super::archive::Archive;
use super::body::Stream;
use super::failure::{Code, Failure, Result};
use super::sparse_file::SparseFile;

/// Bytes written at once.
const PIECE: usize = 1 << 20;
/// Modes the field gives its files and directories.
const FILE_MODE: u32 = 0o644;
const DIRECTORY_MODE: u32 = 0o755;

/// One file that was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedFile {
    /// Name in the directory; empty for a single file.
    pub name: String,
    /// Length in bytes.
    pub size: u64,
}

/// Where to write: a name that is free, in an open directory.
pub(crate) struct Target {
    parent: OwnedFd,
    leaf: String,
    path: PathBuf,
}

impl Target {
    /// Opens the parent; makes nothing yet.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let parts = path
            .parent()
            .zip(path.file_name().and_then(|leaf| leaf.to_str()));
        let Some((parent, leaf)) = parts.filter(|_| path.is_absolute()) else {
            let detail = format!(
                "{}: not an absolute path to a file or directory",
                path.display()
            );
            return Err(Failure::new(Code::Io, detail));
        };
        let dir = files::open_root(parent).map_err(|errno| Failure::disk("open", parent, errno))?;
        Ok(Self {
            parent: dir,
            leaf: leaf.to_owned(),
            path: path.to_owned(),
        })
    }

    /// Receives one file. After a failure nothing is left.
    pub(crate) fn receive_file(&self, stream: &mut impl Stream) -> Result<Vec<FetchedFile>> {
        let file = self.made(files::create_file(&self.parent, &self.leaf))?;
        self.removed_unless(|| {
            let size = receive(file, stream, &self.path)?;
            if size == 0 {
                let detail =
                    "the file is empty, and no sector file is; look at the disk of the other node";
                return Err(Failure::new(Code::Incomplete, detail));
            }
            Ok(vec![FetchedFile {
                name: String::new(),
                size,
            }])
        })
    }

    /// Receives the files of an archive. After a failure nothing is left.
    pub(crate) fn receive_directory(&self, stream: &mut impl Stream) -> Result<Vec<FetchedFile>> {
        self.made(files::make_dir(&self.parent, &self.leaf, DIRECTORY_MODE))?;
        self.removed_unless(|| {
            let failed = |call| move |errno| Failure::disk(call, &self.path, errno);
            let dir = files::open_dir(&self.parent, &self.leaf).map_err(failed("open"))?;
            let mut archive = Archive::new(stream);
            let mut done = Vec::new();
            while let Some(entry) = archive.next_entry()? {
                let path = self.path.join(&entry.name);
                let file = files::create_file(&dir, &entry.name)
                    .map_err(|errno| Failure::disk("create", &path, errno))?;
                let size = receive(file, &mut archive, &path)?;
                done.push(FetchedFile {
                    name: entry.name,
                    size,
                });
            }
            files::sync(&dir).map_err(failed("fsync"))?;
            Ok(done)
        })
    }

    fn made<T>(&self, result: sys::Result<T>) -> Result<T> {
        result.map_err(|errno| Failure::disk("create", &self.path, errno))
    }

    fn removed_unless<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        work().map_err(|mut failure| {
            if let Err(errno) = remove(&self.parent, &self.leaf) {
                let left = Failure::disk("remove", &self.path, errno).detail;
                failure.detail = format!(
                    "{}; what was fetched could not be removed: {left}",
                    failure.detail
                );
            }
            failure
        })
    }
}

/// Writes a stream to a new file, durably. @returns its length
fn receive(file: OwnedFd, stream: &mut impl Stream, path: &Path) -> Result<u64> {
    let failed = |call| move |errno| Failure::disk(call, path, errno);
    let mut file = SparseFile::new(file);
    let mut buffer = vec![0u8; PIECE];
    loop {
        let filled = stream.fill(&mut buffer)?;
        file.append(&buffer[..filled]).map_err(failed("write"))?;
        if filled < PIECE {
            return file.finish(FILE_MODE).map_err(failed("make durable"));
        }
    }
}

/// Removes a file, or a directory of files.
fn remove(parent: &OwnedFd, leaf: &str) -> sys::Result<()> {
    match names::unlink(parent, leaf) {
        Err(Errno::ISDIR) => {}
        other => return other,
    }
    let dir = files::open_dir(parent, leaf)?;
    for name in files::list(&dir)? {
        names::unlink(&dir, &name)?;
    }
    names::remove_dir(parent, leaf)
}
