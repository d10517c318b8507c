//! Nothing outside of what is published can be reached, whoever exchanges names meanwhile.
//!
//! `SEALYARD_SWAPS=1000000` goes on for that many exchanges.

mod site;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use remote::FileType::Sealed;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use site::{Site, get};

const SEALED: &str = "/remote/sealed/s-t01000-7";
const INNER: &str = "/remote/cache/s-t01000-7/p_aux";
const CACHE: &str = "/remote/cache/s-t01000-7";
const SECRET: &[u8] = b"the secret";

fn holds_secret(body: &[u8]) -> bool {
    body.windows(SECRET.len()).any(|part| part == SECRET)
}

#[test]
fn links_that_are_swapped_in_lead_nowhere() {
    let swaps: u64 = std::env::var("SEALYARD_SWAPS").map_or(20_000, |text| text.parse().unwrap());
    let site = Site::open();
    site.publish(Sealed, "s-t01000-7", b"the file");
    site.publish_cache("s-t01000-7", &[("p_aux", b"the p_aux")]);
    let root = site.root.path().to_owned();
    let outside = root.join("outside");
    std::fs::create_dir_all(outside.join("sealed")).unwrap();
    for name in ["sealed/s-t01000-7", "p_aux", "secret"] {
        std::fs::write(outside.join(name), SECRET).unwrap();
    }
    let link = |to: &Path, name: &str| {
        let link = root.join(name);
        std::os::unix::fs::symlink(to, &link).unwrap();
        link
    };
    // The file, the directory it is in, and the cache directory: each by turns itself and a link. The directories are
    // held: through a name that is itself exchanged, the secret would be moved to where it may be served.
    let held = |name: &str| std::fs::File::open(root.join(name)).unwrap();
    let pairs = [
        (
            held("sealed"),
            "s-t01000-7",
            link(&outside.join("secret"), "a"),
        ),
        (held(""), "sealed", link(&outside.join("sealed"), "b")),
        (held("cache"), "s-t01000-7", link(&outside, "c")),
    ];
    let (stop, count) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let swappers: Vec<_> = pairs
        .into_iter()
        .map(|(directory, name, other)| {
            let (stop, count) = (stop.clone(), count.clone());
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let both = RenameFlags::EXCHANGE;
                    renameat_with(&directory, name, CWD, &other, both).unwrap();
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let (mut served, mut asked) = (0, 0);
    while count.load(Ordering::Relaxed) < swaps || asked < 1_000 {
        let mut client = site.connect();
        for path in [SEALED, INNER, CACHE] {
            client.send(get(path));
            // A cache that changes under its archive ends the connection.
            let Some(head) = client.head() else { break };
            let mut body = vec![0; length(&head)];
            let whole = std::io::Read::read_exact(&mut client.stream, &mut body).is_ok();
            assert!(!holds_secret(&body), "{path}: {head}");
            served += u32::from(whole && head.starts_with("HTTP/1.1 200"));
            asked += 1;
            if !whole {
                break;
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    for swapper in swappers {
        swapper.join().unwrap();
    }
    println!(
        "{} exchanges, {served} of {asked} served",
        count.load(Ordering::Relaxed)
    );
    assert!(served > 0, "what is really there is served");
}

fn length(head: &str) -> usize {
    let line = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    line.map_or(0, |text| text.parse().unwrap())
}

#[test]
fn what_is_neither_file_nor_directory_is_not_served_and_waits_for_nobody() {
    use rustix::fs::{FileType, Mode, mknodat};
    let site = Site::open();
    let path = site.publish(Sealed, "s-t01000-7", b"x");
    std::fs::remove_file(&path).unwrap();
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let cache = site.publish_cache("s-t01000-7", &[("t_aux", b"t")]);
    mknodat(
        CWD,
        cache.join("p_aux"),
        FileType::Fifo,
        Mode::RUSR | Mode::WUSR,
        0,
    )
    .unwrap();
    let mut client = site.connect();
    for path in [SEALED, INNER, CACHE] {
        let answer = client.ask(&get(path));
        assert_eq!((answer.status, answer.body.len()), (500, 0), "{path}");
        assert!(site.event("open-failed").path.is_some());
    }
}
