//! The threads that move bulk data. They run at nice 10: on a small machine that keeps control calls
//! quick, and the data is no slower for it.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::bench::{ALLOWANCE, Bench, Host};
use super::client::Client;
use super::connection::Connection;
use super::intake::{self, Intake, stopped};
use super::job::{Handed, Job};
use super::observer::{Event, Level, Observer, Stats};
use super::pace::Rules;
use super::response::prepare;
use super::serve_engine::ServeEngine;
use super::transfer::{self, Transfer};
use super::upload::UploadErrorCode;

/// How long a thread waits for a client that is just slow before it leaves it to epoll.
const SHORT_WAIT: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};
/// How long an idle thread keeps its memory.
const IDLE: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    stopping: bool,
}

/// The pool.
pub(crate) struct Pool {
    queue: Mutex<Queue>,
    wake: Condvar,
    gone: Condvar,
    most: usize,
    /// Set when the door's patience has ended: jobs destroy their connections.
    pub cut: AtomicBool,
    rules: Rules,
    engine: ServeEngine,
    stats: Arc<Stats>,
    observer: Arc<dyn Observer>,
    hand: Box<dyn Fn(Handed) + Send + Sync>,
}

impl Pool {
    pub fn new(
        most: usize,
        rules: Rules,
        engine: ServeEngine,
        stats: Arc<Stats>,
        observer: Arc<dyn Observer>,
        hand: Box<dyn Fn(Handed) + Send + Sync>,
    ) -> Arc<Self> {
        Arc::new(Self {
            queue: Mutex::default(),
            wake: Condvar::new(),
            gone: Condvar::new(),
            most: most.max(1),
            cut: AtomicBool::new(false),
            rules,
            engine,
            stats,
            observer,
            hand,
        })
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job; starts a thread when all are busy and another is allowed.
    pub fn give(self: &Arc<Self>, job: Job) {
        let mut queue = self.queue();
        queue.jobs.push_back(job);
        let mut orphans = VecDeque::new();
        if queue.idle < queue.jobs.len() && queue.threads < self.most {
            let pool = self.clone();
            let builder = std::thread::Builder::new().name("sealyard-bulk".into());
            match builder.spawn(move || pool.work()) {
                Ok(_) => queue.threads += 1,
                Err(error) => {
                    let event =
                        Event::new(Level::Error, "thread-failed", "cannot start a bulk thread");
                    self.observer.event(event.error(&error));
                    if queue.threads == 0 {
                        orphans = std::mem::take(&mut queue.jobs);
                    }
                }
            }
        }
        drop(queue);
        self.wake.notify_one();
        for job in orphans {
            self.give_up(job, UploadErrorCode::Io, "no thread could be started");
        }
    }

    /// Ends the threads; false when some did not end in time (blocked in the disk).
    pub fn stop(&self, patience: Duration) -> bool {
        self.cut.store(true, Ordering::Relaxed);
        let mut queue = self.queue();
        queue.stopping = true;
        self.wake.notify_all();
        let until = Instant::now() + patience;
        while queue.threads > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            queue = self
                .gone
                .wait_timeout(queue, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    fn work(self: Arc<Self>) {
        sys::threads::block_signals();
        let _ = sys::threads::be_nice(10);
        let mut bench = Bench::default();
        while let Some(job) = self.next(&mut bench) {
            // A panic ends this connection (its socket is dropped), not the thread.
            let done = catch_unwind(AssertUnwindSafe(|| self.run(job, &mut bench)));
            if done.is_err() {
                self.observer.event(Event::new(
                    Level::Error,
                    "bulk-panic",
                    "a bulk job panicked",
                ));
                (self.hand)(Handed::Gone);
            }
        }
        self.queue().threads -= 1;
        self.gone.notify_all();
    }

    fn next(&self, bench: &mut Bench) -> Option<Job> {
        let mut queue = self.queue();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            if queue.stopping {
                return None;
            }
            queue.idle += 1;
            let patience = if bench.is_empty() {
                Duration::MAX
            } else {
                IDLE
            };
            let (woken, waited) = self
                .wake
                .wait_timeout(queue, patience)
                .unwrap_or_else(PoisonError::into_inner);
            queue = woken;
            queue.idle -= 1;
            if waited.timed_out() {
                bench.clear();
            }
        }
    }

    fn run(self: &Arc<Self>, job: Job, bench: &mut Bench) {
        match job {
            Job::Serve {
                connection,
                request,
                kind,
                paths,
            } => {
                let inner = match &request.target {
                    super::head::Target::Sector { inner, .. } => inner.as_deref(),
                    super::head::Target::Upload(_) => None,
                };
                let peer = connection.peer;
                let response = prepare(&request, &paths, inner, &|event| {
                    self.observer.event(event.peer(peer))
                });
                let (rules, length) = (self.rules, response.head_length);
                let client = Client::new(connection, kind, length, rules, &self.stats);
                let transfer = Transfer::new(client, response, self.engine);
                self.send(Box::new(transfer), bench);
            }
            Job::Send(transfer) => self.send(transfer, bench),
            Job::Receive(intake) => self.receive(intake, bench.scratch()),
        }
    }

    fn send(self: &Arc<Self>, mut transfer: Box<Transfer>, bench: &mut Bench) {
        loop {
            if self.cut.load(Ordering::Relaxed) {
                return self.break_off(
                    *transfer,
                    &std::io::Error::other("the front door closed"),
                    false,
                );
            }
            match transfer.step(ALLOWANCE, bench, &**self) {
                transfer::Step::Done => {
                    let keep_alive = transfer.keep_alive();
                    let connection = transfer.client.connection;
                    return (self.hand)(Handed::Served {
                        connection,
                        keep_alive,
                    });
                }
                transfer::Step::Yield if self.others_wait() => {
                    return self.give(Job::Send(transfer));
                }
                transfer::Step::Yield => {}
                transfer::Step::Blocked { waited } => {
                    let Some(cut_at) = transfer.waits(Instant::now()) else {
                        let error = std::io::Error::other(transfer.client.pace.complaint());
                        return self.break_off(*transfer, &error, false);
                    };
                    if waited || !self.soon_ready(&transfer.client.connection, PollFlags::OUT) {
                        return self.park(Job::Send(transfer), false, cut_at);
                    }
                    transfer.client.pace.resumes(Instant::now());
                }
                transfer::Step::Failed { error, source } => {
                    return self.break_off(*transfer, &error, source);
                }
            }
        }
    }

    fn receive(self: &Arc<Self>, mut intake: Box<Intake>, scratch: &mut [u8]) {
        loop {
            if self.cut.load(Ordering::Relaxed) {
                return self.abandon(
                    *intake,
                    stopped(UploadErrorCode::Closed, "the front door closed"),
                );
            }
            match intake.step(scratch, ALLOWANCE) {
                intake::Step::Done => {
                    let (connection, keep_alive) = (intake.connection, intake.keep_alive);
                    return (self.hand)(Handed::Received {
                        connection,
                        keep_alive,
                    });
                }
                intake::Step::Yield if self.others_wait() => {
                    return self.give(Job::Receive(intake));
                }
                intake::Step::Yield => {}
                intake::Step::Blocked => {
                    let Some(cut_at) = intake.waits(Instant::now()) else {
                        let complaint = intake.pace.complaint();
                        return self
                            .abandon(*intake, stopped(UploadErrorCode::Timeout, &complaint));
                    };
                    if !self.soon_ready(&intake.connection, PollFlags::IN) {
                        return self.park(Job::Receive(intake), true, cut_at);
                    }
                    intake.pace.resumes(Instant::now());
                }
                intake::Step::Failed(stopped) => return self.abandon(*intake, stopped),
            }
        }
    }

    fn others_wait(&self) -> bool {
        !self.queue().jobs.is_empty()
    }

    /// Waits a moment for the client, unless others want this thread.
    fn soon_ready(&self, connection: &Connection, flags: PollFlags) -> bool {
        !self.others_wait()
            && poll(&mut [PollFd::new(connection, flags)], Some(&SHORT_WAIT))
                .is_ok_and(|ready| ready > 0)
    }

    fn park(&self, job: Job, for_reading: bool, cut_at: Instant) {
        (self.hand)(Handed::Parked {
            job,
            for_reading,
            cut_at,
        });
    }

    /// Ends a job whose client stood still too long, or whose door closes.
    pub fn give_up(&self, job: Job, code: UploadErrorCode, reason: &str) {
        match job {
            Job::Serve { connection, .. } => connection.destroy(),
            Job::Send(transfer) => {
                self.break_off(*transfer, &std::io::Error::other(reason.to_owned()), false)
            }
            Job::Receive(intake) => self.abandon(*intake, stopped(code, reason)),
        }
    }

    fn break_off(&self, transfer: Transfer, error: &std::io::Error, source: bool) {
        self.stats.broken.fetch_add(1, Ordering::Relaxed);
        let (level, event) = if source {
            (Level::Error, "source-changed")
        } else {
            (Level::Warn, "transfer-broken")
        };
        let detail = format!(
            "connection destroyed after {} bytes",
            transfer.client.sent()
        );
        let event = Event::new(level, event, detail)
            .peer(transfer.client.connection.peer)
            .path(transfer.path());
        transfer.client.connection.destroy();
        self.observer.event(event.error(error));
        (self.hand)(Handed::Gone);
    }

    fn abandon(&self, intake: Intake, stopped: intake::Stopped) {
        self.stats.broken.fetch_add(1, Ordering::Relaxed);
        let mut event = Event::new(Level::Warn, "upload-failed", stopped.detail.clone())
            .peer(intake.connection.peer)
            .path(intake.expectation.path());
        event.errno = stopped.errno;
        intake.abandon(stopped);
        self.observer.event(event);
        (self.hand)(Handed::Gone);
    }
}

impl Host for Pool {
    fn soon_ready(&self, connection: &Connection) -> bool {
        Pool::soon_ready(self, connection, PollFlags::OUT)
    }

    fn is_wanted(&self) -> bool {
        self.others_wait() || self.cut.load(Ordering::Relaxed)
    }
}
