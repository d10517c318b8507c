//! The memory a bulk thread lends to the transfer it runs, and what such a transfer asks of its thread.

use std::sync::Arc;

use sys::slots::Slots;

use super::connection::Connection;

/// Bytes one job moves before it looks whether others wait.
pub(crate) const ALLOWANCE: u64 = 64 << 20;
/// What one read asks of the disk: large enough to reach its full speed.
pub(crate) const CHUNK: usize = 1 << 20;
/// So many reads are under way or wait to be sent. A thread never holds more memory than this makes.
pub(crate) const CHUNKS: usize = 8;

/// A thread's memory. Nothing is taken before it is needed.
#[derive(Default)]
pub(crate) struct Bench {
    scratch: Vec<u8>,
    slots: Option<Arc<Slots>>,
}

impl Bench {
    /// A buffer of ordinary memory.
    pub fn scratch(&mut self) -> &mut [u8] {
        self.scratch.resize(CHUNK, 0);
        &mut self.scratch
    }

    /// Buffers that a disk can write to.
    pub fn slots(&mut self) -> sys::Result<Arc<Slots>> {
        if let Some(slots) = &self.slots {
            return Ok(slots.clone());
        }
        let slots = Slots::new(CHUNKS, CHUNK)?;
        self.slots = Some(slots.clone());
        Ok(slots)
    }

    /// Whether there is something to give back.
    pub fn is_empty(&self) -> bool {
        self.scratch.is_empty() && self.slots.is_none()
    }

    /// Gives all of it back.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The thread that runs a transfer.
pub(crate) trait Host {
    /// Waits a moment for a client that is just slow; false when it is to be left to epoll.
    fn soon_ready(&self, connection: &Connection) -> bool;
    /// Others wait for this thread, or the door has closed.
    fn is_wanted(&self) -> bool;
}
