//! The content of one file into another that is empty: cloned where that works, else its data extents.
//!
//! The page cache is left as it was found, so that PC1's parent cache stays. Of the three engines the one that suits
//! the file is tried first; where the kernel or a file system refuses it, the buffered one works.

use std::ops::Range;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use sys::slots::{Slot, Slots};
use sys::{Errno, extents, files};

use crate::Control;
use crate::failure::{Code, During, Failure, Result};
use crate::hash::{Digest, HashKind};

mod buffered;
mod direct;
mod drop_behind;
mod engine;
mod hash_thread;
mod segments;
#[cfg(test)]
pub(crate) mod tests;
mod uncached;
mod zeros;

pub use engine::{Engine, EngineChoice};
use hash_thread::HashThread;

/// How often a thread that waits looks whether it was cancelled.
const PATIENCE: Duration = Duration::from_millis(50);

/// An open file and its path, for messages.
pub(crate) struct Side<'a> {
    pub file: &'a OwnedFd,
    pub label: &'a str,
}

impl Side<'_> {
    fn path(&self) -> String {
        self.label.to_owned()
    }

    /// A read that found the end of the file too early.
    pub fn became_shorter(&self) -> Failure {
        let message = "the file became shorter while it was read";
        Failure::new(Code::SourceChanged, self.label, message)
    }
}

/// What is to be copied, and how.
pub(crate) struct Order<'a> {
    pub source: &'a Side<'a>,
    /// An empty file; None to read and hash only.
    pub target: Option<&'a Side<'a>>,
    /// Length of the source, and what it takes on its disk.
    pub size: u64,
    pub allocated: u64,
    /// Bytes of earlier files, for the progress counter.
    pub before: u64,
    pub hash: HashKind,
    /// Leaves holes where the source has whole runs of zeros.
    pub skip_zeros: bool,
    /// Ranges of whole blocks whose content nobody needs: holes at the target.
    pub freed: Vec<Range<u64>>,
    pub control: &'a Control,
}

/// What an engine read and wrote.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Work {
    pub read_bytes: u64,
    pub written_bytes: u64,
}

/// Why an engine ended early.
enum Stop {
    /// The kernel or a file system does not do it this way: the next engine is tried.
    Refused,
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Failed(failure)
    }
}

fn unless_refused<T>(outcome: std::result::Result<T, Stop>) -> Result<Option<T>> {
    match outcome {
        Ok(done) => Ok(Some(done)),
        Err(Stop::Refused) => Ok(None),
        Err(Stop::Failed(failure)) => Err(failure),
    }
}

/// The call, its flag or this alignment is not known here.
fn is_refusal(errno: Errno) -> bool {
    matches!(errno, Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS)
}

/// A copy that is complete, and not durable yet.
pub(crate) struct Copied {
    pub engine: Engine,
    pub work: Work,
    pub digest: Option<Digest>,
}

/// Makes the target share the source's blocks; false where this pair of files cannot.
pub(crate) fn clone(source: &Side<'_>, target: &Side<'_>) -> Result<bool> {
    match extents::clone_file(target.file, source.file) {
        Ok(()) => Ok(true),
        // Another file system, none that can, files of different flags, or no such call.
        Err(
            Errno::XDEV
            | Errno::OPNOTSUPP
            | Errno::INVAL
            | Errno::NOTTY
            | Errno::NOSYS
            | Errno::TXTBSY,
        ) => Ok(false),
        other => other.during("FICLONE", || target.path()).map(|()| true),
    }
}

/// Copies the data extents of a file and sets the length. Nothing is durable yet.
pub(crate) fn copy(order: &Order<'_>, choice: EngineChoice) -> Result<Copied> {
    let first = engine::choose(order, choice)?;
    if let Some(copied) = attempt(order, first)? {
        return Ok(copied);
    }
    attempt(order, Engine::Buffered)?.ok_or_else(|| {
        let message = "the buffered copy was refused, which works everywhere";
        Failure::new(Code::Io, order.source.label, message)
    })
}

/// One engine from the start; None where it is refused. What it wrote then is written again by the next.
pub(crate) fn attempt(order: &Order<'_>, engine: Engine) -> Result<Option<Copied>> {
    order.control.arrived(order.before);
    let hash = HashThread::start(order.hash)?;
    let work = match engine {
        Engine::Direct => direct::copy(order, hash.as_ref())?,
        Engine::Uncached => uncached::copy(order, hash.as_ref())?,
        Engine::Buffered => buffered::copy(order, hash.as_ref()).map(Some)?,
    };
    let Some(work) = work else {
        return Ok(None);
    };
    if let Some(target) = order.target {
        files::set_length(target.file, order.size).during("ftruncate", || target.path())?;
    }
    let digest = hash.map(|hash| hash.finish(order.size)).transpose()?;
    order.control.arrived(order.before + order.size);
    Ok(Some(Copied {
        engine,
        work,
        digest,
    }))
}

/// Reads and hashes a file past the page cache, by the direct engine where it works.
pub(crate) fn hash_from_disk(order: &Order<'_>) -> Result<Option<Digest>> {
    let hash = HashThread::start(order.hash)?;
    let done = direct::copy(order, hash.as_ref())?;
    match (done, hash) {
        (Some(_), Some(hash)) => hash.finish(order.size).map(Some),
        _ => Ok(None),
    }
}

/// A buffer, waiting until the hash gives one back.
fn take_slot(slots: &Arc<Slots>, order: &Order<'_>) -> Result<Slot> {
    loop {
        order.control.check(order.source.label)?;
        if let Some(slot) = slots.take_within(PATIENCE) {
            return Ok(slot);
        }
    }
}
