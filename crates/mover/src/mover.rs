//! The mover: one journal, and the moves that are under way with it.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::control::{Control, Step};
use crate::failure::{Code, Failure, Result};
use crate::journal::{Journal, OpenMove};
use crate::place::Place;
use crate::record::Record;
use crate::request::{Durable, Options, TransferRequest};
use crate::transfer::{Arrived, Job};

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
