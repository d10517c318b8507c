//! The proofs crates tell how far they are through the `log` facade only: their records become progress lines, and
//! log lines on stderr.

use std::sync::{Mutex, OnceLock};

use log::{LevelFilter, Log, Metadata, Record};
use serde_json::json;

use crate::answers::Answers;

struct Forward {
    answers: Answers,
    task: Mutex<Option<String>>,
}

static FORWARD: OnceLock<Forward> = OnceLock::new();

/// Receives the crates' records from now on.
pub fn install(answers: Answers) {
    let forward = FORWARD.get_or_init(|| Forward {
        answers,
        task: Mutex::new(None),
    });
    if log::set_logger(forward).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

/// Records belong to this task until [`unwatch`].
pub fn watch(id: &str) {
    set(Some(id.to_string()));
}

/// No task runs.
pub fn unwatch() {
    set(None);
}

fn set(id: Option<String>) {
    if let Some(forward) = FORWARD.get() {
        *forward
            .task
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = id;
    }
}

impl Log for Forward {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.level() <= log::Level::Info
    }

    fn log(&self, record: &Record) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let message = record.args().to_string().replace('\n', " ");
        let level = record.level().as_str().to_ascii_lowercase();
        eprintln!(
            "{}",
            json!({ "level": level, "logger": record.target(), "msg": message })
        );
        let task = self
            .task
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        if let Some(id) = task {
            self.answers.progress(&id, record.target(), &message);
        }
    }

    fn flush(&self) {}
}
