//! The ladder on the file systems that hold sectors, as far as this machine can mount them.

mod yard;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mover::{Code, Control, Method, RecoveredState, TransferRequest, filesystem_of, probe_tier};
use yard::{DIRECTORY, FILE, Mount, Yard, bind_mount, content, killer, loop_mount, memory_mount};
use yard::{skip, snapshot, until_killed, write_cache};

const XFS: (&str, u64) = ("xfs", 400);
const BTRFS: (&str, u64) = ("btrfs", 256);
const EXT4: (&str, u64) = ("ext4", 64);

/// Mounts all of them, or says why the test cannot run.
fn mounts(title: &str, kinds: &[(&str, u64)]) -> Option<Vec<Mount>> {
    let mounted = kinds
        .iter()
        .map(|(kind, size)| loop_mount(kind, *size))
        .collect::<Result<_, _>>();
    mounted.inspect_err(|reason| skip(title, reason)).ok()
}

fn path(mount: &Mount, name: &str) -> PathBuf {
    let path = mount.at.join(name);
    fs::create_dir_all(&path).unwrap();
    path
}

/// Moves files and a directory, comparing content and the method that was found.
fn assert_moves(source: &Path, target: &Path, expected: Method) {
    let yard = Yard::between(source, target);
    assert_eq!(probe_tier(source, target).unwrap(), expected);
    for size in [0, 1, 4095, 4096, 4097, 9 << 20] {
        fs::write(yard.from(FILE), content(size, 3)).unwrap();
        let request = TransferRequest {
            verify: true,
            ..yard.request(FILE)
        };
        let durable = yard.move_wholly(&request).unwrap();
        assert_eq!(durable.method, expected, "{size} bytes");
        assert!(
            fs::read(yard.to(FILE)).unwrap() == content(size, 3),
            "{size} bytes"
        );
        assert!(!yard.from(FILE).exists());
        fs::remove_file(yard.to(FILE)).unwrap();
    }
    write_cache(&yard.from(DIRECTORY));
    let before = snapshot(&yard.from(DIRECTORY));
    let durable = yard
        .move_wholly(&TransferRequest {
            verify: true,
            ..yard.request(DIRECTORY)
        })
        .unwrap();
    assert_eq!(durable.method, expected);
    assert!(
        durable.allocated_bytes < 1 << 20,
        "holes stay holes: {}",
        durable.allocated_bytes
    );
    assert!(snapshot(&yard.to(DIRECTORY)) == before);
    fs::remove_dir_all(yard.to(DIRECTORY)).unwrap();
    assert_stops(&yard);
    yard.assert_tidy();
}

/// Stops a move of a directory after each step; recovery and a second try end it.
fn assert_stops(yard: &Yard) {
    for at in 1.. {
        write_cache(&yard.from(DIRECTORY));
        let before = snapshot(&yard.from(DIRECTORY));
        let request = yard.request(DIRECTORY);
        let (control, _) = killer(Some(at));
        let whole = || {
            let mover = yard.mover();
            mover.transfer(&request, &control).unwrap();
            mover.remove_source(&request.op, &control).unwrap();
            mover.done(&request.op).unwrap();
        };
        let killed = until_killed(whole).is_none();
        let mover = yard.mover();
        for each in mover.recover(&Control::new()).unwrap() {
            assert_ne!(
                each.state,
                RecoveredState::Alarm,
                "stop {at}: {:?}",
                each.reason
            );
            if each.state == RecoveredState::TargetDurable {
                mover.remove_source(&each.op, &Control::new()).unwrap();
            }
            mover.done(&each.op).unwrap();
        }
        drop(mover);
        if yard.from(DIRECTORY).exists() {
            yard.move_wholly(&yard.request(DIRECTORY)).unwrap();
        }
        assert!(snapshot(&yard.to(DIRECTORY)) == before, "stop {at}");
        fs::remove_dir_all(yard.to(DIRECTORY)).unwrap();
        if !killed {
            break;
        }
    }
}

