//! Who a transfer goes to: the socket, its pace, and the count of what was sent.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

use super::bench::Host;
use super::connection::{Connection, Io, send, send_file};
use super::observer::{Gauge, Stats};
use super::pace::{Pace, Rules};
use crate::names::FileType;

/// The receiving end of a response.
#[derive(Debug)]
pub(crate) struct Client {
    pub connection: Connection,
    pub pace: Pace,
    kind: FileType,
    /// Bytes before the body.
    head_length: u64,
    sent: u64,
    stats: Arc<Stats>,
    _running: Gauge,
}

impl Client {
    pub fn new(
        connection: Connection,
        kind: FileType,
        head_length: u64,
        rules: Rules,
        stats: &Arc<Stats>,
    ) -> Self {
        Self {
            connection,
            pace: Pace::new(rules),
            kind,
            head_length,
            sent: 0,
            stats: stats.clone(),
            _running: Gauge::hold(stats, |stats| &stats.transfers),
        }
    }

    /// Bytes sent so far, head included.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Bytes of those that the client's machine has not taken yet.
    pub fn unsent(&self) -> u64 {
        self.connection.unsent()
    }

    /// Sends what fits; `more` follows.
    pub fn send(&mut self, bytes: &[u8], more: bool) -> Io {
        let moved = send(&self.connection, bytes, more);
        self.account(&moved);
        moved
    }

    /// Sends from a file, from `at` on; `Moved(0)` means that the file ended.
    pub fn send_file(&mut self, file: impl AsFd, mut at: u64, count: usize) -> Io {
        let moved = send_file(&self.connection, file, &mut at, count);
        self.account(&moved);
        moved
    }

    fn account(&mut self, moved: &Io) {
        if let Io::Moved(bytes) = *moved {
            let bytes = bytes as u64;
            let head_left = self.head_length.saturating_sub(self.sent);
            self.sent += bytes;
            self.stats
                .add_served(self.kind, bytes.saturating_sub(head_left));
        }
    }

    /// It is waited for; see [`Pace::waits`].
    pub fn waits(&mut self, now: Instant) -> Option<Instant> {
        let taken = self.sent.saturating_sub(self.unsent());
        self.pace.waits(now, taken)
    }

    /// Waits a moment for it; false when it is too slow for that.
    pub fn soon_ready(&mut self, host: &dyn Host) -> bool {
        let ready = self.waits(Instant::now()).is_some() && host.soon_ready(&self.connection);
        if ready {
            self.pace.resumes(Instant::now());
        }
        ready
    }
}
