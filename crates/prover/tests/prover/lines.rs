//! The line protocol.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde_json::json;

use crate::child::{Files, Prover, TICKET};

#[test]
fn a_line_that_is_no_task_is_refused_under_its_id() {
    let directory = tempfile::tempdir().unwrap();
    let mut prover = Prover::start(directory.path());
    for line in [
        r#"{"id":"a","task":{"name":"dance"}}"#,
        r#"{"id":"a","task":{"name":"finalize","cash":1}}"#,
    ] {
        prover.say(line);
        let answer = prover.answer();
        assert_eq!(answer["id"], "a");
        assert_eq!(answer["error"]["kind"], "bad-request");
    }
    prover.say("what?");
    assert!(prover.answer()["id"].is_null());
    assert_eq!(prover.end(), Some(0));
}

#[test]
fn progress_comes_under_the_tasks_id_and_before_its_answer() {
    let files = Files::new("StackedDrg2KiBV1_1");
    let piece = files.run(files.add_piece());
    let mut prover = Prover::start(files.directory.path());
    prover.say(&json!({ "id": "pc1", "task": files.pc1(&piece, TICKET) }).to_string());
    let first = prover.line();
    assert_eq!(first["id"], "pc1");
    assert!(first["progress"]["message"].is_string());
    assert!(prover.answer()["output"].is_object());
    assert_eq!(prover.end(), Some(0));
}

#[test]
fn a_panic_is_answered_and_ends_the_process() {
    let files = Files::new("StackedDrg2KiBV1_1");
    let piece = files.run(files.add_piece());
    // The proofs crates panic over a setting that they cannot read.
    let setting = ("FIL_PROOFS_SDR_PARENTS_CACHE_SIZE", "many");
    let mut prover = Prover::start_with(files.directory.path(), &[setting]);
    prover.say(&json!({ "id": "p", "task": files.pc1(&piece, TICKET) }).to_string());
    let answer = prover.answer();
    assert_eq!(answer["id"], "p");
    assert!(
        answer["panic"]
            .as_str()
            .unwrap()
            .contains("invalid configuration"),
        "{answer}"
    );
    assert_eq!(prover.end(), Some(70));
}

#[test]
fn a_prover_does_not_outlive_its_parent() {
    // A task goes on without a look at stdin, so its end cannot be what ends the process: stdin stays open here.
    let mut parent = Command::new("sh")
        .args([
            "-c",
            "exec 3<&0; \"$0\" <&3 & wait",
            env!("CARGO_BIN_EXE_sealyard-prover"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap());
    let mut ready = String::new();
    lines.read_line(&mut ready).unwrap();
    assert!(ready.contains("ready"), "{ready}");
    parent.kill().unwrap();
    // Its stdout is closed when it is gone, and not before.
    assert_eq!(lines.read_to_end(&mut Vec::new()).unwrap(), 0);
    parent.wait().unwrap();
}
