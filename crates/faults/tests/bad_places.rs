//! Full disks, disks without inodes, mounts that go away, and two workers at once.

mod paths;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use faults::disk::looped::Looped;
use faults::disk::{Disk, run};
use faults::driver::words;
use faults::scene::{Scene, Sight, Subject};
use faults::tell::skip;
use mover::{Code, Control, Method, Step, TransferRequest};
use paths::Paths;

const SOURCE_ALONE: Sight = Sight {
    source: true,
    target: false,
};

/// A move fails with this code, its source is untouched, and there is nothing to put right; once there is room the
/// same move is made.
fn refused(scene: &Scene, control: &Control, code: Code, make_room: impl FnOnce()) {
    let failure = scene.move_wholly(&scene.request, control).unwrap_err();
    assert_eq!(failure.code, code, "{failure}");
    assert_eq!(scene.look().unwrap(), SOURCE_ALONE);
    assert_eq!(scene.recover(&Control::new()).unwrap(), []);
    make_room();
    scene.settle().unwrap();
}

/// Takes all blocks there are, without writing them.
fn fill(file: &Path) {
    use rustix::fs::{FallocateFlags, fallocate};
    let file = fs::File::create(file).unwrap();
    let (mut end, mut step) = (0, 64 << 20);
    while step >= 4096 {
        match fallocate(&file, FallocateFlags::empty(), end, step) {
            Ok(()) => end += step,
            Err(rustix::io::Errno::NOSPC) => step /= 2,
            Err(errno) => panic!("filling the disk: {errno}"),
        }
    }
}

#[test]
fn a_disk_that_is_full_or_fills_up_meanwhile_gets_nothing_and_the_source_stays() {
    let title = "a full disk";
    for kind in ["ext4", "xfs"] {
        let made = Looped::make(kind, if kind == "xfs" { 320 } else { 32 });
        let Ok(disk) = made.inspect_err(|reason| skip(title, reason)) else {
            return;
        };
        for subject in [Subject::File, Subject::Directory] {
            for at in [None, Some(Step::TempMade), Some(Step::FileSynced)] {
                let paths = Paths::new();
                let target = disk.at().join("store");
                fs::create_dir_all(&target).unwrap();
                let scene = paths.scene(&target, subject, 3 << 20);
                let filler = disk.at().join("filler");
                // A file that is synced needs no more room.
                if subject == Subject::File && at == Some(Step::FileSynced) {
                    continue;
                }
                let late = filler.clone();
                let control = Control::with_steps(move |step| {
                    if Some(step) == at && !late.exists() {
                        fill(&late);
                    }
                });
                if at.is_none() {
                    fill(&filler);
                }
                refused(&scene, &control, Code::NoSpace, || {
                    fs::remove_file(&filler).unwrap();
                    // Freed blocks can be had once the journal says so.
                    rustix::fs::syncfs(fs::File::open(&target).unwrap()).unwrap();
                });
                fs::remove_dir_all(&target).unwrap();
            }
        }
    }
}

#[test]
fn a_move_within_a_full_disk_is_made() {
    let title = "a move within a full disk";
    let Ok(disk) = Looped::make("ext4", 32).inspect_err(|reason| skip(title, reason)) else {
        return;
    };
    let paths = Paths::new();
    let [seal, store] = ["seal", "store"].map(|name| disk.at().join(name));
    fs::create_dir_all(&seal).unwrap();
    fs::create_dir_all(&store).unwrap();
    let journal = paths.own.path().join("moves.journal");
    let scene = Scene::set(&journal, (&seal, &store), Subject::Directory, 1 << 20, 1).unwrap();
    fill(&disk.at().join("filler"));
    let durable = scene.move_wholly(&scene.request, &Control::new()).unwrap();
    assert_eq!(durable.method, Method::Rename);
    assert_eq!(
        scene.look().unwrap(),
        Sight {
            source: false,
            target: true
        }
    );
}

