//! What crosses the boundary for the front door, and how it becomes the crate's.

use std::time::Duration;

use napi::{Error, Result, Status};
use napi_derive::napi;
use remote::FileType;
use remote::door::{self, ServeEngine, UploadErrorCode, UploadOutcome};

/// How the door is set up. Durations are milliseconds.
#[napi(object, use_nullable = true)]
pub struct FrontDoorSettings {
    /// Address to listen on.
    pub host: String,
    /// 0 takes a free one.
    pub port: f64,
    /// Loopback port everything else is tunnelled to.
    pub upstream_port: f64,
    /// Threads that move bulk data.
    pub max_transfers: f64,
    /// Open connections before accepting pauses.
    pub max_connections: f64,
    /// Open connections of one address; more are closed as they come.
    pub max_connections_per_address: f64,
    /// A request head must be complete after this long.
    pub head_timeout_ms: f64,
    /// A kept-alive connection without a request is closed after this long.
    pub idle_timeout_ms: f64,
    /// A transfer without a byte moved for this long is cut.
    pub progress_timeout_ms: f64,
    /// Bytes a second that a client must take or send, on average over each such time; 0 for any.
    pub min_rate_bytes: f64,
    /// How long a caller waits for the verdict about its token.
    pub verdict_timeout_ms: f64,
    /// How long a push and whoever expects it wait for each other.
    pub upload_wait_ms: f64,
    /// How sector files are read.
    #[napi(ts_type = "'auto' | 'sendfile' | 'direct' | 'uncached' | 'buffered'")]
    pub serve_engine: String,
}

/// One line for the log.
#[napi(object, use_nullable = true)]
pub struct FrontDoorNotice {
    /// `debug`, `info`, `warn` or `error`.
    #[napi(ts_type = "'debug' | 'info' | 'warn' | 'error'")]
    pub level: String,
    /// A fixed word.
    pub event: String,
    /// Who was on the other end, `10.0.0.5:51234`.
    pub peer: Option<String>,
    /// The file or directory concerned.
    pub path: Option<String>,
    /// The kernel's error number.
    pub errno: Option<i32>,
    /// A sentence.
    pub detail: String,
}

/// Asks whether a token is good; answered by `verdict` with the same ticket.
#[napi(object, use_nullable = true)]
pub struct FrontDoorTokenQuestion {
    /// Goes back with the answer.
    pub ticket: f64,
    /// The token.
    pub token: String,
}

/// Where the door listens.
#[napi(object, use_nullable = true)]
pub struct FrontDoorListening {
    /// The port taken.
    pub port: u32,
}

/// Body bytes served of one file type.
#[napi(object, use_nullable = true)]
pub struct FrontDoorServed {
    /// The type as in the URL.
    #[napi(
        js_name = "type",
        ts_type = "'unsealed' | 'sealed' | 'cache' | 'update' | 'update-cache' | 'piece'"
    )]
    pub kind: String,
    /// Bytes since start.
    pub bytes: f64,
}

/// Counters at one instant.
#[napi(object, use_nullable = true)]
pub struct FrontDoorCounters {
    /// Open connections.
    pub connections: f64,
    /// Open tunnels.
    pub tunnels: f64,
    /// Downloads under way, stalled ones included.
    pub transfers: f64,
    /// Uploads under way.
    pub uploads: f64,
    /// Connections accepted since start.
    pub accepted_connections: f64,
    /// Body bytes served since start, for each file type.
    pub served_bytes: Vec<FrontDoorServed>,
    /// Upload bytes taken in since start.
    pub received_bytes: f64,
    /// Transfers that ended with a destroyed connection.
    pub broken_transfers: f64,
}

/// What became of a push.
#[napi(
    discriminant = "outcome",
    discriminant_case = "kebab-case",
    use_nullable = true
)]
pub enum FrontDoorUploadOutcome {
    /// The whole body lies fsynced in the target file.
    Received {
        /// Its length.
        bytes: f64,
    },
    /// It does not; the target file is removed.
    Failed {
        /// What went wrong.
        #[napi(
            ts_type = "'incomplete' | 'too-large' | 'timeout' | 'cancelled' | 'malformed' | 'io' | 'closed'"
        )]
        code: String,
        /// In words.
        detail: String,
        /// The kernel's error number.
        errno: Option<i32>,
        /// The target file.
        path: String,
        /// Bytes that had been written.
        bytes_done: f64,
    },
}

