//! The target of a clone or copy: a private name that is filled, made durable, and then named.

use std::cell::Cell;
use std::os::fd::OwnedFd;

use sys::{Errno, files, names};

use super::fill::Copying;
use super::{Job, fill};
use crate::control::Step;
use crate::failure::{Code, During, Failure, Result};
use crate::manifest::{Contents, Manifest};
use crate::naming::give_name;
use crate::place::sync_directory;
use crate::record::Record;
use crate::request::Method;
use crate::tree;

/// How it ended, without a failure.
pub(super) enum Made {
    /// The source is seen under the target's name too, through another mount: nothing is to be done.
    OneFile,
    /// The final name had this content already; it is durable now.
    WasThere,
    /// The final name is new and durable.
    Filled {
        manifest: Manifest,
        method: Method,
        copying: Copying,
    },
}

pub(super) struct Target<'a> {
    job: &'a Job<'a>,
    /// The final name could not be taken back after its directory failed to sync.
    uncertain: Cell<bool>,
}

impl<'a> Target<'a> {
    pub fn of(job: &'a Job<'a>) -> Target<'a> {
        Target {
            job,
            uncertain: Cell::new(false),
        }
    }

    fn temp(&self) -> String {
        self.job.target.temp(&self.job.request.op)
    }

    fn temp_label(&self) -> String {
        self.job.target.temp_label(&self.job.request.op)
    }

    /// Makes the target durable under its final name. After an error only the private name may be left.
    pub fn make(&self) -> Result<Made> {
        let job = self.job;
        let fetching = job.target.fetching()?;
        self.make_temp(&fetching)?;
        job.control.step(Step::TempMade);
        if self.seen_from_source()? {
            return Ok(Made::OneFile);
        }
        if self.was_there(&fetching)? {
            return Ok(Made::WasThere);
        }
        let filled = fill::fill(job, &fetching, &self.temp(), &self.temp_label())?;
        job.control.step(Step::TempDurable);
        job.check_source()?;
        job.check_roots()?;
        job.control.check(&job.source.label())?;
        if !self.give_name(&fetching)? {
            // Someone took the name meanwhile.
            return match self.was_there(&fetching)? {
                true => Ok(Made::WasThere),
                false => Err(Failure::kernel(
                    "renameat2",
                    job.target.label(),
                    Errno::EXIST,
                )),
            };
        }
        Ok(Made::Filled {
            manifest: filled.manifest,
            method: filled.method,
            copying: filled.copying,
        })
    }

    fn make_temp(&self, fetching: &OwnedFd) -> Result<()> {
        let temp = self.temp();
        if self.job.contents.directory {
            return files::make_dir(fetching, &temp, 0o700).during("mkdirat", || self.temp_label());
        }
        files::create_file(fetching, &temp)
            .map(drop)
            .during("openat2", || self.temp_label())
    }

    /// One share mounted twice has two device numbers: only a name made here and found there tells.
    fn seen_from_source(&self) -> Result<bool> {
        let job = self.job;
        if job.source.leaf != job.target.leaf {
            return Ok(false);
        }
        let Some(there) = job.source.existing_fetching()? else {
            return Ok(false);
        };
        match files::stat_at(&there, &self.temp()) {
            Err(Errno::NOENT) => Ok(false),
            other => other
                .map(|_| true)
                .during("fstatat", || job.source.temp_label(&job.request.op)),
        }
    }

    /// Whether the final name has the source's content; makes it durable then, and drops the private name.
    fn was_there(&self, fetching: &OwnedFd) -> Result<bool> {
        let (job, label) = (self.job, self.job.target.label());
        let Some(there) = Contents::read(&job.target.dir, &job.target.leaf, &label)? else {
            return Ok(false);
        };
        let (labels, unsealed) = ((&*job.source.label(), &*label), job.source.is_unsealed());
        if !job
            .contents
            .same_content(&there, labels, unsealed, job.control)?
        {
            let message = "has another content than the source; nothing was overwritten. Compare them and remove one";
            return Err(Failure::new(Code::TargetDiffers, label, message));
        }
        job.check_source()?;
        job.check_roots()?;
        job.target.sync_names()?;
        self.remove_temp(fetching)?;
        job.control.arrived(job.contents.bytes());
        Ok(true)
    }

    /// False if the name is taken.
    fn give_name(&self, fetching: &OwnedFd) -> Result<bool> {
        let (job, temp) = (self.job, self.temp());
        let target = &job.target;
        let given = give_name(
            fetching,
            &temp,
            &target.dir,
            &target.leaf,
            job.contents.directory,
        );
        if given.is_err() {
            self.uncertain.set(self.may_be_named(fetching));
        }
        if !given.during("renameat2", || target.label())? {
            return Ok(false);
        }
        job.control.step(Step::Named);
        if let Err(failure) = target.sync_names() {
            // A name that may vanish is no target. Its private name is removed with the failure.
            self.uncertain
                .set(names::rename(&target.dir, &target.leaf, fetching, &temp).is_err());
            return Err(failure);
        }
        if let Err(failure) = sync_directory(fetching).during("fsync", || self.temp_label()) {
            // To remove the private name durably this directory would have to be synced again, which could lie.
            self.uncertain.set(true);
            return Err(failure);
        }
        job.control.step(Step::NameDurable);
        Ok(true)
    }

    /// After a naming that failed: a network file system may have done it and lost the answer.
    fn may_be_named(&self, fetching: &OwnedFd) -> bool {
        let target = &self.job.target;
        let named = files::stat_at(&target.dir, &target.leaf);
        match (files::stat_at(fetching, &self.temp()), named) {
            (_, Err(Errno::NOENT)) => false,
            (Ok(temp), Ok(named)) => temp.same_inode(&named),
            _ => true,
        }
    }

    fn remove_temp(&self, fetching: &OwnedFd) -> Result<()> {
        tree::remove(fetching, &self.temp())
            .and_then(|()| sync_directory(fetching))
            .during("unlinkat", || self.temp_label())?;
        self.job.control.step(Step::TempRemoved);
        Ok(())
    }

    /// Takes the private name away and ends the move in the journal.
    pub fn forget(&self) -> Result<()> {
        if let Some(fetching) = self.job.target.existing_fetching()? {
            self.remove_temp(&fetching)?;
        }
        self.job.mover.append(Record::Done {
            op: self.job.request.op.clone(),
        })?;
        self.job.control.step(Step::DoneRecorded);
        Ok(())
    }

    /// After a failure: as `forget`, and the failure with what could not be undone.
    pub fn abandon(&self, failure: Failure) -> Failure {
        // The final name is there and not known to be durable: the move stays open, recovery looks at it.
        if self.uncertain.get() {
            return failure.adding("the target may be there or not; a restart finds out");
        }
        match self.forget() {
            Ok(()) => failure,
            Err(also) => failure.adding(&format!("{} is left over: {also}", self.temp_label())),
        }
    }
}
