//! The mover: one journal, and the moves that are under way with it.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::control::{Control, Step};
use crate::copy::{Engine, EngineChoice};
use crate::failure::{Code, Failure, Result};
use crate::hash::{Digest, HashKind};
use crate::journal::{Journal, OpenMove};
use crate::place::{Place, check_op, split_name};
use crate::record::Record;
use crate::transfer::{Arrived, Job};

/// How content comes to a target, cheapest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Source and target are one name.
    InPlace,
    /// The name moved, the blocks did not.
    Rename,
    /// Both share their blocks (FICLONE).
    Clone,
    /// The data extents were copied.
    Copy,
}

impl Method {
    /// The word operators and TypeScript know.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::InPlace => "in-place",
            Method::Rename => "rename",
            Method::Clone => "clone",
            Method::Copy => "copy",
        }
    }
}

/// What is to be moved, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRequest {
    /// Unique for ever; letters, digits, `-` and `_`, at most 64.
    pub op: String,
    /// What is moved.
    pub source: Place,
    /// Where it goes; its storage path must exist.
    pub target: Place,
    /// True copies: the source is never removed.
    pub keep_source: bool,
    /// Compare what the target's disk gives back with what was read. A clone or rename needs none.
    pub verify: bool,
    /// Comes back with a recovered move.
    pub tag: String,
    /// Only this method, `NotHere` where it does not work.
    pub only: Option<Method>,
    /// The hash taken of what is copied. A clone or rename reads nothing, so has none.
    pub hash: HashKind,
    /// Copies runs of zeros that were written as holes.
    pub skip_zeros: bool,
}

impl TransferRequest {
    /// Refuses what could not be a request: nothing on the disk is looked at.
    /// # Errors
    /// `Invalid`.
    pub fn check(&self) -> Result<()> {
        check_op(&self.op)?;
        split_name(&self.source.name)?;
        split_name(&self.target.name)?;
        if self.keep_source && self.only == Some(Method::Rename) {
            return Err(Failure::new(
                Code::Invalid,
                &self.op,
                "a rename cannot keep its source",
            ));
        }
        Ok(())
    }
}

/// What holds for all moves of a mover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How data is copied.
    pub engine: EngineChoice,
}

/// The hash of a file that was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHash {
    /// In a directory; empty for a sector file that is one file.
    pub name: String,
    /// Length.
    pub bytes: u64,
    /// Of its content.
    pub digest: Digest,
}

/// A target that is complete, verified and durable under its final name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durable {
    /// How it came there.
    pub method: Method,
    /// Length of all files.
    pub bytes: u64,
    /// What they take on the target's disk.
    pub allocated_bytes: u64,
    /// How data was copied (of the largest file of a directory); None for all but a copy that we made.
    pub engine: Option<Engine>,
    /// Bytes read from the source: 0 for all but a copy, holes not counted.
    pub copied_bytes: u64,
    /// Bytes written: fewer where zeros became holes.
    pub written_bytes: u64,
    /// Bytes read again from the target's disk, to compare them.
    pub read_back_bytes: u64,
    /// Of the files that were copied, where a hash was asked for.
    pub hashes: Vec<FileHash>,
    /// How long it took.
    pub took: Duration,
    /// How many files.
    pub files: u64,
    /// Nothing is left for `remove_source` to do.
    pub source_gone: bool,
}

pub(crate) struct State {
    pub journal: Journal,
    /// Operations a thread is at work on, and their names.
    running: HashMap<String, [Place; 2]>,
    /// Names a thread is removing for good.
    removing: Vec<Place>,
    /// Moves that needed no record and that nobody has called done.
    unrecorded: HashSet<String>,
}

