//! A move that is stopped after every step, and a recovery that is stopped after every step of its own.

mod yard;

use std::fs;
use std::path::Path;

use mover::{Code, Control, Mover, RecoveredState, Step, TransferRequest};
use yard::{DIRECTORY, FILE, Yard, content, killer, snapshot, until_killed, write_cache};

type Content = Option<Vec<(String, u32, Vec<u8>)>>;

/// All of a move, with one control for the steps of all its parts.
fn whole_move(mover: &Mover, request: &TransferRequest, control: &Control) {
    mover.transfer(request, control).unwrap();
    mover.remove_source(&request.op, control).unwrap();
    mover.done(&request.op).unwrap();
}

fn fresh(name: &str) -> (Yard, Content) {
    let yard = Yard::new();
    if name == DIRECTORY {
        write_cache(&yard.from(name));
    } else {
        fs::write(yard.from(name), content(70_000, 5)).unwrap();
    }
    let before = snapshot(&yard.from(name));
    (yard, before)
}

fn steps_of(name: &str) -> Vec<Step> {
    let (yard, _) = fresh(name);
    let (control, seen) = killer(None);
    whole_move(&yard.mover(), &yard.copy_request(name), &control);
    seen.lock().unwrap().clone()
}

/// What has a final name is whole, and something has one.
fn assert_one_complete(yard: &Yard, name: &str, before: &Content, when: &str) {
    let (source, target) = (snapshot(&yard.from(name)), snapshot(&yard.to(name)));
    assert!(
        source.is_some() || target.is_some(),
        "{when}: nothing is left"
    );
    for side in [source, target].into_iter().filter(Option::is_some) {
        assert!(side == *before, "{when}: a final name is not whole");
    }
}

/// What a caller does after a start: recover, go on, and ask anew for what was discarded.
fn finish(yard: &Yard, name: &str, op: &str) -> Vec<RecoveredState> {
    let mover = yard.mover();
    let control = Control::new();
    let found = mover.recover(&control).unwrap();
    for each in &found {
        assert_eq!(
            (each.op.as_str(), each.tag.as_str(), each.keep_source),
            (op, "sector 7", false)
        );
        assert_eq!(each.reason, None);
        if each.state == RecoveredState::TargetDurable {
            mover.remove_source(&each.op, &control).unwrap();
        }
        if each.state != RecoveredState::Discarded {
            mover.done(&each.op).unwrap();
        }
    }
    drop(mover);
    if yard.from(name).exists() {
        yard.move_wholly(&yard.copy_request(name)).unwrap();
    }
    found.into_iter().map(|each| each.state).collect()
}

fn assert_moved(yard: &Yard, name: &str, before: &Content, when: &str) {
    assert!(
        snapshot(&yard.to(name)) == *before,
        "{when}: the target is not what the source was"
    );
    assert!(
        !yard.from(name).exists(),
        "{when}: the source is still there"
    );
    yard.assert_tidy();
}

#[test]
fn the_steps_of_a_move_come_in_the_order_that_keeps_one_complete_copy() {
    let file = [
        Step::IntentWritten,
        Step::TempMade,
        Step::FileSynced,
        Step::TempDurable,
        Step::Named,
        Step::NameDurable,
        Step::TargetRecorded,
        Step::SourceUnlinked,
        Step::SourceRecorded,
    ];
    assert_eq!(steps_of(FILE), file);
    assert!(steps_of(DIRECTORY).contains(&Step::SourceSetAside));
}

#[test]
fn a_stop_after_any_step_ends_with_one_whole_target_after_recovery() {
    for name in [FILE, DIRECTORY] {
        let steps = steps_of(name);
        for at in 1..=steps.len() {
            let when = format!("{name} stopped after {:?}", steps[at - 1]);
            let (yard, before) = fresh(name);
            let request = yard.copy_request(name);
            let (control, _) = killer(Some(at));
            assert!(until_killed(|| whole_move(&yard.mover(), &request, &control)).is_none());
            assert_one_complete(&yard, name, &before, &when);
            let states = finish(&yard, name, &request.op);
            let expected = match steps[at - 1] {
                Step::IntentWritten | Step::TempMade | Step::FileSynced | Step::TempDurable => {
                    RecoveredState::Discarded
                }
                Step::SourceRecorded => RecoveredState::SourceRemoved,
                _ => RecoveredState::TargetDurable,
            };
            assert_eq!(states, [expected], "{when}");
            assert_moved(&yard, name, &before, &when);
        }
    }
}

