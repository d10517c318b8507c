//! Power cuts at random moments of a move, and what is there when the power is back.

mod draw;
mod plain_mv;
mod rig;
mod steps;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub use draw::Cycle;
pub use rig::Rig;

use crate::Outcome;
use crate::disk::Disk;
use crate::disk::looped::{KINDS, Looped};
use crate::disk::userspace::Userspace;
use crate::scene::Subject;
use crate::tell::{skip, tally};

/// Enough for `mv` to lose something, whatever the seed.
const OF_MV: u64 = 60;

/// Who moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mover {
    /// This project.
    Ours,
    /// `mv`, which the field uses.
    PlainMv,
}

/// What was found in many cycles.
#[derive(Debug, Default)]
pub struct Toll {
    /// Cuts so far, those in the middle of a recovery counted.
    pub cuts: usize,
    /// Where the cut left the move, by the sides that were there.
    pub sights: BTreeMap<&'static str, usize>,
    /// Recoveries whose end was compared with that of a second one from the same disks.
    pub compared: usize,
    /// Cuts by the disks that were moved from and to.
    pub pairs: BTreeMap<String, usize>,
    /// Cuts by how their move copies.
    pub engines: BTreeMap<&'static str, usize>,
    /// What broke, with the number of its cycle.
    pub broken: Vec<String>,
    took: Duration,
}

impl Toll {
    /// The counts in one line.
    pub fn line(&self, seed: u64) -> String {
        let sights: Vec<String> = self
            .sights
            .iter()
            .map(|(name, times)| format!("{name} {times}"))
            .collect();
        let engines: Vec<String> = self
            .engines
            .iter()
            .map(|(engine, times)| format!("{engine} {times}"))
            .collect();
        let pairs: Vec<String> = self
            .pairs
            .iter()
            .map(|(pair, times)| format!("{pair} {times}"))
            .collect();
        format!(
            "seed {seed}: {} power cuts ({}; {}; {}), {} recoveries made twice from the same disks: {}; {:.0} s",
            self.cuts,
            pairs.join(", "),
            sights.join(", "),
            engines.join(", "),
            self.compared,
            tally(&self.broken),
            self.took.as_secs_f64()
        )
    }
}

/// An xfs and an ext4 that can be shut down, and a btrfs on a disk in user space, whose cuts also reorder and tear
/// what was not flushed. What this machine lacks is skipped, visibly.
/// # Errors
/// When there is none at all.
pub fn disks(title: &str) -> Outcome<Vec<Box<dyn Disk>>> {
    let looped =
        |(kind, size)| Looped::make(kind, size).map(|disk| Box::new(disk) as Box<dyn Disk>);
    let mut made: Vec<Outcome<Box<dyn Disk>>> = KINDS.into_iter().map(looped).collect();
    made.push(Userspace::make("btrfs", 128).map(|disk| Box::new(disk) as Box<dyn Disk>));
    let (mut disks, mut reasons) = (Vec::new(), Vec::new());
    for each in made {
        match each {
            Ok(disk) => disks.push(disk),
            Err(reason) => reasons.push(reason),
        }
    }
    if disks.is_empty() {
        return Err(reasons.join("; "));
    }
    for reason in reasons {
        skip(title, &reason);
    }
    Ok(disks)
}

/// Cuts the power `cycles` times.
/// # Errors
/// When a disk does not come back or cannot be cut; what breaks is in the toll.
pub fn cut_often(disks: Vec<Box<dyn Disk>>, who: Mover, cycles: u64, seed: u64) -> Outcome<Toll> {
    let mut rig = Rig::new(disks)?;
    let (mut toll, began) = (Toll::default(), Instant::now());
    for number in 0..cycles {
        let cycle = Cycle::draw(&rig, seed, number);
        *toll.pairs.entry(rig.pair(&cycle)).or_default() += 1;
        match who {
            Mover::Ours => rig.run(&cycle, &mut toll)?,
            Mover::PlainMv => rig.run_plain_mv(&cycle, &mut toll)?,
        }
    }
    toll.took = began.elapsed();
    Ok(toll)
}

/// Takes the target's disk away after each step of a copy, of a file and of a directory, onto each of the disks;
/// source and journal keep their power.
/// # Errors
/// When a disk does not come back or cannot be cut; what breaks is in the toll.
pub fn cut_target_at_each_step(disks: Vec<Box<dyn Disk>>) -> Outcome<Toll> {
    let count = disks.len();
    let mut rig = Rig::new(disks)?;
    let (mut toll, began) = (Toll::default(), Instant::now());
    for target in 0..count {
        for (subject, steps) in [(Subject::File, 9), (Subject::Directory, 14)] {
            for step in 1..=steps {
                let cycle = Cycle::of_target((target + 1) % count, target, subject, step);
                *toll.pairs.entry(rig.pair(&cycle)).or_default() += 1;
                rig.run(&cycle, &mut toll)?;
            }
        }
    }
    toll.took = began.elapsed();
    Ok(toll)
}

/// `npm run torture -- power-cut`. True if nothing broke, and `mv` did.
/// # Errors
/// When it cannot be carried out.
pub fn campaign(cycles: u64, seed: u64) -> Outcome<bool> {
    let ours = cut_often(disks("power cuts of moves")?, Mover::Ours, cycles, seed)?;
    for line in &ours.broken {
        println!("{line}");
    }
    println!("sealyard, {}", ours.line(seed));
    let theirs = cut_often(disks("power cuts of mv")?, Mover::PlainMv, OF_MV, seed)?;
    println!("mv, {}", theirs.line(seed));
    Ok(ours.broken.is_empty() && !theirs.broken.is_empty())
}
