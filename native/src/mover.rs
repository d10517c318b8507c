//! Moves of sector files: `crates/mover`.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use mover::Control;
use napi::bindgen_prelude::{Either, PromiseRaw, ToNapiValue};
use napi::{Env, Result};
use napi_derive::napi;

use crate::background::in_background;
use crate::failure::{NativeFailure, Nothing, Outcome, number, outcome, panicked, thrown};

mod shapes;
mod steps;

use shapes::{Durable, Leftover, Progress, Recovered, Removed, Tier, TransferRequest, options_of};

/// The open mover. Transfers share the slot, not the mover: one that nobody has collected yet must not
/// keep the journal locked.
type Slot = Arc<Mutex<Option<Arc<mover::Mover>>>>;

fn held(slot: &Slot) -> mover::Result<Arc<mover::Mover>> {
    let held = slot.lock().unwrap_or_else(PoisonError::into_inner).clone();
    held.ok_or_else(|| mover::Failure::new(mover::Code::WrongState, "mover", "it is not open"))
}

/// Runs `work` with the mover on a thread, or tells that it is not open.
fn with<T, U>(
    (slot, env): (&Slot, &Env),
    name: &str,
    work: impl FnOnce(&mover::Mover) -> mover::Result<T> + Send + 'static,
    convert: impl FnOnce(T) -> U + Send + 'static,
) -> Result<PromiseRaw<'static, Outcome<U>>>
where
    Outcome<U>: ToNapiValue + Send + 'static,
{
    let held = held(slot);
    let work = move || outcome(held.and_then(|mover| work(&mover)), convert);
    in_background(env, name, work, panicked)
}

const OK: fn(()) -> Nothing = |()| Nothing { ok: true };

/// One move; made by `Mover.transfer`.
#[napi]
pub struct Transfer {
    slot: Slot,
    request: Arc<mover::TransferRequest>,
    control: Arc<Control>,
}

#[napi]
impl Transfer {
    /// Settles when the target is durable.
    #[napi(catch_unwind)]
    pub fn run(&self, env: &Env) -> Result<PromiseRaw<'static, Either<Durable, NativeFailure>>> {
        let (request, control) = (self.request.clone(), self.control.clone());
        let work = move |mover: &mover::Mover| mover.transfer(&request, &control);
        with((&self.slot, env), "sealyard-move", work, Durable::from)
    }

    #[napi(catch_unwind)]
    pub fn progress(&self) -> Progress {
        let (bytes, total) = self.control.progress();
        Progress {
            bytes: number(bytes),
            total: number(total),
        }
    }

    #[napi(catch_unwind)]
    pub fn cancel(&self) {
        self.control.cancel();
    }

    #[napi(catch_unwind)]
    pub fn remove_source(
        &self,
        env: &Env,
    ) -> Result<PromiseRaw<'static, Either<Nothing, NativeFailure>>> {
        let request = self.request.clone();
        let work = move |mover: &mover::Mover| mover.remove_source(&request.op, &steps::control());
        with((&self.slot, env), "sealyard-source", work, OK)
    }

    #[napi(catch_unwind)]
    pub fn done(&self, env: &Env) -> Result<PromiseRaw<'static, Either<Nothing, NativeFailure>>> {
        let request = self.request.clone();
        with(
            (&self.slot, env),
            "sealyard-done",
            move |mover| mover.done(&request.op).inspect(|()| steps::passed_done()),
            OK,
        )
    }
}

/// Moves sector files with one journal.
#[napi]
pub struct Mover {
    journal: PathBuf,
    options: mover::Options,
    slot: Slot,
}

#[napi]
impl Mover {
    /// @param copyEngine `auto`, `direct`, `uncached` or `buffered`
    #[napi(constructor, catch_unwind)]
    pub fn new(journal_path: String, copy_engine: String) -> Result<Self, String> {
        Ok(Mover {
            journal: journal_path.into(),
            options: options_of(&copy_engine)?,
            slot: Slot::default(),
        })
    }

