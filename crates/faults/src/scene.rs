//! One sector file that is to be moved, and the judge of what is there afterwards.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use mover::{
    Control, Durable, EngineChoice, Failure, HashKind, Mover, Options, Place, RecoveredState,
    TransferRequest,
};

use crate::content::{Content, content, read, sync_whole, write_durably};
use crate::{Outcome, while_doing};

/// What is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One file.
    File,
    /// A cache directory, as a unit.
    Directory,
}

impl Subject {
    /// Its name below a storage path.
    pub fn name(self) -> &'static str {
        match self {
            Subject::File => "sealed/s-t01000-7",
            Subject::Directory => "cache/s-t01000-7",
        }
    }
}

/// Two storage paths, a journal, and what the source held before anything was done.
pub struct Scene {
    /// The journal of moves.
    pub journal: PathBuf,
    /// What is asked for.
    pub request: TransferRequest,
    /// How what is copied is copied.
    pub engine: EngineChoice,
    expected: Content,
}

/// Which final names there are; each of them was compared and is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// The source has its name.
    pub source: bool,
    /// The target has its name.
    pub target: bool,
}

/// What a killed process leaves: no code of ours runs after the step.
struct Killed;

impl Scene {
    /// Writes a source of about `bytes`, durable as a task that has ended leaves it, below paths that exist.
    /// # Errors
    /// When a file cannot be written.
    pub fn set(
        journal: &Path,
        (source, target): (&Path, &Path),
        subject: Subject,
        bytes: usize,
        seed: u64,
    ) -> Outcome<Scene> {
        let place = |root: &Path| Place {
            root: root.to_owned(),
            name: subject.name().to_owned(),
        };
        let request = TransferRequest {
            op: format!("op-{seed}"),
            source: place(source),
            target: place(target),
            keep_source: false,
            verify: true,
            tag: "sector 7".to_owned(),
            only: None,
            hash: HashKind::Off,
            skip_zeros: false,
        };
        let expected = content(subject, bytes, seed);
        let path = source.join(subject.name());
        write_durably(&path, &expected, subject).map_err(while_doing("writing the source"))?;
        for kind in ["sealed", "cache"] {
            fs::create_dir_all(target.join(kind)).map_err(while_doing("making the target"))?;
        }
        sync_whole(target).map_err(while_doing("making the target durable"))?;
        Ok(Scene {
            journal: journal.to_owned(),
            request,
            engine: EngineChoice::Auto,
            expected,
        })
    }

    /// The source's final name.
    pub fn source(&self) -> PathBuf {
        self.request.source.root.join(&self.request.source.name)
    }

    /// The target's final name.
    pub fn target(&self) -> PathBuf {
        self.request.target.root.join(&self.request.target.name)
    }

    fn mover(&self) -> mover::Result<Mover> {
        let engine = self.engine;
        Mover::open_with(&self.journal, Options { engine })
    }

    /// All of a move, as its caller does it.
    /// # Errors
    /// Those of the mover.
    pub fn move_wholly(
        &self,
        request: &TransferRequest,
        control: &Control,
    ) -> mover::Result<Durable> {
        let mover = self.mover()?;
        let durable = mover.transfer(request, control)?;
        if !request.keep_source {
            mover.remove_source(&request.op, control)?;
        }
        mover.done(&request.op)?;
        Ok(durable)
    }

    /// What has a final name must be whole, and something must have one.
    /// # Errors
    /// What is lost or half visible.
    pub fn look(&self) -> Outcome<Sight> {
        let sight = Sight {
            source: self.is_whole(&self.source())?,
            target: self.is_whole(&self.target())?,
        };
        if self.request.keep_source && !sight.source {
            return Err(format!("a copy took its source away: {sight:?}"));
        }
        if sight.source || sight.target {
            return Ok(sight);
        }
        Err(format!(
            "lost: neither {} nor {} is there",
            self.source().display(),
            self.target().display()
        ))
    }