#[test]
fn a_recovery_that_is_stopped_after_any_step_can_be_run_again() {
    for name in [FILE, DIRECTORY] {
        for at in 1..=steps_of(name).len() {
            for recovery_at in 1.. {
                let when = format!("{name} stopped at step {at}, its recovery at {recovery_at}");
                let (yard, before) = fresh(name);
                let request = yard.copy_request(name);
                let (control, _) = killer(Some(at));
                assert!(until_killed(|| whole_move(&yard.mover(), &request, &control)).is_none());
                let (control, _) = killer(Some(recovery_at));
                let killed = until_killed(|| yard.mover().recover(&control).unwrap()).is_none();
                assert_one_complete(&yard, name, &before, &when);
                finish(&yard, name, &request.op);
                assert_moved(&yard, name, &before, &when);
                if !killed {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_removal_of_the_source_that_is_stopped_goes_on_where_it_was() {
    let (yard, before) = fresh(DIRECTORY);
    let request = yard.copy_request(DIRECTORY);
    let (control, _) = killer(None);
    yard.mover().transfer(&request, &control).unwrap();
    let mover = yard.mover();
    let (control, seen) = killer(Some(1));
    assert!(until_killed(|| mover.remove_source(&request.op, &control)).is_none());
    assert_eq!(*seen.lock().unwrap(), [Step::SourceSetAside]);
    // Half of it is unlinked, and a sector of this name is begun anew.
    let aside = yard
        .source
        .join("cache/fetching")
        .join(format!("s-t01000-7.{}", request.op));
    fs::remove_file(aside.join("p_aux")).unwrap();
    fs::create_dir(yard.from(DIRECTORY)).unwrap();
    drop(mover);
    let mover = yard.mover();
    assert_eq!(
        mover.recover(&Control::new()).unwrap()[0].state,
        RecoveredState::TargetDurable
    );
    mover.remove_source(&request.op, &Control::new()).unwrap();
    mover.done(&request.op).unwrap();
    assert!(yard.from(DIRECTORY).exists(), "what was begun anew stays");
    assert!(snapshot(&yard.to(DIRECTORY)) == before);
    drop(mover);
    yard.assert_tidy();
}

#[test]
fn a_source_that_was_set_aside_is_looked_at_again_before_it_is_unlinked() {
    let (yard, before) = fresh(DIRECTORY);
    let request = yard.copy_request(DIRECTORY);
    let mover = yard.mover();
    mover.transfer(&request, &Control::new()).unwrap();
    // As a stop right behind the rename leaves it, with a file that was written just before that.
    let fetching = yard.source.join("cache/fetching");
    let aside = fetching.join(format!("s-t01000-7.{}", request.op));
    fs::create_dir_all(&fetching).unwrap();
    fs::rename(yard.from(DIRECTORY), &aside).unwrap();
    fs::write(aside.join("p_aux"), "written after it was copied").unwrap();
    let failure = mover
        .remove_source(&request.op, &Control::new())
        .unwrap_err();
    assert_eq!(failure.code, Code::SourceChanged);
    assert_eq!(
        fs::read(aside.join("p_aux")).unwrap(),
        b"written after it was copied"
    );
    assert!(snapshot(&yard.to(DIRECTORY)) == before);
}

/// A move stopped after `at`, then changed by `change`: recovery raises an alarm and touches nothing.
fn assert_alarm(at: usize, change: impl FnOnce(&Yard), reason: &str) {
    let (yard, _) = fresh(FILE);
    let request = yard.copy_request(FILE);
    let (control, _) = killer(Some(at));
    until_killed(|| whole_move(&yard.mover(), &request, &control));
    change(&yard);
    let look = || {
        let fetching = yard.target.join("sealed/fetching");
        let temps = fs::read_dir(fetching).map_or(0, Iterator::count);
        (snapshot(&yard.from(FILE)), snapshot(&yard.to(FILE)), temps)
    };
    let before = look();
    for _ in 0..2 {
        let found = yard.mover().recover(&Control::new()).unwrap();
        assert_eq!(found[0].state, RecoveredState::Alarm);
        let text = found[0].reason.as_deref().unwrap();
        assert!(text.contains(reason), "{text}");
    }
    assert!(look() == before, "an alarm touches nothing");
    let mover = yard.mover();
    mover.done(&request.op).unwrap();
    assert_eq!(mover.recover(&Control::new()).unwrap(), []);
}

#[test]
fn what_recovery_cannot_be_sure_of_is_an_alarm() {
    let (temp_durable, named, recorded) = (4, 5, 7);
    let remove = |path: &Path| fs::remove_file(path).unwrap();
    assert_alarm(
        temp_durable,
        |yard| remove(&yard.from(FILE)),
        "source is gone",
    );
    assert_alarm(
        temp_durable,
        |yard| fs::write(yard.from(FILE), "new").unwrap(),
        "source changed",
    );
    assert_alarm(
        named,
        |yard| fs::write(yard.to(FILE), content(70_000, 6)).unwrap(),
        "differs",
    );
    assert_alarm(
        recorded,
        |yard| fs::write(yard.to(FILE), "short").unwrap(),
        "something else",
    );
    assert_alarm(recorded, |yard| remove(&yard.to(FILE)), "only copy");
    assert_alarm(
        temp_durable,
        |yard| fs::rename(&yard.target, yard.target.with_extension("away")).unwrap(),
        "No such file",
    );
}

#[test]
fn another_disk_at_the_path_of_a_move_is_an_alarm() {
    let (yard, _) = fresh(FILE);
    let nonce = |text: &str| {
        fs::create_dir_all(yard.target.join(".sealyard")).unwrap();
        fs::write(yard.target.join(".sealyard/nonce"), text).unwrap();
    };
    nonce("this disk");
    let request = yard.copy_request(FILE);
    let (control, _) = killer(Some(7));
    until_killed(|| whole_move(&yard.mover(), &request, &control));
    nonce("that disk");
    let mover = yard.mover();
    let found = mover.recover(&Control::new()).unwrap();
    assert_eq!(found[0].state, RecoveredState::Alarm);
    let failure = mover
        .remove_source(&request.op, &Control::new())
        .unwrap_err();
    assert_eq!(failure.code, Code::PathChanged);
    assert!(yard.from(FILE).exists());
}

#[test]
fn anothers_file_under_the_final_name_does_not_stop_a_move_from_being_discarded() {
    let (yard, before) = fresh(FILE);
    let request = yard.copy_request(FILE);
    let (control, _) = killer(Some(4));
    until_killed(|| whole_move(&yard.mover(), &request, &control));
    fs::write(yard.to(FILE), "another's").unwrap();
    let found = yard.mover().recover(&Control::new()).unwrap();
    assert_eq!(found[0].state, RecoveredState::Discarded);
    assert_eq!(fs::read(yard.to(FILE)).unwrap(), b"another's");
    assert!(snapshot(&yard.from(FILE)) == before);
    yard.assert_tidy();
}
