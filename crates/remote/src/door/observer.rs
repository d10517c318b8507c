//! What the door tells: log events, counters, and the question whether a token is good.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::names::FileType;

/// How loud an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For whoever looks for a fault.
    Debug,
    /// Worth a line.
    Info,
    /// An operator may have to act.
    Warn,
    /// An operator has to act.
    Error,
}

/// One line for the log.
#[derive(Clone, Debug)]
pub struct Event {
    /// How loud.
    pub level: Level,
    /// A fixed word.
    pub event: &'static str,
    /// The client concerned.
    pub peer: Option<SocketAddr>,
    /// The file concerned.
    pub path: Option<PathBuf>,
    /// The kernel's error number.
    pub errno: Option<i32>,
    /// A sentence.
    pub detail: String,
}

impl Event {
    /// An event without particulars.
    pub fn new(level: Level, event: &'static str, detail: impl Into<String>) -> Self {
        Self {
            level,
            event,
            peer: None,
            path: None,
            errno: None,
            detail: detail.into(),
        }
    }

    pub(crate) fn peer(mut self, peer: SocketAddr) -> Self {
        self.peer = Some(peer);
        self
    }

    pub(crate) fn path(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    pub(crate) fn error(mut self, error: &std::io::Error) -> Self {
        self.errno = error.raw_os_error();
        self.detail = format!("{}: {error}", self.detail);
        self
    }
}

/// Who the door talks to. Both calls come from the door's threads and must not block.
pub trait Observer: Send + Sync + 'static {
    /// Asks about a token; the answer comes as [`super::FrontDoor::verdict`] with this ticket.
    fn authorize(&self, ticket: u64, token: &str);
    /// Tells something for the log.
    fn event(&self, event: Event);
}

/// Counters, read at any time.
#[derive(Debug, Default)]
pub struct Stats {
    pub(crate) connections: AtomicU64,
    pub(crate) tunnels: AtomicU64,
    pub(crate) transfers: AtomicU64,
    pub(crate) uploads: AtomicU64,
    pub(crate) accepted: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) broken: AtomicU64,
    pub(crate) served: [AtomicU64; 6],
}

/// The counters at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsNow {
    /// Open connections.
    pub connections: u64,
    /// Open tunnels.
    pub tunnels: u64,
    /// Downloads under way, stalled ones included.
    pub transfers: u64,
    /// Uploads under way.
    pub uploads: u64,
    /// Connections accepted since start.
    pub accepted: u64,
    /// Upload bytes taken in since start.
    pub received: u64,
    /// Transfers that ended with a destroyed connection.
    pub broken: u64,
    /// Body bytes served since start, in the order of [`FileType::ALL`].
    pub served: [u64; 6],
}

impl Stats {
    pub(crate) fn now(&self) -> StatsNow {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StatsNow {
            connections: read(&self.connections),
            tunnels: read(&self.tunnels),
            transfers: read(&self.transfers),
            uploads: read(&self.uploads),
            accepted: read(&self.accepted),
            received: read(&self.received),
            broken: read(&self.broken),
            served: std::array::from_fn(|at| read(&self.served[at])),
        }
    }

    pub(crate) fn add_served(&self, kind: FileType, bytes: u64) {
        self.served[kind.index()].fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Counts something that is there, for as long as this is held.
#[derive(Debug)]
pub(crate) struct Gauge {
    stats: std::sync::Arc<Stats>,
    counter: fn(&Stats) -> &AtomicU64,
}

impl Gauge {
    pub fn hold(stats: &std::sync::Arc<Stats>, counter: fn(&Stats) -> &AtomicU64) -> Self {
        counter(stats).fetch_add(1, Ordering::Relaxed);
        Self {
            stats: stats.clone(),
            counter,
        }
    }
}

impl Drop for Gauge {
    fn drop(&mut self) {
        (self.counter)(&self.stats).fetch_sub(1, Ordering::Relaxed);
    }
}
