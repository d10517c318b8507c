//! Why a fetch failed, in words a caller can match and a sentence an operator can use.

use std::fmt;
use std::path::Path;

use sys::Errno;

/// What a failure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// 404, or 500 as the field answers it.
    NotHere,
    /// 401 or 403. A lotus worker also answers 401 while its miner is away.
    Unauthorized,
    /// Framing or archive ended early, or nothing proves that it did not.
    Incomplete,
    /// No connection, or an answer that is no sector file.
    Network,
    /// The archive held what no cache directory holds.
    RefusedName,
    /// No byte came for too long.
    Timeout,
    /// The target could not be written.
    Io,
    /// What arrived is not what it was said to be: another hash.
    Damaged,
    /// Cancelled by the caller; nothing is kept.
    Cancelled,
    /// Ended by the caller, who means to go on later.
    Interrupted,
}

impl Code {
    /// The word that crosses to TypeScript.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotHere => "not-here",
            Self::Unauthorized => "unauthorized",
            Self::Incomplete => "incomplete",
            Self::Network => "network",
            Self::RefusedName => "refused-name",
            Self::Timeout => "timeout",
            Self::Io => "io",
            Self::Damaged => "damaged",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether what was received before it may be gone on from. A disk that refused a write or an fsync has no
    /// claim on being trusted with the rest, and a full one needs the space.
    pub(crate) fn spares(self) -> bool {
        match self {
            Self::RefusedName | Self::Io | Self::Damaged | Self::Cancelled => false,
            Self::NotHere
            | Self::Unauthorized
            | Self::Incomplete
            | Self::Network
            | Self::Timeout
            | Self::Interrupted => true,
        }
    }
}

/// A fetch that did not complete. Nothing is left at the target unless `detail` says so, or an order with a
/// record has left there what the next one goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it is about.
    pub code: Code,
    /// One line for an operator.
    pub detail: String,
    /// HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// The kernel's number, where the kernel refused.
    pub errno: Option<i32>,
    /// The file or directory that could not be written, or the name that was refused.
    pub path: Option<String>,
    /// Body bytes that were here when it happened.
    pub bytes_done: u64,
    /// Bytes that stay, durable and recorded, for a later fetch from the same URL.
    pub bytes_kept: u64,
}

impl Failure {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            status: None,
            errno: None,
            path: None,
            bytes_done: 0,
            bytes_kept: 0,
        }
    }

    /// A refused kernel call on the target.
    pub(crate) fn disk(call: &str, path: &Path, errno: Errno) -> Self {
        let (path, why) = (path.display().to_string(), describe(errno));
        let detail = format!("{path}: {call}: {why}");
        let errno = Some(errno.raw_os_error());
        Self {
            errno,
            path: Some(path),
            ..Self::new(Code::Io, detail)
        }
    }

    /// A refused kernel call on the connection.
    pub(crate) fn network(peer: &str, call: &str, errno: Errno) -> Self {
        let detail = format!("{peer}: {call}: {}", describe(errno));
        Self {
            errno: Some(errno.raw_os_error()),
            ..Self::new(Code::Network, detail)
        }
    }

    /// An archive entry that no cache directory has.
    pub(crate) fn refused(name: &str, why: &str) -> Self {
        let detail = format!("the archive holds '{}', {why}", name.escape_debug());
        Self {
            path: Some(name.to_owned()),
            ..Self::new(Code::RefusedName, detail)
        }
    }
}

fn describe(errno: Errno) -> String {
    std::io::Error::from(errno).to_string()
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.detail)
    }
}

impl std::error::Error for Failure {}

/// What the parts of this room give back.
pub(crate) type Result<T> = std::result::Result<T, Failure>;