    /// False if nothing has the name.
    fn is_whole(&self, path: &Path) -> Outcome<bool> {
        let found = read(path).map_err(while_doing(&format!("reading {}", path.display())))?;
        let Some(found) = found else {
            return Ok(false);
        };
        if found == self.expected {
            return Ok(true);
        }
        let sizes = |content: &Content| -> Vec<(String, usize)> {
            content
                .iter()
                .map(|(name, bytes)| (name.clone(), bytes.len()))
                .collect()
        };
        Err(format!(
            "half visible: {} holds {:?} instead of {:?}",
            path.display(),
            sizes(&found),
            sizes(&self.expected)
        ))
    }

    /// What a caller does at its start: recover, and go on with what was found.
    /// # Errors
    /// An alarm, or what the mover refused.
    pub fn recover(&self, control: &Control) -> Outcome<Vec<RecoveredState>> {
        let refused = |failure: Failure| format!("recovery: {failure}");
        let mover = self.mover().map_err(refused)?;
        let found = mover.recover(control).map_err(refused)?;
        for each in &found {
            if let Some(reason) = &each.reason {
                return Err(format!("recovery raised an alarm: {reason}"));
            }
            if each.state == RecoveredState::TargetDurable && !each.keep_source {
                mover.remove_source(&each.op, control).map_err(refused)?;
            }
            if each.state != RecoveredState::Discarded {
                mover.done(&each.op).map_err(refused)?;
            }
        }
        Ok(found.into_iter().map(|each| each.state).collect())
    }

    /// The same, killed right after its `at`-th step. None if it was killed, so if there were as many.
    /// # Errors
    /// As of `recover`.
    pub fn recover_killed_at(&self, at: usize) -> Outcome<Option<Vec<RecoveredState>>> {
        killed_at(at, |control| self.recover(control)).transpose()
    }

    /// A move, killed right after its `at`-th step. None if it was killed.
    pub fn move_killed_at(
        &self,
        request: &TransferRequest,
        at: usize,
    ) -> Option<mover::Result<Durable>> {
        killed_at(at, |control| self.move_wholly(request, control))
    }

    /// After recovery: the journal knows nothing more, no private name is left, a second recovery finds nothing,
    /// and a move asked for again, where there is still one to make, ends with the target alone.
    /// # Errors
    /// What does not hold.
    pub fn settle(&self) -> Outcome<Sight> {
        let recovered = self.look()?;
        self.nothing_is_left()?;
        if recovered.source && !self.request.keep_source {
            let again = TransferRequest {
                op: format!("{}-again", self.request.op),
                ..self.request.clone()
            };
            self.move_wholly(&again, &Control::new())
                .map_err(|failure| format!("the move asked for again: {failure}"))?;
            let now = self.look()?;
            if now.source || !now.target {
                return Err(format!("the move asked for again ended with {now:?}"));
            }
            self.nothing_is_left()?;
        }
        Ok(recovered)
    }

    fn nothing_is_left(&self) -> Outcome<()> {
        let found = self.recover(&Control::new())?;
        if !found.is_empty() {
            return Err(format!("a recovery after the recovery finds {found:?}"));
        }
        let mover = self.mover().map_err(while_doing("opening the journal"))?;
        for root in [&self.request.source.root, &self.request.target.root] {
            let left = mover
                .leftovers(root)
                .map_err(while_doing("looking for leftovers"))?;
            if !left.is_empty() {
                return Err(format!("left over: {left:?}"));
            }
        }
        Ok(())
    }

    /// Takes everything away, so that the next scene can be set on the same file systems.
    /// # Errors
    /// When something cannot be removed.
    pub fn clear(&self) -> Outcome<()> {
        for path in [self.source(), self.target(), self.journal.clone()] {
            let removed = if path.is_dir() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(format!("removing {}: {error}", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn killed_at<T>(at: usize, work: impl FnOnce(&Control) -> T) -> Option<T> {
    let passed = AtomicUsize::new(0);
    let control = Control::with_steps(move |_| {
        if passed.fetch_add(1, Relaxed) + 1 == at {
            resume_unwind(Box::new(Killed));
        }
    });
    match catch_unwind(AssertUnwindSafe(|| work(&control))) {
        Ok(value) => Some(value),
        Err(panic) if panic.is::<Killed>() => None,
        Err(panic) => resume_unwind(panic),
    }
}
