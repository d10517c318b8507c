//! Seals for Sealyard: reads tasks as lines of JSON on stdin, answers with lines of JSON on stdout.
//!
//! The first line out is `{"ready":…}`. Each task is answered with any number of `{id, progress}` lines and then exactly
//! one of `{id, output}`, `{id, error}` or `{id, panic}`; after a panic the process ends with status 70, because what the
//! proofs crates keep in memory may be poisoned. Stdin's end ends the process with status 0.

mod answers;
mod cache_dir;
mod commitment;
mod failure;
mod parameters;
mod pieces;
mod post;
mod progress;
mod registry;
mod seal;
mod tasks;
mod unseal;
mod unsealed_file;

use std::io::{BufRead, stdin};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use rustix::process::Signal;

use answers::Answers;
use failure::Failure;
use tasks::Request;

/// sysexits' "internal software error".
const PANICKED: u8 = 70;

fn main() -> ExitCode {
    let answers = match Answers::take_stdout() {
        Ok(answers) => answers,
        Err(error) => {
            eprintln!("sealyard-prover: stdout cannot be kept for answers: {error}");
            return ExitCode::FAILURE;
        }
    };
    // A task goes on for hours without a look at stdin. When whoever asked for it dies, the next one to ask would find
    // two of them writing into one sector.
    let with_parent = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    if let Err(error) = with_parent {
        eprintln!("sealyard-prover: it would outlive its parent: {error}");
        return ExitCode::FAILURE;
    }
    progress::install(answers.clone());
    // The panic's text goes into the answer; the default hook would print it as well, not as a log line.
    std::panic::set_hook(Box::new(|_| {}));
    answers.ready();
    for line in stdin().lock().lines() {
        let Ok(line) = line else {
            return ExitCode::FAILURE;
        };
        if !line.trim().is_empty() && answer(&answers, &line).is_err() {
            return ExitCode::from(PANICKED);
        }
    }
    ExitCode::SUCCESS
}

/// Runs the task of one line and answers it. The error says that it panicked.
fn answer(answers: &Answers, line: &str) -> Result<(), ()> {
    let request: Request = match serde_json::from_str(line) {
        Ok(request) => request,
        Err(error) => {
            answers.failed(
                &id_of(line),
                &Failure::bad_request(format!("this line is no task: {error}")),
            );
            return Ok(());
        }
    };
    progress::watch(&request.id);
    let outcome = catch_unwind(AssertUnwindSafe(|| tasks::run(request.task)));
    progress::unwatch();
    match outcome {
        Ok(Ok(output)) => answers.done(&request.id, output),
        Ok(Err(failure)) => answers.failed(&serde_json::Value::from(request.id), &failure),
        Err(panic) => {
            answers.panicked(&request.id, &text_of(panic.as_ref()));
            return Err(());
        }
    }
    Ok(())
}

/// The id of a line that is no task, so that whoever sent it can tell which one; null when there is none.
fn id_of(line: &str) -> serde_json::Value {
    serde_json::from_str::<serde_json::Value>(line)
        .ok()
        .and_then(|value| value.get("id").filter(|id| id.is_string()).cloned())
        .unwrap_or(serde_json::Value::Null)
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_string()))
        .unwrap_or_else(|| "a panic without text".to_string())
}
