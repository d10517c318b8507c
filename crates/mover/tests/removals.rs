//! Removing: the source of a move, a sector file, what was left over.

mod yard;

use std::fs;

use mover::{Code, Control, Method, TransferRequest};
use yard::{DIRECTORY, FILE, Yard, content, snapshot, write_cache};

#[test]
fn a_kept_source_is_never_removed() {
    let yard = Yard::new();
    fs::write(yard.from(FILE), "x").unwrap();
    let mover = yard.mover();
    let request = TransferRequest {
        keep_source: true,
        ..yard.request(FILE)
    };
    let durable = mover.transfer(&request, &Control::new()).unwrap();
    assert!(!durable.source_gone && durable.method != Method::Rename);
    let failure = mover
        .remove_source(&request.op, &Control::new())
        .unwrap_err();
    assert_eq!(failure.code, Code::WrongState);
    assert!(yard.from(FILE).exists());
}

#[test]
fn what_was_not_moved_stops_the_removal_of_the_source() {
    let yard = Yard::new();
    write_cache(&yard.from(DIRECTORY));
    let (mover, request) = (yard.mover(), yard.copy_request(DIRECTORY));
    mover.transfer(&request, &Control::new()).unwrap();
    fs::write(yard.from(DIRECTORY).join("extra"), "x").unwrap();
    let before = snapshot(&yard.from(DIRECTORY));
    let failure = mover
        .remove_source(&request.op, &Control::new())
        .unwrap_err();
    assert_eq!(failure.code, Code::UnexpectedFile);
    assert_eq!(snapshot(&yard.from(DIRECTORY)), before);
    fs::remove_file(yard.from(DIRECTORY).join("extra")).unwrap();
    fs::write(yard.from(DIRECTORY).join("p_aux"), content(64, 200)).unwrap();
    let failure = mover
        .remove_source(&request.op, &Control::new())
        .unwrap_err();
    assert_eq!(failure.code, Code::SourceChanged);
    assert!(yard.from(DIRECTORY).join("p_aux").exists());
}

#[test]
fn the_source_stays_when_the_target_has_gone_since() {
    let yard = Yard::new();
    fs::write(yard.from(FILE), "x").unwrap();
    let (mover, request) = (yard.mover(), yard.copy_request(FILE));
    mover.transfer(&request, &Control::new()).unwrap();
    fs::remove_file(yard.to(FILE)).unwrap();
    let failure = mover
        .remove_source(&request.op, &Control::new())
        .unwrap_err();
    assert_eq!(failure.code, Code::TargetDiffers);
    assert!(yard.from(FILE).exists());
}

#[test]
fn a_removal_is_durable_idempotent_and_tells_what_it_freed() {
    let yard = Yard::new();
    write_cache(&yard.from(DIRECTORY));
    fs::write(yard.from(FILE), content(9000, 1)).unwrap();
    let mover = yard.mover();
    for name in [FILE, DIRECTORY] {
        let first = mover.remove(&yard.source, name).unwrap();
        assert!(first.removed && first.allocated_bytes >= 8192, "{first:?}");
        assert!(!yard.from(name).exists());
        assert!(!mover.remove(&yard.source, name).unwrap().removed);
    }
    assert!(
        !mover
            .remove(&yard.source, "unsealed/s-t01000-7")
            .unwrap()
            .removed
    );
    assert_eq!(
        mover.remove(&yard.source, "../x").unwrap_err().code,
        Code::Invalid
    );
    drop(mover);
    yard.assert_tidy();
}

#[test]
fn leftovers_are_listed_with_their_owner_and_only_orphans_are_discarded() {
    let yard = Yard::new();
    let fetching = yard.target.join("sealed/fetching");
    fs::create_dir_all(fetching.join("s-t01000-9.other")).unwrap();
    fs::write(fetching.join("s-t01000-9.other/a"), content(9000, 1)).unwrap();
    fs::write(yard.from(FILE), content(9000, 1)).unwrap();
    let request = yard.copy_request(FILE);
    let (control, _) = yard::killer(Some(2));
    yard::until_killed(|| yard.mover().transfer(&request, &control));
    let mover = yard.mover();
    let found = mover.leftovers(&yard.target).unwrap();
    let named = |at: usize| (found[at].name.clone(), found[at].owned);
    let ours = format!("sealed/fetching/s-t01000-7.{}", request.op);
    assert_eq!(named(0), (ours.clone(), true));
    assert_eq!(
        named(1),
        ("sealed/fetching/s-t01000-9.other".to_owned(), false)
    );
    assert!(found[1].bytes >= 8192 && found[1].modified_ms > 0);
    assert_eq!(
        mover.discard(&yard.target, &ours).unwrap_err().code,
        Code::Busy
    );
    assert_eq!(
        mover.discard(&yard.target, FILE).unwrap_err().code,
        Code::Invalid
    );
    assert_eq!(
        mover
            .discard(&yard.target, "sealed/fetching/..")
            .unwrap_err()
            .code,
        Code::Invalid
    );
    mover.discard(&yard.target, &found[1].name).unwrap();
    mover.discard(&yard.target, &found[1].name).unwrap();
    assert_eq!(mover.leftovers(&yard.target).unwrap().len(), 1);
}
