//! What happens when no descriptor is left. Alone in its process: the limit is everybody's.

mod site;

use std::fs::File;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use site::{Site, call};

#[test]
fn accepting_rests_while_no_descriptor_is_left() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(128),
            maximum,
        },
    )
    .unwrap();
    let site = Site::open();
    let mut inside = site.connect();
    assert_eq!(inside.ask(&call("in")).status, 200);
    let mut taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    // One for the client's own end.
    taken.pop();
    let mut waiting = site.connect();
    waiting.send(call("late"));
    assert_eq!(
        site.event("accept-paused").errno,
        Some(rustix::io::Errno::MFILE.raw_os_error())
    );
    assert_eq!(inside.ask(&call("still in")).status, 200);
    drop(taken);
    assert_eq!(waiting.answer(false).text(), "POST /rpc/v0 late");
    assert_eq!(site.door.stats().accepted, 2);
}
