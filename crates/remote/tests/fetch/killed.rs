//! A fetching process that is killed, and a disk that fills up.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use remote::fetch::{Code, Control, Kind, fetch};
use sys::Errno;

use crate::resume::content;
use crate::server::{Server, as_lotus, closing, holding};
use crate::{Scratch, names};

const PATH: &str = "/remote/sealed/s-t01000-7";
const OLD: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
/// What is received, written and kept at once.
const PIECE: usize = 2 << 20;
/// Set for the process that is to be killed: its URL and its directory.
const URL: &str = "SEALYARD_TEST_FETCH_URL";
const DIRECTORY: &str = "SEALYARD_TEST_FETCH_DIRECTORY";

/// What the killed process runs; by itself it does nothing.
#[test]
fn child() {
    let (Ok(url), Ok(directory)) = (std::env::var(URL), std::env::var(DIRECTORY)) else {
        return;
    };
    let mut scratch = Scratch::new();
    scratch.target_in = Some(PathBuf::from(directory));
    let _ = fetch(&scratch.kept(url, Kind::File), &Control::default());
}

/// Bytes the record says are on the disk, as a text in it.
fn recorded(record: &Path) -> usize {
    let bytes = std::fs::read(record).unwrap_or_default();
    let slots = bytes.chunks(4096).filter_map(|slot| {
        let text = String::from_utf8_lossy(slot.get(32..)?).into_owned();
        text.split('\n').nth(8)?.parse().ok()
    });
    slots.max().unwrap_or(0)
}

#[test]
fn a_killed_fetch_is_gone_on_from() {
    let (scratch, whole) = (Scratch::new(), content(1, 8 * PIECE));
    let (served, mut asked) = (whole.clone(), 0);
    let mut server = Server::answering(move |request| {
        asked += 1;
        let mut answer = as_lotus(request, &served, OLD);
        if asked > 1 {
            return closing(answer);
        }
        answer.truncate(answer.len() - 3 * PIECE - 17);
        holding(answer)
    });
    let order = scratch.kept(server.url(PATH), Kind::File);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::child", "--nocapture"])
        .env(URL, &order.url)
        .env(DIRECTORY, scratch.dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while recorded(&scratch.record()) < 4 * PIECE {
        assert!(
            child.try_wait().unwrap().is_none(),
            "the child ended by itself"
        );
        thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(names(scratch.dir.path()), ["s-t01000-7.1", "s-t01000-7.2"]);
    server.release();
    let fetched = fetch(&order, &Control::default()).unwrap();
    assert!(fetched.bytes_resumed >= 4 * PIECE as u64);
    assert!(std::fs::read(scratch.target()).unwrap() == whole);
}

#[test]
fn a_full_disk_keeps_nothing_and_says_so() {
    let mut scratch = Scratch::new();
    let disk = scratch.dir.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
        .arg(&disk)
        .stderr(Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        return eprintln!("skipped: only root can mount a small disk");
    }
    scratch.target_in = Some(disk.clone());
    let whole = content(2, 4 * PIECE);
    let outcomes: Vec<_> = [true, false]
        .into_iter()
        .map(|kept| {
            let server = Server::start(vec![closing(as_lotus("", &whole, OLD))]);
            let mut order = scratch.kept(server.url(PATH), Kind::File);
            order.record = order.record.filter(|_| kept);
            (
                fetch(&order, &Control::default()).unwrap_err(),
                names(&disk),
            )
        })
        .collect();
    let unmounted = Command::new("umount").arg(&disk).status().unwrap();
    assert!(unmounted.success());
    for (failure, left) in outcomes {
        let expected = (Code::Io, Some(Errno::NOSPC.raw_os_error()), 0);
        assert_eq!(
            (failure.code, failure.errno, failure.bytes_kept),
            expected,
            "{failure}"
        );
        assert_eq!(left, [""; 0]);
    }
}
