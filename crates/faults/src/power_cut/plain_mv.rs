//! The same cuts of `mv`: a harness that finds nothing there proves nothing.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Cycle, Rig, Toll};
use crate::{Outcome, while_doing};

/// `mv` has left its data in the page cache when it ends: the cut may come that late.
const LATEST: Duration = Duration::from_millis(60);

impl Rig {
    /// One cut of a `mv`; there is nothing to recover.
    /// # Errors
    /// When a disk cannot be cut or does not come back.
    pub fn run_plain_mv(&mut self, cycle: &Cycle, toll: &mut Toll) -> Outcome<()> {
        let scene = self.scene(cycle)?;
        let mut random = cycle.random.clone();
        let mut moving = Command::new("mv")
            .arg(scene.source())
            .arg(scene.target())
            .stderr(Stdio::null())
            .spawn()
            .map_err(while_doing("starting mv"))?;
        std::thread::sleep(LATEST * random.below(1000) as u32 / 1000);
        let cut = self.cut(cycle, &mut random);
        let _ = moving.kill();
        let _ = moving.wait();
        cut?;
        toll.cuts += 1;
        self.restart(cycle)?;
        if let Err(broken) = scene.look() {
            toll.broken
                .push(format!("{}, {cycle:?}: {broken}", self.pair(cycle)));
        }
        self.clear(cycle)
    }
}
