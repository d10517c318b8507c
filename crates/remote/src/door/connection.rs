//! One client's socket, with the bytes that were read from it and not yet understood.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use super::addresses::Seat;
use super::observer::Gauge;
use super::poller::{Interest, Poller};
use super::upstream::Upstream;

/// What a socket may hold of an answer that its client does not take: enough to keep a fast one busy while this thread
/// sleeps, and little enough for a thousand that have stopped reading.
const UNSENT: usize = 512 << 10;

/// A connection; dropping it closes it.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: OwnedFd,
    pub peer: SocketAddr,
    /// Read from the socket, not yet part of any request.
    pub buffer: Vec<u8>,
    /// The way to the control plane that the request before this one took.
    pub upstream: Option<Box<Upstream>>,
    interest: Interest,
    _open: Gauge,
    _seat: Seat,
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Connection {
    pub fn new(socket: OwnedFd, peer: SocketAddr, open: Gauge, seat: Seat) -> Self {
        // Small answers must not wait for the acknowledgement of the one before.
        let _ = rustix::net::sockopt::set_tcp_nodelay(&socket, true);
        let _ = sys::sockets::limit_unsent(&socket, UNSENT);
        // A client that lost power would otherwise keep an idle tunnel for ever.
        let _ = rustix::net::sockopt::set_socket_keepalive(&socket, true);
        let _ = rustix::net::sockopt::set_tcp_keepidle(&socket, Duration::from_secs(60));
        Self {
            socket,
            peer,
            buffer: Vec::new(),
            upstream: None,
            interest: Interest::NONE,
            _open: open,
            _seat: seat,
        }
    }

    /// Awaits something of this socket, or nothing any more.
    pub fn watch(&mut self, poller: &Poller, key: u64, wanted: Interest) -> io::Result<()> {
        poller.set(&self.socket, key, &mut self.interest, wanted)
    }

    /// Bytes that the kernel has taken and the other side has not. It takes megabytes, so that a slow
    /// reader's socket may not become writable for minutes: what left is what tells whether it reads.
    pub fn unsent(&self) -> u64 {
        sys::sockets::unsent(&self.socket).unwrap_or(0)
    }

    /// Closes with a reset, so that the client cannot take what it got for whole.
    pub fn destroy(self) {
        let _ = rustix::net::sockopt::set_socket_linger(&self.socket, Some(Duration::ZERO));
    }
}

/// What a call that must not block did.
#[derive(Debug)]
pub(crate) enum Io {
    /// Moved this many bytes.
    Moved(usize),
    /// The other side has ended its stream (reading only).
    Ended,
    /// Nothing can be moved now.
    Blocked,
    /// The connection is broken.
    Failed(io::Error),
}

fn moved(result: rustix::io::Result<usize>) -> Io {
    match result {
        Ok(bytes) => Io::Moved(bytes),
        Err(Errno::AGAIN) => Io::Blocked,
        Err(errno) => Io::Failed(errno.into()),
    }
}

/// Reads what is there.
pub(crate) fn receive(socket: impl AsFd, into: &mut [u8]) -> Io {
    let result =
        rustix::io::retry_on_intr(|| rustix::net::recv(&socket, &mut *into, RecvFlags::DONTWAIT));
    match moved(result.map(|(bytes, _)| bytes)) {
        Io::Moved(0) => Io::Ended,
        other => other,
    }
}

/// Sends what fits; `more` tells the kernel that it need not send a short segment yet.
pub(crate) fn send(socket: impl AsFd, bytes: &[u8], more: bool) -> Io {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    let flags = if more { flags | SendFlags::MORE } else { flags };
    moved(rustix::io::retry_on_intr(|| {
        rustix::net::send(&socket, bytes, flags)
    }))
}

/// Sends from a file; `Moved(0)` means the file ended. The socket must be non-blocking.
pub(crate) fn send_file(socket: impl AsFd, file: impl AsFd, at: &mut u64, count: usize) -> Io {
    moved(rustix::io::retry_on_intr(|| {
        rustix::fs::sendfile(&socket, &file, Some(at), count)
    }))
}
