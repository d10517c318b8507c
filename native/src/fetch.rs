//! The fetch client: `src/native/fetch.ts` is its other half.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use napi::bindgen_prelude::PromiseRaw;
use napi::{Env, Error, Result, Status};
use napi_derive::napi;
use remote::fetch::{Code, Control, Expect, Failure, Fetched, Kind, Limits, MARK_BYTES, Order};

use crate::background::in_background;
use crate::failure::exact;

/// What to fetch, and where to.
#[napi(object, use_nullable = true)]
pub struct FetchOrder {
    /// `http://host:port/remote/<type>/<name>`.
    pub url: String,
    /// Sent to that host and port only.
    pub token: Option<String>,
    /// Absolute path of the private file or directory to make; without a record it must not exist.
    pub target: String,
    /// Name beside the target under which is kept how far it is. With one, a fetch that fails leaves what the next
    /// one from the same URL goes on from. After one that succeeded, it is the caller's to remove.
    pub record: Option<String>,
    /// What to expect.
    #[napi(ts_type = "'file' | 'directory'")]
    pub kind: String,
    /// Length that a single file must have.
    pub expected_bytes: Option<f64>,
    /// BLAKE3 hash that a single file must have, hexadecimal.
    pub expected_hash: Option<String>,
    /// No byte for this long ends the fetch.
    pub progress_timeout_ms: f64,
}

/// One file that was written.
#[napi(object, use_nullable = true)]
pub struct FetchedFile {
    /// Name in the directory; empty for a single file.
    pub name: String,
    /// Length in bytes.
    pub size: f64,
}

/// How a fetch ended.
#[napi(
    discriminant = "outcome",
    discriminant_case = "kebab-case",
    use_nullable = true
)]
pub enum FetchOutcome {
    /// Everything lies fsynced at the target.
    Fetched {
        /// Sum of the files' lengths.
        bytes: f64,
        /// Those of them that an earlier fetch had brought.
        bytes_resumed: f64,
        /// What was written.
        files: Vec<FetchedFile>,
        /// Time taken.
        seconds: f64,
        /// The server's validator.
        etag: Option<String>,
    },
    /// It did not complete; nothing is left at the target, unless it was to be kept.
    Failed {
        /// What went wrong.
        #[napi(
            ts_type = "'not-here' | 'unauthorized' | 'incomplete' | 'network' | 'refused-name' | 'timeout' | 'io' | 'damaged' | 'cancelled' | 'interrupted'"
        )]
        code: String,
        /// In words.
        detail: String,
        /// HTTP status, when there was an answer.
        status: Option<u32>,
        /// The kernel's error number.
        errno: Option<i32>,
        /// What could not be written, or was refused.
        path: Option<String>,
        /// Bytes that were here when it happened.
        bytes_done: f64,
        /// Bytes that stay, durable, for the next fetch from the same URL.
        bytes_kept: f64,
    },
}

/// How far a fetch is.
#[napi(object, use_nullable = true)]
pub struct FetchProgress {
    /// Bytes that are here, those of an earlier fetch included.
    pub done_bytes: f64,
    /// Length of the body, once known.
    pub total_bytes: Option<f64>,
    /// Time in which we did not want to receive: paused, or at a limit.
    pub held_back_ms: f64,
}

/// How much may be received.
#[napi(object, use_nullable = true)]
pub struct FetchRates {
    /// In all; null: as much as comes.
    pub bytes_per_second: Option<f64>,
    /// From each peer; null: as much as comes.
    pub bytes_per_second_per_peer: Option<f64>,
}

/// Bytes per second that the fetches which share it may receive.
#[napi]
#[derive(Default)]
pub struct FetchLimits {
    shared: Arc<Limits>,
}

#[napi]
impl FetchLimits {
    /// Without any limit.
    #[napi(constructor, catch_unwind)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets both limits; running fetches follow at once.
    #[napi(catch_unwind)]
    pub fn set(&self, rates: FetchRates) -> Result<()> {
        let rate = |value: Option<f64>| value.map(|rate| whole("a limit", rate)).transpose();
        self.shared.set(
            rate(rates.bytes_per_second)?,
            rate(rates.bytes_per_second_per_peer)?,
        );
        Ok(())
    }
}

/// One download of a sector file or cache directory.
#[napi]
pub struct Fetch {
    order: Mutex<Option<Order>>,
    control: Arc<Control>,
}

