//! All points of all kinds of moves, each with all faults.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use mover::EngineChoice;

use super::points::{Point, Scenario, Stage};
use super::scenarios::{Ground, clone_within, engines_within, scenarios};
use super::supervisor::{FAULTS, Fault};
use crate::disk::looped::Looped;
use crate::tell::{Random, skip, tally};
use crate::{Outcome, while_doing};

/// As many at a time as a small machine has cores.
const AT_ONCE: usize = 2;

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// Calls of each scenario, and to how many of them faults were given.
    pub points: Vec<(String, usize, usize)>,
    /// Runs in which a fault met its call, by fault.
    pub hits: BTreeMap<&'static str, usize>,
    /// Runs whose fault met no call: there were fewer of that name this time.
    pub missed: usize,
    /// The same for waits of a ring: how many there are depends on how many answers come at once.
    pub missed_waits: usize,
    /// Runs that ended with a move done in spite of the fault, by the call that met it.
    pub done: BTreeMap<&'static str, usize>,
    /// What broke, with how to repeat it.
    pub broken: Vec<String>,
}

impl Report {
    /// Faults that were injected.
    pub fn injected(&self) -> usize {
        self.hits.values().sum()
    }

    /// The counts in words, a line for each scenario and one for all.
    pub fn lines(&self) -> Vec<String> {
        let line = |(title, calls, tried): &(String, usize, usize)| {
            format!("{title}: {calls} system calls, {tried} of them gone through")
        };
        let mut lines: Vec<String> = self.points.iter().map(line).collect();
        let hits: Vec<String> = self
            .hits
            .iter()
            .map(|(name, times)| format!("{name} {times}"))
            .collect();
        let done: Vec<String> = self
            .done
            .iter()
            .map(|(name, times)| format!("{name} {times}"))
            .collect();
        let sum: usize = self.points.iter().map(|(_, _, tried)| tried).sum();
        lines.push(format!(
            "{sum} points × {} faults, {} injected ({}), {} met no call, {} a wait of a ring that was not needed, {} moves done in spite of one ({}); {}",
            FAULTS.len(),
            self.injected(),
            hits.join(", "),
            self.missed,
            self.missed_waits,
            self.done.values().sum::<usize>(),
            done.join(", "),
            tally(&self.broken)
        ));
        lines
    }
}

/// Which of many points are tried: one in so many, drawn by a seed.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// 1: all of them.
    pub one_in: u64,
    /// Another seed draws others.
    pub seed: u64,
}

impl Sample {
    /// Every point.
    pub const ALL: Sample = Sample { one_in: 1, seed: 0 };

    fn has(self, point: usize) -> bool {
        let mixed = self.seed.wrapping_mul(1_000_003) + point as u64;
        Random::new(mixed).below(self.one_in) == 0
    }
}

/// Goes through the points of a scenario, or through a sample of them.
/// # Errors
/// When a run cannot be made at all; what breaks is in the report.
pub fn go_through(
    program: &Path,
    scenario: &Scenario,
    sample: Sample,
    report: &mut Report,
) -> Outcome<()> {
    let stage = Stage::set(scenario, 1)?;
    let undisturbed = stage.run(program, None)?;
    if !undisturbed.done {
        return Err(format!(
            "{}: the move fails without a fault: {}",
            scenario.title, undisturbed.said
        ));
    }
    stage.scene.settle()?;
    let calls = &undisturbed.calls;
    check_engine(scenario, &undisturbed.said)?;
    let points: Vec<(usize, Point)> = Point::all(calls)
        .into_iter()
        .enumerate()
        .filter(|(at, _)| sample.has(*at))
        .collect();
    report
        .points
        .push((scenario.title.clone(), calls.len(), points.len()));
    let runs: Vec<(usize, Point, &str, Fault)> = points
        .into_iter()
        .flat_map(|(at, point)| FAULTS.map(|(name, fault)| (at, point, name, fault)))
        .filter(|(at, _, _, fault)| *fault != Fault::Short || calls[*at].can_be_short)
        .collect();
    let (next, shared) = (AtomicUsize::new(0), Mutex::new(std::mem::take(report)));
    let work = || -> Outcome<()> {
        while let Some((at, point, name, fault)) = runs.get(next.fetch_add(1, Relaxed)) {
            one(program, scenario, (*at, *point, name, *fault), &shared).map_err(while_doing(
                &format!("{}, {name} at {} {}", scenario.title, point.name, point.nth),
            ))?;
        }
        Ok(())
    };
    let ends = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join())
            .collect::<Vec<_>>()
    });
    *report = shared.into_inner().unwrap_or_default();
    for end in ends {
        end.unwrap_or_else(|_| Err("a thread of the campaign panicked".to_owned()))?;
    }
    Ok(())
}

/// A forced engine that falls back to another would leave its own calls untried.
fn check_engine(scenario: &Scenario, said: &str) -> Outcome<()> {
    let EngineChoice::Forced(engine) = scenario.engine else {
        return Ok(());
    };
    if said.contains(&format!("\"engine\":\"{}\"", engine.as_str())) {
        return Ok(());
    }
    Err(format!(
        "{}: another engine was used: {said}",
        scenario.title
    ))
}

fn one(
    program: &Path,
    scenario: &Scenario,
    (at, point, name, fault): (usize, Point, &'static str, Fault),
    report: &Mutex<Report>,
) -> Outcome<()> {
    let stage = Stage::set(scenario, at as u64 + 2)?;
    let ran = stage.run(program, Some((point, fault)))?;
    let verdict = stage.judge(&ran, fault);
    let mut report = report.lock().map_err(|_| "another thread panicked")?;
    if ran.was_hit() {
        *report.hits.entry(name).or_default() += 1;
    } else if point.name == "io_uring_enter" {
        report.missed_waits += 1;
    } else {
        report.missed += 1;
    }
    let failed = ran.calls.iter().find(|call| call.failed);
    if let Some(call) = failed.filter(|_| ran.done) {
        *report.done.entry(call.name).or_default() += 1;
    }
    if let Err(broken) = verdict {
        let call = failed.or(ran.calls.last());
        let call = call.map_or(String::new(), |call| {
            format!("{} {}", call.name, call.path.display())
        });
        report.broken.push(format!(
            "{}: {name} at {} {} ({call}): {broken}",
            scenario.title, point.name, point.nth
        ));
    }
    Ok(())
}

/// The campaign of `npm run torture -- syscalls`. True if nothing broke.
/// # Errors
/// When it cannot be carried out.
pub fn campaign(program: &Path, mebibytes: usize, sample: Sample) -> Outcome<bool> {
    let (mut report, began) = (Report::default(), Instant::now());
    let ground = Ground::prepare()?;
    for scenario in scenarios(&ground, mebibytes << 20) {
        go_through(program, &scenario, sample, &mut report)?;
    }
    match Looped::make("xfs", 320) {
        Ok(disk) => {
            let mut all = engines_within(&disk, mebibytes << 20);
            all.push(clone_within(&disk, mebibytes << 20));
            for scenario in all {
                go_through(program, &scenario, sample, &mut report)?;
            }
        }
        Err(reason) => skip("system calls of a clone and of engines", &reason),
    }
    for line in report.broken.iter().chain(&report.lines()) {
        println!("{line}");
    }
    println!("took {:.0} s", began.elapsed().as_secs_f64());
    Ok(report.broken.is_empty())
}
