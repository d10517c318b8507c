//! Tables and properties of the reservation arithmetic.

use proptest::prelude::*;
use space::{Entry, Filesystem, Invalid, Snapshot, StoragePath, Verdict, admit};

fn entry(id: &str, path: &str, bytes: u64, on_disk_bytes: u64) -> Entry {
    Entry {
        id: id.into(),
        path: path.into(),
        bytes,
        on_disk_bytes,
    }
}

fn path(id: &str, filesystem: &str, max_bytes: Option<u64>, used_bytes: u64) -> StoragePath {
    StoragePath {
        id: id.into(),
        filesystem: filesystem.into(),
        max_bytes,
        used_bytes,
    }
}

/// Two paths on one disk of 1000 free bytes with a floor of 100.
fn one_disk() -> Snapshot {
    Snapshot {
        filesystems: vec![Filesystem {
            id: "disk".into(),
            available_bytes: 1000,
            floor_bytes: 100,
        }],
        paths: vec![path("a", "disk", None, 0), path("b", "disk", Some(300), 50)],
        held: vec![],
    }
}

fn refusal(verdict: Verdict) -> space::Refusal {
    match verdict {
        Verdict::Refused(refusal) => refusal,
        Verdict::Granted => panic!("granted"),
    }
}

#[test]
fn two_paths_on_one_file_system_share_its_free_space() {
    let mut snapshot = one_disk();
    snapshot.held = vec![entry("x", "a", 850, 0)];
    assert_eq!(snapshot.available_on_path("b"), Ok(50));
    assert_eq!(
        refusal(admit(&snapshot, &[entry("y", "b", 51, 0)]).unwrap()).available_bytes,
        50
    );
}

#[test]
fn what_is_on_the_disk_already_is_not_counted_again() {
    let mut snapshot = one_disk();
    snapshot.held = vec![entry("x", "a", 850, 800)];
    assert_eq!(snapshot.available_on_path("a"), Ok(850));
    assert_eq!(
        admit(&snapshot, &[entry("full", "a", 5000, 4500)]),
        Ok(Verdict::Granted)
    );
}

#[test]
fn a_set_is_granted_whole_or_not_at_all() {
    let snapshot = one_disk();
    let refused = refusal(
        admit(
            &snapshot,
            &[entry("1", "a", 600, 0), entry("2", "a", 400, 0)],
        )
        .unwrap(),
    );
    assert_eq!(
        (
            refused.id.as_str(),
            refused.wanted_bytes,
            refused.available_bytes
        ),
        ("2", 400, 300)
    );
    assert!(!refused.limited_by_max);
}

#[test]
fn max_storage_limits_a_path_below_its_disk() {
    let refused = refusal(admit(&one_disk(), &[entry("1", "b", 251, 0)]).unwrap());
    assert_eq!(
        (refused.available_bytes, refused.limited_by_max),
        (250, true)
    );
}

#[test]
fn an_entry_asked_for_again_replaces_itself() {
    let mut snapshot = one_disk();
    snapshot.held = vec![entry("x", "a", 800, 0)];
    assert_eq!(
        admit(&snapshot, &[entry("x", "a", 900, 0)]),
        Ok(Verdict::Granted)
    );
}

#[test]
fn a_disk_that_others_filled_leaves_nothing_rather_than_less() {
    let mut snapshot = one_disk();
    snapshot.filesystems[0].available_bytes = 10;
    snapshot.held = vec![entry("x", "a", u64::MAX, 0), entry("y", "b", u64::MAX, 0)];
    assert_eq!(snapshot.available_on_path("a"), Ok(0));
    assert_eq!(
        admit(&snapshot, &[entry("none", "a", 0, 0)]),
        Ok(Verdict::Granted)
    );
}

#[test]
fn a_snapshot_that_contradicts_itself_is_refused() {
    let snapshot = one_disk();
    let nowhere = admit(&snapshot, &[entry("1", "c", 1, 0)]);
    assert_eq!(nowhere, Err(Invalid::UnknownPath("c".into())));
    let twice = admit(&snapshot, &[entry("1", "a", 1, 0), entry("1", "b", 1, 0)]);
    assert_eq!(twice, Err(Invalid::Twice("1".into())));
    let mut lost = one_disk();
    lost.filesystems.clear();
    assert_eq!(
        admit(&lost, &[]),
        Err(Invalid::UnknownFilesystem("disk".into()))
    );
}

const PATHS: [&str; 4] = ["p0", "p1", "p2", "p3"];

fn snapshots() -> impl Strategy<Value = Snapshot> {
    let disks = prop::collection::vec((0u64..10_000, 0u64..500), 2);
    let maxima = prop::collection::vec((prop::option::of(0u64..8_000), 0u64..4_000), 4);
    (disks, maxima).prop_map(|(disks, maxima)| Snapshot {
        filesystems: disks
            .into_iter()
            .enumerate()
            .map(|(at, (available_bytes, floor_bytes))| Filesystem {
                id: format!("fs{at}"),
                available_bytes,
                floor_bytes,
            })
            .collect(),
        paths: maxima
            .into_iter()
            .enumerate()
            .map(|(at, (max, used))| path(PATHS[at], &format!("fs{}", at % 2), max, used))
            .collect(),
        held: vec![],
    })
}

fn requests() -> impl Strategy<Value = Vec<Vec<(usize, u64, u64)>>> {
    let one = (0usize..4, 0u64..4_000, 0u64..2_000);
    prop::collection::vec(prop::collection::vec(one, 1..4), 1..12)
}

proptest! {
    #[test]
    fn promises_never_exceed_what_is_free(snapshot in snapshots(), requests in requests()) {
        let mut state = snapshot;
        for (round, set) in requests.iter().enumerate() {
            let wanted: Vec<Entry> = set.iter().enumerate()
                .map(|(at, (path, bytes, disk))| entry(&format!("{round}.{at}"), PATHS[*path], *bytes, *disk))
                .collect();
            let before = state.clone();
            match admit(&state, &wanted).unwrap() {
                Verdict::Granted => state.held.extend(wanted.clone()),
                Verdict::Refused(refusal) => prop_assert!(refusal.wanted_bytes > refusal.available_bytes),
            }
            for filesystem in &state.filesystems {
                let promised: u64 = state.held.iter()
                    .filter(|held| state.paths.iter().any(|p| p.id == held.path && p.filesystem == filesystem.id))
                    .map(Entry::outstanding).sum();
                let usable = filesystem.available_bytes.saturating_sub(filesystem.floor_bytes);
                prop_assert!(promised <= usable);
            }
            // Releasing what was just granted restores the state before.
            let mut released = state.clone();
            released.held.retain(|held| wanted.iter().all(|entry| entry.id != held.id));
            for path in PATHS {
                prop_assert_eq!(released.available_on_path(path), before.available_on_path(path));
            }
        }
    }

    #[test]
    fn a_set_that_is_granted_fits_in_any_order(snapshot in snapshots(), requests in requests()) {
        for set in requests {
            let wanted: Vec<Entry> = set.iter().enumerate()
                .map(|(at, (path, bytes, disk))| entry(&at.to_string(), PATHS[*path], *bytes, *disk))
                .collect();
            let backwards: Vec<Entry> = wanted.iter().rev().cloned().collect();
            let forth = admit(&snapshot, &wanted).unwrap() == Verdict::Granted;
            let back = admit(&snapshot, &backwards).unwrap() == Verdict::Granted;
            prop_assert_eq!(forth, back);
        }
    }
}
