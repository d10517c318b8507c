//! What a stop left behind: each open move has one legal next step, or none.

use sys::{Errno, files};

use crate::control::{Control, Step};
use crate::failure::{During, Failure, Result};
use crate::journal::OpenMove;
use crate::manifest::{Contents, Manifest};
use crate::mover::Mover;
use crate::place::{Place, Root, Spot, sync_directory};
use crate::record::Record;
use crate::tree;

/// Where a move stands after recovery, and so what its caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveredState {
    /// The target was not made, the source is intact, the journal has forgotten the move.
    Discarded,
    /// Declare the target, then `remove_source`, drop the source, `done`.
    TargetDurable,
    /// Drop the source from the index, then `done`.
    SourceRemoved,
    /// Not certain: nothing was touched. `done` forgets the move.
    Alarm,
}

impl RecoveredState {
    /// The word that crosses to TypeScript.
    pub fn as_str(self) -> &'static str {
        match self {
            RecoveredState::Discarded => "discarded",
            RecoveredState::TargetDurable => "target-durable",
            RecoveredState::SourceRemoved => "source-removed",
            RecoveredState::Alarm => "alarm",
        }
    }
}

/// One move that a stop interrupted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Its id.
    pub op: String,
    /// What its caller wrote beside it.
    pub tag: String,
    /// What was moved.
    pub source: Place,
    /// Where to.
    pub target: Place,
    /// Whether the source stays.
    pub keep_source: bool,
    /// What is next.
    pub state: RecoveredState,
    /// Why there is an alarm.
    pub reason: Option<String>,
}

impl Mover {
    /// Looks at every open move that no thread works on. It may be stopped anywhere and run again.
    /// # Errors
    /// `Journal`, `Cancelled`. What is wrong with one move is its alarm, not a failure of all.
    pub fn recover(&self, control: &Control) -> Result<Vec<Recovered>> {
        let ops: Vec<String> = self
            .state()
            .journal
            .open
            .iter()
            .map(|entry| entry.intent.op.clone())
            .collect();
        let mut all = Vec::with_capacity(ops.len());
        for op in ops {
            let Ok(Some((_claim, entry))) = self.claim_open(&op) else {
                continue;
            };
            let intent = entry.intent.clone();
            control.check(&intent.op)?;
            let (state, reason) = self.look_at(&entry, control)?;
            all.push(Recovered {
                op: intent.op,
                tag: intent.tag,
                source: intent.source,
                target: intent.target,
                keep_source: intent.keep_source,
                state,
                reason,
            });
        }
        Ok(all)
    }

    fn look_at(
        &self,
        entry: &OpenMove,
        control: &Control,
    ) -> Result<(RecoveredState, Option<String>)> {
        let state = match &entry.durable {
            _ if entry.source_removed => return Ok((RecoveredState::SourceRemoved, None)),
            Some(manifest) => still_there(entry, manifest).map(|()| RecoveredState::TargetDurable),
            None => Begun::open(entry).and_then(|begun| begun.decide(control)),
        };
        let state = match state {
            Ok(state) => state,
            Err(failure) => {
                control.check(&entry.intent.op)?;
                return Ok((RecoveredState::Alarm, Some(failure.message)));
            }
        };
        // What was done on the disk is durable now; the journal follows.
        let op = entry.intent.op.clone();
        match state {
            RecoveredState::Discarded => self.record_done(&op, control)?,
            RecoveredState::TargetDurable if entry.durable.is_none() => {
                let manifest = entry.intent.manifest.clone();
                self.append(Record::TargetDurable { op, manifest })?;
                control.step(Step::TargetRecorded);
            }
            _ => {}
        }
        Ok((state, None))
    }
}

fn spot_again(place: &Place, nonce: &str) -> Result<Spot> {
    Spot::open(Root::open_again(&place.root, nonce)?, &place.name)
}

fn alarm(label: &str, message: &str) -> Failure {
    Failure::new(crate::Code::WrongState, label, message)
}

