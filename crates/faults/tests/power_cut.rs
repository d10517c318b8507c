//! A hundred power cuts; `npm run torture -- power-cut --cycles N` makes as many as are wanted.

use faults::power_cut::{self, Mover, cut_often};
use faults::tell::skip;

const SEED: u64 = 20;

/// Any number will do for a test; another one each day finds more, but cannot be repeated.
fn cut(title: &str, who: Mover, cycles: u64) -> Option<power_cut::Toll> {
    let disks = power_cut::disks(title)
        .inspect_err(|reason| skip(title, reason))
        .ok()?;
    let toll = cut_often(disks, who, cycles, SEED).unwrap();
    println!("{title}: {}", toll.line(SEED));
    Some(toll)
}

#[test]
fn a_hundred_power_cuts_lose_nothing_and_show_nothing_by_half() {
    let title = "a hundred power cuts of moves on xfs, ext4 and btrfs";
    let Some(toll) = cut(title, Mover::Ours, 100) else {
        return;
    };
    assert_eq!(toll.broken, Vec::<String>::new());
    assert!(toll.cuts >= 100 && toll.compared >= 10);
    for side in ["source there", "target there"] {
        assert!(
            toll.sights.contains_key(side),
            "no cut left the {side}: they all came at one moment"
        );
    }
}

#[test]
fn the_same_cuts_show_what_mv_loses() {
    let Some(toll) = cut(
        "power cuts of mv on xfs, ext4 and btrfs",
        Mover::PlainMv,
        40,
    ) else {
        return;
    };
    assert!(
        !toll.broken.is_empty(),
        "mv lost nothing: these cuts prove nothing"
    );
}

#[test]
fn a_target_that_dies_after_any_step_of_a_copy_leaves_nothing_for_people_to_do() {
    let title = "the target's disk goes after each step of a copy";
    let Ok(disks) = power_cut::disks(title).inspect_err(|reason| skip(title, reason)) else {
        return;
    };
    let toll = power_cut::cut_target_at_each_step(disks).unwrap();
    println!("{title}: {}", toll.line(0));
    assert_eq!(toll.broken, Vec::<String>::new());
}
