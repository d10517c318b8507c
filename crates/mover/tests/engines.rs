//! Every way to copy on every file system that this machine can mount.

mod yard;

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use mover::{
    Code, Control, Engine, EngineChoice, HashKind, Method, TransferRequest, probe_engines,
};
use yard::{DIRECTORY, FILE, Mount, Yard, bind_mount, content, loop_mount, loop_mount_with};
use yard::{memory_mount, overlay_mount, skip, snapshot};

const ENGINES: [Engine; 3] = [Engine::Direct, Engine::Uncached, Engine::Buffered];

/// A storage path, by the name of what it is on; mounts go when it does.
struct Ground {
    name: &'static str,
    path: PathBuf,
    _mount: Mount,
}

/// What of the file systems could be mounted; says what could not.
fn grounds() -> Vec<Ground> {
    let mut all = Vec::new();
    let mut add = |name: &'static str, mounted: Result<Mount, String>| match mounted {
        Ok(mount) => all.push(Ground {
            name,
            path: mount.at.clone(),
            _mount: mount,
        }),
        Err(reason) => skip(name, &reason),
    };
    add("xfs", loop_mount("xfs", 320));
    add(
        "xfs without reflink",
        loop_mount_with("xfs", 320, &["-m", "reflink=0"]),
    );
    add("btrfs", loop_mount("btrfs", 256));
    add("ext4", loop_mount("ext4", 96));
    add("tmpfs", memory_mount(96));
    all
}

/// Paths that are seen through another one: they come after what they are on, and go before it.
fn seen_through(xfs: &Path, btrfs: &Path) -> Vec<Ground> {
    let bound = tempfile::tempdir().unwrap().keep();
    let mut all = Vec::new();
    match bind_mount(xfs, &bound.join("again")) {
        Ok(mount) => all.push(Ground {
            name: "bind mount",
            path: mount.at.clone(),
            _mount: mount,
        }),
        Err(reason) => skip("bind mount", &reason),
    }
    let subvolume = btrfs.join("subvolume");
    let made = Command::new("btrfs")
        .args(["subvolume", "create"])
        .arg(&subvolume)
        .output();
    match made {
        // Mounted on itself, so that it ends as the others do.
        Ok(output) if output.status.success() => {
            if let Ok(mount) = bind_mount(&subvolume, &subvolume) {
                all.push(Ground {
                    name: "btrfs subvolume",
                    path: subvolume,
                    _mount: mount,
                });
            }
        }
        _ => skip("btrfs subvolume", "the btrfs command is not installed"),
    }
    match overlay_mount(xfs) {
        Ok(mount) => all.push(Ground {
            name: "overlay",
            path: mount.at.clone(),
            _mount: mount,
        }),
        Err(reason) => skip("overlay", &reason),
    }
    all
}

