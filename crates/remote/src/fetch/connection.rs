//! One TCP connection that never waits longer than its patience, and can be cancelled at any time.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
use sys::Errno;

use super::control::Control;
use super::failure::{Code, Failure, Result};
use super::url::Origin;

/// How often a wait looks whether it was cancelled.
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// Waking up for each packet costs three times the CPU of waking up for half a megabyte, and a whole piece at once
/// costs a little less still.
const LOW_WATER: usize = 2 << 20;

/// An open connection to the server of one URL.
pub(crate) struct Connection<'a> {
    socket: TcpStream,
    peer: String,
    control: &'a Control,
    patience: Duration,
    low_water: usize,
}

impl<'a> Connection<'a> {
    /// Connects to the first address that answers; a name's addresses share the patience.
    pub(crate) fn open(origin: &Origin, control: &'a Control, patience: Duration) -> Result<Self> {
        let deadline = Instant::now() + patience;
        let addresses = resolve(origin, control, deadline)?;
        let mut last = Failure::new(Code::Network, format!("{origin}: the name has no address"));
        for (tried, address) in addresses.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / (addresses.len() - tried) as u32;
            match connect(*address, origin, control, share) {
                Ok(socket) => {
                    let peer = origin.to_string();
                    return Ok(Self {
                        socket,
                        peer,
                        control,
                        patience,
                        low_water: 1,
                    });
                }
                Err(failure) if failure.code == Code::Cancelled => return Err(failure),
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    /// The server, for messages.
    pub(crate) fn peer(&self) -> &str {
        &self.peer
    }

    /// Sends all of it.
    pub(crate) fn send(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            match self.socket.write(bytes) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(PollFlags::OUT)?
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken("send", &error)),
            }
        }
        Ok(())
    }

    /// Receives some bytes. `wanted`: how many are surely still to come.
    /// @returns 0 when the server closed or reset the connection
    pub(crate) fn receive(&mut self, buffer: &mut [u8], wanted: usize) -> Result<usize> {
        loop {
            match self.socket.read(buffer) {
                Ok(read) => return Ok(read),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wake_at(LOW_WATER.min(wanted).min(buffer.len()).max(1));
                    self.wait(PollFlags::IN)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(0),
                Err(error) => return Err(self.broken("receive", &error)),
            }
        }
    }

    fn broken(&self, call: &str, error: &io::Error) -> Failure {
        Failure::network(
            &self.peer,
            call,
            Errno::from_io_error(error).unwrap_or(Errno::IO),
        )
    }

    /// A hint: where the kernel refuses it, we wake up more often.
    fn wake_at(&mut self, bytes: usize) {
        if bytes != self.low_water && sys::sockets::wake_at(&self.socket, bytes).is_ok() {
            self.low_water = bytes;
        }
    }

    fn wait(&mut self, flags: PollFlags) -> Result<()> {
        let deadline = Instant::now() + self.patience;
        loop {
            if ready(&self.socket, flags, self.control, deadline)? {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let seconds = self.patience.as_secs_f64();
                let detail = format!("{}: no byte came for {seconds} s", self.peer);
                return Err(Failure::new(Code::Timeout, detail));
            }
            // A sender may keep less in flight than the low-water mark and wait for us.
            self.wake_at(1);
        }
    }
}

/// Waits one tick at most. @returns false when nothing happened
fn ready(
    socket: &TcpStream,
    flags: PollFlags,
    control: &Control,
    deadline: Instant,
) -> Result<bool> {
    control.check()?;
    let left = deadline.saturating_duration_since(Instant::now()).min(TICK);
    let timeout = Timespec {
        tv_sec: 0,
        tv_nsec: i64::from(left.subsec_nanos()),
    };
    match poll(&mut [PollFd::new(socket, flags)], Some(&timeout)) {
        Ok(count) => Ok(count > 0),
        Err(Errno::INTR) => Ok(false),
        Err(errno) => Err(Failure::network("connection", "poll", errno)),
    }
}

fn connect(
    address: SocketAddr,
    origin: &Origin,
    control: &Control,
    patience: Duration,
) -> Result<TcpStream> {
    let peer = if origin.host.parse::<IpAddr>().is_ok() {
        origin.to_string()
    } else {
        format!("{origin} ({address})")
    };
    let failed = |call: &str, errno| Failure::network(&peer, call, errno);
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(family, SocketType::STREAM, flags, None)
        .map_err(|errno| failed("socket", errno))?;
    match net::connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => {}
        Err(errno) => return Err(failed("connect", errno)),
    }
    let socket = TcpStream::from(socket);
    let deadline = Instant::now() + patience;
    while !ready(&socket, PollFlags::OUT, control, deadline)? {
        if Instant::now() >= deadline {
            return Err(Failure::new(
                Code::Timeout,
                format!("{peer}: no connection within {patience:.1?}"),
            ));
        }
    }
    match sockopt::socket_error(&socket) {
        Ok(Ok(())) => Ok(socket),
        Ok(Err(errno)) | Err(errno) => Err(failed("connect", errno)),
    }
}

/// Looks a name up on a thread of its own: the resolver cannot be interrupted, but it can be left alone.
fn resolve(origin: &Origin, control: &Control, deadline: Instant) -> Result<Vec<SocketAddr>> {
    if let Ok(address) = origin.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, origin.port)]);
    }
    let (sender, receiver) = mpsc::channel();
    let (host, port) = (origin.host.clone(), origin.port);
    let looked_up = thread::Builder::new()
        .name("resolve".into())
        .spawn(move || {
            sys::threads::block_signals();
            let found = (host.as_str(), port)
                .to_socket_addrs()
                .map(Iterator::collect::<Vec<_>>);
            // Nobody listens after a cancel.
            let _ = sender.send(found);
        });
    looked_up.map_err(|error| {
        Failure::new(
            Code::Network,
            format!("{origin}: no thread for the resolver: {error}"),
        )
    })?;
    loop {
        control.check()?;
        match receiver.recv_timeout(TICK) {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(error)) => {
                return Err(Failure::new(Code::Network, format!("{origin}: {error}")));
            }
            Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
            Err(_) => {
                return Err(Failure::new(
                    Code::Timeout,
                    format!("{origin}: the resolver does not answer"),
                ));
            }
        }
    }
}
