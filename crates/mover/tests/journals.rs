//! The journal as a file: one owner, a torn end, damage in the middle, and how long it grows.

mod yard;

use std::fs;

use mover::{Code, Control, Mover, RecoveredState};
use yard::{FILE, Yard, content, killer, until_killed};

/// A journal with two records: an intent and a durable target.
fn yard_with_a_durable_target() -> Yard {
    let yard = Yard::new();
    fs::write(yard.from(FILE), content(5000, 1)).unwrap();
    let request = yard.copy_request(FILE);
    yard.mover().transfer(&request, &Control::new()).unwrap();
    yard
}

#[test]
fn a_journal_has_one_owner_at_a_time() {
    let yard = Yard::new();
    let first = yard.mover();
    assert_eq!(
        Mover::open(&yard.journal).err().unwrap().code,
        Code::Journal
    );
    drop(first);
    yard.mover();
}

#[test]
fn a_journal_cut_anywhere_in_its_last_record_recovers_the_step_before() {
    let yard = yard_with_a_durable_target();
    let whole = fs::read(&yard.journal).unwrap();
    // Behind the magic: length, checksum, the intent.
    let intent = u32::from_le_bytes(whole[8..12].try_into().unwrap()) as usize;
    let intent_end = 16 + intent;
    assert!(intent_end < whole.len());
    for cut in intent_end..whole.len() {
        fs::write(&yard.journal, &whole[..cut]).unwrap();
        let found = yard.mover().recover(&Control::new()).unwrap();
        // The target is there and equal, so the record is made again.
        assert_eq!(
            found[0].state,
            RecoveredState::TargetDurable,
            "cut at {cut}"
        );
    }
}

#[test]
fn a_journal_that_was_never_written_to_the_end_is_begun_anew() {
    let yard = Yard::new();
    for bytes in [&b""[..], b"SYM"] {
        fs::write(&yard.journal, bytes).unwrap();
        yard.assert_tidy();
        assert_eq!(fs::read(&yard.journal).unwrap(), b"SYMOVES1");
    }
}

#[test]
fn damage_before_the_last_record_stops_everything_and_changes_nothing() {
    let yard = yard_with_a_durable_target();
    let whole = fs::read(&yard.journal).unwrap();
    for at in [0, 9, 13, 40] {
        let mut bytes = whole.clone();
        bytes[at] ^= 16;
        fs::write(&yard.journal, &bytes).unwrap();
        let failure = Mover::open(&yard.journal).err().unwrap();
        assert_eq!(failure.code, Code::Journal, "byte {at}");
        assert!(fs::read(&yard.journal).unwrap() == bytes);
    }
    fs::write(&yard.journal, "a text that is no journal").unwrap();
    assert_eq!(
        Mover::open(&yard.journal).err().unwrap().code,
        Code::Journal
    );
}

#[test]
fn a_long_journal_is_written_anew_with_its_open_moves() {
    let yard = Yard::new();
    fs::write(yard.from(FILE), content(5000, 1)).unwrap();
    let open = yard.copy_request(FILE);
    let (control, _) = killer(Some(1));
    until_killed(|| yard.mover().transfer(&open, &control));
    let mover = yard.mover();
    let mut longest = 0;
    for at in 0..80 {
        let name = format!("sealed/s-t01000-{}", 100 + at);
        fs::write(yard.from(&name), "x").unwrap();
        let mut request = yard.copy_request(&name);
        request.tag = "t".repeat(6000);
        mover.transfer(&request, &Control::new()).unwrap();
        mover.done(&request.op).unwrap();
        longest = longest.max(fs::metadata(&yard.journal).unwrap().len());
    }
    assert!((240 * 1024..300 * 1024).contains(&longest), "{longest}");
    assert_eq!(
        Mover::open(&yard.journal).err().unwrap().code,
        Code::Journal,
        "still locked"
    );
    drop(mover);
    let found = yard.mover().recover(&Control::new()).unwrap();
    assert_eq!((found.len(), found[0].op.as_str()), (1, open.op.as_str()));
    assert_eq!(found[0].state, RecoveredState::Discarded);
}
