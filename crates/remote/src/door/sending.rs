//! A file, or a range of one, on its way to a client.
//!
//! It is looked at once more before its last bytes go out, so a client never holds a whole body that was not one.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;

use super::bench::{Bench, Host};
use super::client::Client;
use super::connection::Io;
use super::read_ahead::{self, REACH};
use super::serve_engine::{Choice, ServeEngine, Way};
use super::source::Identity;

/// One `sendfile` call: large enough to cost nothing, small enough to look around in between.
const STEP: u64 = 2 << 20;
/// The end of each file goes through memory, after the file has been looked at once more.
pub(crate) const LAST: u64 = 64 << 10;
/// What was sent is dropped from the page cache in pieces of this size.
const DROPPED: u64 = 4 << 20;

/// What became of one try to send some of a file.
#[derive(Debug)]
pub(crate) enum Ran {
    /// Some of it was sent.
    Moved,
    /// The client takes no more now; it was not waited for.
    Blocked,
    /// The same, after a moment's wait.
    Stalled,
    /// Others want the thread.
    Yield,
    /// It cannot be completed; `source` when the file is to blame.
    Failed { error: io::Error, source: bool },
    /// This way is not open here.
    Unable,
}

/// Where in the file it stands, and how it goes on.
#[derive(Debug)]
pub(crate) struct Position {
    pub at: u64,
    pub left: u64,
    engine: ServeEngine,
    best: Way,
    choice: Option<Choice>,
    /// How far to read ahead of this client.
    pub reach: usize,
    /// Dropped from the page cache up to here.
    dropped: u64,
}

/// A file being sent.
#[derive(Debug)]
pub(crate) struct Sending {
    file: OwnedFd,
    identity: Identity,
    position: Position,
}

impl Position {
    /// How to go on from `at`, a place that may lie ahead of what was sent.
    pub fn choose(&mut self, file: &OwnedFd, at: u64) -> Choice {
        match self.choice {
            Some(choice) if at < choice.until => choice,
            _ => {
                let left = self.last() - at;
                let choice = self.engine.choose(file, at, left, self.best);
                self.choice = Some(choice);
                choice
            }
        }
    }

    /// Where the last bytes begin, which go through memory.
    pub fn last(&self) -> u64 {
        self.at + self.left.saturating_sub(LAST)
    }

    pub fn advance(&mut self, bytes: usize) {
        self.at += bytes as u64;
        self.left -= bytes as u64;
    }
}

impl Sending {
    pub fn new(file: OwnedFd, identity: Identity, range: (u64, u64), engine: ServeEngine) -> Self {
        let (at, left) = range;
        let position = Position {
            at,
            left,
            engine,
            best: Way::Direct,
            choice: None,
            reach: REACH,
            dropped: at,
        };
        Self {
            file,
            identity,
            position,
        }
    }

    /// Whether only its end is left, or it is short: then it goes through memory.
    pub fn is_short(&self) -> bool {
        self.position.left <= LAST
    }

    /// Sends some of it, whichever way is right here. `until` is the count of sent bytes at which others may have
    /// the thread.
    pub fn run(
        &mut self,
        client: &mut Client,
        bench: &mut Bench,
        host: &dyn Host,
        until: u64,
    ) -> Ran {
        let Self { file, position, .. } = self;
        let way = position.choose(file, position.at).way;
        let ran = match way {
            Way::Sendfile | Way::Buffered => by_sendfile(file, position, client),
            Way::Uncached => by_copy(file, position, client, bench, host),
            Way::Direct => read_ahead::run(file, position, client, bench, host, until),
        };
        if way == Way::Buffered {
            self.drop_behind(client);
        }
        if matches!(ran, Ran::Unable) {
            self.position.best = way.instead();
            self.position.choice = None;
            return Ran::Moved;
        }
        ran
    }

    /// Lets the page cache forget what the client's machine has. What still lies in the socket cannot be.
    fn drop_behind(&mut self, client: &Client) {
        let taken = self.position.at.saturating_sub(client.unsent());
        let Position { dropped, .. } = &mut self.position;
        if taken >= *dropped + DROPPED {
            // It is advice: that it was not followed does no harm to the transfer.
            let _ = sys::extents::forget_cached(&self.file, *dropped, taken - *dropped);
            *dropped = taken;
        }
    }

