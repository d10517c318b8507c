//! A tunnel to the control plane: bytes both ways, unread.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, ipproto, sockopt};

use super::connection::{Connection, Io, receive, send};
use super::observer::{Gauge, Stats};
use super::peers::{Lease, Peers};
use super::poller::{Interest, Poller};

/// Buffers moved in one direction before others have their turn.
const TURNS: usize = 4;
/// uWebSockets closes on a FIN and forgets the answer it owes; so a client that ends its stream right
/// after its request is not reported gone until the answer begins, or this long.
const HOLD_FIN: Duration = Duration::from_secs(5);

/// One direction.
#[derive(Debug, Default)]
struct Flow {
    /// Taken in and not yet passed on, from `at`.
    held: Vec<u8>,
    at: usize,
    /// The source has ended its stream.
    ended: bool,
}

/// Which call failed.
enum Failed {
    Reading,
    Writing,
}

impl Flow {
    fn is_empty(&self) -> bool {
        self.at == self.held.len()
    }

    /// Moves what can be moved now; returns how many bytes went out.
    fn run(&mut self, from: impl AsFd, to: impl AsFd, scratch: &mut [u8]) -> Result<usize, Failed> {
        let mut moved = self.flush(&to)?;
        for _ in 0..TURNS {
            if self.ended || !self.is_empty() {
                break;
            }
            match receive(&from, scratch) {
                Io::Moved(bytes) => {
                    self.held.extend_from_slice(&scratch[..bytes]);
                    moved += self.flush(&to)?;
                }
                Io::Ended => self.ended = true,
                Io::Blocked => break,
                Io::Failed(_) => return Err(Failed::Reading),
            }
        }
        Ok(moved)
    }

    fn flush(&mut self, to: impl AsFd) -> Result<usize, Failed> {
        let from = self.at;
        while !self.is_empty() {
            match send(&to, &self.held[self.at..], false) {
                Io::Moved(bytes) => self.at += bytes,
                Io::Blocked => return Ok(self.at - from),
                Io::Ended | Io::Failed(_) => return Err(Failed::Writing),
            }
        }
        let moved = self.at - from;
        // An idle tunnel keeps no memory.
        (self.held, self.at) = (Vec::new(), 0);
        Ok(moved)
    }

    fn rest(&self) -> &[u8] {
        &self.held[self.at..]
    }
}

/// What became of a tunnel.
pub(crate) enum Outcome {
    /// It goes on.
    On,
    /// Nobody listens behind the door.
    Unreachable,
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
    pub client: Connection,
    upstream: OwnedFd,
    upstream_interest: Interest,
    lease: Lease,
    connected: bool,
    inward: Flow,
    outward: Flow,
    /// The client's end of stream has been passed on.
    fin_passed: bool,
    /// Until when it is held back.
    pub fin_until: Option<Instant>,
    /// The client has spoken and not been answered.
    owed: bool,
    moved_at: Instant,
    _open: Gauge,
}

impl Tunnel {
    /// Begins to connect. What the client's buffer holds goes first.
    pub fn open(
        mut client: Connection,
        upstream_port: u16,
        peers: &Peers,
        stats: &Arc<Stats>,
    ) -> Result<Box<Self>, (Connection, io::Error)> {
        let lease = peers.lease(client.peer);
        let upstream = match connect(lease.address, upstream_port) {
            Ok(upstream) => upstream,
            Err(error) => return Err((client, error)),
        };
        let inward = Flow {
            held: std::mem::take(&mut client.buffer),
            ..Flow::default()
        };
        Ok(Box::new(Self {
            client,
            upstream,
            upstream_interest: Interest::NONE,
            lease,
            connected: false,
            inward,
            outward: Flow::default(),
            fin_passed: false,
            fin_until: None,
            owed: true,
            moved_at: Instant::now(),
            _open: Gauge::hold(stats, |stats| &stats.tunnels),
        }))
    }

    /// Moves what can be moved.
    pub fn pump(&mut self, scratch: &mut [u8], now: Instant) -> Outcome {
        if !self.connected {
            match sockopt::socket_error(&self.upstream) {
                Ok(Ok(())) if rustix::net::getpeername(&self.upstream).is_ok() => {
                    self.connected = true
                }
                Ok(Ok(())) => return Outcome::On,
                _ => return Outcome::Unreachable,
            }
        }
        match self.inward.run(&self.client, &self.upstream, scratch) {
            Ok(0) => {}
            Ok(_) => (self.owed, self.moved_at) = (true, now),
            Err(Failed::Reading) => return Outcome::Broken,
            // It has closed, maybe with an answer on the way; what the client sends has no taker.
            Err(Failed::Writing) => self.inward.ended = true,
        }
        match self.outward.run(&self.upstream, &self.client, scratch) {
            Ok(0) => {}
            Ok(_) => (self.owed, self.moved_at) = (false, now),
            Err(Failed::Writing) => return Outcome::Broken,
            // Closing with unread bytes resets the connection; all it sent has been read by now.
            Err(Failed::Reading) if self.lease.is_handed() => self.outward.ended = true,
            Err(Failed::Reading) => return Outcome::Broken,
        }
        if self.outward.ended && self.outward.is_empty() {
            return self.end();
        }
        self.pass_fin(now);
        Outcome::On
    }

    fn end(&mut self) -> Outcome {
        let Some(mut head) = self.lease.take_handed() else {
            return Outcome::Ended;
        };
        head.extend_from_slice(self.inward.rest());
        self.client.buffer = head;
        Outcome::HandedBack
    }

    fn pass_fin(&mut self, now: Instant) {
        if !self.inward.ended || !self.inward.is_empty() || self.fin_passed {
            return;
        }
        let until = *self.fin_until.get_or_insert(now + HOLD_FIN);
        if !self.owed || now >= until {
            let _ = rustix::net::shutdown(&self.upstream, Shutdown::Write);
            (self.fin_passed, self.fin_until) = (true, None);
        }
    }

    /// Whether nothing is under way, as far as bytes tell.
    pub fn is_quiet(&self, now: Instant) -> bool {
        let still = now.saturating_duration_since(self.moved_at) > Duration::from_millis(200);
        still && !self.owed && self.inward.is_empty() && self.outward.is_empty()
    }

    /// Awaits what is due; `key` is the client's, `key + 1` the other end's.
    pub fn watch(&mut self, poller: &Poller, key: u64) -> io::Result<()> {
        let client = Interest {
            read: self.connected && !self.inward.ended && self.inward.is_empty(),
            write: !self.outward.is_empty(),
        };
        let upstream = Interest {
            read: self.connected && !self.outward.ended && self.outward.is_empty(),
            write: !self.connected || (!self.inward.is_empty() && !self.inward.ended),
        };
        self.client.watch(poller, key, client)?;
        poller.set(
            &self.upstream,
            key + 1,
            &mut self.upstream_interest,
            upstream,
        )
    }

    /// The client's end alone.
    pub fn into_client(self) -> Connection {
        self.client
    }
}

fn connect(from: Ipv4Addr, port: u16) -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        flags,
        Some(ipproto::TCP),
    )?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    sys::sockets::bind_without_port(&socket)?;
    rustix::net::bind(&socket, &SocketAddrV4::new(from, 0))?;
    match rustix::net::connect(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(errno) => Err(errno.into()),
    }
}