fn still_there(entry: &OpenMove, manifest: &Manifest) -> Result<()> {
    let target = spot_again(&entry.intent.target, &entry.intent.target_nonce)?;
    let label = target.label();
    match Contents::read(&target.dir, &target.leaf, &label)? {
        Some(now) if manifest.fits(&now) => Ok(()),
        Some(_) => Err(alarm(
            &label,
            "was moved here and is now something else; compare it with the source by hand",
        )),
        None => Err(alarm(
            &label,
            "was moved here and is gone; the source, if it is there, is the only copy",
        )),
    }
}

/// A move whose intent is the last thing the journal knows.
struct Begun<'a> {
    entry: &'a OpenMove,
    source: Spot,
    target: Option<Spot>,
}

impl<'a> Begun<'a> {
    fn open(entry: &'a OpenMove) -> Result<Begun<'a>> {
        let intent = &entry.intent;
        let source = spot_again(&intent.source, &intent.source_nonce)?;
        // The directory of this type may be what was not yet durable.
        let target = match spot_again(&intent.target, &intent.target_nonce) {
            Err(failure) if failure.errno == Some(Errno::NOENT.raw_os_error()) => {
                Root::open_again(&intent.target.root, &intent.target_nonce).map(|_| None)?
            }
            other => Some(other?),
        };
        Ok(Begun {
            entry,
            source,
            target,
        })
    }

    fn decide(&self, control: &Control) -> Result<RecoveredState> {
        let label = self.source.label();
        let source =
            Contents::read(&self.source.dir, &self.source.leaf, &label)?.ok_or_else(|| {
                alarm(
                    &label,
                    "the move's source is gone and the journal does not say why",
                )
            })?;
        // A changed source may be worse than the private copy: neither is touched.
        let manifest = &self.entry.intent.manifest;
        if !manifest.fits(&source) {
            return Err(alarm(
                &label,
                "the move's source changed since it began; compare it with the target by hand",
            ));
        }
        manifest.check_source(&source, &label)?;
        let Some(target) = &self.target else {
            return Ok(RecoveredState::Discarded);
        };
        let there = Contents::read(&target.dir, &target.leaf, &target.label())?;
        let Some(there) = there else {
            return self.discard(target, control);
        };
        let unsealed = self.source.is_unsealed();
        if source.same_content(&there, (&label, &target.label()), unsealed, control)? {
            return self.complete(target, control);
        }
        // Another's file: ours would have taken the private name's place.
        if self.has_temp(target)? {
            return self.discard(target, control);
        }
        Err(alarm(
            &target.label(),
            "differs from the move's source; compare them by hand",
        ))
    }

    /// The final name was given, and its content is on the disk: makes the name as durable as the move would have.
    fn complete(&self, target: &Spot, control: &Control) -> Result<RecoveredState> {
        target.root.check()?;
        target.sync_names()?;
        control.step(Step::NameDurable);
        self.discard(target, control)?;
        Ok(RecoveredState::TargetDurable)
    }

    fn has_temp(&self, target: &Spot) -> Result<bool> {
        let temp = target.temp(&self.entry.intent.op);
        let Some(fetching) = target.existing_fetching()? else {
            return Ok(false);
        };
        match files::stat_at(&fetching, &temp) {
            Err(Errno::NOENT) => Ok(false),
            other => other
                .map(|_| true)
                .during("fstatat", || target.temp_label(&self.entry.intent.op)),
        }
    }

    fn discard(&self, target: &Spot, control: &Control) -> Result<RecoveredState> {
        let op = &self.entry.intent.op;
        if let Some(fetching) = target.existing_fetching()? {
            target.root.check()?;
            tree::remove(&fetching, &target.temp(op))
                .and_then(|()| sync_directory(&fetching))
                .during("unlinkat", || target.temp_label(op))?;
            control.step(Step::TempRemoved);
        }
        Ok(RecoveredState::Discarded)
    }
}
