//! Sends a response: memory by `send`, files by `sendfile`, as far as the client takes it.
//!
//! A source that changed is noticed before its last bytes go out, so a client never holds a whole
//! body that was not one.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::connection::{Connection, Io, send, send_file};
use super::observer::{Gauge, Stats};
use super::pace::{Pace, Rules};
use super::response::{Part, Response};
use super::source::{self, Identity, Source};
use crate::names::FileType;

/// One `sendfile` call: large enough to cost nothing, small enough to look around in between.
const STEP: u64 = 2 << 20;
/// The end of each file goes through memory, after the file has been looked at once more.
const LAST: u64 = 64 << 10;
/// Memory parts are gathered up to this size, so that small files share segments.
const GATHER: usize = 128 << 10;

/// A file being sent.
#[derive(Debug)]
struct Sending {
    file: OwnedFd,
    identity: Identity,
    at: u64,
    left: u64,
}

/// How far a call of [`Transfer::step`] came.
#[derive(Debug)]
pub(crate) enum Step {
    /// The whole response is with the kernel.
    Done,
    /// The client does not take more now.
    Blocked,
    /// The allowance of this turn is used up.
    Yield,
    /// It cannot be completed: destroy the connection.
    Failed { error: io::Error, source: bool },
}

/// A response on its way.
#[derive(Debug)]
pub(crate) struct Transfer {
    pub connection: Connection,
    pub pace: Pace,
    response: Response,
    kind: FileType,
    memory: Vec<u8>,
    memory_at: usize,
    sending: Option<Sending>,
    sent: u64,
    stats: Arc<Stats>,
    _running: Gauge,
}

impl Transfer {
    pub fn new(
        connection: Connection,
        response: Response,
        kind: FileType,
        rules: Rules,
        stats: &Arc<Stats>,
    ) -> Self {
        let running = Gauge::hold(stats, |stats| &stats.transfers);
        Self {
            connection,
            pace: Pace::new(rules),
            response,
            kind,
            memory: Vec::new(),
            memory_at: 0,
            sending: None,
            sent: 0,
            stats: stats.clone(),
            _running: running,
        }
    }

    /// Whether the connection serves another request afterwards.
    pub fn keep_alive(&self) -> bool {
        self.response.keep_alive
    }

    /// What is being served.
    pub fn path(&self) -> PathBuf {
        self.response.path.clone()
    }

    /// Bytes sent so far, head included.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Its client is waited for; see [`Pace::waits`].
    pub fn waits(&mut self, now: Instant) -> Option<Instant> {
        let taken = self.sent.saturating_sub(self.connection.unsent());
        self.pace.waits(now, taken)
    }

    /// Sends up to about `allowance` bytes without waiting for the client.
    pub fn step(&mut self, allowance: u64) -> Step {
        let until = self.sent.saturating_add(allowance);
        loop {
            if let Err(error) = self.gather() {
                return Step::Failed {
                    error,
                    source: true,
                };
            }
            let last = self.sending.is_none() && self.response.parts.is_empty();
            let moved = if self.memory_at < self.memory.len() {
                send(&self.connection, &self.memory[self.memory_at..], !last)
            } else if let Some(sending) = &mut self.sending {
                let count = sending.left.saturating_sub(LAST).min(STEP);
                match send_file(
                    &self.connection,
                    &sending.file,
                    &mut sending.at,
                    count as usize,
                ) {
                    Io::Moved(0) => {
                        return Step::Failed {
                            error: shrank(),
                            source: true,
                        };
                    }
                    other => other,
                }
            } else {
                return Step::Done;
            };
            match moved {
                Io::Moved(bytes) => self.account(bytes as u64),
                Io::Blocked => return Step::Blocked,
                Io::Ended => {
                    return Step::Failed {
                        error: io::ErrorKind::BrokenPipe.into(),
                        source: false,
                    };
                }
                Io::Failed(error) => {
                    return Step::Failed {
                        source: is_read_error(&error),
                        error,
                    };
                }
            }
            if self.sent >= until {
                return Step::Yield;
            }
        }
    }

    fn account(&mut self, bytes: u64) {
        let head_left = self.response.head_length.saturating_sub(self.sent);
        self.sent += bytes;
        self.stats
            .add_served(self.kind, bytes.saturating_sub(head_left));
        if self.memory_at < self.memory.len() {
            self.memory_at += bytes as usize;
            if self.memory_at == self.memory.len() {
                self.memory.clear();
                self.memory_at = 0;
            }
        } else if let Some(sending) = &mut self.sending {
            sending.left -= bytes;
        }
    }

    /// Fills the memory with what comes next, until a long stretch of a file is due.
    fn gather(&mut self) -> io::Result<()> {
        while self.memory_at == 0 && self.memory.len() < GATHER {
            if let Some(sending) = &self.sending {
                if sending.left > LAST {
                    break;
                }
                let sending = self.sending.take().expect("looked at just now");
                sending.finish_into(&mut self.memory)?;
                continue;
            }
            match self.response.parts.pop_front() {
                None => break,
                Some(Part::Bytes(bytes)) => self.memory.extend_from_slice(&bytes),
                Some(Part::Open {
                    file,
                    identity,
                    start,
                    length,
                }) => {
                    self.sending = Some(Sending {
                        file,
                        identity,
                        at: start,
                        left: length,
                    });
                }
                Some(Part::Named { name, identity }) => {
                    self.sending = Some(self.open_named(&name, identity)?)
                }
                Some(Part::Unchanged(listing)) => {
                    let directory = self
                        .response
                        .directory
                        .as_ref()
                        .expect("an archive has a directory");
                    if super::archive::Listing::read(directory)? != listing {
                        return Err(changed());
                    }
                }
            }
        }
        Ok(())
    }

    fn open_named(&self, name: &str, identity: Identity) -> io::Result<Sending> {
        let directory = self
            .response
            .directory
            .as_ref()
            .expect("an archive has a directory");
        match source::open_in(directory, name)? {
            Source::File(file, now) if now == identity => Ok(Sending {
                file,
                identity,
                at: 0,
                left: identity.size,
            }),
            _ => Err(changed()),
        }
    }
}

impl Sending {
    /// Reads the rest and makes sure that the file is still the one that was announced.
    fn finish_into(self, memory: &mut Vec<u8>) -> io::Result<()> {
        let from = memory.len();
        memory.resize(from + self.left as usize, 0);
        let mut at = from;
        while at < memory.len() {
            let offset = self.at + (at - from) as u64;
            match rustix::io::retry_on_intr(|| {
                rustix::io::pread(&self.file, &mut memory[at..], offset)
            })? {
                0 => return Err(shrank()),
                bytes => at += bytes,
            }
        }
        let now = Identity::of(&rustix::fs::fstat(&self.file)?);
        if now == self.identity {
            Ok(())
        } else {
            Err(changed())
        }
    }
}

fn shrank() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the file shrank while it was served",
    )
}

fn changed() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the file or directory changed while it was served",
    )
}

/// `sendfile` reports disk and socket errors alike; these come from the disk.
fn is_read_error(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let errno = error.raw_os_error().unwrap_or(0);
    [Errno::IO, Errno::STALE, Errno::ISDIR, Errno::NXIO]
        .iter()
        .any(|one| one.raw_os_error() == errno)
}
