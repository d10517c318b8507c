//! What other threads tell the event loop.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{EventfdFlags, eventfd};

use super::job::Handed;
use super::tokens::Verdict;

/// A message to the event loop.
pub(crate) enum Message {
    /// A bulk thread is done with a connection.
    Handed(Handed),
    /// An answer about a token.
    Verdict {
        ticket: u64,
        verdict: Verdict,
        lasts: Duration,
    },
    /// A push became expected, or was given up.
    Uploads,
    /// Close, and cut what runs after this long.
    Close(Duration),
}

/// Messages, and the descriptor that becomes readable when there are some.
pub(crate) struct Inbox {
    messages: Mutex<Vec<Message>>,
    bell: OwnedFd,
}

impl Inbox {
    pub fn new() -> std::io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self {
            messages: Mutex::default(),
            bell,
        })
    }

    pub fn send(&self, message: Message) {
        self.messages
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(message);
        // It fails only when the counter is full, and then the loop is about to look anyway.
        let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
    }

    pub fn take(&self) -> Vec<Message> {
        let _ = rustix::io::read(&self.bell, &mut [0u8; 8]);
        std::mem::take(&mut *self.messages.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}
