//! The front door: `src/native/front-door.ts` is its other half.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use napi::bindgen_prelude::{Function, JsValue, PromiseRaw};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Error, Result, Status};
use napi_derive::napi;
use remote::door::{self, Level, UploadErrorCode, UploadOutcome, Verdict};
use remote::{FileType, SectorName};

use crate::background::in_background;

/// Weak: an open door does not keep the process alive.
type Told<T> = ThreadsafeFunction<T, (), T, Status, false, true>;
type Settle = Box<dyn FnOnce(Env) -> Result<FrontDoorUploadOutcome> + Send>;

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
    /// Refuse pushes without a token.
    pub uploads_need_token: bool,
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

/// Passes on what the door tells and asks.
struct Observer {
    events: Told<FrontDoorNotice>,
    questions: Told<FrontDoorTokenQuestion>,
}

impl door::Observer for Observer {
    fn authorize(&self, ticket: u64, token: &str) {
        let question = FrontDoorTokenQuestion {
            ticket: ticket as f64,
            token: token.to_owned(),
        };
        self.questions
            .call(question, ThreadsafeFunctionCallMode::NonBlocking);
    }

    fn event(&self, event: door::Event) {
        let level = match event.level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        };
        let notice = FrontDoorNotice {
            level: level.to_owned(),
            event: event.event.to_owned(),
            peer: event.peer.map(|peer| peer.to_string()),
            path: event.path.map(|path| path.to_string_lossy().into_owned()),
            errno: event.errno,
            detail: event.detail,
        };
        self.events
            .call(notice, ThreadsafeFunctionCallMode::NonBlocking);
    }
}

/// The one public port of a node.
#[napi]
pub struct FrontDoor {
    door: Arc<door::FrontDoor>,
}

#[napi]
impl FrontDoor {
    /// Prepares a door; nothing listens yet.
    #[napi(constructor, catch_unwind)]
    pub fn new(
        options: FrontDoorSettings,
        on_event: Function<'_, FrontDoorNotice, ()>,
        on_token_question: Function<'_, FrontDoorTokenQuestion, ()>,
    ) -> Result<Self> {
        let observer = Observer {
            events: on_event
                .build_threadsafe_function()
                .weak::<true>()
                .build()?,
            questions: on_token_question
                .build_threadsafe_function()
                .weak::<true>()
                .build()?,
        };
        let door =
            door::FrontDoor::new(options_of(options)?, Arc::new(observer)).map_err(|error| {
                Error::from_reason(format!("cannot prepare the front door: {error}"))
            })?;
        Ok(Self {
            door: Arc::new(door),
        })
    }

    /// Takes the port and starts serving. Throws with `code` EADDRINUSE, EACCES, EADDRNOTAVAIL, …
    #[napi(catch_unwind)]
    pub fn start(&self) -> Result<FrontDoorListening, String> {
        match self.door.start() {
            Ok(port) => Ok(FrontDoorListening { port: port.into() }),
            Err(error) => Err(Error::new(errno_name(&error), error.to_string())),
        }
    }

    /// Answers a token question; the answer is remembered for `ttlMs`.
    #[napi(catch_unwind)]
    pub fn verdict(
        &self,
        ticket: f64,
        #[napi(ts_arg_type = "'allowed' | 'forbidden' | 'denied' | 'unavailable'")] verdict: String,
        ttl_ms: f64,
    ) -> Result<()> {
        let verdict = match verdict.as_str() {
            "allowed" => Verdict::Allowed,
            "forbidden" => Verdict::Forbidden,
            "denied" => Verdict::Denied,
            "unavailable" => Verdict::Unavailable,
            _ => {
                return Err(invalid(
                    "a verdict is allowed, forbidden, denied or unavailable",
                ));
            }
        };
        self.door.verdict(
            whole(ticket, "ticket", f64::MAX)? as u64,
            verdict,
            duration(ttl_ms, "ttlMs")?,
        );
        Ok(())
    }

    /// Lets `/remote/<type>/<name>` serve `path`.
    #[napi(catch_unwind)]
    pub fn publish(
        &self,
        path_id: String,
        file_type: String,
        name: String,
        path: String,
    ) -> Result<()> {
        let (kind, name) = sector_file(&file_type, &name)?;
        let path = PathBuf::from(path);
        if !path.is_absolute() {
            return Err(invalid("only an absolute path can be published"));
        }
        self.door.publish(&path_id, kind, name, path);
        Ok(())
    }

    /// False when that was not published.
    #[napi(catch_unwind)]
    pub fn unpublish(&self, path_id: String, file_type: String, name: String) -> Result<bool> {
        let (kind, name) = sector_file(&file_type, &name)?;
        Ok(self.door.unpublish(&path_id, kind, name))
    }

    /// The client behind a tunnel's loopback source address.
    #[napi(catch_unwind)]
    pub fn peer_of(&self, address: String) -> Option<String> {
        let address: Ipv4Addr = address.parse().ok()?;
        self.door.peer_of(address).map(|peer| peer.to_string())
    }

