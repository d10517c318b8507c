//! What happens when no descriptor is left. Alone in its process: the limit is everybody's.

mod site;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use site::{Site, call};

/// Ticks of 10 ms that this process has computed.
fn cpu_ticks(stat: &File) -> u64 {
    let mut text = [0; 4096];
    let bytes = stat.read_at(&mut text, 0).unwrap();
    let stat = std::str::from_utf8(&text[..bytes]).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace();
    fields
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum()
}

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
    let stat = File::open("/proc/self/stat").unwrap();
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
    // The listener stays readable all the time: a loop that asked it again and again would compute for all of this.
    let before = cpu_ticks(&stat);
    std::thread::sleep(Duration::from_millis(600));
    let computed = cpu_ticks(&stat) - before;
    assert!(computed < 15, "{computed} ticks of 60");
    drop(taken);
    assert_eq!(waiting.answer(false).text(), "POST /rpc/v0 late");
    assert_eq!(site.door.stats().accepted, 2);
}
