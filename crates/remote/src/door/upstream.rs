//! A connection to the control plane.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, ipproto, sockopt};

use super::observer::{Gauge, Stats};
use super::peers::{Lease, Peers};
use super::poller::{Interest, Poller};

/// How long after an answer the same connection takes another request. Less than the 8 s after which
/// uWebSockets may close one: a request must not meet the end of its connection halfway.
const FRESH: Duration = Duration::from_secs(5);

/// A connection from a loopback address of its own.
#[derive(Debug)]
pub(crate) struct Upstream {
    socket: OwnedFd,
    interest: Interest,
    pub lease: Lease,
    pub connected: bool,
    answered_at: Instant,
    _open: Gauge,
}

impl AsFd for Upstream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Upstream {
    /// Begins to connect on behalf of a client.
    pub fn connect(
        client: SocketAddr,
        port: u16,
        peers: &Peers,
        stats: &Arc<Stats>,
    ) -> io::Result<Box<Self>> {
        let lease = peers.lease(client);
        Ok(Box::new(Self {
            socket: connect(lease.address, port)?,
            interest: Interest::NONE,
            lease,
            connected: false,
            answered_at: Instant::now(),
            _open: Gauge::hold(stats, |stats| &stats.tunnels),
        }))
    }

    /// Looks whether the connection stands now; an error, once, when nobody listens.
    pub fn connects(&mut self) -> io::Result<bool> {
        if !self.connected {
            sockopt::socket_error(&self.socket)??;
            self.connected = rustix::net::getpeername(&self.socket).is_ok();
        }
        Ok(self.connected)
    }

    /// A request has been answered, and another may come.
    pub fn answered(&mut self, now: Instant) {
        self.answered_at = now;
    }

    /// Whether another request may be sent here.
    pub fn is_usable(&self, now: Instant) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        now.saturating_duration_since(self.answered_at) < FRESH
            && rustix::net::recv(&self.socket, &mut [0u8; 1], flags) == Err(Errno::AGAIN)
    }

    /// Awaits something of this end, or nothing.
    pub fn watch(&mut self, poller: &Poller, key: u64, wanted: Interest) -> io::Result<()> {
        poller.set(&self.socket, key, &mut self.interest, wanted)
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
