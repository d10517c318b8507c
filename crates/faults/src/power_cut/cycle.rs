//! One cut: where, when and of what; then recovery, and the judge.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use mover::{Control, Method};

use super::Toll;
use crate::disk::Disk;
use crate::scene::{Scene, Sight, Subject};
use crate::tell::Random;
use crate::{Outcome, while_doing};

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
    pub(super) bytes: usize,
    pub(super) repo: Repo,
    /// Disks that lose their power, in this order.
    pub(super) cut: Vec<usize>,
    pub(super) moment: Moment,
    trouble: Trouble,
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
        let only = [None, Some(Method::Copy)];
        let moment = if random.percent(50) {
            Moment::After(random.below(1250))
        } else {
            Moment::Step(random.below(11) as usize + 1)
        };
        let at = random.below(5) as usize + 1;
        Cycle {
            number,
            source,
            target,
            subject: *random.pick(&[Subject::File, Subject::Directory]),
            only: *random.pick(&only),
            bytes: (64 << 10) + random.below(2 << 20) as usize,
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
            bytes: 64 << 10,
            repo: Repo::Elsewhere,
            cut: vec![target],
            moment: Moment::Step(step),
            trouble: Trouble::None,
            random: Random::new(lossy),
        }
    }

    fn compares(&self) -> bool {
        self.number % COMPARE_EACH == COMPARE_EACH - 1
    }
}

/// The disks, and a directory that keeps its power.
pub struct Rig {
    pub(super) disks: Vec<Box<dyn Disk>>,
    safe: tempfile::TempDir,
    /// How long a move takes, by source, target and subject.
    usual: Vec<((usize, usize, bool), Duration)>,
}

impl Rig {
    /// On these disks.
    /// # Errors
    /// When a directory cannot be made.
    pub fn new(disks: Vec<Box<dyn Disk>>) -> Outcome<Rig> {
        let safe = tempfile::tempdir().map_err(while_doing("making a directory"))?;
        Ok(Rig {
            disks,
            safe,
            usual: Vec::new(),
        })
    }

    /// The file systems of a cycle, for people.
    pub fn pair(&self, cycle: &Cycle) -> String {
        let [from, to] = [cycle.source, cycle.target].map(|disk| self.disks[disk].title());
        if cycle.source == cycle.target {
            format!("within {from}")
        } else {
            format!("{from} to {to}")
        }
    }

    fn root(&self, disk: usize, name: &str, cycle: &Cycle) -> PathBuf {
        self.disks[disk]
            .at()
            .join(format!("{name}-{}", cycle.number))
    }

    /// Source, target and journal of a cycle, on its disks.
    pub(super) fn scene(&self, cycle: &Cycle) -> Outcome<Scene> {
        let (source, target) = (
            self.root(cycle.source, "seal", cycle),
            self.root(cycle.target, "store", cycle),
        );
        let repo = match cycle.repo {
            Repo::Source => self.root(cycle.source, "repo", cycle),
            Repo::Target => self.root(cycle.target, "repo", cycle),
            Repo::Elsewhere => self.safe.path().join("repo"),
        };
        for path in [&source, &target, &repo] {
            fs::create_dir_all(path).map_err(while_doing("making a storage path"))?;
        }
        let seed = cycle.number + 1;
        let journal = repo.join("moves.journal");
        let mut scene = Scene::set(
            &journal,
            (&source, &target),
            cycle.subject,
            cycle.bytes,
            seed,
        )?;
        scene.request.only = cycle.only;
        // A worker opens its journal when it starts, long before a move.
        drop(mover::Mover::open(&journal).map_err(while_doing("making the journal"))?);
        Ok(scene)
    }

    pub(super) fn cut(&self, cycle: &Cycle, random: &mut Random) -> Outcome<()> {
        cycle
            .cut
            .iter()
            .try_for_each(|disk| self.disks[*disk].cut(random))
    }

    pub(super) fn restart(&mut self, cycle: &Cycle) -> Outcome<()> {
        cycle
            .cut
            .iter()
            .try_for_each(|disk| self.disks[*disk].restart())
    }

    /// One cut of a move of ours.
    /// # Errors
    /// When a disk cannot be cut or does not come back.
    pub fn run(&mut self, cycle: &Cycle, toll: &mut Toll) -> Outcome<()> {
        let usual = self.usual_time(cycle)?;
        let scene = self.scene(cycle)?;
        self.move_until_cut(cycle, &scene, usual)?;
        toll.cuts += 1;
        if cycle.compares() {
            self.keep(cycle, &scene.journal)?;
        }
        self.restart(cycle)?;
        let verdict = self.judge(cycle, &scene, toll)?;
        if let Err(broken) = verdict {
            toll.broken
                .push(format!("{}, {cycle:?}: {broken}", self.pair(cycle)));
        }
        self.clear(cycle)
    }

    /// How long the same move takes undisturbed.
    fn usual_time(&mut self, cycle: &Cycle) -> Outcome<Duration> {
        let key = (
            cycle.source,
            cycle.target,
            cycle.subject == Subject::Directory,
        );
        if let Some((_, time)) = self.usual.iter().find(|(known, _)| *known == key) {
            return Ok(*time);
        }
        let scene = self.scene(cycle)?;
        let began = Instant::now();
        scene
            .move_wholly(&scene.request, &Control::new())
            .map_err(|failure| format!("{cycle:?} fails without a cut: {failure}"))?;
        let time = began.elapsed();
        self.usual.push((key, time));
        self.clear(cycle)?;
        Ok(time)
    }

