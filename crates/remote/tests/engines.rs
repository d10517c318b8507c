//! The ways a sector file goes from the disk to a client: all of them to the byte, and what they leave in the page cache.

mod site;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use proptest::prelude::*;
use remote::FileType::Sealed;
use remote::door::ServeEngine::{self, Auto, Buffered, Direct, Sendfile, Uncached};
use site::{Site, content, get, get_with};

const SEALED: &str = "/remote/sealed/s-t01000-7";
const CACHE: &str = "/remote/cache/s-t01000-7";

fn with(engine: ServeEngine) -> Site {
    Site::with(|options| options.serve_engine = engine)
}

/// Takes a file out of the page cache; false where it stays.
fn is_made_cold(path: &Path) -> bool {
    let file = File::open(path).unwrap();
    file.sync_all().unwrap();
    sys::extents::forget_cached(&file, 0, 0).unwrap();
    let cold = sys::extents::cached_bytes(&file, 0, 0) == Ok(0);
    if !cold {
        println!("SKIP: serving a cold file: this file system keeps its pages, or does not tell");
    }
    cold
}

fn cached(path: &Path) -> u64 {
    sys::extents::cached_bytes(File::open(path).unwrap(), 0, 0).unwrap()
}

#[test]
fn every_engine_sends_the_same_bytes_hot_and_cold() {
    // Ends inside a block, and is longer than all that one thread holds of it.
    let bytes = content((13 << 20) + 77);
    for engine in [Auto, Sendfile, Direct, Uncached, Buffered] {
        let site = with(engine);
        let path = site.publish(Sealed, "s-t01000-7", &bytes);
        let mut client = site.connect();
        for cold in [false, true] {
            if cold {
                is_made_cold(&path);
            }
            assert!(
                client.ask(&get(SEALED)).body == bytes,
                "{engine:?}, cold: {cold}"
            );
        }
        assert_eq!(site.door.stats().broken, 0);
    }
}