#[test]
fn one_xfs_renames_and_a_second_mount_of_it_clones() {
    let title = "one_xfs_renames_and_a_second_mount_of_it_clones";
    let Some(all) = mounts(title, &[XFS]) else {
        return;
    };
    let (source, target) = (path(&all[0], "seal"), path(&all[0], "store"));
    assert_moves(&source, &target, Method::Rename);
    let seen = tempfile::tempdir().unwrap();
    let bound = bind_mount(&target, &seen.path().join("again")).unwrap();
    assert_moves(&source, &bound.at, Method::Clone);
    assert_clone_shares(&source, &bound.at);
    assert_one_directory_twice(&target, &bound.at);
}

/// A clone takes no space of its own, and `only` forces the method.
fn assert_clone_shares(source: &Path, target: &Path) {
    let yard = Yard::between(source, target);
    fs::write(yard.from(FILE), content(32 << 20, 8)).unwrap();
    let free = || filesystem_of(source).unwrap().available_bytes;
    let file = fs::File::open(yard.from(FILE)).unwrap();
    file.sync_all().unwrap();
    let before = free();
    let clone = TransferRequest {
        only: Some(Method::Clone),
        keep_source: true,
        ..yard.request(FILE)
    };
    let durable = yard.move_wholly(&clone).unwrap();
    assert_eq!((durable.method, durable.copied_bytes), (Method::Clone, 0));
    assert!(
        before.saturating_sub(free()) < 8 << 20,
        "a clone took blocks of its own"
    );
    fs::remove_file(yard.to(FILE)).unwrap();
    let copy = TransferRequest {
        only: Some(Method::Copy),
        ..clone.clone()
    };
    let copy = TransferRequest {
        op: "forced".to_owned(),
        ..copy
    };
    assert_eq!(yard.move_wholly(&copy).unwrap().copied_bytes, 32 << 20);
    fs::remove_file(yard.to(FILE)).unwrap();
    let rename = TransferRequest {
        only: Some(Method::Rename),
        ..yard.request(FILE)
    };
    assert_eq!(yard.move_wholly(&rename).unwrap_err().code, Code::NotHere);
    fs::remove_file(yard.from(FILE)).unwrap();
}

/// Two mounts of one directory: a sector is not copied onto itself, and not removed as its own source.
fn assert_one_directory_twice(first: &Path, second: &Path) {
    let yard = Yard::between(first, second);
    fs::write(yard.from(FILE), "x").unwrap();
    assert_eq!(probe_tier(first, second).unwrap(), Method::InPlace);
    assert_eq!(
        yard.move_wholly(&yard.request(FILE)).unwrap().method,
        Method::InPlace
    );
    assert_eq!(fs::read(yard.from(FILE)).unwrap(), b"x");
}

#[test]
fn between_ext4_and_xfs_data_is_copied_both_ways() {
    let title = "between_ext4_and_xfs_data_is_copied_both_ways";
    let Some(all) = mounts(title, &[EXT4, XFS]) else {
        return;
    };
    let (ext4, xfs) = (path(&all[0], "a"), path(&all[1], "a"));
    assert_moves(&ext4, &xfs, Method::Copy);
    assert_moves(&xfs, &ext4, Method::Copy);
    assert_moves(&ext4, &path(&all[0], "b"), Method::Rename);
    let yard = Yard::between(&ext4, &xfs);
    fs::write(yard.from(FILE), "x").unwrap();
    for only in [Method::Rename, Method::Clone] {
        let request = TransferRequest {
            only: Some(only),
            ..yard.request(FILE)
        };
        assert_eq!(yard.move_wholly(&request).unwrap_err().code, Code::NotHere);
    }
    assert!(yard.from(FILE).exists() && !yard.to(FILE).exists());
    yard.assert_tidy();
}

