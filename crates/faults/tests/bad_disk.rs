//! Faults from below: a disk that fails, is slow, or both. They meet every engine, io_uring's as well.

use std::time::Duration;

use faults::disk::Disk;
use faults::disk::memory::Faults;
use faults::disk::userspace::Userspace;
use faults::scene::{Scene, Subject};
use faults::tell::{Random, skip};
use mover::{Code, Control, Engine, EngineChoice, Failure, Method, Step};

type Kind = (&'static str, u64);

const EXT4: Kind = ("ext4", 64);
const XFS: Kind = ("xfs", 320);

/// Each engine, io_uring's above all: no filter sees its reads and writes.
const ENGINES: [(Engine, &[Kind]); 3] = [
    (Engine::Direct, &[EXT4, XFS]),
    (Engine::Uncached, &[XFS]),
    (Engine::Buffered, &[EXT4]),
];

/// Source on one disk in user space, target on another, the journal on a sound one.
struct Bench {
    source: Userspace,
    target: Userspace,
    repo: tempfile::TempDir,
    /// A directory of its own for each scene.
    scenes: u64,
}

impl Bench {
    fn of(title: &str, (kind, size): Kind) -> Option<Bench> {
        let made = Userspace::make(kind, size)
            .and_then(|source| Ok((source, Userspace::make(kind, size)?)));
        let (source, target) = made.inspect_err(|reason| skip(title, reason)).ok()?;
        Some(Bench {
            source,
            target,
            repo: tempfile::tempdir().unwrap(),
            scenes: 0,
        })
    }

    fn scene(&mut self, subject: Subject, engine: Engine) -> Scene {
        self.scenes += 1;
        let [source, target] =
            [&self.source, &self.target].map(|disk| disk.at().join(self.scenes.to_string()));
        std::fs::create_dir_all(&source).unwrap();
        std::fs::create_dir_all(&target).unwrap();
        let journal = self.repo.path().join(format!("{}.journal", self.scenes));
        let mut scene = Scene::set(
            &journal,
            (&source, &target),
            subject,
            1100 << 10,
            self.scenes,
        )
        .unwrap();
        scene.request.only = Some(Method::Copy);
        scene.engine = EngineChoice::Forced(engine);
        scene
    }

    /// Both are sound again, one that failed as after an exchange of its cable: what was not flushed may be gone.
    fn mend(&mut self) {
        let mut random = Random::new(self.scenes);
        for disk in [&mut self.source, &mut self.target] {
            if disk.counts()[2] == 0 {
                disk.set_faults(Faults::default());
                continue;
            }
            disk.cut(&mut random).unwrap();
            disk.restart().unwrap();
        }
    }

    /// The source's disk fails so; nothing of the source is in the page cache.
    fn fail_reads(&mut self, faults: Faults) {
        self.source.restart().unwrap();
        self.source.set_faults(faults);
    }
}

/// A move that meets a fault: it fails and says so, or is done; then the disks are mended and all must hold.
fn one(bench: &mut Bench, scene: &Scene, what: &str) -> Option<Failure> {
    let ended = scene.move_wholly(&scene.request, &Control::new());
    let failures = bench.source.counts()[2] + bench.target.counts()[2];
    bench.mend();
    let sight = scene.look();
    let sight = sight.unwrap_or_else(|broken| panic!("{what}: {broken}"));
    match &ended {
        Ok(durable) => {
            assert!(sight.target, "{what}: it was said to be done");
            let used = durable.engine.map(EngineChoice::Forced);
            assert_eq!(used, Some(scene.engine), "{what}: another engine was used");
        }
        Err(failure) => assert!(failures > 0, "{what}: it failed without a fault: {failure}"),
    }
    let settled = scene.recover(&Control::new()).and_then(|_| scene.settle());
    settled.unwrap_or_else(|broken| panic!("{what}: {broken}"));
    ended.err()
}

/// As many requests go well as a move needs, one more each time: every request of a move through the ring fails once, and some of the other engines.
fn sweep(title: &str, meant: Code, faults: impl Fn(&mut Bench, u64)) {
    for (engine, kinds) in ENGINES {
        for kind in kinds {
            let Some(mut bench) = Bench::of(title, *kind) else {
                return;
            };
            // One each: the test shall be quick.
            let subject = match (engine, *kind) {
                (Engine::Direct, XFS) => Subject::Directory,
                _ => Subject::File,
            };
            let title = format!(
                "{title}: {} copy of a {subject:?} on {}",
                engine.as_str(),
                kind.0
            );
            let failures = fail_each(&title, &mut bench, (engine, subject), &faults);
            let count = |which: &dyn Fn(&Failure) -> bool| {
                failures.iter().filter(|each| which(each)).count()
            };
            let as_meant = count(&|failure| failure.code == meant);
            let by_ring = count(&|failure| {
                failure
                    .syscall
                    .is_some_and(|call| call.starts_with("io_uring "))
            });
            println!(
                "{title}: {} requests failed a move, {as_meant} with {}, {by_ring} in io_uring; lost 0, half-visible 0",
                failures.len(),
                meant.as_str()
            );
            assert!(
                as_meant > 0,
                "{title}: hardly a fault met the move: {failures:?}"
            );
            assert!(
                engine != Engine::Direct || by_ring > 0,
                "{title}: no fault met the ring: {failures:?}"
            );
        }
    }
}

fn fail_each(
    title: &str,
    bench: &mut Bench,
    (engine, subject): (Engine, Subject),
    faults: &impl Fn(&mut Bench, u64),
) -> Vec<Failure> {
    let (mut failures, mut done_in_a_row) = (Vec::new(), 0);
    // All requests of one copy through the ring; of the others, which the calls' faults meet as well, a third.
    let all = engine == Engine::Direct && subject == Subject::File;
    let step = if all { 1 } else { 3 };
    for after in (0..).step_by(step) {
        let scene = bench.scene(subject, engine);
        faults(bench, after);
        match one(bench, &scene, &format!("{title}, fault after {after}")) {
            Some(failure) => {
                failures.push(failure);
                done_in_a_row = 0;
            }
            None => done_in_a_row += 1,
        }
        // Not each failed request fails a move: what is read ahead is read again.
        if done_in_a_row > 3 {
            break;
        }
    }
    failures
}

#[test]
fn a_source_that_cannot_be_read_to_its_end_stays_where_it_is() {
    let title = "reads of the source's disk fail from one on";
    sweep(title, Code::PathSick, |bench, after| {
        bench.fail_reads(Faults {
            reads_fail_after: Some(after),
            ..Faults::default()
        });
    });
}

#[test]
fn one_read_that_fails_is_enough_to_fail_a_move() {
    let title = "one read of the source's disk fails";
    sweep(title, Code::PathSick, |bench, after| {
        bench.fail_reads(Faults {
            reads_fail_after: Some(after),
            only_once: true,
            ..Faults::default()
        });
    });
}

#[test]
fn a_target_that_cannot_be_written_is_not_declared() {
    let title = "writes to the target's disk fail from one on";
    sweep(title, Code::PathSick, |bench, after| {
        bench.target.set_faults(Faults {
            writes_fail_after: Some(after),
            flushes_fail: after % 2 == 1,
            ..Faults::default()
        });
    });
}

#[test]
fn one_write_that_fails_is_enough_to_fail_a_move() {
    let title = "one write to the target's disk fails";
    sweep(title, Code::PathSick, |bench, after| {
        bench.target.set_faults(Faults {
            writes_fail_after: Some(after),
            only_once: true,
            ..Faults::default()
        });
    });
}

#[test]
fn a_target_with_less_room_than_it_promised_is_not_declared() {
    let title = "the target's disk has no room from one write on";
    sweep(title, Code::NoSpace, |bench, after| {
        bench.target.set_faults(Faults {
            writes_fail_after: Some(after),
            full: true,
            ..Faults::default()
        });
    });
}

#[test]
fn slow_disks_only_take_longer_and_a_move_to_them_can_be_cancelled() {
    let slow = Faults {
        delay: Duration::from_millis(2),
        ..Faults::default()
    };
    for (engine, kinds) in ENGINES {
        let Some(mut bench) = Bench::of("slow disks", kinds[0]) else {
            return;
        };
        for cancelled in [false, true] {
            let scene = bench.scene(Subject::Directory, engine);
            bench.source.restart().unwrap();
            bench.source.set_faults(slow);
            bench.target.set_faults(slow);
            let (tell, told) = std::sync::mpsc::channel();
            let control = Control::with_steps(move |step| {
                let _ = tell.send(step);
            });
            let ended = std::thread::scope(|scope| {
                let moving = scope.spawn(|| scene.move_wholly(&scene.request, &control));
                if cancelled {
                    assert!(told.iter().any(|step| step == Step::FileSynced));
                    control.cancel();
                }
                moving.join().unwrap()
            });
            bench.mend();
            match ended {
                Ok(_) => assert!(!cancelled),
                Err(failure) => assert!(cancelled && failure.code == Code::Cancelled, "{failure}"),
            }
            scene.settle().unwrap();
        }
    }
}

#[test]
fn a_disk_that_answers_no_more_holds_a_move_up_until_it_does() {
    let stalled = Faults {
        stalls: true,
        ..Faults::default()
    };
    for (engine, kinds) in ENGINES {
        let Some(mut bench) = Bench::of("a stalled disk", kinds[0]) else {
            return;
        };
        for (of_source, cancelled) in [(true, false), (true, true), (false, false), (false, true)] {
            let scene = bench.scene(Subject::File, engine);
            bench.source.restart().unwrap();
            let disk = if of_source {
                &bench.source
            } else {
                &bench.target
            };
            disk.set_faults(stalled);
            let control = Control::new();
            let ended = std::thread::scope(|scope| {
                let moving = scope.spawn(|| scene.move_wholly(&scene.request, &control));
                while !disk.has_stalled() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                if cancelled {
                    control.cancel();
                }
                disk.set_faults(Faults::default());
                moving.join().unwrap()
            });
            match ended {
                // The answer it waited for may have been its last.
                Ok(_) => {}
                Err(failure) => assert!(cancelled && failure.code == Code::Cancelled, "{failure}"),
            }
            scene.look().unwrap();
            scene.settle().unwrap();
        }
    }
}