    /// Reads the rest and makes sure that the file is still the one that was announced.
    pub fn finish_into(self, memory: &mut Vec<u8>) -> io::Result<()> {
        let Position { at, left, .. } = self.position;
        let from = memory.len();
        memory.resize(from + left as usize, 0);
        let mut filled = from;
        while filled < memory.len() {
            match self.read(&mut memory[filled..], at + (filled - from) as u64)? {
                0 => return Err(shrank()),
                bytes => filled += bytes,
            }
        }
        if Identity::of(&rustix::fs::fstat(&self.file)?) != self.identity {
            return Err(changed());
        }
        if self
            .position
            .choice
            .is_some_and(|choice| choice.way == Way::Buffered)
        {
            let _ = sys::extents::forget_cached(&self.file, self.position.dropped, 0);
        }
        Ok(())
    }

    fn read(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        if self.position.engine != ServeEngine::Sendfile {
            match sys::uncached::read_at(&self.file, into, at) {
                Err(errno) if is_unable(errno) => {}
                read => return Ok(read?),
            }
        }
        Ok(sys::files::read_at(&self.file, into, at)?)
    }
}

/// Straight from the page cache, through which it stays.
fn by_sendfile(file: &OwnedFd, position: &mut Position, client: &mut Client) -> Ran {
    let count = (position.last() - position.at).min(STEP);
    match client.send_file(file, position.at, count as usize) {
        Io::Moved(0) => failed(shrank(), true),
        Io::Moved(bytes) => {
            position.advance(bytes);
            Ran::Moved
        }
        Io::Failed(error) => {
            let source = is_read_error(&error);
            failed(error, source)
        }
        other => not_moved(other),
    }
}

/// Read into memory without staying in the page cache, and sent from there.
fn by_copy(
    file: &OwnedFd,
    position: &mut Position,
    client: &mut Client,
    bench: &mut Bench,
    host: &dyn Host,
) -> Ran {
    let count = (position.last() - position.at).min(position.reach as u64);
    let scratch = bench.scratch();
    let count = scratch.len().min(count as usize);
    let read = match sys::uncached::read_at(file, &mut scratch[..count], position.at) {
        Ok(0) => return failed(shrank(), true),
        Ok(read) => read,
        Err(errno) if is_unable(errno) => return Ran::Unable,
        Err(errno) => return failed(errno.into(), true),
    };
    let mut sent = 0;
    while sent < read {
        match client.send(&scratch[sent..read], true) {
            Io::Moved(bytes) => {
                sent += bytes;
                position.advance(bytes);
            }
            // What was not taken is read again when it is: a parked client holds no memory.
            Io::Blocked if !client.soon_ready(host) => {
                position.reach = read_ahead::SHORT;
                return Ran::Stalled;
            }
            Io::Blocked => {}
            other => return not_moved(other),
        }
    }
    position.reach = (2 * position.reach).min(read_ahead::LONG);
    Ran::Moved
}

pub(crate) fn failed(error: io::Error, source: bool) -> Ran {
    Ran::Failed { error, source }
}

/// What a send that moved nothing means.
pub(crate) fn not_moved(io: Io) -> Ran {
    match io {
        Io::Moved(_) => Ran::Moved,
        Io::Blocked => Ran::Blocked,
        Io::Ended => failed(io::ErrorKind::BrokenPipe.into(), false),
        Io::Failed(error) => failed(error, false),
    }
}

/// Whether the kernel or the file system has no such way of reading.
pub(crate) fn is_unable(errno: Errno) -> bool {
    matches!(errno, Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS)
}

pub(crate) fn shrank() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the file shrank while it was served",
    )
}

pub(crate) fn changed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the file or directory changed while it was served",
    )
}

/// `sendfile` reports disk and socket errors alike; these come from the disk.
fn is_read_error(error: &io::Error) -> bool {
    let errno = error.raw_os_error().unwrap_or(0);
    [Errno::IO, Errno::STALE, Errno::ISDIR, Errno::NXIO]
        .iter()
        .any(|one| one.raw_os_error() == errno)
}