    /// Opens or creates the journal and locks it.
    #[napi(catch_unwind)]
    pub fn open(&self, env: &Env) -> Result<PromiseRaw<'static, Either<Nothing, NativeFailure>>> {
        let (journal, slot) = (self.journal.clone(), self.slot.clone());
        let options = self.options;
        let work = move || {
            let opened = mover::Mover::open_with(&journal, options);
            outcome(opened, |mover| {
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(mover));
                Nothing { ok: true }
            })
        };
        in_background(env, "sealyard-open", work, panicked)
    }

    /// Gives the journal back when what runs has ended.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        self.slot
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    #[napi(catch_unwind)]
    pub fn recover(
        &self,
        env: &Env,
    ) -> Result<PromiseRaw<'static, Either<Vec<Recovered>, NativeFailure>>> {
        let convert = |all: Vec<mover::Recovered>| all.into_iter().map(Recovered::from).collect();
        with(
            (&self.slot, env),
            "sealyard-recover",
            |mover| mover.recover(&steps::control()),
            convert,
        )
    }

    /// Prepares a transfer; nothing moves before `run()`.
    #[napi(catch_unwind)]
    pub fn transfer(&self, request: TransferRequest) -> Result<Transfer, String> {
        let request = Arc::new(request.convert()?);
        held(&self.slot).map_err(thrown)?;
        Ok(Transfer {
            slot: self.slot.clone(),
            request,
            control: Arc::new(steps::control()),
        })
    }

    #[napi(catch_unwind)]
    pub fn remove_source(
        &self,
        env: &Env,
        op: String,
    ) -> Result<PromiseRaw<'static, Either<Nothing, NativeFailure>>> {
        let work = move |mover: &mover::Mover| mover.remove_source(&op, &steps::control());
        with((&self.slot, env), "sealyard-remove", work, OK)
    }

    #[napi(catch_unwind)]
    pub fn done(
        &self,
        env: &Env,
        op: String,
    ) -> Result<PromiseRaw<'static, Either<Nothing, NativeFailure>>> {
        with(
            (&self.slot, env),
            "sealyard-done",
            move |mover| mover.done(&op).inspect(|()| steps::passed_done()),
            OK,
        )
    }

    #[napi(catch_unwind)]
    pub fn remove(
        &self,
        env: &Env,
        root: String,
        name: String,
    ) -> Result<PromiseRaw<'static, Either<Removed, NativeFailure>>> {
        let work = move |mover: &mover::Mover| mover.remove(root.as_ref(), &name);
        with((&self.slot, env), "sealyard-remove", work, |removed| {
            Removed {
                removed: removed.removed,
                allocated_bytes: number(removed.allocated_bytes),
            }
        })
    }

    #[napi(catch_unwind)]
    pub fn leftovers(
        &self,
        env: &Env,
        root: String,
    ) -> Result<PromiseRaw<'static, Either<Vec<Leftover>, NativeFailure>>> {
        let work = move |mover: &mover::Mover| mover.leftovers(root.as_ref());
        let convert = |all: Vec<mover::Leftover>| all.into_iter().map(Leftover::from).collect();
        with((&self.slot, env), "sealyard-list", work, convert)
    }

    #[napi(catch_unwind)]
    pub fn discard(
        &self,
        env: &Env,
        root: String,
        name: String,
    ) -> Result<PromiseRaw<'static, Either<Nothing, NativeFailure>>> {
        let work = move |mover: &mover::Mover| mover.discard(root.as_ref(), &name);
        with((&self.slot, env), "sealyard-discard", work, OK)
    }
}

/// The cheapest method between two storage paths, found by trying.
#[napi(catch_unwind)]
pub fn probe_tier(
    env: &Env,
    source_root: String,
    target_root: String,
) -> Result<PromiseRaw<'static, Either<Tier, NativeFailure>>> {
    let work = move || {
        let tier = mover::probe_tier(source_root.as_ref(), target_root.as_ref());
        outcome(tier, |method| Tier {
            tier: method.as_str().to_owned(),
        })
    };
    in_background(env, "sealyard-probe", work, panicked)
}

/// The ways to copy that work on a storage path, found by trying: of `direct`, `uncached`, `buffered`.
#[napi(catch_unwind)]
pub fn probe_copy_engines(
    env: &Env,
    root: String,
) -> Result<PromiseRaw<'static, Either<Vec<String>, NativeFailure>>> {
    let work = move || {
        let engines = mover::probe_engines(root.as_ref());
        outcome(engines, |all| {
            all.iter()
                .map(|engine| engine.as_str().to_owned())
                .collect()
        })
    };
    in_background(env, "sealyard-probe", work, panicked)
}
