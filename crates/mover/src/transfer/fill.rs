//! Fills a private name with the source's files, durable and, if asked for, verified.

use std::ops::Range;
use std::os::fd::OwnedFd;

use sys::extents;
use sys::files::{self, Stat};

use super::Job;
use crate::attributes;
use crate::control::Step;
use crate::copy::{self, Copied, Engine, Order, Side};
use crate::failure::{Code, During, Failure, Result};
use crate::freed::freed_ranges;
use crate::hash::{Digest, HashKind};
use crate::manifest::{FileMark, Manifest};
use crate::place::sync_directory;
use crate::read_back::Wanted;
use crate::request::Method;

/// What is behind the private name now.
pub(super) struct Filled {
    pub manifest: Manifest,
    /// Clone only if every file was cloned.
    pub method: Method,
    pub copying: Copying,
}

/// What copying took; nothing where all was cloned.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Copying {
    /// Of the largest file that was copied, with its size.
    engine: Option<(Engine, u64)>,
    pub read_bytes: u64,
    pub written_bytes: u64,
    /// Bytes read again from the target's disk.
    pub read_back_bytes: u64,
}

impl Copying {
    pub fn engine(&self) -> Option<Engine> {
        self.engine.map(|(engine, _)| engine)
    }

    fn add(&mut self, copied: &Copied, size: u64) {
        if self.engine.is_none_or(|(_, largest)| size > largest) {
            self.engine = Some((copied.engine, size));
        }
        self.read_bytes += copied.work.read_bytes;
        self.written_bytes += copied.work.written_bytes;
    }
}

/// Fills the file or directory `temp` in `fetching`, which exists and is empty.
pub(super) fn fill(job: &Job<'_>, fetching: &OwnedFd, temp: &str, label: &str) -> Result<Filled> {
    let mut filling = Filling {
        job,
        method: Method::Clone,
        copying: Copying::default(),
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
        sync_directory(&dir).during("fsync", || label.to_owned())?;
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
        copying: filling.copying,
    })
}

struct Filling<'a> {
    job: &'a Job<'a>,
    method: Method,
    copying: Copying,
    before: u64,
}

impl<'a> Filling<'a> {
    fn file(
        &mut self,
        name: &str,
        stat: &Stat,
        file: OwnedFd,
        (dir, temp): (&OwnedFd, &str),
        label: &str,
    ) -> Result<FileMark> {
        let copied = self.content(name, stat, &file, label)?;
        attributes::apply(&file, stat, label)?;
        // Once: after an error the pages count as clean, and a second call would say they are safe.
        files::sync(&file).during("fsync", || label.to_owned())?;
        if copied.is_some() {
            // What write-back had not finished when the copy dropped its pages.
            extents::forget_cached(&file, 0, 0).during("fadvise", || label.to_owned())?;
        }
        files::close(file).during("close", || label.to_owned())?;
        self.job.control.step(Step::FileSynced);
        let digest = copied.as_ref().and_then(|copied| copied.digest);
        if let Some(expected) = digest.filter(|_| self.job.request.verify) {
            self.verify(dir, temp, (stat.size, expected), label)?;
            self.copying.read_back_bytes += copied.map_or(0, |copied| copied.work.read_bytes);
        }
        self.before += stat.size;
        Ok(FileMark {
            name: name.to_owned(),
            size: stat.size,
            mtime_ns: stat.mtime_ns,
            // One that was only for the comparison is not what was asked for.
            digest: digest.filter(|digest| digest.kind() == self.job.request.hash),
        })
    }

    /// Clones, and returns None; or copies.
    fn content(
        &mut self,
        name: &str,
        stat: &Stat,
        file: &OwnedFd,
        label: &str,
    ) -> Result<Option<Copied>> {
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
        let copied = copy::copy(&self.order(stat, &source, &target), job.engine())?;
        self.copying.add(&copied, stat.size);
        Ok(Some(copied))
    }

    fn order<'b>(&self, stat: &Stat, source: &'b Side<'b>, target: &'b Side<'b>) -> Order<'b>
    where
        'a: 'b,
    {
        let request = self.job.request;
        let hash = match request.hash {
            // Without a hash there is nothing to compare with.
            HashKind::Off if request.verify => HashKind::Xxh3,
            kind => kind,
        };
        Order {
            source,
            target: Some(target),
            size: stat.size,
            allocated: stat.allocated,
            before: self.before,
            hash,
            skip_zeros: request.skip_zeros,
            freed: self.freed_of(source, stat.size),
            control: self.job.control,
        }
    }

    fn freed_of(&self, file: &Side<'_>, size: u64) -> Vec<Range<u64>> {
        if self.job.source.is_unsealed() && !self.job.contents.directory {
            freed_ranges(file.file, size)
        } else {
            Vec::new()
        }
    }

    /// Reads back what the disk holds, through a new descriptor and without the page cache.
    fn verify(
        &self,
        dir: &OwnedFd,
        temp: &str,
        (size, expected): (u64, Digest),
        label: &str,
    ) -> Result<()> {
        let file = files::open_file(dir, temp).during("openat2", || label.to_owned())?;
        let file = Side { file: &file, label };
        let wanted = Wanted {
            size,
            kind: expected.kind(),
            from_disk: true,
            freed: self.freed_of(&file, size),
            control: self.job.control,
            file,
        };
        if wanted.hash()? == expected {
            return Ok(());
        }
        let message = "the disk gave back something else than was written; the copy was removed. Check this disk";
        Err(Failure::new(Code::VerifyFailed, label, message))
    }
}
