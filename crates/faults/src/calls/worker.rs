//! A whole daemon under the supervisor: the calls of its moving threads are counted, and meet the faults of a plan.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use sys::faults::Call;

use super::supervisor::{FAULTS, Fault, Seen, Supervisor};
use super::trap;
use crate::tell::quoted;
use crate::{Outcome, while_doing};

/// How to call it.
pub const USAGE: &str =
    "faults supervise --threads NAME,... --log FILE [--plan CALL:FAULT,...] -- PROGRAM [ARGUMENTS]";

/// What the daemon meets: so many calls after the last fault, this one.
type Plan = Vec<(usize, &'static str, Fault)>;

/// The options of `supervise`.
#[derive(Default)]
pub struct Options {
    /// How the names of the threads begin whose calls count.
    threads: Vec<String>,
    log: PathBuf,
    plan: Plan,
    program: Vec<String>,
}

impl Options {
    /// Reads them.
    /// # Errors
    /// What is not understood.
    pub fn read(mut words: impl Iterator<Item = String>) -> Outcome<Options> {
        let mut options = Options::default();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--threads" => options.threads = value()?.split(',').map(str::to_owned).collect(),
                "--log" => options.log = value()?.into(),
                "--plan" => options.plan = plan(&value()?)?,
                "--" => options.program = words.by_ref().collect(),
                _ => return Err(format!("there is no option {word}; {USAGE}")),
            }
        }
        Ok(options)
    }
}

fn plan(text: &str) -> Outcome<Plan> {
    let one = |part: &str| {
        let (calls, name) = part.split_once(':')?;
        let (name, fault) = FAULTS.into_iter().find(|(known, _)| *known == name)?;
        Some((calls.parse().ok()?, name, fault))
    };
    let parts = text.split(',').filter(|part| !part.is_empty());
    parts
        .map(|part| one(part).ok_or(format!("no fault: {part}")))
        .collect()
}

/// Runs the program until it ends. A line of JSON for each call that counts goes to the log.
/// # Errors
/// When it cannot be run or supervised.
pub fn supervise(options: Options) -> Outcome<bool> {
    let own = std::env::current_exe().map_err(while_doing("finding this program"))?;
    let log = File::options().create(true).append(true).open(&options.log);
    let mut log = log.map_err(while_doing("opening the log"))?;
    let (child, listener) = trap::start(&own, &options.program, |command| {
        command.stdout(std::process::Stdio::inherit());
    })?;
    let mut supervisor = Supervisor::new(child, listener);
    let concerns = |call: &Call, path: &Path| {
        let name = fs::read_to_string(format!("/proc/{}/comm", call.thread)).unwrap_or_default();
        options.threads.iter().any(|start| name.starts_with(start))
            && !path.starts_with("/proc")
            && !path.starts_with("/sys")
    };
    let (mut rest, mut since) = (options.plan.iter(), 0);
    let mut next = rest.next();
    let mut decide = |seen: &mut Seen| {
        since += 1;
        // A fault that the call cannot have meets the next one that can.
        let met = next
            .filter(|(at, _, fault)| since >= *at && (*fault != Fault::Short || seen.can_be_short));
        let name = met.map_or("null".to_owned(), |(_, name, _)| quoted(name));
        let path = quoted(&seen.path.display().to_string());
        let line = format!(
            "{{\"call\":{},\"path\":{path},\"fault\":{name}}}\n",
            quoted(seen.name)
        );
        if let Err(error) = log.write_all(line.as_bytes()) {
            eprintln!("the log of calls: {error}");
        }
        if met.is_some() {
            next = rest.next();
            since = 0;
        }
        met.map(|(_, _, fault)| *fault)
    };
    supervisor.serve(&concerns, &mut decide, &mut || false)?;
    let status = supervisor
        .into_child()
        .wait()
        .map_err(while_doing("waiting for the program"))?;
    Ok(status.success())
}
