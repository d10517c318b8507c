//! Power cuts at random moments of a move, and what is there when the power is back.

mod cycle;
mod plain_mv;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub use cycle::{Cycle, Rig};

use crate::Outcome;
use crate::disk::Disk;
use crate::disk::looped::{KINDS, Looped};

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
        format!(
            "seed {seed}: {} power cuts ({}), {} recoveries made twice from the same disks, {} broken, {:.0} s",
            self.cuts,
            sights.join(", "),
            self.compared,
            self.broken.len(),
            self.took.as_secs_f64()
        )
    }
}

/// An xfs and an ext4 of their own.
/// # Errors
/// What this machine lacks.
pub fn disks() -> Outcome<Vec<Box<dyn Disk>>> {
    KINDS
        .iter()
        .map(|(kind, size)| Looped::make(kind, *size).map(|disk| Box::new(disk) as Box<dyn Disk>))
        .collect()
}

/// Cuts the power `cycles` times.
/// # Errors
/// When a disk does not come back or cannot be cut; what breaks is in the toll.
pub fn cut_often(disks: Vec<Box<dyn Disk>>, who: Mover, cycles: u64, seed: u64) -> Outcome<Toll> {
    let mut rig = Rig::new(disks)?;
    let (mut toll, began) = (Toll::default(), Instant::now());
    for number in 0..cycles {
        let cycle = Cycle::draw(&rig, seed, number);
        match who {
            Mover::Ours => rig.run(&cycle, &mut toll)?,
            Mover::PlainMv => rig.run_plain_mv(&cycle, &mut toll)?,
        }
    }
    toll.took = began.elapsed();
    Ok(toll)
}

/// `npm run torture -- power-cut`. True if nothing broke, and `mv` did.
/// # Errors
/// When it cannot be carried out.
pub fn campaign(cycles: u64, seed: u64) -> Outcome<bool> {
    let ours = cut_often(disks()?, Mover::Ours, cycles, seed)?;
    for line in &ours.broken {
        println!("{line}");
    }
    println!("sealyard, {}", ours.line(seed));
    let theirs = cut_often(disks()?, Mover::PlainMv, cycles.min(100), seed)?;
    println!("mv, {}", theirs.line(seed));
    Ok(ours.broken.is_empty() && !theirs.broken.is_empty())
}