    /// The move on a thread of its own, which gets EIO from the cut on.
    fn move_until_cut(&self, cycle: &Cycle, scene: &Scene, usual: Duration) -> Outcome<()> {
        let random = Mutex::new(cycle.random.clone());
        let cut = || -> Outcome<()> {
            let mut random = random.lock().map_err(|_| "a cut panicked")?;
            self.cut(cycle, &mut random)
        };
        match cycle.moment {
            Moment::After(parts) => std::thread::scope(|scope| {
                let moving = scope.spawn(|| scene.move_wholly(&scene.request, &Control::new()));
                std::thread::sleep(usual * parts as u32 / 1000);
                let done = cut();
                let _ = moving.join();
                done
            }),
            Moment::Step(at) => {
                at_step(at, &cut, |control| {
                    let _ = scene.move_wholly(&scene.request, control);
                })
                // It had fewer steps: the cut comes after its end.
                .unwrap_or_else(&cut)
            }
        }
    }

    fn judge(&mut self, cycle: &Cycle, scene: &Scene, toll: &mut Toll) -> Outcome<Outcome<()>> {
        let sight = match scene.look() {
            Err(broken) => return Ok(Err(broken)),
            Ok(sight) => sight,
        };
        *toll.sights.entry(name_of(&sight)).or_default() += 1;
        if let Err(broken) = self.recover_in_trouble(cycle, scene, toll)? {
            return Ok(Err(broken));
        }
        let end = match scene.settle() {
            Err(broken) => return Ok(Err(broken)),
            Ok(end) => end,
        };
        if !cycle.compares() {
            return Ok(Ok(()));
        }
        self.rewind(cycle, &scene.journal)?;
        let again = scene.recover(&Control::new()).and_then(|_| scene.settle());
        toll.compared += 1;
        Ok(match again {
            Ok(again) if again == end => Ok(()),
            Ok(again) => Err(format!(
                "recovery ended with {end:?}, and from the same disks with {again:?}"
            )),
            Err(broken) => Err(broken),
        })
    }

    fn recover_in_trouble(
        &mut self,
        cycle: &Cycle,
        scene: &Scene,
        toll: &mut Toll,
    ) -> Outcome<Outcome<()>> {
        match cycle.trouble {
            Trouble::None => {}
            Trouble::Kill(at) => {
                if let Err(broken) = scene.recover_killed_at(at) {
                    return Ok(Err(broken));
                }
            }
            Trouble::Cut(at) => {
                let random = Mutex::new(cycle.random.clone());
                let cut = || -> Outcome<()> {
                    let mut random = random.lock().map_err(|_| "a cut panicked")?;
                    self.cut(cycle, &mut random)
                };
                let recovery = |control: &Control| {
                    // It may end with an alarm: the disk has gone under it.
                    let _ = scene.recover(control);
                };
                if let Some(done) = at_step(at, &cut, recovery) {
                    done?;
                    toll.cuts += 1;
                    self.restart(cycle)?;
                }
            }
        }
        if let Err(broken) = scene.look() {
            return Ok(Err(format!(
                "after a recovery that met {:?}: {broken}",
                cycle.trouble
            )));
        }
        Ok(scene.recover(&Control::new()).map(drop))
    }

    pub(super) fn clear(&self, cycle: &Cycle) -> Outcome<()> {
        let mut all = vec![self.safe.path().join("repo")];
        for disk in 0..self.disks.len() {
            all.extend(["seal", "store", "repo"].map(|name| self.root(disk, name, cycle)));
        }
        all.into_iter()
            .filter(|path| path.exists())
            .try_for_each(|path| {
                fs::remove_dir_all(&path)
                    .map_err(while_doing(&format!("removing {}", path.display())))
            })
    }

    fn kept_journal(&self) -> PathBuf {
        self.safe.path().join("kept.journal")
    }

    fn keep(&mut self, cycle: &Cycle, journal: &Path) -> Outcome<()> {
        if cycle.repo == Repo::Elsewhere {
            fs::copy(journal, self.kept_journal()).map_err(while_doing("keeping the journal"))?;
        }
        let involved = [cycle.source, cycle.target];
        (0..self.disks.len())
            .filter(|disk| involved.contains(disk))
            .try_for_each(|disk| self.disks[disk].keep())?;
        // A disk that was not cut goes on as if nothing had been.
        involved
            .into_iter()
            .filter(|disk| !cycle.cut.contains(disk))
            .try_for_each(|disk| self.disks[disk].restart())
    }

    fn rewind(&mut self, cycle: &Cycle, journal: &Path) -> Outcome<()> {
        if cycle.repo == Repo::Elsewhere {
            fs::copy(self.kept_journal(), journal)
                .map_err(while_doing("giving the journal back"))?;
        }
        let involved = [cycle.source, cycle.target];
        (0..self.disks.len())
            .filter(|disk| involved.contains(disk))
            .try_for_each(|disk| self.disks[disk].rewind())
    }
}

/// Works with a control that acts once, right after a step, on the thread that works. None if there were fewer.
fn at_step(
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

fn name_of(sight: &Sight) -> &'static str {
    match (sight.source, sight.target) {
        (true, true) => "both there",
        (true, false) => "source there",
        _ => "target there",
    }
}
