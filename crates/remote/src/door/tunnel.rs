//! A tunnel to the control plane: bytes both ways, as they are, one request at a time.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::Shutdown;

use super::connection::Connection;
use super::exchange::Exchange;
use super::flow::{Failed, Flow};
use super::front_door::Options;
use super::head::Outline;
use super::observer::Stats;
use super::pace::Pace;
use super::peers::Peers;
use super::poller::{Interest, Poller};
use super::upstream::Upstream;

/// uWebSockets closes on a FIN and forgets the answer it owes; so a client that ends its stream right
/// after its request is not reported gone until the answer begins, or this long.
const HOLD_FIN: Duration = Duration::from_secs(5);

/// What became of a tunnel.
pub(crate) enum Outcome {
    /// It goes on.
    On,
    /// Nobody listens behind the door.
    Unreachable,
    /// The request is answered; what the client sent behind it is to be read.
    Answered,
    /// The control plane has ended its stream, and the client has it all.
    Ended,
    /// The control plane wants the door to answer; the client's buffer begins with that request.
    HandedBack,
    /// One side broke off: the client must not take what it has for whole.
    Broken,
}

/// A tunnel.
#[derive(Debug)]
pub(crate) struct Tunnel {
    client: Connection,
    upstream: Box<Upstream>,
    exchange: Exchange,
    inward: Flow,
    outward: Flow,
    /// The client's end of stream has been passed on, or will not be.
    fin_done: bool,
    /// Until when it is held back.
    fin_until: Option<Instant>,
    pace: Pace,
    /// Bytes both ways.
    moved: u64,
    /// When the client has been waited for too long.
    cut_at: Option<Instant>,
    /// The client has spoken and not been answered.
    owed: bool,
    moved_at: Instant,
    begun: bool,
}

impl Tunnel {
    /// For the request that the client's buffer begins with, and for all that follows when it has no
    /// outline. Takes the connection of the request before, or begins to connect.
    pub fn open(
        mut client: Connection,
        outline: Option<Outline>,
        options: &Options,
        peers: &Peers,
        stats: &Arc<Stats>,
    ) -> Result<Box<Self>, Box<(Connection, io::Error)>> {
        let now = Instant::now();
        let kept = client.upstream.take().filter(|kept| kept.is_usable(now));
        let upstream = match kept {
            Some(kept) => kept,
            None => match Upstream::connect(client.peer, options.upstream_port, peers, stats) {
                Ok(upstream) => upstream,
                Err(error) => return Err(Box::new((client, error))),
            },
        };
        let inward = Flow::holding(std::mem::take(&mut client.buffer));
        Ok(Box::new(Self {
            client,
            upstream,
            exchange: Exchange::new(outline),
            inward,
            outward: Flow::default(),
            fin_done: false,
            fin_until: None,
            pace: Pace::new(options.pace()),
            moved: 0,
            cut_at: None,
            owed: true,
            moved_at: now,
            begun: false,
        }))
    }

    /// Moves what can be moved.
    pub fn pump(&mut self, scratch: &mut [u8], now: Instant) -> Outcome {
        match self.upstream.connects() {
            Ok(true) => {}
            Ok(false) => return Outcome::On,
            Err(_) => return Outcome::Unreachable,
        }
        self.begun = true;
        self.pace.resumes(now);
        if let Some(end) = self
            .pump_inward(scratch, now)
            .or_else(|| self.pump_outward(scratch, now))
        {
            return end;
        }
        // An upgrade lets the bytes behind its request pass.
        if self.exchange.is_unread()
            && let Some(end) = self.pump_inward(scratch, now)
        {
            return end;
        }
        if self.outward.ended && self.outward.is_empty() {
            return self.end();
        }
        if self.exchange.is_over() && !self.inward.is_due() && self.outward.is_empty() {
            return self.answered(now);
        }
        self.pass_fin(now);
        if !self.awaits_client() {
            self.cut_at = None;
            return Outcome::On;
        }
        self.cut_at = self
            .pace
            .waits(now, self.moved.saturating_sub(self.client.unsent()));
        if self.cut_at.is_some() {
            Outcome::On
        } else {
            Outcome::Broken
        }
    }

    /// Whether it is the client that must take or send something now.
    fn awaits_client(&self) -> bool {
        let sends = !self.exchange.is_unread() && !self.exchange.is_asked() && !self.inward.ended;
        !self.outward.is_empty() || (sends && self.inward.is_empty())
    }

