//! A pushed body as whoever expects it sees it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::expectations::{Expectation, Expectations};

/// Why a push did not arrive whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadErrorCode {
    /// The client went away before the end.
    Incomplete,
    /// More bytes than allowed.
    TooLarge,
    /// Nobody pushed, or the client stalled.
    Timeout,
    /// [`Upload::cancel`] was called.
    Cancelled,
    /// The body is not framed as HTTP says.
    Malformed,
    /// The target could not be written.
    Io,
    /// The door closed.
    Closed,
}

/// A push that did not arrive whole. Its target is removed.
#[derive(Clone, Debug)]
pub struct UploadFailure {
    /// What went wrong.
    pub code: UploadErrorCode,
    /// In words.
    pub detail: String,
    /// The kernel's error number.
    pub errno: Option<i32>,
    /// The target file.
    pub path: PathBuf,
    /// Bytes that had been written.
    pub bytes_done: u64,
}

/// Bytes of the whole body, or why there is none.
pub type UploadOutcome = Result<u64, UploadFailure>;

/// The expecting side's handle.
pub struct Upload {
    expectation: Arc<Expectation>,
    all: Expectations,
}

impl Upload {
    pub(crate) fn new(expectation: Arc<Expectation>, all: Expectations) -> Self {
        Self { expectation, all }
    }

    /// Bytes written so far.
    pub fn received(&self) -> u64 {
        self.expectation.received.load(Ordering::Relaxed)
    }

    /// Gives it up: at once when nobody pushed yet, else within a fraction of a second.
    pub fn cancel(&self) {
        self.all.cancel(&self.expectation);
    }

    /// Calls `listener` with the outcome, once: now if it is known, else from a thread of the door.
    pub fn on_settled(&self, listener: impl FnOnce(UploadOutcome) + Send + 'static) {
        self.expectation.on_settled(Box::new(listener));
    }

    /// Waits for the outcome.
    pub fn wait(&self) -> UploadOutcome {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.on_settled(move |outcome| drop(sender.send(outcome)));
        receiver.recv().unwrap_or_else(|_| {
            self.expectation
                .fail(UploadErrorCode::Closed, "the front door is gone", None);
            Err(UploadFailure {
                code: UploadErrorCode::Closed,
                detail: "the front door is gone".into(),
                errno: None,
                path: self.expectation.path(),
                bytes_done: self.received(),
            })
        })
    }
}
