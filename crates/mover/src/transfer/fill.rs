//! Fills a private name with the source's files, durable and, if asked for, verified.

use std::os::fd::OwnedFd;

use sys::files::{self, Stat};

use super::Job;
use crate::attributes;
use crate::content::hash_file;
use crate::control::Step;
use crate::copy::{self, Copied, Side};
use crate::failure::{Code, During, Failure, Result};
use crate::manifest::{FileMark, Manifest};
use crate::mover::Method;

/// What is behind the private name now.
pub(super) struct Filled {
    pub manifest: Manifest,
    /// Clone only if every file was cloned.
    pub method: Method,
    pub copied_bytes: u64,
}

/// Fills the file or directory `temp` in `fetching`, which exists and is empty.
pub(super) fn fill(job: &Job<'_>, fetching: &OwnedFd, temp: &str, label: &str) -> Result<Filled> {
    let mut filling = Filling {
        job,
        method: Method::Clone,
        copied_bytes: 0,
        before: 0,
    };
    let contents = &job.contents;
    let mut files = Vec::with_capacity(contents.files.len());
    if contents.directory {
        let dir = files::open_dir(fetching, temp).during("openat2", || label.to_owned())?;
        for (name, stat) in &contents.files {
            let path = format!("{label}/{name}");
            let file = files::create_file(&dir, name).during("openat2", || path.clone())?;
            files.push(filling.file(name, stat, file, (&dir, name), &path)?);
        }
        attributes::apply(&dir, &contents.own, label)?;
        files::sync(&dir).during("fsync", || label.to_owned())?;
    } else {
        let (name, stat) = &contents.files[0];
        let file = files::open_to_write(fetching, temp).during("openat2", || label.to_owned())?;
        files.push(filling.file(name, stat, file, (fetching, temp), label)?);
    }
    let method = if contents.files.is_empty() {
        Method::Copy
    } else {
        filling.method
    };
    let manifest = Manifest {
        directory: contents.directory,
        files,
    };
    Ok(Filled {
        manifest,
        method,
        copied_bytes: filling.copied_bytes,
    })
}

struct Filling<'a> {
    job: &'a Job<'a>,
    method: Method,
    copied_bytes: u64,
    before: u64,
}

impl Filling<'_> {
    fn file(
        &mut self,
        name: &str,
        stat: &Stat,
        file: OwnedFd,
        (dir, temp): (&OwnedFd, &str),
        label: &str,
    ) -> Result<FileMark> {
        let digest = self.content(name, stat, &file, label)?;
        attributes::apply(&file, stat, label)?;
        // Once: after an error the pages count as clean, and a second call would say they are safe.
        files::sync(&file).during("fsync", || label.to_owned())?;
        files::close(file).during("close", || label.to_owned())?;
        self.job.control.step(Step::FileSynced);
        if let Some(expected) = digest {
            self.verify(dir, temp, (stat.size, expected), label)?;
        }
        self.before += stat.size;
        Ok(FileMark {
            name: name.to_owned(),
            size: stat.size,
            mtime_ns: stat.mtime_ns,
            digest,
        })
    }

    /// Clones or copies. @returns the hash of what was read, if the target is to be compared with it
    fn content(
        &mut self,
        name: &str,
        stat: &Stat,
        file: &OwnedFd,
        label: &str,
    ) -> Result<Option<[u8; 32]>> {
        let job = self.job;
        let from = job.source_label(name);
        let open = files::open_file(&job.contents.dir, name).during("openat2", || from.clone())?;
        let (source, target) = (
            Side {
                file: &open,
                label: &from,
            },
            Side { file, label },
        );
        job.control.check(&from)?;
        // A clone has the source's own blocks: reading them twice would prove nothing.
        if job.allows(Method::Clone)
            && self.method == Method::Clone
            && copy::clone(&source, &target)?
        {
            job.control.arrived(self.before + stat.size);
            return Ok(None);
        }
        if !job.allows(Method::Copy) {
            return Err(job.not_here(Method::Clone));
        }
        self.method = Method::Copy;
        let sizes = (stat.size, self.before);
        let Copied { bytes, digest } =
            copy::copy(&source, &target, sizes, job.request.verify, job.control)?;
        self.copied_bytes += bytes;
        Ok(digest)
    }

    /// Reads back what the disk holds, through a new descriptor and without the page cache.
    fn verify(
        &self,
        dir: &OwnedFd,
        temp: &str,
        (size, expected): (u64, [u8; 32]),
        label: &str,
    ) -> Result<()> {
        let file = files::open_file(dir, temp).during("openat2", || label.to_owned())?;
        if hash_file(&file, size, true, label, self.job.control)? == expected {
            return Ok(());
        }
        let message = "the disk gave back something else than was written; the copy was removed. Check this disk";
        Err(Failure::new(Code::VerifyFailed, label, message))
    }
}
