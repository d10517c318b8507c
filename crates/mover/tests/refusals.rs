//! What stops a move, and what is left then: the source, and nothing else.

mod yard;

use std::fs;

use mover::{Code, Control, Method, Step, TransferRequest};
use yard::{DIRECTORY, FILE, Yard, content, write_cache};

#[test]
fn a_name_that_is_taken_while_the_copy_runs_is_not_replaced() {
    let yard = Yard::new();
    fs::write(yard.from(FILE), content(5000, 1)).unwrap();
    let taken = yard.to(FILE);
    let control = Control::with_steps(move |step| {
        if step == Step::TempDurable {
            fs::write(&taken, "another's").unwrap();
        }
    });
    let failure = yard
        .mover()
        .transfer(&yard.copy_request(FILE), &control)
        .unwrap_err();
    assert_eq!(failure.code, Code::TargetDiffers);
    assert_eq!(fs::read(yard.to(FILE)).unwrap(), b"another's");
    yard.assert_tidy();
}

/// A copy during which `change` happens at a step; the failure's code.
fn changed_at(
    yard: &Yard,
    name: &str,
    when: Step,
    change: impl Fn() + Send + Sync + 'static,
) -> Code {
    let control = Control::with_steps(move |step| {
        if step == when {
            change();
        }
    });
    let failure = yard
        .mover()
        .transfer(&yard.copy_request(name), &control)
        .unwrap_err();
    assert!(!yard.to(name).exists());
    yard.assert_tidy();
    failure.code
}

#[test]
fn a_source_that_shrinks_grows_or_changes_while_it_is_copied_is_not_moved() {
    let yard = Yard::new();
    let source = yard.from(FILE);
    let set_length = |size: u64| {
        let source = source.clone();
        move || {
            fs::File::options()
                .write(true)
                .open(&source)
                .unwrap()
                .set_len(size)
                .unwrap()
        }
    };
    for (size, when) in [
        (1 << 20, Step::TempMade),
        (3 << 20, Step::TempMade),
        (9, Step::TempDurable),
    ] {
        fs::write(&source, content(2 << 20, 1)).unwrap();
        assert_eq!(
            changed_at(&yard, FILE, when, set_length(size)),
            Code::SourceChanged
        );
        assert!(source.exists());
    }
    fs::write(&source, content(5000, 1)).unwrap();
    let again = source.clone();
    let rewritten = move || fs::write(&again, content(5000, 2)).unwrap();
    assert_eq!(
        changed_at(&yard, FILE, Step::TempDurable, rewritten),
        Code::SourceChanged
    );
}

#[test]
fn a_file_that_joins_the_source_directory_while_it_is_copied_stops_the_move() {
    let yard = Yard::new();
    write_cache(&yard.from(DIRECTORY));
    let extra = yard.from(DIRECTORY).join("extra");
    let joins = move || fs::write(&extra, "x").unwrap();
    assert_eq!(
        changed_at(&yard, DIRECTORY, Step::TempDurable, joins),
        Code::SourceChanged
    );
}

#[test]
fn a_disk_that_gives_back_something_else_fails_the_verification() {
    let yard = Yard::new();
    fs::write(yard.from(FILE), content(100_000, 1)).unwrap();
    let request = yard.copy_request(FILE);
    let temp = yard
        .target
        .join("sealed/fetching")
        .join(format!("s-t01000-7.{}", request.op));
    let control = Control::with_steps(move |step| {
        if step == Step::FileSynced {
            let mut bytes = fs::read(&temp).unwrap();
            bytes[77_777] ^= 4;
            fs::write(&temp, bytes).unwrap();
        }
    });
    let failure = yard.mover().transfer(&request, &control).unwrap_err();
    assert_eq!(failure.code, Code::VerifyFailed);
    assert!(yard.from(FILE).exists() && !yard.to(FILE).exists());
    yard.assert_tidy();
}

#[test]
fn a_cancelled_move_leaves_the_source_and_nothing_else() {
    let yard = Yard::new();
    fs::write(yard.from(FILE), content(5 << 20, 1)).unwrap();
    for only in [Method::Copy, Method::Rename] {
        let control = Control::new();
        control.cancel();
        let request = TransferRequest {
            only: Some(only),
            ..yard.request(FILE)
        };
        assert_eq!(
            yard.mover().transfer(&request, &control).unwrap_err().code,
            Code::Cancelled
        );
        assert!(yard.from(FILE).exists() && !yard.to(FILE).exists());
        yard.assert_tidy();
    }
}

#[test]
fn a_storage_path_that_was_replaced_under_the_move_gets_nothing() {
    let yard = Yard::new();
    fs::write(yard.from(FILE), content(5000, 1)).unwrap();
    let (root, away) = (yard.target.clone(), yard.target.with_extension("away"));
    let control = Control::with_steps(move |step| {
        if step == Step::TempDurable {
            fs::rename(&root, &away).unwrap();
            fs::create_dir_all(root.join("sealed")).unwrap();
        }
    });
    let failure = yard
        .mover()
        .transfer(&yard.copy_request(FILE), &control)
        .unwrap_err();
    assert_eq!(failure.code, Code::PathChanged);
    assert!(yard.from(FILE).exists() && !yard.to(FILE).exists());
    let away = yard.target.with_extension("away").join("sealed/fetching");
    assert_eq!(fs::read_dir(away).unwrap().count(), 0);
    yard.assert_tidy();
}

#[test]
fn what_cannot_be_moved_is_refused_in_words_that_can_be_matched() {
    let yard = Yard::new();
    let codes = |request: TransferRequest| yard.move_wholly(&request).unwrap_err().code;
    assert_eq!(codes(yard.request(FILE)), Code::NotFound);
    std::os::unix::fs::symlink("/etc/hostname", yard.from(FILE)).unwrap();
    assert_eq!(codes(yard.request(FILE)), Code::UnexpectedFile);
    assert_eq!(codes(yard.request("sealed/../../x")), Code::Invalid);
    assert_eq!(codes(yard.request("sealed/fetching")), Code::Invalid);
    assert_eq!(
        codes(TransferRequest {
            op: "a/b".to_owned(),
            ..yard.request(FILE)
        }),
        Code::Invalid
    );
    fs::create_dir_all(yard.from(DIRECTORY).join("deep")).unwrap();
    assert_eq!(codes(yard.request(DIRECTORY)), Code::UnexpectedFile);
    yard.assert_tidy();
}

#[test]
fn an_operation_id_is_used_once_until_it_is_done() {
    let yard = Yard::new();
    for only in [Method::Rename, Method::Copy] {
        fs::write(yard.from(FILE), "x").unwrap();
        let mover = yard.mover();
        let request = TransferRequest {
            only: Some(only),
            ..yard.request(FILE)
        };
        mover.transfer(&request, &Control::new()).unwrap();
        assert_eq!(
            mover.transfer(&request, &Control::new()).unwrap_err().code,
            Code::Busy
        );
        mover.remove_source(&request.op, &Control::new()).unwrap();
        mover.remove_source(&request.op, &Control::new()).unwrap();
        mover.done(&request.op).unwrap();
        mover.done(&request.op).unwrap();
        let failure = mover
            .remove_source(&request.op, &Control::new())
            .unwrap_err();
        assert_eq!(failure.code, Code::WrongState);
        fs::remove_file(yard.to(FILE)).unwrap();
    }
}
