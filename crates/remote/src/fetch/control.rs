//! The one thing that a running fetch shares with others: how far it is, and whether it shall stop.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::failure::{Code, Failure, Result};

const UNKNOWN: u64 = u64::MAX;

/// Progress and cancellation of one fetch.
#[derive(Debug)]
pub struct Control {
    cancelled: AtomicBool,
    done: AtomicU64,
    total: AtomicU64,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            cancelled: AtomicBool::new(false),
            done: AtomicU64::new(0),
            total: AtomicU64::new(UNKNOWN),
        }
    }
}

impl Control {
    /// Ends the fetch soon; it fails as cancelled.
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    /// Body bytes received so far.
    pub fn done(&self) -> u64 {
        self.done.load(Relaxed)
    }

    /// Length of the body, `None` until the answer told it.
    pub fn total(&self) -> Option<u64> {
        match self.total.load(Relaxed) {
            UNKNOWN => None,
            bytes => Some(bytes),
        }
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.done.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn expect(&self, bytes: u64) {
        self.total.store(bytes, Relaxed);
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.cancelled.load(Relaxed) {
            return Err(Failure::new(Code::Cancelled, "the fetch was cancelled"));
        }
        Ok(())
    }
}
