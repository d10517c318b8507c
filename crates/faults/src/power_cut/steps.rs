//! Acting at one step of a move, while the move waits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use mover::Control;

use crate::Outcome;

/// Works with a control that acts once, right after a step, on the thread that works. None if there were fewer.
pub(super) fn at_step(
    at: usize,
    act: &(dyn Fn() -> Outcome<()> + Sync),
    work: impl FnOnce(&Control),
) -> Option<Outcome<()>> {
    let (passed, outcome) = (AtomicUsize::new(0), Mutex::new(None));
    std::thread::scope(|scope| {
        // A listener must own what it uses: it only says that the step was passed, and waits.
        let (tell, told) = std::sync::mpsc::channel::<std::sync::mpsc::SyncSender<()>>();
        let acting = scope.spawn(|| {
            for go_on in told {
                if passed.fetch_add(1, Relaxed) + 1 == at
                    && let Ok(mut outcome) = outcome.lock()
                {
                    *outcome = Some(act());
                }
                let _ = go_on.send(());
            }
        });
        let control = Control::with_steps(move |_| {
            let (go_on, wait) = std::sync::mpsc::sync_channel(1);
            if tell.send(go_on).is_ok() {
                let _ = wait.recv();
            }
        });
        let _ = catch_unwind(AssertUnwindSafe(|| work(&control)));
        drop(control);
        let _ = acting.join();
    });
    outcome.into_inner().unwrap_or(None)
}