/// Moves sector files with a journal that survives power loss.
///
/// ```text
///            intent          TEMP filled,       NAME given,        target
///           recorded       synced, verified    synced (no replace)  recorded
///   new ───────► begun ───────────► filled ───────────► named ──────────► durable
///    │             │                  │                   │                  │  the caller declares
///    │ rename      └── any failure: TEMP removed, done ───┘                  ▼  the target
///    │ (fsync first)                                                    remove_source
///    └───► durable, nothing to record, source gone                  set aside, unlinked, recorded
///                                                                            │  the caller drops
///                                                                            ▼  the source
///                                                                           done
/// ```
///
/// Before *durable* the source is untouched; from *durable* on the target is complete. A move that
/// keeps its source goes from *durable* to *done*. After a stop, `recover` finds each open move in one
/// of these states by journal and disk, undoes what is before *named*, completes what is after it, and
/// raises an alarm, touching nothing, where it is not certain. A move between two names on one mount
/// is a rename: the disk alone says whether it happened, so the caller finds it by looking.
///
/// Dropping the mover gives the journal back.
pub struct Mover {
    state: Mutex<State>,
    pub(crate) options: Options,
}

/// While it lives, no other thread works on the operation.
pub(crate) struct Claim<'a> {
    mover: &'a Mover,
    op: String,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.mover.state().running.remove(&self.op);
    }
}

/// While it lives, no move begins with the name or goes on with it.
pub(crate) struct Removing<'a> {
    mover: &'a Mover,
    place: Place,
}

impl Drop for Removing<'_> {
    fn drop(&mut self) {
        let mut state = self.mover.state();
        if let Some(at) = state.removing.iter().position(|each| *each == self.place) {
            state.removing.swap_remove(at);
        }
    }
}

impl Mover {
    /// Opens or creates the journal and locks it. Its directory must exist.
    /// # Errors
    /// `Journal` if it is damaged or another process has it.
    pub fn open(journal: &Path) -> Result<Mover> {
        Mover::open_with(journal, Options::default())
    }