#[test]
fn ranges_are_exact_wherever_they_begin_and_end() {
    let bytes = content((6 << 20) + 5);
    let size = bytes.len();
    for engine in [Direct, Uncached, Buffered] {
        let site = with(engine);
        let path = site.publish(Sealed, "s-t01000-7", &bytes);
        let mut client = site.connect();
        for (from, to) in [
            (0, size - 1),
            (1, size - 1),
            (4095, 5_000_000),
            (4096, 4096 + (64 << 10)),
            (4097, 4097 + (64 << 10)),
            (511, 511 + (64 << 10)),
            (size - (64 << 10) - 1, size - 1),
            (size - 1, size - 1),
            (size - (1 << 20), size - 2),
        ] {
            is_made_cold(&path);
            let part = client.ask(&get_with(SEALED, &format!("Range: bytes={from}-{to}")));
            assert_eq!(part.status, 206);
            assert!(part.body == bytes[from..=to], "{engine:?}: {from}-{to}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_range_of_any_file_is_exact(
        size in 1..3_000_000usize,
        ranges in proptest::collection::vec((any::<proptest::sample::Index>(), any::<proptest::sample::Index>()), 1..6),
    ) {
        let bytes = content(size);
        let site = with(Direct);
        let path = site.publish(Sealed, "s-t01000-7", &bytes);
        let mut client = site.connect();
        for (one, other) in ranges {
            let (one, other) = (one.index(size), other.index(size));
            let (from, to) = (one.min(other), one.max(other));
            is_made_cold(&path);
            let part = client.ask(&get_with(SEALED, &format!("Range: bytes={from}-{to}")));
            prop_assert!(part.body == bytes[from..=to], "{}-{} of {}", from, to, size);
        }
    }
}

#[test]
fn a_cold_file_leaves_nothing_in_the_page_cache_and_a_hot_one_stays_there() {
    let bytes = content(24 << 20);
    let site = with(Auto);
    let path = site.publish(Sealed, "s-t01000-7", &bytes);
    let mut client = site.connect();
    if !is_made_cold(&path) {
        return;
    }
    assert!(client.ask(&get(SEALED)).body == bytes);
    // Kernels without RWF_DONTCACHE leave the last bytes of a file, and what the disk reads ahead of them.
    assert!(cached(&path) <= 1 << 20, "{} bytes are left", cached(&path));
    assert!(std::fs::read(&path).unwrap() == bytes);
    assert!(client.ask(&get(SEALED)).body == bytes);
    assert_eq!(cached(&path), bytes.len() as u64, "what was hot is hot");
    // Forced past the cache, it stays there too: somebody else uses it.
    let forced = with(Direct);
    let path = forced.publish(Sealed, "s-t01000-7", &bytes);
    assert!(forced.connect().ask(&get(SEALED)).body == bytes);
    assert!(cached(&path) >= bytes.len() as u64 / 2, "{}", cached(&path));
}

#[test]
fn a_half_cached_file_is_sent_both_ways() {
    let bytes = content(160 << 20);
    let site = with(Auto);
    let path = site.publish(Sealed, "s-t01000-7", &bytes);
    if !is_made_cold(&path) {
        return;
    }
    // The middle of it is hot.
    let mut middle = vec![0; 64 << 20];
    sys::files::read_at(File::open(&path).unwrap(), &mut middle, 64 << 20).unwrap();
    let before = cached(&path);
    assert!(site.connect().ask(&get(SEALED)).body == bytes);
    let grown = cached(&path).saturating_sub(before);
    assert!(
        before >= 64 << 20 && grown <= 16 << 20,
        "{before} bytes, then {grown} more"
    );
}

#[test]
fn an_archive_of_cold_files_is_whole() {
    let (layer, tree) = (content((9 << 20) + 33), content(3 << 20));
    let files: [(&str, &[u8]); 3] = [
        ("p_aux", b"p"),
        ("sc-02-data-layer-1.dat", &layer),
        ("sc-02-data-tree-r-last.dat", &tree),
    ];
    let mut bodies = Vec::new();
    for engine in [Sendfile, Direct, Uncached, Buffered, Auto] {
        let site = with(engine);
        let path = site.publish_cache("s-t01000-7", &files);
        for (name, _) in files {
            is_made_cold(&path.join(name));
        }
        let archive = site.connect().ask(&get(CACHE));
        assert_eq!(archive.body.len() % 512, 0);
        // Headers carry the second of the last change, which differs between sites: bodies are compared.
        let mut at = 512;
        let mut body = Vec::new();
        for (_, bytes) in files {
            body.extend_from_slice(&archive.body[at..at + bytes.len()]);
            at += bytes.len().next_multiple_of(512) + 512;
        }
        bodies.push(body);
    }
    assert!(bodies[0] == [&b"p"[..], &layer, &tree].concat());
    assert!(bodies.iter().all(|body| *body == bodies[0]));
}

#[test]
fn readers_that_stand_still_now_and_then_get_every_byte() {
    let bytes = content(40 << 20);
    for engine in [Direct, Uncached, Buffered] {
        let site = with(engine);
        let path = site.publish(Sealed, "s-t01000-7", &bytes);
        is_made_cold(&path);
        let mut clients: Vec<_> = (0..5).map(|_| site.connect()).collect();
        for client in &mut clients {
            client.send(get(SEALED));
            client.head().unwrap();
        }
        let mut got = vec![Vec::new(); clients.len()];
        // Each gets its turn while the others stand still; the pieces are larger than what a socket holds.
        for piece in 0..8 {
            for (client, got) in clients.iter_mut().zip(&mut got) {
                let mut part = vec![0; bytes.len() / 8];
                client.stream.read_exact(&mut part).unwrap();
                got.extend_from_slice(&part);
                assert!(got[..] == bytes[..got.len()], "{engine:?}, piece {piece}");
            }
        }
        drop(clients);
    }
}

#[test]
fn a_cold_file_that_changes_is_never_served_as_whole() {
    let large = content(48 << 20);
    for engine in [Direct, Uncached, Buffered] {
        for change in ["rewritten", "cut", "touched", "grown"] {
            let site = with(engine);
            let path = site.publish(Sealed, "s-t01000-7", &large);
            is_made_cold(&path);
            let mut client = site.connect();
            client.send(get(SEALED));
            client.head().unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            match change {
                "rewritten" => std::fs::write(&path, content(100)).unwrap(),
                "cut" => file.set_len(30 << 20).unwrap(),
                "grown" => file.set_len(50 << 20).unwrap(),
                _ => file
                    .set_modified(std::time::SystemTime::UNIX_EPOCH)
                    .unwrap(),
            }
            assert!(!client.is_closed_politely(), "{engine:?}: {change}");
            let event = site.event("source-changed");
            assert_eq!(event.path, Some(path), "{engine:?}: {change}");
        }
    }
}