pub(super) fn counters_of(now: &door::StatsNow) -> FrontDoorCounters {
    let served = FileType::ALL.into_iter().zip(now.served);
    FrontDoorCounters {
        connections: now.connections as f64,
        tunnels: now.tunnels as f64,
        transfers: now.transfers as f64,
        uploads: now.uploads as f64,
        accepted_connections: now.accepted as f64,
        served_bytes: served
            .map(|(kind, bytes)| FrontDoorServed {
                kind: kind.word().to_owned(),
                bytes: bytes as f64,
            })
            .collect(),
        received_bytes: now.received as f64,
        broken_transfers: now.broken as f64,
    }
}

pub(super) fn outcome_of(outcome: UploadOutcome) -> FrontDoorUploadOutcome {
    match outcome {
        Ok(bytes) => FrontDoorUploadOutcome::Received {
            bytes: bytes as f64,
        },
        Err(failure) => FrontDoorUploadOutcome::Failed {
            code: code_of(failure.code).to_owned(),
            detail: failure.detail,
            errno: failure.errno,
            path: failure.path.to_string_lossy().into_owned(),
            bytes_done: failure.bytes_done as f64,
        },
    }
}

fn code_of(code: UploadErrorCode) -> &'static str {
    match code {
        UploadErrorCode::Incomplete => "incomplete",
        UploadErrorCode::TooLarge => "too-large",
        UploadErrorCode::Timeout => "timeout",
        UploadErrorCode::Cancelled => "cancelled",
        UploadErrorCode::Malformed => "malformed",
        UploadErrorCode::Io => "io",
        UploadErrorCode::Closed => "closed",
    }
}

pub(super) fn options_of(given: FrontDoorSettings) -> Result<door::Options> {
    Ok(door::Options {
        host: given.host,
        port: whole(given.port, "port", 65_535.0)? as u16,
        upstream_port: whole(given.upstream_port, "upstreamPort", 65_535.0)? as u16,
        max_transfers: whole(given.max_transfers, "maxTransfers", 1024.0)? as usize,
        max_connections: whole(given.max_connections, "maxConnections", 1e6)? as u64,
        max_connections_per_address: whole(
            given.max_connections_per_address,
            "maxConnectionsPerAddress",
            1e6,
        )? as u64,
        head_timeout: duration(given.head_timeout_ms, "headTimeoutMs")?,
        idle_timeout: duration(given.idle_timeout_ms, "idleTimeoutMs")?,
        progress_timeout: duration(given.progress_timeout_ms, "progressTimeoutMs")?,
        min_rate: whole(given.min_rate_bytes, "minRateBytes", 1e12)? as u64,
        verdict_timeout: duration(given.verdict_timeout_ms, "verdictTimeoutMs")?,
        upload_wait: duration(given.upload_wait_ms, "uploadWaitMs")?,
        serve_engine: engine_of(&given.serve_engine)?,
    })
}

fn engine_of(word: &str) -> Result<ServeEngine> {
    match word {
        "auto" => Ok(ServeEngine::Auto),
        "sendfile" => Ok(ServeEngine::Sendfile),
        "direct" => Ok(ServeEngine::Direct),
        "uncached" => Ok(ServeEngine::Uncached),
        "buffered" => Ok(ServeEngine::Buffered),
        _ => Err(invalid(
            "a serve engine is auto, sendfile, direct, uncached or buffered",
        )),
    }
}

/// Integers arrive as `f64`: N-API would wrap what does not fit without a word.
pub(super) fn whole(value: f64, name: &str, most: f64) -> Result<f64> {
    let most = most.min(9_007_199_254_740_991.0);
    if value.fract() == 0.0 && (0.0..=most).contains(&value) {
        return Ok(value);
    }
    Err(invalid(&format!(
        "{name} must be a whole number from 0 to {most}"
    )))
}

/// A thousand years are as good as for ever, and no instant overflows.
pub(super) fn duration(milliseconds: f64, name: &str) -> Result<Duration> {
    if milliseconds >= 0.0 {
        return Ok(Duration::from_secs_f64(milliseconds.min(3.2e13) / 1000.0));
    }
    Err(invalid(&format!("{name} must be milliseconds, 0 or more")))
}

pub(super) fn invalid(reason: &str) -> Error {
    Error::new(Status::InvalidArg, reason.to_owned())
}
