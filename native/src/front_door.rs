//! The front door: `src/native/front-door.ts` is its other half.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use napi::bindgen_prelude::{Function, JsValue, PromiseRaw};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Error, Result, Status};
use napi_derive::napi;
use remote::door::{self, Level, Verdict};
use remote::{FileType, SectorName};

use crate::background::in_background;

mod shapes;

use shapes::{
    FrontDoorCounters, FrontDoorListening, FrontDoorNotice, FrontDoorSettings,
    FrontDoorTokenQuestion, FrontDoorUploadOutcome, counters_of, duration, invalid, options_of,
    outcome_of, whole,
};

/// Weak: an open door does not keep the process alive.
type Told<T> = ThreadsafeFunction<T, (), T, Status, false, true>;
type Settle = Box<dyn FnOnce(Env) -> Result<FrontDoorUploadOutcome> + Send>;

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

    /// Answers a token question; the answer is remembered for `ttlMs`. `scopes` are those of a scoped one.
    #[napi(catch_unwind)]
    pub fn verdict(
        &self,
        ticket: f64,
        #[napi(ts_arg_type = "'allowed' | 'scoped' | 'forbidden' | 'denied' | 'unavailable'")]
        verdict: String,
        ttl_ms: f64,
        scopes: Vec<String>,
    ) -> Result<()> {
        let verdict = match verdict.as_str() {
            "allowed" => Verdict::Allowed,
            "scoped" => Verdict::Scoped(Arc::new(scopes.iter().collect())),
            "forbidden" => Verdict::Forbidden,
            "denied" => Verdict::Denied,
            "unavailable" => Verdict::Unavailable,
            _ => {
                return Err(invalid(
                    "a verdict is allowed, scoped, forbidden, denied or unavailable",
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
        counters_of(&self.door.stats())
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
