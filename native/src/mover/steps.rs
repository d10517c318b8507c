//! Steps of a move for the restart matrix: the counterpart of `src/base/durable-steps.ts`, which lists them.

use std::env::var;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use mover::{Control, Step};

/// What a test has asked of this process.
struct Watch {
    /// `move.named`, or empty.
    kill_after: String,
    /// Passages of that step that are left.
    passages: AtomicUsize,
    /// A file that lists what was passed.
    log: Option<PathBuf>,
}

static WATCH: OnceLock<Option<Watch>> = OnceLock::new();

impl Watch {
    /// None in every process that no test has started.
    fn of_this_process() -> Option<&'static Watch> {
        WATCH.get_or_init(Watch::asked_for).as_ref()
    }

    fn asked_for() -> Option<Watch> {
        let asked = var("SEALYARD_KILL_AT").unwrap_or_default();
        let log = var("SEALYARD_STEPS_LOG")
            .ok()
            .filter(|file| !file.is_empty());
        let point = asked.strip_prefix("after:").unwrap_or_default();
        let (kill_after, passages) = point.split_once(':').unwrap_or((point, "1"));
        if log.is_none() && !kill_after.starts_with("move.") {
            return None;
        }
        Some(Watch {
            kill_after: kill_after.to_owned(),
            passages: AtomicUsize::new(passages.parse().unwrap_or(1)),
            log: log.map(PathBuf::from),
        })
    }

    fn pass(&self, step: Step) {
        let name = name_of(step);
        if let Some(log) = &self.log {
            let mut file = OpenOptions::new().create(true).append(true).open(log);
            if let Ok(file) = &mut file {
                let _ = file.write_all(format!("after:{name}\n").as_bytes());
            }
        }
        if self.kill_after == name && self.passages.fetch_sub(1, Ordering::SeqCst) == 1 {
            let _ = sys::processes::kill_self();
        }
    }
}

/// A control that tells a test of each step, where a test asked for that.
pub(super) fn control() -> Control {
    match Watch::of_this_process() {
        None => Control::new(),
        Some(watch) => Control::with_steps(|step| watch.pass(step)),
    }
}

/// The step that has no control of its own.
pub(super) fn passed_done() {
    if let Some(watch) = Watch::of_this_process() {
        watch.pass(Step::DoneRecorded);
    }
}

fn name_of(step: Step) -> &'static str {
    match step {
        Step::IntentWritten => "move.intent-written",
        Step::TempMade => "move.temp-made",
        Step::FileSynced => "move.file-synced",
        Step::TempDurable => "move.temp-durable",
        Step::Named => "move.named",
        Step::NameDurable => "move.name-durable",
        Step::TargetRecorded => "move.target-recorded",
        Step::SourceSetAside => "move.source-set-aside",
        Step::SourceUnlinked => "move.source-unlinked",
        Step::SourceRecorded => "move.source-recorded",
        Step::TempRemoved => "move.temp-removed",
        Step::DoneRecorded => "move.done-recorded",
    }
}