#[test]
fn between_ext4_and_memory_data_is_copied_both_ways() {
    let title = "between_ext4_and_memory_data_is_copied_both_ways";
    let Some(all) = mounts(title, &[EXT4]) else {
        return;
    };
    let memory = match memory_mount(64) {
        Ok(memory) => memory,
        Err(reason) => return skip(title, &reason),
    };
    let (ext4, memory) = (path(&all[0], "a"), path(&memory, "a"));
    assert_moves(&ext4, &memory, Method::Copy);
    assert_moves(&memory, &ext4, Method::Copy);
}

#[test]
fn subvolumes_of_one_btrfs_share_space_and_are_no_copy_apart() {
    let title = "subvolumes_of_one_btrfs_share_space_and_are_no_copy_apart";
    let Some(all) = mounts(title, &[BTRFS]) else {
        return;
    };
    let (one, two) = (all[0].at.join("one"), all[0].at.join("two"));
    for subvolume in [&one, &two] {
        let made = Command::new("btrfs")
            .args(["subvolume", "create"])
            .arg(subvolume)
            .output();
        match made {
            Ok(output) if output.status.success() => {}
            _ => return skip(title, "the btrfs command is not installed"),
        }
    }
    assert_eq!(
        filesystem_of(&one).unwrap().filesystem,
        filesystem_of(&two).unwrap().filesystem
    );
    assert_moves(&one, &two, probe_tier(&one, &two).unwrap());
    assert!(matches!(
        probe_tier(&one, &two).unwrap(),
        Method::Rename | Method::Clone
    ));
}

#[test]
fn a_full_target_leaves_the_source_and_no_private_name() {
    let title = "a_full_target_leaves_the_source_and_no_private_name";
    let mount = match memory_mount(2) {
        Ok(mount) => mount,
        Err(reason) => return skip(title, &reason),
    };
    let temp = tempfile::tempdir().unwrap();
    let yard = Yard::between(temp.path(), &mount.at);
    fs::write(yard.from(FILE), content(5 << 20, 1)).unwrap();
    let failure = yard.move_wholly(&yard.request(FILE)).unwrap_err();
    assert_eq!((failure.code, failure.errno), (Code::NoSpace, Some(28)));
    assert!(fs::read(yard.from(FILE)).unwrap() == content(5 << 20, 1));
    write_cache(&yard.from(DIRECTORY));
    fs::write(
        yard.from(DIRECTORY).join("sc-02-data-tree-c-0.dat"),
        content(4 << 20, 1),
    )
    .unwrap();
    let failure = yard.move_wholly(&yard.request(DIRECTORY)).unwrap_err();
    assert_eq!(failure.code, Code::NoSpace);
    assert!(!yard.to(FILE).exists() && !yard.to(DIRECTORY).exists());
    yard.assert_tidy();
    assert!(
        filesystem_of(&mount.at).unwrap().available_bytes > 1 << 20,
        "the space came back"
    );
}

#[test]
fn a_path_that_was_mounted_over_gets_nothing() {
    let title = "a_path_that_was_mounted_over_gets_nothing";
    let temp = tempfile::tempdir().unwrap();
    let yard = Yard::between(&temp.path().join("seal"), &temp.path().join("store"));
    fs::write(yard.from(FILE), content(5000, 1)).unwrap();
    let request = yard.copy_request(FILE);
    let mover = yard.mover();
    mover.transfer(&request, &Control::new()).unwrap();
    let over = tempfile::tempdir().unwrap();
    fs::create_dir_all(over.path().join("sealed")).unwrap();
    let mount = match bind_mount(over.path(), &yard.target) {
        Ok(mount) => mount,
        Err(reason) => return skip(title, &reason),
    };
    let failure = mover
        .remove_source(&request.op, &Control::new())
        .unwrap_err();
    assert_eq!(failure.code, Code::TargetDiffers);
    assert!(yard.from(FILE).exists());
    drop(mount);
    mover.remove_source(&request.op, &Control::new()).unwrap();
    assert!(!yard.from(FILE).exists());
}
