//! The public socket.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};

use super::poller::Interest;

const BACKLOG: i32 = 1024;

/// A listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    pub socket: OwnedFd,
    pub interest: Interest,
}

/// What became of one try to accept.
pub(crate) enum Accepted {
    One(OwnedFd, SocketAddr),
    /// Nobody waits.
    Nobody,
    /// The client went away before it was accepted.
    Gone,
    /// No descriptor or no memory is left.
    Exhausted(io::Error),
}

impl Listener {
    /// Takes the port. `::` means IPv4 too.
    pub fn open(host: &str, port: u16) -> io::Result<(Self, u16)> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let address = (host, port)
            .to_socket_addrs()?
            .next()
            .ok_or(Errno::ADDRNOTAVAIL)?;
        let family = if address.is_ipv6() {
            AddressFamily::INET6
        } else {
            AddressFamily::INET
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket =
            rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
        // Connections of the run before, still in TIME_WAIT, do not keep us from the port.
        sockopt::set_socket_reuseaddr(&socket, true)?;
        if address.is_ipv6() {
            sockopt::set_ipv6_v6only(&socket, false)?;
        }
        rustix::net::bind(&socket, &address)?;
        rustix::net::listen(&socket, BACKLOG)?;
        let taken = SocketAddr::try_from(rustix::net::getsockname(&socket)?)?;
        Ok((
            Self {
                socket,
                interest: Interest::NONE,
            },
            taken.port(),
        ))
    }

    pub fn accept(&self) -> Accepted {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        match rustix::net::acceptfrom_with(&self.socket, flags) {
            Ok((socket, peer)) => match peer.and_then(|peer| SocketAddr::try_from(peer).ok()) {
                Some(peer) => Accepted::One(
                    socket,
                    SocketAddr::new(peer.ip().to_canonical(), peer.port()),
                ),
                None => Accepted::Gone,
            },
            Err(Errno::AGAIN) => Accepted::Nobody,
            Err(errno @ (Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)) => {
                Accepted::Exhausted(errno.into())
            }
            // ECONNABORTED, and the network's errors that Linux reports here.
            Err(_) => Accepted::Gone,
        }
    }
}
