//! Who expects a pushed body, and what became of it.
//!
//! States of an expectation: *open* (nobody has pushed), *taken* (a body is arriving), *settled*.
//! open → taken when a push with its UUID begins; open or taken → settled by success, failure,
//! cancel or the end of patience. Settled is final; the first outcome counts.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::upload::{Upload, UploadErrorCode, UploadFailure, UploadOutcome};

type OnSettled = Box<dyn FnOnce(UploadOutcome) + Send>;

#[derive(Default)]
struct Settlement {
    outcome: Option<UploadOutcome>,
    listener: Option<OnSettled>,
}

pub(crate) struct Expectation {
    pub uuid: String,
    path: PathBuf,
    pub limit: u64,
    since: Instant,
    pub received: AtomicU64,
    cancelled: AtomicBool,
    settlement: Mutex<Settlement>,
}

impl Expectation {
    fn settlement(&self) -> std::sync::MutexGuard<'_, Settlement> {
        self.settlement
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub fn settle(&self, outcome: UploadOutcome) {
        let mut settlement = self.settlement();
        if settlement.outcome.is_some() {
            return;
        }
        settlement.outcome = Some(outcome.clone());
        let listener = settlement.listener.take();
        drop(settlement);
        if let Some(listener) = listener {
            listener(outcome);
        }
    }

    pub fn on_settled(&self, listener: OnSettled) {
        let mut settlement = self.settlement();
        match settlement.outcome.clone() {
            Some(outcome) => {
                drop(settlement);
                listener(outcome);
            }
            None => settlement.listener = Some(listener),
        }
    }

    pub fn fail(&self, code: UploadErrorCode, detail: impl Into<String>, errno: Option<i32>) {
        let bytes_done = self.received.load(Ordering::Relaxed);
        let (detail, path) = (detail.into(), self.path.clone());
        self.settle(Err(UploadFailure {
            code,
            detail,
            errno,
            path,
            bytes_done,
        }));
    }

    fn is_settled(&self) -> bool {
        self.settlement().outcome.is_some()
    }

    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Makes the target, which must not exist.
    pub fn create(&self) -> io::Result<File> {
        let flags = OFlags::NOFOLLOW.bits() as i32;
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(flags)
            .open(&self.path)
    }

    pub fn remove(&self) {
        let _ = std::fs::remove_file(&self.path);
    }

    pub fn path(&self) -> PathBuf {
        self.path.clone()
    }
}

/// The right to fill an expectation. Dropped before there is an outcome (a panic on the way), it fails:
/// whoever waits must not wait for ever.
pub(crate) struct Taken(Arc<Expectation>);

impl std::ops::Deref for Taken {
    type Target = Expectation;

    fn deref(&self) -> &Expectation {
        &self.0
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if !self.is_settled() {
            self.remove();
            self.fail(
                UploadErrorCode::Io,
                "the push broke off inside the front door",
                None,
            );
        }
    }
}

#[derive(Default)]
struct Open {
    by_uuid: HashMap<String, Arc<Expectation>>,
    closed: bool,
}

/// All pushes that are expected and have not begun.
#[derive(Clone)]
pub(crate) struct Expectations {
    open: Arc<Mutex<Open>>,
    /// Tells the event loop to look.
    notify: Arc<dyn Fn() + Send + Sync>,
}

impl Expectations {
    pub fn new(notify: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self {
            open: Arc::default(),
            notify,
        }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` when this UUID is expected already.
    pub fn add(&self, uuid: &str, path: PathBuf, limit: u64) -> Option<Upload> {
        let expectation = Arc::new(Expectation {
            uuid: uuid.to_ascii_lowercase(),
            path,
            limit,
            since: Instant::now(),
            received: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
            settlement: Mutex::default(),
        });
        let mut open = self.open();
        if open.by_uuid.contains_key(&expectation.uuid) {
            return None;
        }
        if open.closed {
            drop(open);
            expectation.fail(UploadErrorCode::Closed, "the front door closed", None);
        } else {
            open.by_uuid
                .insert(expectation.uuid.clone(), expectation.clone());
            drop(open);
            (self.notify)();
        }
        Some(Upload::new(expectation, self.clone()))
    }

    /// Whether a push with this UUID is expected.
    pub fn has(&self, uuid: &str) -> bool {
        self.open().by_uuid.contains_key(uuid)
    }

    /// A push has begun: the expectation is its own from now on.
    pub fn take(&self, uuid: &str) -> Option<Taken> {
        self.open().by_uuid.remove(uuid).map(Taken)
    }

    /// Settles it at once when nobody has pushed; else the arriving body is broken off.
    pub fn cancel(&self, expectation: &Expectation) {
        expectation.cancelled.store(true, Ordering::Relaxed);
        let mut open = self.open();
        // Its UUID may be expected anew by somebody else.
        let held = open.by_uuid.get(&expectation.uuid);
        if held.is_some_and(|held| std::ptr::eq(Arc::as_ptr(held), expectation)) {
            open.by_uuid.remove(&expectation.uuid);
            drop(open);
            expectation.fail(UploadErrorCode::Cancelled, "the upload was cancelled", None);
        } else {
            drop(open);
        }
        (self.notify)();
    }

    /// Settles what nobody pushed in time.
    pub fn expire(&self, patience: Duration) {
        self.settle_where(
            UploadErrorCode::Timeout,
            "nobody pushed this stream in time",
            |expected| expected.since.elapsed() >= patience,
        );
    }

    /// When the first of them has waited this long.
    pub fn earliest(&self, patience: Duration) -> Option<Instant> {
        self.open()
            .by_uuid
            .values()
            .map(|expected| expected.since)
            .min()
            .map(|since| since + patience)
    }

    /// Settles all that is open: the door closes.
    pub fn close(&self) {
        self.open().closed = true;
        self.settle_where(UploadErrorCode::Closed, "the front door closed", |_| true);
    }

    fn settle_where(
        &self,
        code: UploadErrorCode,
        detail: &str,
        which: impl Fn(&Expectation) -> bool,
    ) {
        let mut open = self.open();
        let late: Vec<_> = open
            .by_uuid
            .extract_if(|_, expected| which(expected))
            .map(|(_, one)| one)
            .collect();
        drop(open);
        for expected in late {
            expected.fail(code, detail, None);
        }
    }
}
