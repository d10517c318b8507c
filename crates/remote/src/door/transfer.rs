//! Sends a response: memory by `send`, files by the way that is right for them, as far as the client takes it.

use std::io;
use std::path::PathBuf;
use std::time::Instant;

use super::archive::Listing;
use super::bench::{Bench, Host};
use super::client::Client;
use super::connection::Io;
use super::response::{Part, Response};
use super::sending::{Ran, Sending, changed, not_moved};
use super::serve_engine::ServeEngine;
use super::source::{self, Identity, Source};

/// Memory parts are gathered up to this size, so that small files share segments.
const GATHER: usize = 128 << 10;

/// How far a call of [`Transfer::step`] came.
#[derive(Debug)]
pub(crate) enum Step {
    /// The whole response is with the kernel.
    Done,
    /// The client does not take more now.
    Blocked {
        /// It was waited for a moment already.
        waited: bool,
    },
    /// The allowance of this turn is used up.
    Yield,
    /// It cannot be completed: destroy the connection.
    Failed { error: io::Error, source: bool },
}

/// A response on its way.
#[derive(Debug)]
pub(crate) struct Transfer {
    pub client: Client,
    response: Response,
    engine: ServeEngine,
    memory: Vec<u8>,
    memory_at: usize,
    sending: Option<Sending>,
}

impl Transfer {
    pub fn new(client: Client, response: Response, engine: ServeEngine) -> Self {
        Self {
            client,
            response,
            engine,
            memory: Vec::new(),
            memory_at: 0,
            sending: None,
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

    /// Its client is waited for; see [`super::pace::Pace::waits`].
    pub fn waits(&mut self, now: Instant) -> Option<Instant> {
        self.client.waits(now)
    }

    /// Sends up to about `allowance` bytes without waiting for the client for long.
    pub fn step(&mut self, allowance: u64, bench: &mut Bench, host: &dyn Host) -> Step {
        let until = self.client.sent().saturating_add(allowance);
        loop {
            if let Err(error) = self.gather() {
                return Step::Failed {
                    error,
                    source: true,
                };
            }
            let ran = if self.memory_at < self.memory.len() {
                self.send_memory()
            } else if let Some(sending) = &mut self.sending {
                sending.run(&mut self.client, bench, host, until)
            } else {
                return Step::Done;
            };
            match ran {
                Ran::Moved | Ran::Unable => {}
                Ran::Blocked => return Step::Blocked { waited: false },
                Ran::Stalled => return Step::Blocked { waited: true },
                Ran::Yield => return Step::Yield,
                Ran::Failed { error, source } => return Step::Failed { error, source },
            }
            if self.client.sent() >= until {
                return Step::Yield;
            }
        }
    }

    fn send_memory(&mut self) -> Ran {
        let more = self.sending.is_some() || !self.response.parts.is_empty();
        let moved = self.client.send(&self.memory[self.memory_at..], more);
        if let Io::Moved(bytes) = moved {
            self.memory_at += bytes;
            if self.memory_at == self.memory.len() {
                self.memory.clear();
                self.memory_at = 0;
            }
        }
        not_moved(moved)
    }

    /// Fills the memory with what comes next, until a long stretch of a file is due.
    fn gather(&mut self) -> io::Result<()> {
        while self.memory_at == 0 && self.memory.len() < GATHER {
            if let Some(sending) = &self.sending {
                if !sending.is_short() {
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
                    let range = (start, length);
                    self.sending = Some(Sending::new(file, identity, range, self.engine));
                }
                Some(Part::Named { name, identity }) => {
                    self.sending = Some(self.open_named(&name, identity)?)
                }
                Some(Part::Unchanged(listing)) => self.still_holds(&listing)?,
            }
        }
        Ok(())
    }

    fn still_holds(&self, listing: &Listing) -> io::Result<()> {
        let directory = self.response.directory.as_ref();
        let directory = directory.expect("an archive has a directory");
        if Listing::read(directory)? == *listing {
            Ok(())
        } else {
            Err(changed())
        }
    }

    fn open_named(&self, name: &str, identity: Identity) -> io::Result<Sending> {
        let directory = self.response.directory.as_ref();
        let directory = directory.expect("an archive has a directory");
        match source::open_in(directory, name)? {
            Source::File(file, now) if now == identity => {
                let whole = (0, identity.size);
                Ok(Sending::new(file, identity, whole, self.engine))
            }
            _ => Err(changed()),
        }
    }
}