    /// Takes over a sector-file request that came through a tunnel; false when it cannot.
    #[napi(catch_unwind)]
    pub fn hand_back(&self, address: String, head: &[u8]) -> bool {
        address
            .parse()
            .is_ok_and(|address: Ipv4Addr| self.door.hand_back(address, head))
    }

    /// Announces a push. Throws when `uuid` is none, or is expected already.
    #[napi(catch_unwind)]
    pub fn expect_upload(
        &self,
        uuid: String,
        path: String,
        limit_bytes: f64,
    ) -> Result<FrontDoorUpload> {
        let limit = whole(limit_bytes, "limitBytes", f64::MAX)? as u64;
        match self.door.expect_upload(&uuid, path.into(), limit) {
            Some(upload) => Ok(FrontDoorUpload { upload }),
            None => Err(invalid(
                "that is not a UUID, or a push with it is expected already",
            )),
        }
    }

    /// The counters now.
    #[napi(catch_unwind)]
    pub fn stats(&self) -> FrontDoorCounters {
        let now = self.door.stats();
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

    /// Stops accepting, lets what runs finish, cuts it after `deadlineMs`.
    #[napi(catch_unwind, ts_return_type = "Promise<void>")]
    pub fn close(&self, env: &Env, deadline_ms: f64) -> Result<PromiseRaw<'static, ()>> {
        let (door, patience) = (self.door.clone(), duration(deadline_ms, "deadlineMs")?);
        in_background(env, "sealyard-close", move || door.close(patience), |_| ())
    }
}

/// A push that is expected or arriving.
#[napi]
pub struct FrontDoorUpload {
    upload: door::Upload,
}

#[napi]
impl FrontDoorUpload {
    /// What became of it; call it once.
    #[napi(catch_unwind, ts_return_type = "Promise<FrontDoorUploadOutcome>")]
    pub fn settled(&self, env: &Env) -> Result<PromiseRaw<'static, FrontDoorUploadOutcome>> {
        let (deferred, promise) = env.create_deferred::<FrontDoorUploadOutcome, Settle>()?;
        let promise = PromiseRaw::new(env.raw(), JsValue::raw(&promise));
        // The door settles every upload, at the latest when it closes: no thread need wait.
        self.upload.on_settled(move |outcome| {
            deferred.resolve(Box::new(move |_| Ok(outcome_of(outcome))))
        });
        Ok(promise)
    }

    /// Bytes written so far.
    #[napi(catch_unwind)]
    pub fn received(&self) -> f64 {
        self.upload.received() as f64
    }

    /// Gives it up; it settles as cancelled unless it has arrived.
    #[napi(catch_unwind)]
    pub fn cancel(&self) {
        self.upload.cancel();
    }
}

fn outcome_of(outcome: UploadOutcome) -> FrontDoorUploadOutcome {
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

fn options_of(given: FrontDoorSettings) -> Result<door::Options> {
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
        uploads_need_token: given.uploads_need_token,
    })
}

fn sector_file(kind: &str, name: &str) -> Result<(FileType, SectorName)> {
    let kind = kind
        .parse()
        .map_err(|()| invalid("there is no such sector file type"))?;
    Ok((
        kind,
        name.parse()
            .map_err(|()| invalid("that is not a sector name"))?,
    ))
}

/// Integers arrive as `f64`: N-API would wrap what does not fit without a word.
fn whole(value: f64, name: &str, most: f64) -> Result<f64> {
    let most = most.min(9_007_199_254_740_991.0);
    if value.fract() == 0.0 && (0.0..=most).contains(&value) {
        return Ok(value);
    }
    Err(invalid(&format!(
        "{name} must be a whole number from 0 to {most}"
    )))
}

/// A thousand years are as good as for ever, and no instant overflows.
fn duration(milliseconds: f64, name: &str) -> Result<Duration> {
    if milliseconds >= 0.0 {
        return Ok(Duration::from_secs_f64(milliseconds.min(3.2e13) / 1000.0));
    }
    Err(invalid(&format!("{name} must be milliseconds, 0 or more")))
}

fn invalid(reason: &str) -> Error {
    Error::new(Status::InvalidArg, reason.to_owned())
}

/// The kernel's word for what a socket call fails with.
fn errno_name(error: &std::io::Error) -> String {
    use std::io::ErrorKind::{AddrInUse, AddrNotAvailable, InvalidInput, PermissionDenied};
    match error.kind() {
        AddrInUse => "EADDRINUSE".into(),
        AddrNotAvailable => "EADDRNOTAVAIL".into(),
        PermissionDenied => "EACCES".into(),
        InvalidInput => "EINVAL".into(),
        _ => error
            .raw_os_error()
            .map_or_else(|| "EADDRNOTAVAIL".into(), |errno| format!("errno {errno}")),
    }
}
