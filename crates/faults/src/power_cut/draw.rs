//! What is drawn for one cut: where, when, of what, and what its recovery meets.

use mover::{Engine, EngineChoice, Method};

use super::rig::Rig;
use crate::scene::Subject;
use crate::tell::Random;

/// `Auto` is what a worker does.
const ENGINES: [EngineChoice; 4] = [
    EngineChoice::Auto,
    EngineChoice::Forced(Engine::Direct),
    EngineChoice::Forced(Engine::Uncached),
    EngineChoice::Forced(Engine::Buffered),
];

/// Every so many cycles recovery is made twice from the same disks, killed once, and both ends are compared.
const COMPARE_EACH: u64 = 6;

/// When the power goes.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// So long after the move began, in parts of its usual time (per mille).
    After(u64),
    /// Right after this step of the move.
    Step(usize),
}

/// What recovery has to suffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// It is killed after this step.
    Kill(usize),
    /// The power goes again after this step.
    Cut(usize),
}

/// Where the journal lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repo {
    /// Beside the source.
    Source,
    /// Beside the target.
    Target,
    /// On a disk that keeps its power.
    Elsewhere,
}

/// All that is drawn for one cut.
#[derive(Clone, Debug)]
pub struct Cycle {
    pub(super) number: u64,
    pub(super) source: usize,
    pub(super) target: usize,
    pub(super) subject: Subject,
    pub(super) only: Option<Method>,
    pub(super) engine: EngineChoice,
    pub(super) keep_source: bool,
    pub(super) bytes: usize,
    pub(super) repo: Repo,
    /// Disks that lose their power, in this order.
    pub(super) cut: Vec<usize>,
    pub(super) moment: Moment,
    pub(super) trouble: Trouble,
    /// For what is drawn while it runs.
    pub(super) random: Random,
}

impl Cycle {
    /// Draws the cycle with this number.
    pub fn draw(rig: &Rig, seed: u64, number: u64) -> Cycle {
        let mut random = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(number));
        let disks = rig.disks.len() as u64;
        let (source, target) = (random.below(disks) as usize, random.below(disks) as usize);
        let repo = *random.pick(&[Repo::Source, Repo::Target, Repo::Elsewhere]);
        let mut cut = vec![source, target];
        if random.percent(50) {
            cut.reverse();
        }
        cut.dedup();
        // With a journal that keeps its power, one disk alone may go.
        if repo == Repo::Elsewhere && random.percent(40) {
            cut.truncate(1);
        }
        let can_clone = source == target && rig.disks[source].title() != "ext4";
        let only = [None, Some(Method::Copy), can_clone.then_some(Method::Clone)];
        let moment = if random.percent(50) {
            Moment::After(random.below(1250))
        } else {
            Moment::Step(random.below(11) as usize + 1)
        };
        let at = random.below(5) as usize + 1;
        let engine = *random.pick(&ENGINES);
        // More than two requests of the direct engine, so that one may be lost and another not.
        let most = if engine == EngineChoice::Forced(Engine::Direct) {
            9 << 20
        } else {
            2 << 20
        };
        Cycle {
            number,
            source,
            target,
            subject: *random.pick(&[Subject::File, Subject::Directory]),
            only: *random.pick(&only),
            engine,
            keep_source: random.percent(20),
            bytes: (64 << 10) + random.below(most) as usize,
            repo,
            cut,
            moment,
            trouble: *random.pick(&[Trouble::None, Trouble::Kill(at), Trouble::Cut(at)]),
            random,
        }
    }

    /// The target's disk alone is cut, right after this step of a copy.
    pub fn of_target(source: usize, target: usize, subject: Subject, step: usize) -> Cycle {
        let number = (target * 100 + step) as u64;
        // Of the ways to cut a disk the one that flushes nothing.
        let lossy = (0..)
            .find(|seed| Random::new(*seed).below(2) == 1)
            .unwrap_or(0);
        Cycle {
            number,
            source,
            target,
            subject,
            only: Some(Method::Copy),
            engine: ENGINES[step % ENGINES.len()],
            keep_source: false,
            bytes: 64 << 10,
            repo: Repo::Elsewhere,
            cut: vec![target],
            moment: Moment::Step(step),
            trouble: Trouble::None,
            random: Random::new(lossy),
        }
    }

    pub(super) fn compares(&self) -> bool {
        self.number % COMPARE_EACH == COMPARE_EACH - 1
    }
}