    /// When it is to be looked at, whatever happens.
    pub fn until(&self) -> Option<Instant> {
        [self.fin_until, self.cut_at].into_iter().flatten().min()
    }

    fn pump_inward(&mut self, scratch: &mut [u8], now: Instant) -> Option<Outcome> {
        let Self {
            client,
            upstream,
            exchange,
            inward,
            ..
        } = self;
        match inward.run(client, upstream, scratch, |input| exchange.request(input)) {
            Ok(0) => {}
            Ok(bytes) => {
                (self.owed, self.moved_at) = (true, now);
                self.moved += bytes as u64;
            }
            Err(Failed::Reading) => return Some(Outcome::Broken),
            // It has closed, maybe with an answer on the way; what the client sends has no taker.
            Err(Failed::Writing) => self.inward.ended = true,
        }
        None
    }

    fn pump_outward(&mut self, scratch: &mut [u8], now: Instant) -> Option<Outcome> {
        let Self {
            client,
            upstream,
            exchange,
            outward,
            ..
        } = self;
        let follow = |input: &[u8]| {
            exchange.answer(input);
            input.len()
        };
        match outward.run(&*upstream, client, scratch, follow) {
            Ok(0) => {}
            Ok(bytes) => {
                (self.owed, self.moved_at) = (false, now);
                self.moved += bytes as u64;
            }
            Err(Failed::Writing) => return Some(Outcome::Broken),
            // Closing with unread bytes resets the connection; all it sent has been read by now.
            Err(Failed::Reading) if self.upstream.lease.is_handed() => self.outward.ended = true,
            Err(Failed::Reading) => return Some(Outcome::Broken),
        }
        None
    }

    fn end(&mut self) -> Outcome {
        if let Some(mut head) = self.upstream.lease.take_handed() {
            head.append(&mut std::mem::take(&mut self.inward).into_rest());
            self.client.buffer = head;
            return Outcome::HandedBack;
        }
        if self.exchange.is_over() && !self.inward.is_due() {
            return self.answered(Instant::now());
        }
        if self.exchange.is_cut() {
            Outcome::Broken
        } else {
            Outcome::Ended
        }
    }

    fn answered(&mut self, now: Instant) -> Outcome {
        if !self.exchange.keep_alive {
            return Outcome::Ended;
        }
        self.upstream.answered(now);
        self.client.buffer = std::mem::take(&mut self.inward).into_rest();
        Outcome::Answered
    }

    fn pass_fin(&mut self, now: Instant) {
        if !self.inward.ended || !self.inward.is_empty() || self.fin_done {
            return;
        }
        let until = *self.fin_until.get_or_insert(now + HOLD_FIN);
        if self.owed && now < until {
            return;
        }
        // The rest of an answer whose end is known must not be forgotten either.
        if !self.exchange.is_cut() {
            let _ = rustix::net::shutdown(&self.upstream, Shutdown::Write);
        }
        (self.fin_done, self.fin_until) = (true, None);
    }

    /// Whether nothing is under way, as far as bytes tell.
    pub fn is_quiet(&self, now: Instant) -> bool {
        let still = now.saturating_duration_since(self.moved_at) > Duration::from_millis(200);
        let idle = !self.owed && !self.exchange.is_cut();
        still && idle && self.inward.is_empty() && self.outward.is_empty()
    }

    /// Awaits what is due; `key` is the client's, `key + 1` the other end's.
    pub fn watch(&mut self, poller: &Poller, key: u64) -> io::Result<()> {
        let connected = self.upstream.connected;
        let client = Interest {
            read: connected && !self.inward.ended && self.inward.is_empty(),
            write: !self.outward.is_empty(),
        };
        let due = self.inward.is_due() || !self.begun;
        let upstream = Interest {
            read: connected && !self.outward.ended && self.outward.is_empty(),
            write: !connected || (due && !self.inward.ended),
        };
        self.client.watch(poller, key, client)?;
        self.upstream.watch(poller, key + 1, upstream)
    }

    /// The client's end alone.
    pub fn into_client(self) -> Connection {
        self.client
    }

    /// The client's end, with the other one kept for its next request; nothing is awaited of that meanwhile.
    pub fn into_client_and_way(mut self, poller: &Poller, key: u64) -> Connection {
        if self.upstream.watch(poller, key + 1, Interest::NONE).is_ok() {
            self.client.upstream = Some(self.upstream);
        }
        self.client
    }
}