fn store(ground: &Ground, name: &str) -> PathBuf {
    let path = ground.path.join(name);
    fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn every_engine_copies_from_and_to_every_file_system() {
    let below = grounds();
    let at = |name| below.iter().find(|ground| ground.name == name);
    let (Some(xfs), Some(btrfs)) = (at("xfs"), at("btrfs")) else {
        return skip("every engine on every file system", "no xfs or btrfs here");
    };
    let above = seen_through(&xfs.path, &btrfs.path);
    let ground = tempfile::tempdir().unwrap();
    for each in below.iter().chain(&above) {
        for engine in ENGINES {
            let (there, here) = (store(each, "there"), ground.path().join(engine.as_str()));
            fs::create_dir_all(&here).unwrap();
            assert_copies(&there, &here, engine, each.name);
            assert_copies(&here, &there, engine, each.name);
        }
        assert_copies(
            &store(each, "a"),
            &store(each, "b"),
            Engine::Direct,
            each.name,
        );
    }
    // What lies upon another one is unmounted first.
    drop(above);
}

fn assert_copies(source: &Path, target: &Path, engine: Engine, what: &str) {
    let mut yard = Yard::between(source, target);
    yard.engine = EngineChoice::Forced(engine);
    let works = |path| probe_engines(path).unwrap().contains(&engine);
    let expected = if works(source) && works(target) {
        engine
    } else {
        Engine::Buffered
    };
    write_lengths(&yard.from(DIRECTORY));
    let before = snapshot(&yard.from(DIRECTORY));
    let allocated = allocated(&yard.from(DIRECTORY));
    let request = TransferRequest {
        hash: HashKind::Blake3,
        ..yard.copy_request(DIRECTORY)
    };
    let durable = yard.move_wholly(&request).unwrap();
    let label = format!("{what}: {engine:?}");
    let told = (durable.method, durable.engine);
    assert_eq!(told, (Method::Copy, Some(expected)), "{label}");
    assert!(snapshot(&yard.to(DIRECTORY)) == before, "{label}");
    assert_eq!(durable.hashes.len(), before.unwrap().len());
    assert_eq!(durable.read_back_bytes, durable.copied_bytes, "{label}");
    assert!(
        durable.allocated_bytes <= allocated + (1 << 20),
        "{label}: {} bytes of {allocated}",
        durable.allocated_bytes
    );
    fs::remove_dir_all(yard.to(DIRECTORY)).unwrap();
    yard.assert_tidy();
}

/// A directory with a file of every length around a block, one of several chunks, and one with holes.
fn write_lengths(at: &Path) {
    fs::create_dir_all(at).unwrap();
    for size in [0, 1, 4095, 4096, 4097, (4 << 20) + 4097] {
        fs::write(at.join(format!("p_aux-{size}")), content(size, 3)).unwrap();
    }
    // A hole first, one in the middle, one at the end.
    let file = fs::File::create(at.join("t_aux-holes")).unwrap();
    file.write_all_at(&content(100_000, 5), 1 << 20).unwrap();
    file.write_all_at(&content(70_001, 6), 2 << 20).unwrap();
    file.set_len((3 << 20) + 5).unwrap();
}

fn allocated(directory: &Path) -> u64 {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().blocks() * 512)
        .sum()
}

#[test]
fn a_target_that_fills_up_in_the_middle_leaves_the_source_and_no_private_name() {
    let title = "a_target_that_fills_up_in_the_middle_leaves_the_source_and_no_private_name";
    let mounts = match (loop_mount("ext4", 24), memory_mount(24)) {
        (Ok(ext4), Ok(memory)) => [ext4, memory],
        (Err(reason), _) | (_, Err(reason)) => return skip(title, &reason),
    };
    let source = tempfile::tempdir().unwrap();
    write_long(&source.path().join("long"), 40 << 20);
    for mount in &mounts {
        for engine in ENGINES {
            let mut yard = Yard::between(source.path(), &mount.at);
            yard.engine = EngineChoice::Forced(engine);
            fs::hard_link(source.path().join("long"), yard.from(FILE)).unwrap();
            for skip_zeros in [false, true] {
                // Where zeros are left out nothing is set aside: it is a write that finds the disk full.
                let request = TransferRequest {
                    skip_zeros,
                    ..yard.copy_request(FILE)
                };
                let failure = yard.move_wholly(&request).unwrap_err();
                assert_eq!(failure.code, Code::NoSpace, "{engine:?}: {failure}");
                assert!(yard.from(FILE).exists() && !yard.to(FILE).exists());
                yard.assert_tidy();
            }
            fs::remove_file(yard.from(FILE)).unwrap();
        }
    }
}

fn write_long(at: &Path, size: u64) {
    let file = fs::File::create(at).unwrap();
    let part = content(1 << 20, 3);
    for offset in (0..size).step_by(part.len()) {
        file.write_all_at(&part, offset).unwrap();
    }
}

