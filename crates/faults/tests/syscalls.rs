//! Every system call of every kind of move, with every fault.

use std::path::Path;

use faults::calls::campaign::{Report, Sample, go_through};
use faults::calls::scenarios::{Ground, clone_within, engines_within, scenarios};
use faults::calls::trap;
use faults::disk::looped::Looped;
use faults::scene::Subject;
use faults::tell::skip;

/// The driver is a part of this program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_faults");

/// Where most calls are those of a simpler move: some of them here, all in `npm run torture`.
const SOME: Sample = Sample {
    one_in: 10,
    seed: 1,
};

#[test]
fn a_fault_at_any_system_call_of_a_move_leaves_one_whole_copy() {
    let title = "a fault at every system call of a move";
    let tried = trap::start(Path::new(PROGRAM), &["true".to_owned()], |_| ());
    let Ok((mut child, listener)) = tried.inspect_err(|reason| skip(title, reason)) else {
        return;
    };
    drop(listener);
    child.wait().unwrap();
    let mut report = Report::default();
    let ground = Ground::prepare().unwrap();
    for scenario in scenarios(&ground, 300 << 10) {
        let plain = scenario.subject == Subject::File && !scenario.keep_source;
        let sample = if plain { Sample::ALL } else { SOME };
        go_through(Path::new(PROGRAM), &scenario, sample, &mut report).unwrap();
    }
    match Looped::make("xfs", 320) {
        Ok(disk) => {
            let mut all = engines_within(&disk, 1100 << 10);
            all.push(clone_within(&disk, 300 << 10));
            for scenario in all {
                go_through(Path::new(PROGRAM), &scenario, SOME, &mut report).unwrap();
            }
        }
        Err(reason) => skip(
            "a fault at the system calls of a clone and of engines",
            &reason,
        ),
    }
    for line in report.lines() {
        println!("{title}: {line}");
    }
    assert_eq!(report.broken, Vec::<String>::new());
    assert_eq!(
        report.missed, 0,
        "a move makes the same calls each time, but for waits of a ring"
    );
    for (scenario, calls, _) in &report.points {
        assert!(
            *calls > 40,
            "{scenario} made only {calls} calls: the filter does not see them"
        );
    }
    assert!(report.hits.values().all(|hits| *hits > 0) && report.hits.len() == 8);
}
