//! What a caller may see and say while a transfer runs.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::failure::{Code, Failure, Result};

/// A point of a move after which a power cut leaves another state than before it, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The journal says what is about to be done.
    IntentWritten,
    /// The private name exists, empty.
    TempMade,
    /// The content of one file is durable, and not yet compared where that was asked for.
    FileSynced,
    /// Everything is behind the private name: durable and verified.
    TempDurable,
    /// The final name exists.
    Named,
    /// The final name is durable.
    NameDurable,
    /// The journal says so.
    TargetRecorded,
    /// A source directory has its private name: no longer visible, not yet unlinked.
    SourceSetAside,
    /// The source is unlinked, durably.
    SourceUnlinked,
    /// The journal says so.
    SourceRecorded,
    /// A private name was removed again, durably.
    TempRemoved,
    /// The journal has forgotten the move.
    DoneRecorded,
}

type StepListener = Box<dyn Fn(Step) + Send + Sync>;

/// A cancel flag and progress counters, shared between the thread that moves and those that watch.
#[derive(Default)]
pub struct Control {
    cancelled: Arc<AtomicBool>,
    bytes: AtomicU64,
    total: AtomicU64,
    on_step: Option<StepListener>,
}

impl Control {
    /// One that nobody has cancelled.
    pub fn new() -> Control {
        Control::default()
    }

    /// One that tells each step, on the thread that moves.
    pub fn with_steps(on_step: impl Fn(Step) + Send + Sync + 'static) -> Control {
        Control {
            on_step: Some(Box::new(on_step)),
            ..Control::default()
        }
    }

    /// One that is cancelled with another, and has a counter of its own.
    pub(crate) fn following(other: &Control) -> Control {
        Control {
            cancelled: other.cancelled.clone(),
            ..Control::default()
        }
    }

    /// Asks the transfer to end; seen at the next chunk, ignored once the final name is given.
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    /// Bytes that are at the target (holes count), and how many there will be (0 until it was measured).
    pub fn progress(&self) -> (u64, u64) {
        (self.bytes.load(Relaxed), self.total.load(Relaxed))
    }

    /// Fails once it was cancelled.
    pub(crate) fn check(&self, label: &str) -> Result<()> {
        if !self.cancelled.load(Relaxed) {
            return Ok(());
        }
        Err(Failure::new(
            Code::Cancelled,
            label,
            "cancelled; the source is as it was",
        ))
    }

    pub(crate) fn expect(&self, total: u64) {
        self.total.store(total, Relaxed);
    }

    pub(crate) fn arrived(&self, bytes: u64) {
        self.bytes.store(bytes, Relaxed);
    }

    /// So many bytes more.
    pub(crate) fn advance(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn step(&self, step: Step) {
        if let Some(tell) = &self.on_step {
            tell(step);
        }
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, total) = self.progress();
        write!(out, "Control({bytes} of {total})")
    }
}