    /// As `open`, not with the default options.
    /// # Errors
    /// As `open`.
    pub fn open_with(journal: &Path, options: Options) -> Result<Mover> {
        let journal = Journal::open(journal)?;
        let state = State {
            journal,
            running: HashMap::new(),
            removing: Vec::new(),
            unrecorded: HashSet::new(),
        };
        Ok(Mover {
            state: Mutex::new(state),
            options,
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // No code that holds it leaves it half changed: the journal marks itself broken before it writes.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn append(&self, record: Record) -> Result<()> {
        self.state().journal.append(record)
    }

    pub(crate) fn open_move(&self, op: &str) -> Option<OpenMove> {
        self.state().journal.find(op).cloned()
    }

    pub(crate) fn claim(&self, op: &str, places: [Place; 2]) -> Result<Claim<'_>> {
        let mut state = self.state();
        if state.running.contains_key(op) {
            return Err(Failure::new(Code::Busy, op, "this operation is under way"));
        }
        if let Some(place) = places.iter().find(|place| state.removing.contains(place)) {
            return Err(Failure::new(Code::Busy, place.label(), "is being removed"));
        }
        state.running.insert(op.to_owned(), places);
        Ok(Claim {
            mover: self,
            op: op.to_owned(),
        })
    }

    /// Claims an operation of the journal as it stands now; None if the journal does not know it.
    pub(crate) fn claim_open(&self, op: &str) -> Result<Option<(Claim<'_>, OpenMove)>> {
        let Some(seen) = self.open_move(op) else {
            return Ok(None);
        };
        let claim = self.claim(op, [seen.intent.source, seen.intent.target])?;
        // Another thread may have ended it before the claim.
        Ok(self.open_move(op).map(|entry| (claim, entry)))
    }

    /// Brings the source's content to the target, durably, on the calling thread.
    /// # Errors
    /// No partial target has a final name, and the source is intact. Only where a rename could be neither made durable
    /// nor taken back, the file is complete under its new name; the message says so.
    pub fn transfer(&self, request: &TransferRequest, control: &Control) -> Result<Durable> {
        let began = Instant::now();
        request.check()?;
        let _claim = self.claim(
            &request.op,
            [request.source.clone(), request.target.clone()],
        )?;
        if self.open_move(&request.op).is_some() || self.state().unrecorded.contains(&request.op) {
            return Err(Failure::new(
                Code::Busy,
                &request.op,
                "this operation id was used before and is not done",
            ));
        }
        let job = Job::prepare(self, request, control)?;
        let arrived = job.climb().map_err(|failure| Failure {
            bytes_done: control.progress().0,
            ..failure
        })?;
        let (bytes, allocated_bytes, files) = job.measure()?;
        let Arrived {
            method,
            copying,
            hashes,
            recorded,
        } = arrived;
        if !recorded {
            self.state().unrecorded.insert(request.op.clone());
        }
        let source_gone = !recorded && !request.keep_source;
        Ok(Durable {
            method,
            bytes,
            allocated_bytes,
            engine: copying.engine(),
            copied_bytes: copying.read_bytes,
            written_bytes: copying.written_bytes,
            read_back_bytes: copying.read_back_bytes,
            hashes,
            took: began.elapsed(),
            files,
            source_gone,
        })
    }

    /// Whether a move without a record came to its end: there is no source to remove.
    pub(crate) fn is_unrecorded(&self, op: &str) -> bool {
        self.state().unrecorded.contains(op)
    }

    /// Ends a move in the journal; an unknown one is done already.
    /// # Errors
    /// `Busy` while a thread works on it; `Journal`.
    pub fn done(&self, op: &str) -> Result<()> {
        let mut state = self.state();
        if state.running.contains_key(op) {
            return Err(Failure::new(Code::Busy, op, "this operation is under way"));
        }
        state.unrecorded.remove(op);
        if state.journal.find(op).is_some() {
            state.journal.append(Record::Done { op: op.to_owned() })?;
        }
        Ok(())
    }

    /// Whether a name ends with the id of an operation that is under way or not done.
    pub(crate) fn owns(&self, temp: &str) -> bool {
        let state = self.state();
        let open = state.journal.open.iter().map(|entry| &entry.intent.op);
        open.chain(state.running.keys()).any(|op| {
            temp.strip_suffix(op.as_str())
                .is_some_and(|rest| rest.ends_with('.'))
        })
    }

    /// Keeps moves away from a name that is removed for good, unless one is at work on it. A move that has looked
    /// at its target must not lose it before it unlinks its source.
    pub(crate) fn claim_removal(&self, place: Place) -> Result<Removing<'_>> {
        let mut state = self.state();
        if state.running.values().flatten().any(|used| *used == place) {
            return Err(Failure::new(Code::Busy, place.label(), "is being moved"));
        }
        state.removing.push(place.clone());
        Ok(Removing { mover: self, place })
    }

    pub(crate) fn record_done(&self, op: &str, control: &Control) -> Result<()> {
        self.append(Record::Done { op: op.to_owned() })?;
        control.step(Step::DoneRecorded);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_moved_or_removed_but_not_both() {
        let temp = tempfile::tempdir().unwrap();
        let mover = Mover::open(&temp.path().join("moves.journal")).unwrap();
        let place = |name: &str| Place {
            root: temp.path().to_owned(),
            name: name.to_owned(),
        };
        let places = || [place("sealed/a"), place("sealed/b")];
        let removing = mover.claim_removal(place("sealed/b")).unwrap();
        let busy = mover.claim("op", places()).err().unwrap();
        assert_eq!(busy.code, Code::Busy);
        drop(removing);
        let moving = mover.claim("op", places()).unwrap();
        let busy = mover.claim_removal(place("sealed/a")).err().unwrap();
        assert_eq!(busy.code, Code::Busy);
        drop(moving);
        drop(mover.claim_removal(place("sealed/a")).unwrap());
    }
}