#[test]
fn a_source_that_changes_while_it_is_copied_is_not_moved() {
    for engine in ENGINES {
        for change in [grow, shrink, overwrite] {
            let mut yard = Yard::new();
            yard.engine = EngineChoice::Forced(engine);
            fs::write(yard.from(FILE), content(5 << 20, 3)).unwrap();
            let from = yard.from(FILE);
            // The private name is there and nothing is copied, or all of it is.
            for step in [mover::Step::TempMade, mover::Step::FileSynced] {
                let from = from.clone();
                let control = Control::with_steps(move |at| {
                    if at == step {
                        change(&from);
                    }
                });
                let request = yard.copy_request(FILE);
                let failure = yard.mover().transfer(&request, &control).unwrap_err();
                assert_eq!(failure.code, Code::SourceChanged, "{engine:?}: {failure}");
                assert!(yard.from(FILE).exists() && !yard.to(FILE).exists());
                yard.assert_tidy();
            }
        }
    }
}

fn opened(path: &Path) -> fs::File {
    fs::File::options().write(true).open(path).unwrap()
}

fn grow(path: &Path) {
    opened(path).write_all_at(&[1; 5000], 9 << 20).unwrap();
}

fn shrink(path: &Path) {
    opened(path).set_len(1_000_001).unwrap();
}

fn overwrite(path: &Path) {
    opened(path).write_all_at(&[9; 100], 2 << 20).unwrap();
}

#[test]
fn a_copy_that_is_cancelled_in_the_middle_leaves_nothing() {
    for engine in ENGINES {
        let mut yard = Yard::new();
        yard.engine = EngineChoice::Forced(engine);
        write_long(&yard.from(FILE), 100 << 20);
        let mover = yard.mover();
        let request = yard.copy_request(FILE);
        let control = Control::new();
        let failure = std::thread::scope(|scope| {
            let moving = scope.spawn(|| mover.transfer(&request, &control).unwrap_err());
            while control.progress().0 == 0 && !moving.is_finished() {
                std::thread::yield_now();
            }
            control.cancel();
            moving.join().unwrap()
        });
        assert_eq!(failure.code, Code::Cancelled, "{engine:?}");
        assert!(yard.from(FILE).exists() && !yard.to(FILE).exists());
        drop(mover);
        yard.assert_tidy();
    }
}

#[test]
fn what_an_unsealed_file_has_freed_is_not_copied_and_not_compared() {
    const UNSEALED: &str = "unsealed/s-t01000-7";
    const SECTOR: u64 = 8 << 20;
    for engine in ENGINES {
        let mut yard = Yard::new();
        yard.engine = EngineChoice::Forced(engine);
        fs::write(yard.from(UNSEALED), content(SECTOR as usize, 3)).unwrap();
        let file = fs::File::options()
            .read(true)
            .write(true)
            .open(yard.from(UNSEALED))
            .unwrap();
        let mut allocated = unsealed::Allocated::none();
        allocated.insert(0..1 << 20);
        unsealed::write(&file, SECTOR, &allocated).unwrap();
        let request = TransferRequest {
            keep_source: true,
            ..yard.copy_request(UNSEALED)
        };
        let durable = yard.move_wholly(&request).unwrap();
        assert!(
            durable.copied_bytes < 2 << 20,
            "{engine:?}: {}",
            durable.copied_bytes
        );
        let (before, after) = (yard.from(UNSEALED), yard.to(UNSEALED));
        let (before, after) = (fs::read(before).unwrap(), fs::read(after).unwrap());
        assert!(after[..1 << 20] == before[..1 << 20] && after.len() == before.len());
        assert_eq!(after[SECTOR as usize..], before[SECTOR as usize..]);
        // Asked for again, both count as the same.
        let again = yard.move_wholly(&yard.copy_request(UNSEALED)).unwrap();
        assert_eq!(again.copied_bytes, 0);
        assert!(!yard.from(UNSEALED).exists());
    }
}
