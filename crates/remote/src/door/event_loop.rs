//! The thread that owns every connection no bulk thread works on.

use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::connection::{Connection, Io, receive};
use super::front_door::Shared;
use super::head::{MAX_HEAD, Request};
use super::inbox::Message;
use super::job::{Handed, Job};
use super::listener::Listener;
use super::observer::{Event, Level};
use super::poller::{Interest, Poller};
use super::pool::Pool;
use super::tokens::Tokens;
use super::tunnel::{Outcome, Tunnel};

const INBOX: u64 = 0;
pub(crate) const LISTENER: u64 = 2;
const FIRST_SLOT: u64 = 4;
const SCRATCH: usize = 256 << 10;
/// How long a bulk thread may sit in the disk before the closing door leaves it behind.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// Where a connection is; see the states in `mod.rs`.
pub(crate) enum State {
    Head(Connection),
    Judging(Connection, Box<Request>),
    Expecting(Connection, Box<Request>),
    Parked {
        job: Job,
        for_reading: bool,
    },
    Replying {
        connection: Connection,
        bytes: Vec<u8>,
        at: usize,
        keep_alive: bool,
    },
    Lingering(Connection),
    Tunnel(Box<Tunnel>),
}

pub(crate) struct Slot {
    pub state: State,
    /// When its patience ends.
    pub until: Option<Instant>,
}

pub(crate) struct EventLoop {
    pub shared: Arc<Shared>,
    pub poller: Poller,
    pub slots: HashMap<u64, Slot>,
    pub tokens: Tokens<u64>,
    pub pool: Arc<Pool>,
    pub listener: Option<Listener>,
    pub rests_until: Option<Instant>,
    pub pause_told: bool,
    scratch: Vec<u8>,
    next_key: u64,
    pub wake_at: Option<Instant>,
    /// Set while closing: when everything is cut.
    pub closing: Option<Instant>,
}

impl EventLoop {
    pub fn new(shared: Arc<Shared>, mut listener: Listener) -> io::Result<Self> {
        let poller = Poller::new()?;
        poller.set(
            &*shared.inbox,
            INBOX,
            &mut Interest::NONE.clone(),
            Interest::READ,
        )?;
        poller.set(
            &listener.socket,
            LISTENER,
            &mut listener.interest,
            Interest::READ,
        )?;
        let inbox = shared.inbox.clone();
        let pool = Pool::new(
            shared.options.max_transfers,
            shared.options.pace(),
            shared.options.serve_engine,
            shared.stats.clone(),
            shared.observer.clone(),
            Box::new(move |handed| inbox.send(Message::Handed(handed))),
        );
        Ok(Self {
            tokens: Tokens::new(shared.options.verdict_timeout),
            shared,
            poller,
            slots: HashMap::new(),
            pool,
            listener: Some(listener),
            rests_until: None,
            pause_told: false,
            scratch: vec![0; SCRATCH],
            next_key: FIRST_SLOT,
            wake_at: None,
            closing: None,
        })
    }

    /// Serves until it is told to close and everything has ended.
    pub fn run(mut self) {
        sys::threads::block_signals();
        loop {
            // A panic drops the connection it happened on: its slot is taken out while it is worked on.
            match catch_unwind(AssertUnwindSafe(|| self.turn())) {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => break,
                Ok(Err(error)) => {
                    self.tell(
                        Event::new(Level::Error, "poll-failed", "the front door stops")
                            .error(&error),
                    );
                    break;
                }
                Err(_) => self.tell(Event::new(
                    Level::Error,
                    "door-panic",
                    "a request made the door panic",
                )),
            }
        }
        self.slots.clear();
        if !self.pool.stop(LAST_PATIENCE) {
            self.tell(Event::new(
                Level::Warn,
                "thread-left",
                "a bulk thread is blocked in the disk",
            ));
        }
    }

    pub fn tell(&self, event: Event) {
        self.shared.observer.event(event);
    }

    fn turn(&mut self) -> io::Result<bool> {
        let patience = self
            .wake_at
            .map(|at| at.saturating_duration_since(Instant::now()));
        for key in self.poller.wait(patience)? {
            match key {
                INBOX => {}
                LISTENER => self.accept(),
                // The other end of a tunnel has the key behind its client's.
                key => self.ready(key & !1),
            }
        }
        for message in self.shared.inbox.take() {
            self.message(message);
        }
        self.keep_time(Instant::now());
        self.watch_listener();
        Ok(self.closing.is_none() || self.shared.stats.connections.load(Ordering::Relaxed) > 0)
    }

    pub fn new_key(&mut self) -> u64 {
        self.next_key += 2;
        self.next_key
    }

    /// Wakes the loop at this instant at the latest.
    pub fn arm(&mut self, at: Instant) {
        self.wake_at = Some(self.wake_at.map_or(at, |before| before.min(at)));
    }

