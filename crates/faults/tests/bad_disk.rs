//! Faults from below: a disk that fails, is slow, or both. They meet every engine, io_uring's as well.

use std::time::Duration;

use faults::disk::Disk;
use faults::disk::memory::Faults;
use faults::disk::userspace::Userspace;
use faults::scene::{Scene, Subject};
use faults::tell::{Random, skip};
use mover::{Code, Control, Method, Step};

const KINDS: [(&str, u64); 2] = [("ext4", 64), ("xfs", 320)];

/// Source on one disk in user space, target on another, the journal on a sound one.
struct Bench {
    source: Userspace,
    target: Userspace,
    repo: tempfile::TempDir,
    /// A directory of its own for each scene.
    scenes: u64,
}

impl Bench {
    fn of(title: &str, (kind, size): (&str, u64)) -> Option<Bench> {
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

    fn scene(&mut self, subject: Subject) -> Scene {
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
            400 << 10,
            self.scenes,
        )
        .unwrap();
        scene.request.only = Some(Method::Copy);
        scene
    }

    /// Both are sound again, as after an exchange of the cable; what was not flushed may be gone.
    fn mend(&mut self) {
        let mut random = Random::new(self.scenes);
        for disk in [&mut self.source, &mut self.target] {
            disk.cut(&mut random).unwrap();
            disk.restart().unwrap();
        }
    }
}

/// A move that meets a fault: it fails and says so, or is done; then the disks are mended and all must hold.
fn one(bench: &mut Bench, scene: &Scene, what: &str) -> bool {
    let ended = scene.move_wholly(&scene.request, &Control::new());
    let failures = bench.source.counts()[2] + bench.target.counts()[2];
    bench.mend();
    let sight = scene
        .look()
        .unwrap_or_else(|broken| panic!("{what}: {broken}"));
    match &ended {
        Ok(_) => assert!(sight.target, "{what}: it was said to be done"),
        Err(failure) => assert!(failures > 0, "{what}: it failed without a fault: {failure}"),
    }
    scene
        .recover(&Control::new())
        .unwrap_or_else(|broken| panic!("{what}: {broken}"));
    scene
        .settle()
        .unwrap_or_else(|broken| panic!("{what}: {broken}"));
    ended.is_err()
}

/// As many requests go well as a move needs, one fewer each time: every request of a move fails once.
fn sweep(title: &str, faults: impl Fn(&Bench, u64)) {
    for kind in KINDS {
        let Some(mut bench) = Bench::of(title, kind) else {
            return;
        };
        // One each: the test shall be quick.
        for subject in if kind.0 == "xfs" {
            [Subject::File]
        } else {
            [Subject::Directory]
        } {
            let mut failed = 0;
            for after in 0.. {
                let scene = bench.scene(subject);
                // Nothing of the source is in the page cache.
                bench.source.restart().unwrap();
                faults(&bench, after);
                let what = format!("{title}, {} of {subject:?}, fault after {after}", kind.0);
                if one(&mut bench, &scene, &what) {
                    failed += 1;
                } else if after > 3 {
                    break;
                }
            }
            println!(
                "{title}: {} of {subject:?}: {failed} requests failed, each once",
                kind.0
            );
            assert!(failed > 1, "{title}: hardly a fault met the move");
        }
    }
}

#[test]
fn a_source_that_cannot_be_read_to_its_end_stays_where_it_is() {
    sweep("reads of the source's disk fail", |bench, after| {
        bench.source.set_faults(Faults {
            reads_fail_after: Some(after),
            ..Faults::default()
        });
    });
}

#[test]
fn a_target_that_cannot_be_written_is_not_declared() {
    sweep("writes to the target's disk fail", |bench, after| {
        let flushes_fail = after % 2 == 1;
        bench.target.set_faults(Faults {
            writes_fail_after: Some(after),
            flushes_fail,
            ..Faults::default()
        });
    });
}

#[test]
fn slow_disks_only_take_longer_and_a_move_to_them_can_be_cancelled() {
    let title = "slow disks";
    let Some(mut bench) = Bench::of(title, KINDS[0]) else {
        return;
    };
    let slow = Faults {
        delay: Duration::from_millis(2),
        ..Faults::default()
    };
    for cancelled in [false, true] {
        let scene = bench.scene(Subject::Directory);
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
