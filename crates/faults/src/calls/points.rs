//! The points of a move, its calls in order, and what a fault at one of them leads to.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use mover::{Control, EngineChoice, Method};
use sys::faults::Call;

use super::supervisor::{Fault, Seen, Supervisor};
use super::trap;
use crate::disk::looped::fast;
use crate::driver::words;
use crate::scene::{Scene, Sight, Subject};
use crate::{Outcome, while_doing};

/// One kind of move whose calls are gone through.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// For people.
    pub title: String,
    /// What is moved.
    pub subject: Subject,
    /// By this method only, or by the ladder.
    pub only: Option<Method>,
    /// How it is copied.
    pub engine: EngineChoice,
    /// The source stays.
    pub keep_source: bool,
    /// The source's storage path is made below this directory.
    pub from: PathBuf,
    /// The target's.
    pub to: PathBuf,
    /// Size of the large file.
    pub bytes: usize,
}

/// A call of a move: which of those of its name, from 1. Two threads of a copy take turns as they like, so its place
/// among all calls is another each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The call's name.
    pub name: &'static str,
    /// Which one.
    pub nth: usize,
}

impl Point {
    /// The next of this name after these calls.
    fn next(name: &'static str, calls: &[Seen]) -> Point {
        let nth = calls.iter().filter(|call| call.name == name).count() + 1;
        Point { name, nth }
    }

    /// The points of a run.
    pub fn all(calls: &[Seen]) -> Vec<Point> {
        (0..calls.len())
            .map(|at| Point::next(calls[at].name, &calls[..at]))
            .collect()
    }
}

/// What came of one run of the driver.
#[derive(Debug)]
pub struct Ran {
    /// The calls on the files of the scene.
    pub calls: Vec<Seen>,
    /// The driver said that the move is done.
    pub done: bool,
    /// What it printed.
    pub said: String,
}

impl Ran {
    /// Whether the fault met its call.
    pub fn was_hit(&self) -> bool {
        self.calls.iter().any(|call| call.failed)
    }
}

/// The scene of a scenario, in directories of its own, which go with it.
pub struct Stage {
    /// What is moved.
    pub scene: Scene,
    directories: [tempfile::TempDir; 3],
}

impl Stage {
    /// Makes the directories and writes the source.
    /// # Errors
    /// When that fails.
    pub fn set(scenario: &Scenario, seed: u64) -> Outcome<Stage> {
        let directory =
            |at: &Path| tempfile::tempdir_in(at).map_err(while_doing("making a directory"));
        let directories = [
            directory(&fast())?,
            directory(&scenario.from)?,
            directory(&scenario.to)?,
        ];
        let [own, source, target] = directories.each_ref().map(|each| each.path());
        let journal = own.join("moves.journal");
        let mut scene = Scene::set(
            &journal,
            (source, target),
            scenario.subject,
            scenario.bytes,
            seed,
        )?;
        scene.request.only = scenario.only;
        scene.request.keep_source = scenario.keep_source;
        scene.engine = scenario.engine;
        Ok(Stage { scene, directories })
    }

    /// Runs the driver, with a fault at one of its calls.
    /// # Errors
    /// When it cannot be run or supervised.
    pub fn run(&self, program: &Path, fault: Option<(Point, Fault)>) -> Outcome<Ran> {
        let mut all = vec![program.display().to_string(), "drive".to_owned()];
        all.extend(words(&self.scene));
        let (child, listener) = trap::start(program, &all, |command| {
            command.stderr(Stdio::inherit());
        })?;
        let mut supervisor = Supervisor::new(child, listener);
        let mut calls: Vec<Seen> = Vec::new();
        let roots = self.directories.each_ref().map(|each| each.path());
        let concerns = |_: &Call, path: &Path| {
            path.starts_with("anon_inode:[io_uring]")
                || roots.iter().any(|root| path.starts_with(root))
        };
        let mut decide = |seen: &mut Seen| {
            let point = Point::next(seen.name, &calls);
            let found = fault
                .filter(|(wanted, _)| *wanted == point)
                .map(|(_, fault)| fault);
            let found = found.filter(|fault| *fault != Fault::Short || seen.can_be_short);
            seen.failed = found.is_some();
            calls.push(seen.clone());
            found
        };
        supervisor.serve(&concerns, &mut decide, &mut || false)?;
        let output = supervisor
            .into_child()
            .wait_with_output()
            .map_err(while_doing("waiting for the driver"))?;
        Ok(Ran {
            calls,
            done: output.status.success(),
            said: String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        })
    }

    /// Judges what a run has left, recovers, and judges again.
    /// # Errors
    /// The first invariant that does not hold.
    pub fn judge(&self, ran: &Ran, fault: Fault) -> Outcome<()> {
        let sight = self.scene.look()?;
        let wanted = Sight {
            source: self.scene.request.keep_source,
            target: true,
        };
        if ran.done && sight != wanted {
            return Err(format!(
                "the driver said that it is done, and there is {sight:?}: {}",
                ran.said
            ));
        }
        let is_promise = |call: &&Seen| call.failed && is_sync(call);
        if let Some(call) = ran
            .calls
            .iter()
            .find(is_promise)
            .filter(|_| ran.done && fault != Fault::Short)
        {
            return Err(format!(
                "{} of {} failed, and the move counts as done",
                call.name,
                call.path.display()
            ));
        }
        if !ran.done && fault != Fault::Kill && !ran.said.contains("\"message\":\"") {
            return Err(format!("the driver failed without a word: '{}'", ran.said));
        }
        no_sync_is_retried(&ran.calls)?;
        self.scene.recover(&Control::new())?;
        self.scene.settle().map(|_| ())
    }
}

fn is_sync(call: &Seen) -> bool {
    matches!(call.name, "fsync" | "fdatasync" | "syncfs")
}

/// After a failed fsync the pages count as clean: a second one on the same file would lie.
/// # Errors
/// The file that was synced again.
pub fn no_sync_is_retried(calls: &[Seen]) -> Outcome<()> {
    let Some(at) = calls.iter().position(|call| call.failed && is_sync(call)) else {
        return Ok(());
    };
    let failed = &calls[at];
    match calls[at + 1..]
        .iter()
        .filter(|call| is_sync(call))
        .find(|later| later.inode == failed.inode)
    {
        None => Ok(()),
        Some(later) => Err(format!(
            "{} of {} failed, and then {} of {} was tried on the same inode",
            failed.name,
            failed.path.display(),
            later.name,
            later.path.display()
        )),
    }
}
