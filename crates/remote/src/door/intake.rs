//! Takes a pushed body in: socket → file → disk, then 200.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::connection::{Connection, Io, receive, send};
use super::expectations::Taken;
use super::head::{Framing, Request};
use super::observer::{Gauge, Stats};
use super::pace::{Pace, Rules};
use super::upload::UploadErrorCode;
use crate::chunked::{Chunked, Found};

/// What is left of the body.
#[derive(Debug)]
enum Rest {
    Length(u64),
    Chunked(Chunked),
}

/// Why it stopped, and how the expectation is settled.
pub(crate) struct Stopped {
    pub code: UploadErrorCode,
    pub detail: String,
    pub errno: Option<i32>,
}

/// How far a call of [`Intake::step`] came.
pub(crate) enum Step {
    /// The whole body is on disk; answer 200.
    Done,
    /// The client sends nothing now.
    Blocked,
    /// The allowance of this turn is used up.
    Yield,
    /// Destroy the connection.
    Failed(Stopped),
}

/// A body on its way in.
pub(crate) struct Intake {
    pub connection: Connection,
    pub pace: Pace,
    pub keep_alive: bool,
    pub expectation: Taken,
    expects_continue: bool,
    rest: Rest,
    file: Option<File>,
    stats: Arc<Stats>,
    _running: Gauge,
}

impl Intake {
    pub fn new(
        connection: Connection,
        request: &Request,
        expectation: Taken,
        rules: Rules,
        stats: &Arc<Stats>,
    ) -> Self {
        let rest = match request.body {
            Framing::Length(length) => Rest::Length(length),
            Framing::Chunked => Rest::Chunked(Chunked::new()),
        };
        Self {
            connection,
            pace: Pace::new(rules),
            keep_alive: request.keep_alive,
            expectation,
            expects_continue: request.expects_continue,
            rest,
            file: None,
            stats: stats.clone(),
            _running: Gauge::hold(stats, |stats| &stats.uploads),
        }
    }

    /// Bytes taken in so far.
    pub fn received(&self) -> u64 {
        self.expectation.received.load(Ordering::Relaxed)
    }

    /// Its client is waited for; see [`Pace::waits`].
    pub fn waits(&mut self, now: Instant) -> Option<Instant> {
        self.pace.waits(now, self.received())
    }

    /// Takes in up to about `allowance` bytes without waiting for the client.
    pub fn step(&mut self, scratch: &mut [u8], allowance: u64) -> Step {
        self.try_step(scratch, allowance)
            .unwrap_or_else(Step::Failed)
    }

    /// Removes the target and tells the expecting side.
    pub fn abandon(self, stopped: Stopped) {
        if self.file.is_some() {
            self.expectation.remove();
        }
        self.expectation
            .fail(stopped.code, stopped.detail, stopped.errno);
        self.connection.destroy();
    }

    fn try_step(&mut self, scratch: &mut [u8], allowance: u64) -> Result<Step, Stopped> {
        if self.expectation.is_cancelled() {
            return Err(stopped(
                UploadErrorCode::Cancelled,
                "the upload was cancelled",
            ));
        }
        if self.file.is_none() {
            self.begin()?;
        }
        let until = self.received() + allowance;
        loop {
            if !self.connection.buffer.is_empty() {
                let held = std::mem::take(&mut self.connection.buffer);
                let used = self.take(&held)?;
                self.connection.buffer = held[used..].to_vec();
            }
            if self.is_whole() {
                self.finish()?;
                return Ok(Step::Done);
            }
            if self.received() >= until {
                return Ok(Step::Yield);
            }
            let most = match &self.rest {
                Rest::Length(left) => scratch
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX)),
                Rest::Chunked(_) => scratch.len(),
            };
            match receive(&self.connection, &mut scratch[..most]) {
                Io::Moved(bytes) => {
                    let used = self.take(&scratch[..bytes])?;
                    self.connection.buffer = scratch[used..bytes].to_vec();
                }
                Io::Blocked => return Ok(Step::Blocked),
                Io::Ended => {
                    return Err(stopped(
                        UploadErrorCode::Incomplete,
                        "the client ended the stream early",
                    ));
                }
                Io::Failed(error) => {
                    return Err(failed(
                        UploadErrorCode::Incomplete,
                        "the connection broke",
                        &error,
                    ));
                }
            }
        }
    }

    fn begin(&mut self) -> Result<(), Stopped> {
        if let Rest::Length(length) = self.rest {
            self.within_limit(length)?;
        }
        let file = self.expectation.create();
        self.file =
            Some(file.map_err(|error| {
                failed(UploadErrorCode::Io, "cannot make the target file", &error)
            })?);
        if self.expects_continue && self.connection.buffer.is_empty() {
            // The first bytes of an idle socket's send buffer: they fit.
            send(&self.connection, b"HTTP/1.1 100 Continue\r\n\r\n", false);
        }
        Ok(())
    }

    fn is_whole(&self) -> bool {
        match &self.rest {
            Rest::Length(left) => *left == 0,
            Rest::Chunked(decoder) => decoder.is_done(),
        }
    }

    /// Writes the body bytes in `input`; returns how many bytes of it belong to this request.
    fn take(&mut self, input: &[u8]) -> Result<usize, Stopped> {
        let mut at = 0;
        loop {
            let found = match &mut self.rest {
                Rest::Length(left) => {
                    let here = input
                        .len()
                        .min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= here as u64;
                    self.write(&input[..here])?;
                    return Ok(here);
                }
                Rest::Chunked(decoder) => decoder.next(input, &mut at),
            };
            match found {
                Ok(Found::Data(range)) => self.write(&input[range])?,
                Ok(Found::More | Found::End) => return Ok(at),
                Err(_) => {
                    return Err(stopped(
                        UploadErrorCode::Malformed,
                        "the chunked body is malformed",
                    ));
                }
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        self.within_limit(self.received() + bytes.len() as u64)?;
        let mut file = self.file.as_ref().expect("made before the first byte");
        file.write_all(bytes)
            .map_err(|error| failed(UploadErrorCode::Io, "cannot write", &error))?;
        self.expectation
            .received
            .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.stats
            .received
            .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn within_limit(&self, bytes: u64) -> Result<(), Stopped> {
        if bytes <= self.expectation.limit {
            return Ok(());
        }
        let detail = format!("more than the {} bytes allowed", self.expectation.limit);
        Err(Stopped {
            code: UploadErrorCode::TooLarge,
            detail,
            errno: None,
        })
    }

    fn finish(&mut self) -> Result<(), Stopped> {
        let file = self.file.as_ref().expect("made before the first byte");
        file.sync_all()
            .map_err(|error| failed(UploadErrorCode::Io, "cannot bring it to the disk", &error))?;
        self.expectation.settle(Ok(self.received()));
        Ok(())
    }
}

pub(crate) fn stopped(code: UploadErrorCode, detail: &str) -> Stopped {
    Stopped {
        code,
        detail: detail.to_owned(),
        errno: None,
    }
}

fn failed(code: UploadErrorCode, what: &str, error: &io::Error) -> Stopped {
    Stopped {
        code,
        detail: format!("{what}: {error}"),
        errno: error.raw_os_error(),
    }
}
