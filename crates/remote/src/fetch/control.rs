//! The one thing that a running fetch shares with others: how far it is, and whether it shall go on.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::thread;

use super::connection::TICK;
use super::failure::{Code, Failure, Result};

const UNKNOWN: u64 = u64::MAX;
const RUNNING: u8 = 0;
const INTERRUPTED: u8 = 1;
const CANCELLED: u8 = 2;

/// Progress, pause and end of one fetch.
#[derive(Debug)]
pub struct Control {
    end: AtomicU8,
    paused: AtomicBool,
    done: AtomicU64,
    total: AtomicU64,
    held_back: AtomicU64,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            end: AtomicU8::new(RUNNING),
            paused: AtomicBool::new(false),
            done: AtomicU64::new(0),
            total: AtomicU64::new(UNKNOWN),
            held_back: AtomicU64::new(0),
        }
    }
}

impl Control {
    /// Ends the fetch soon, as cancelled; nothing of it is kept.
    pub fn cancel(&self) {
        self.end.fetch_max(CANCELLED, Relaxed);
    }

    /// Ends the fetch soon, as interrupted; what a later one can go on from is kept.
    pub fn interrupt(&self) {
        self.end.fetch_max(INTERRUPTED, Relaxed);
    }

    /// Stops reading until [`Control::proceed`]. A server that loses patience meanwhile ends the fetch.
    pub fn pause(&self) {
        self.paused.store(true, Relaxed);
    }

    /// Reads on after a pause.
    pub fn proceed(&self) {
        self.paused.store(false, Relaxed);
    }

    /// Bytes of the body that are here, those of an earlier fetch that this one goes on from included.
    pub fn done(&self) -> u64 {
        self.done.load(Relaxed)
    }

    /// Length of the whole body, `None` until the answer told it.
    pub fn total(&self) -> Option<u64> {
        match self.total.load(Relaxed) {
            UNKNOWN => None,
            bytes => Some(bytes),
        }
    }

    /// Milliseconds in which we did not want to receive: paused, or at a limit of bytes per second. They say
    /// nothing of the server's speed.
    pub fn held_back_ms(&self) -> u64 {
        self.held_back.load(Relaxed)
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.done.fetch_add(bytes as u64, Relaxed);
    }

    /// The fetch starts, or starts again, with so many bytes that are here already.
    pub(crate) fn start_at(&self, bytes: u64) {
        self.done.store(bytes, Relaxed);
    }

    pub(crate) fn expect(&self, bytes: u64) {
        self.total.store(bytes, Relaxed);
    }

    /// Fails when the fetch shall end.
    pub(crate) fn check(&self) -> Result<()> {
        match self.end.load(Relaxed) {
            RUNNING => Ok(()),
            INTERRUPTED => {
                let detail = "the fetch was interrupted; a later one goes on from there";
                Err(Failure::new(Code::Interrupted, detail))
            }
            _ => Err(Failure::new(Code::Cancelled, "the fetch was cancelled")),
        }
    }

    /// Waits while the fetch is paused.
    pub(crate) fn pass(&self) -> Result<()> {
        self.check()?;
        while self.paused.load(Relaxed) {
            self.hold()?;
        }
        Ok(())
    }

    /// Lets one tick go by.
    pub(crate) fn hold(&self) -> Result<()> {
        thread::sleep(TICK);
        self.held_back.fetch_add(TICK.as_millis() as u64, Relaxed);
        self.check()
    }
}