#[test]
fn a_disk_without_inodes_in_the_middle_of_a_directory_gets_nothing_and_the_source_stays() {
    let title = "a disk that runs out of inodes";
    let paths = Paths::new();
    let at = paths.make("mount");
    // The root, store, sealed, cache, fetching, the directory, and two of its five files.
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64m,nr_inodes=8", "tmpfs"])
        .arg(&at)
        .output();
    if !mount.is_ok_and(|output| output.status.success()) {
        return skip(title, "needs root to mount a tmpfs");
    }
    let target = at.join("store");
    fs::create_dir(&target).unwrap();
    let scene = paths.scene(&target, Subject::Directory, 1 << 20);
    let more = || {
        run(Command::new("mount")
            .args(["-o", "remount,nr_inodes=100"])
            .arg(&at))
        .unwrap();
    };
    refused(&scene, &Control::new(), Code::NoSpace, more);
    run(Command::new("umount").arg(&at)).unwrap();
}

#[test]
fn a_target_whose_mount_goes_away_at_any_step_gets_nothing_under_its_mount_point() {
    let title = "a mount that goes away";
    for at in 1..=9 {
        let made = Looped::make("ext4", 32).inspect_err(|reason| skip(title, reason));
        let Ok(mut disk) = made else { return };
        let paths = Paths::new();
        let (mount, store) = (disk.at().to_owned(), disk.at().join("store"));
        fs::create_dir(&store).unwrap();
        let scene = paths.scene(&store, Subject::File, 300 << 10);
        let (passed, gone) = (std::sync::atomic::AtomicUsize::new(0), mount.clone());
        let control = Control::with_steps(move |_| {
            if passed.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 == at {
                run(Command::new("umount").arg("-l").arg(&gone)).unwrap();
            }
        });
        let ended = scene.move_wholly(&scene.request, &control);
        assert_eq!(
            fs::read_dir(&mount).unwrap().count(),
            0,
            "step {at}: written under the mount point"
        );
        if let Err(failure) = &ended {
            let expected = [Code::PathChanged, Code::NotFound, Code::TargetDiffers];
            assert!(expected.contains(&failure.code), "step {at}: {failure}");
            assert!(scene.source().exists(), "step {at}: the source was removed");
        }
        disk.was_unmounted();
        disk.restart().unwrap();
        scene.look().unwrap();
        scene.recover(&Control::new()).unwrap();
        scene.settle().unwrap();
    }
}

/// Two processes, each with a journal of its own, asked to move one sector at the same time.
fn at_once(scene: &mut Scene, journals: &[PathBuf; 2], requests: [&TransferRequest; 2]) -> usize {
    let asked = scene.request.clone();
    let begun = [0, 1].map(|at| {
        scene.journal.clone_from(&journals[at]);
        scene.request = requests[at].clone();
        Command::new(env!("CARGO_BIN_EXE_faults"))
            .arg("drive")
            .args(words(scene))
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    });
    scene.request = asked;
    let done = begun.map(|mut child| usize::from(child.wait().unwrap().success()));
    scene.look().unwrap();
    done.iter().sum()
}

#[test]
fn two_workers_that_move_one_sector_at_the_same_time_leave_one_whole_copy_of_it() {
    for round in 0..24 {
        let paths = Paths::new();
        let subject = if round % 2 == 0 {
            Subject::File
        } else {
            Subject::Directory
        };
        let mut scene = paths.scene(&paths.make("store"), subject, 200 << 10);
        let only = [Some(Method::Copy), None];
        scene.request.only = only[round / 2 % 2];
        let other = TransferRequest {
            op: "op-other".to_owned(),
            only: only[round / 4 % 2],
            ..scene.request.clone()
        };
        let request = scene.request.clone();
        let journals = [
            scene.journal.clone(),
            paths.own.path().join("other.journal"),
        ];
        let done = at_once(&mut scene, &journals, [&request, &other]);
        assert!(done > 0, "round {round}: neither of them moved it");
        for journal in &journals {
            scene.journal.clone_from(journal);
            scene.recover(&Control::new()).unwrap();
        }
        scene.settle().unwrap();
        assert!(scene.target().exists());
    }
}
