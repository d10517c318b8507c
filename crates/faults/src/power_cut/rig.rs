//! The disks of the cuts: one cut, then recovery, and the judge.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use mover::{Control, EngineChoice};

use super::Toll;
use super::draw::{Cycle, Moment, Repo, Trouble};
use super::steps::at_step;
use crate::disk::Disk;
use crate::driver::engine_word;
use crate::scene::{Scene, Sight, Subject};
use crate::tell::Random;
use crate::{Outcome, while_doing};

/// The disks, and a directory that keeps its power.
pub struct Rig {
    pub(super) disks: Vec<Box<dyn Disk>>,
    safe: tempfile::TempDir,
    /// How long a move takes, by source, target, subject and engine.
    usual: Vec<((usize, usize, bool, EngineChoice), Duration)>,
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
        scene.request.keep_source = cycle.keep_source;
        scene.engine = cycle.engine;
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
        *toll.engines.entry(engine_word(cycle.engine)).or_default() += 1;
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
            cycle.engine,
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

fn name_of(sight: &Sight) -> &'static str {
    match (sight.source, sight.target) {
        (true, true) => "both there",
        (true, false) => "source there",
        _ => "target there",
    }
}
