//! What the event loop and the bulk threads hand each other.

use std::path::PathBuf;
use std::time::Instant;

use super::connection::Connection;
use super::head::Request;
use super::intake::Intake;
use super::transfer::Transfer;
use crate::names::FileType;

/// Something to do for one connection.
pub(crate) enum Job {
    /// Open the file and send it.
    Serve {
        connection: Connection,
        request: Box<Request>,
        kind: FileType,
        paths: Vec<PathBuf>,
    },
    /// Go on sending.
    Send(Box<Transfer>),
    /// Take a body in.
    Receive(Box<Intake>),
}

/// What a thread gives back to the event loop.
pub(crate) enum Handed {
    /// The request is answered; the connection may carry another.
    Served {
        connection: Connection,
        keep_alive: bool,
    },
    /// A body is on disk: answer 200.
    Received {
        connection: Connection,
        keep_alive: bool,
    },
    /// Wake me when the client's socket is ready.
    Parked {
        job: Job,
        for_reading: bool,
        cut_at: Instant,
    },
    /// A connection is no more.
    Gone,
}

impl Job {
    /// The client's connection.
    pub fn connection(&mut self) -> &mut Connection {
        match self {
            Self::Serve { connection, .. } => connection,
            Self::Send(transfer) => &mut transfer.client.connection,
            Self::Receive(intake) => &mut intake.connection,
        }
    }

    /// Its client is waited for; see [`super::pace::Pace::waits`].
    pub fn waits(&mut self, now: Instant) -> Option<Instant> {
        match self {
            Self::Serve { .. } => None,
            Self::Send(transfer) => transfer.waits(now),
            Self::Receive(intake) => intake.waits(now),
        }
    }

    /// Its client is not waited for any more.
    pub fn resumes(&mut self, now: Instant) {
        match self {
            Self::Serve { .. } => {}
            Self::Send(transfer) => transfer.client.pace.resumes(now),
            Self::Receive(intake) => intake.pace.resumes(now),
        }
    }

    /// Why its client is given up when it has been waited for long enough.
    pub fn complaint(&self) -> String {
        match self {
            Self::Serve { .. } => String::new(),
            Self::Send(transfer) => transfer.client.pace.complaint(),
            Self::Receive(intake) => intake.pace.complaint(),
        }
    }

    /// Whether it is an upload that whoever expected it has given up.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Receive(intake) if intake.expectation.is_cancelled())
    }
}