#[napi]
impl Fetch {
    /// Prepares it; nothing happens before `run`.
    #[napi(constructor, catch_unwind)]
    pub fn new(order: FetchOrder, limits: &FetchLimits) -> Result<Self> {
        let bytes = order
            .expected_bytes
            .map(|bytes| whole("expectedBytes", bytes));
        let digest = order.expected_hash.map(|hash| digest(&hash));
        let order = Order {
            url: order.url,
            token: order.token,
            target: order.target.into(),
            record: order.record.map(Into::into),
            mark_bytes: MARK_BYTES,
            expect: Expect {
                bytes: bytes.transpose()?,
                digest: digest.transpose()?,
            },
            limits: Arc::clone(&limits.shared),
            kind: match order.kind.as_str() {
                "file" => Kind::File,
                "directory" => Kind::Directory,
                _ => return Err(invalid("kind must be 'file' or 'directory'")),
            },
            progress_timeout: patience(order.progress_timeout_ms)?,
        };
        Ok(Self {
            order: Mutex::new(Some(order)),
            control: Arc::default(),
        })
    }

    /// Downloads on a thread of its own; only the first call does.
    #[napi(catch_unwind, ts_return_type = "Promise<FetchOutcome>")]
    pub fn run(&self, env: &Env) -> Result<PromiseRaw<'static, FetchOutcome>> {
        let order = self
            .order
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let order = order.ok_or_else(|| invalid("a fetch runs only once"))?;
        let (control, after_panic) = (Arc::clone(&self.control), Arc::clone(&self.control));
        let work = move || match remote::fetch::fetch(&order, &control) {
            Ok(fetched) => outcome_of(fetched),
            Err(failure) => failed(failure),
        };
        in_background(env, "sealyard-fetch", work, move |panic| {
            FetchOutcome::Failed {
                code: Code::Io.as_str().to_owned(),
                detail: format!(
                    "a bug in the fetch client; what it wrote may still be there: {panic}"
                ),
                status: None,
                errno: None,
                path: None,
                bytes_done: after_panic.done() as f64,
                bytes_kept: 0.0,
            }
        })
    }

    /// Bytes so far.
    #[napi(catch_unwind)]
    pub fn progress(&self) -> FetchProgress {
        FetchProgress {
            done_bytes: self.control.done() as f64,
            total_bytes: self.control.total().map(|bytes| bytes as f64),
            held_back_ms: self.control.held_back_ms() as f64,
        }
    }

    /// Ends it soon, as cancelled; nothing of it is kept.
    #[napi(catch_unwind)]
    pub fn cancel(&self) {
        self.control.cancel();
    }

    /// Ends it soon, as interrupted; what the next one can go on from is kept.
    #[napi(catch_unwind)]
    pub fn interrupt(&self) {
        self.control.interrupt();
    }

    /// Receives nothing until `proceed`.
    #[napi(catch_unwind)]
    pub fn pause(&self) {
        self.control.pause();
    }

    /// Goes on after a pause.
    #[napi(catch_unwind)]
    pub fn proceed(&self) {
        self.control.proceed();
    }
}

fn outcome_of(fetched: Fetched) -> FetchOutcome {
    let files = fetched.files.into_iter();
    FetchOutcome::Fetched {
        bytes: fetched.bytes as f64,
        bytes_resumed: fetched.bytes_resumed as f64,
        files: files
            .map(|file| FetchedFile {
                name: file.name,
                size: file.size as f64,
            })
            .collect(),
        seconds: fetched.time.as_secs_f64(),
        etag: fetched.etag,
    }
}

fn failed(failure: Failure) -> FetchOutcome {
    FetchOutcome::Failed {
        code: failure.code.as_str().to_owned(),
        detail: failure.detail,
        status: failure.status.map(u32::from),
        errno: failure.errno,
        path: failure.path,
        bytes_done: failure.bytes_done as f64,
        bytes_kept: failure.bytes_kept as f64,
    }
}

/// A year is as good as for ever, and no instant overflows.
fn patience(milliseconds: f64) -> Result<Duration> {
    if milliseconds > 0.0 {
        return Ok(Duration::from_secs_f64(milliseconds.min(3.2e10) / 1000.0));
    }
    Err(invalid(
        "progressTimeoutMs must be milliseconds, more than 0",
    ))
}

fn whole(what: &str, value: f64) -> Result<u64> {
    exact(what, value).map_err(|error| invalid(&error.reason))
}

fn digest(hex: &str) -> Result<[u8; 32]> {
    let byte = |at: usize| {
        hex.get(at..at + 2)
            .and_then(|pair| u8::from_str_radix(pair, 16).ok())
    };
    let bytes: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(byte).collect();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| invalid("expectedHash must be 64 hexadecimal digits"))
}

fn invalid(reason: &str) -> Error {
    Error::new(Status::InvalidArg, reason.to_owned())
}