    /// Keeps a connection until something happens to it.
    pub fn hold(&mut self, key: u64, mut state: State, until: Option<Instant>) {
        let watched = match &mut state {
            State::Tunnel(tunnel) => tunnel.watch(&self.poller, key),
            State::Head(connection) | State::Lingering(connection) => {
                connection.watch(&self.poller, key, Interest::READ)
            }
            State::Replying { connection, .. } => {
                connection.watch(&self.poller, key, Interest::WRITE)
            }
            // A client that went away meanwhile is noticed when it is answered.
            State::Judging(..) | State::Expecting(..) => Ok(()),
            State::Parked { job, for_reading } => {
                let wanted = if *for_reading {
                    Interest::READ
                } else {
                    Interest::WRITE
                };
                job.connection().watch(&self.poller, key, wanted)
            }
        };
        if let Err(error) = watched {
            self.tell(
                Event::new(Level::Error, "watch-failed", "a connection was dropped").error(&error),
            );
            return;
        }
        if let Some(until) = until {
            self.arm(until);
        }
        self.slots.insert(key, Slot { state, until });
    }

    /// Stops watching a connection that goes elsewhere.
    pub fn release(&self, key: u64, connection: &mut Connection) {
        // It fails only for a descriptor that is not watched.
        let _ = connection.watch(&self.poller, key, Interest::NONE);
    }

    fn ready(&mut self, key: u64) {
        let Some(Slot { state, until }) = self.slots.remove(&key) else {
            return;
        };
        match state {
            State::Head(connection) => self.read_head(key, connection, until),
            State::Parked { mut job, .. } => {
                job.resumes(Instant::now());
                self.release(key, job.connection());
                self.pool.give(job);
            }
            State::Replying {
                connection,
                bytes,
                at,
                keep_alive,
            } => {
                self.go_on_replying(key, connection, bytes, at, keep_alive, until);
            }
            State::Lingering(connection) => match receive(&connection, &mut self.scratch) {
                Io::Moved(_) | Io::Blocked => self.hold(key, State::Lingering(connection), until),
                Io::Ended | Io::Failed(_) => {}
            },
            State::Tunnel(tunnel) => self.pump(key, tunnel),
            waiting @ (State::Judging(..) | State::Expecting(..)) => self.hold(key, waiting, until),
        }
    }

    fn read_head(&mut self, key: u64, mut connection: Connection, until: Option<Instant>) {
        // What belongs to a body is left in the kernel: nothing much is buffered for a stranger.
        match receive(&connection, &mut self.scratch[..2 * MAX_HEAD]) {
            Io::Moved(bytes) => {
                let begun = if connection.buffer.is_empty() {
                    None
                } else {
                    until
                };
                connection.buffer.extend_from_slice(&self.scratch[..bytes]);
                self.parse(key, connection, begun);
            }
            Io::Blocked => self.hold(key, State::Head(connection), until),
            Io::Ended | Io::Failed(_) => {}
        }
    }

    pub fn pump(&mut self, key: u64, mut tunnel: Box<Tunnel>) {
        match tunnel.pump(&mut self.scratch, Instant::now()) {
            Outcome::On => {
                let until = tunnel.until();
                self.hold(key, State::Tunnel(tunnel), until);
            }
            Outcome::Unreachable => self.no_upstream(key, tunnel.into_client()),
            Outcome::Answered => self.tunnelled(key, *tunnel),
            Outcome::Ended => self.linger(key, tunnel.into_client()),
            Outcome::HandedBack => self.parse(key, tunnel.into_client(), None),
            Outcome::Broken => tunnel.into_client().destroy(),
        }
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::Verdict {
                ticket,
                verdict,
                lasts,
            } => {
                let now = Instant::now();
                for key in self.tokens.answer(ticket, verdict.clone(), lasts, now) {
                    self.judged(key, verdict.clone());
                }
            }
            Message::Uploads => self.look_at_uploads(),
            Message::Close(patience) => self.begin_close(patience),
            Message::Handed(Handed::Served {
                connection,
                keep_alive,
            }) => {
                let key = self.new_key();
                self.answered(key, connection, keep_alive);
            }
            Message::Handed(Handed::Received {
                connection,
                keep_alive,
            }) => {
                let key = self.new_key();
                self.reply(key, connection, super::reply::empty(200, keep_alive));
            }
            // Given up between its last look and its parking.
            Message::Handed(Handed::Parked { job, .. }) if job.is_cancelled() => {
                self.pool.give(job)
            }
            Message::Handed(Handed::Parked {
                job,
                for_reading,
                cut_at,
            }) => {
                let key = self.new_key();
                self.hold(key, State::Parked { job, for_reading }, Some(cut_at));
            }
            // The counters have changed: that is all there is to it.
            Message::Handed(Handed::Gone) => {}
        }
    }
}
