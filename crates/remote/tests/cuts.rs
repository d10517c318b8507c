//! Connections cut at random bytes in both directions: nothing is left open, nothing half-made is left.
//! Alone in its process: descriptors and memory are everybody's.
//!
//! `SEALYARD_CUTS=10000` takes that many.

mod site;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use remote::FileType::Sealed;
use remote::door::{FrontDoor, ServeEngine, Upload};
use site::{Client, Site, call, content, get, get_with};

const SEALED: &str = "/remote/sealed/s-t01000-7";
const CACHE: &str = "/remote/cache/s-t01000-7";
const CLIENTS: usize = 8;
const LARGE: usize = 12 << 20;
const PIECE: usize = 1 << 20;

/// xorshift: the same cuts in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    /// Small ones as often as large ones.
    fn cut(&mut self, end: usize) -> usize {
        if end < 2 {
            return 0;
        }
        let bits = self.below(end.ilog2() as usize + 1);
        self.below(end.min(2 << bits))
    }
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = pages.split(' ').nth(1).unwrap().parse().unwrap();
    pages * rustix::param::page_size() as u64
}

/// Takes `bytes` of what comes, then lets go: what lies unread makes the kernel send a reset.
fn read_and_cut(port: u16, request: &str, bytes: usize) {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut buffer = vec![0; 64 << 10];
    let mut left = bytes;
    while left > 0 {
        let most = left.min(buffer.len());
        match stream.read(&mut buffer[..most]) {
            Ok(0) | Err(_) => return,
            Ok(read) => left -= read,
        }
    }
}

/// Sends `bytes` of a request, then lets go.
fn send_and_cut(port: u16, request: &[u8], bytes: usize) {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    // The door may have refused it already.
    let _ = stream.write_all(&request[..bytes]);
}

fn push(uuid: &str, piece: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /rpc/streams/v0/push/{uuid} HTTP/1.1\r\nHost: a\r\nContent-Length: {PIECE}\r\n\r\n"
    );
    [head.as_bytes(), piece].concat()
}

/// What each of the clients needs of the site.
#[derive(Clone)]
struct Place {
    door: Arc<FrontDoor>,
    port: u16,
    root: PathBuf,
    piece: Arc<Vec<u8>>,
}

/// A push cut before its last byte: its file must be gone when it settles.
fn cut_push(place: &Place, index: usize, chance: &mut Chance) {
    let uuid = format!("0c6a3c5e-5a2b-4b0e-9d8a-{index:012x}");
    let path = place.root.join(format!("piece-{index}"));
    let upload: Upload = place
        .door
        .expect_upload(&uuid, path.clone(), PIECE as u64)
        .unwrap();
    let request = push(&uuid, &place.piece);
    let head = request.len() - PIECE;
    // From the first byte of the body on; before that the upload is not known to be this one.
    let bytes = head + 1 + chance.cut(PIECE - 1);
    send_and_cut(place.port, &request, bytes);
    let failure = upload.wait().unwrap_err();
    assert!(!path.exists(), "{}: {bytes} bytes", failure.detail);
}

fn cut_one(place: &Place, index: usize, chance: &mut Chance) {
    let port = place.port;
    match index % 6 {
        0 => read_and_cut(port, &get(SEALED), chance.cut(LARGE)),
        1 => read_and_cut(port, &get(CACHE), chance.cut(LARGE)),
        2 => {
            let from = chance.below(LARGE);
            let range = format!("Range: bytes={from}-");
            read_and_cut(port, &get_with(SEALED, &range), chance.cut(LARGE - from));
        }
        3 => {
            let requests = [get(SEALED), call("a call"), get(CACHE)].concat();
            send_and_cut(port, requests.as_bytes(), chance.below(requests.len()));
        }
        4 => read_and_cut(port, &call(&"x".repeat(100_000)), chance.cut(100_000)),
        _ => cut_push(place, index, chance),
    }
}

fn settled(site: &Site) {
    for _ in 0..30_000 {
        let stats = site.door.stats();
        if stats.connections + stats.tunnels + stats.transfers + stats.uploads == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("still open: {:?}", site.door.stats());
}

fn works(site: &Site, large: &[u8]) {
    let mut client: Client = site.connect();
    assert!(client.ask(&get(SEALED)).body == large);
    assert_eq!(client.ask(&get(CACHE)).status, 200);
    assert_eq!(client.ask(&call("still")).text(), "POST /rpc/v0 still");
}

#[test]
fn nothing_is_left_of_connections_that_are_cut() {
    let cuts: usize = std::env::var("SEALYARD_CUTS").map_or(2_000, |text| text.parse().unwrap());
    let piece = Arc::new(content(PIECE));
    // Half of what is read goes past the page cache, whatever this machine has in it.
    for engine in [ServeEngine::Direct, ServeEngine::Sendfile] {
        let site = Site::with(|options| options.serve_engine = engine);
        let large = content(LARGE);
        site.publish(Sealed, "s-t01000-7", &large);
        site.publish_cache(
            "s-t01000-7",
            &[("p_aux", b"p"), ("sc-02-data-layer-1.dat", &large)],
        );
        works(&site, &large);
        settled(&site);
        let (open, memory) = (descriptors(), resident());
        let next = Arc::new(AtomicUsize::new(0));
        let place = Place {
            door: site.door.clone(),
            port: site.port,
            root: site.root.path().to_owned(),
            piece: piece.clone(),
        };
        let threads: Vec<_> = (0..CLIENTS)
            .map(|thread| {
                let (place, next) = (place.clone(), next.clone());
                std::thread::spawn(move || {
                    let mut chance = Chance(0x9e37_79b9_7f4a_7c15 + thread as u64);
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= cuts / 2 {
                            return;
                        }
                        cut_one(&place, index, &mut chance);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        settled(&site);
        works(&site, &large);
        settled(&site);
        let left: Vec<_> = std::fs::read_dir(site.root.path())
            .unwrap()
            .filter(|entry| {
                entry
                    .as_ref()
                    .unwrap()
                    .file_name()
                    .to_string_lossy()
                    .starts_with("piece")
            })
            .collect();
        assert!(left.is_empty(), "{left:?}");
        // The control plane of this test may still be closing its ends.
        let closed = (0..10_000).any(|_| {
            std::thread::sleep(Duration::from_millis(1));
            descriptors() <= open
        });
        assert!(closed, "{} descriptors, before {open}", descriptors());
        let grown = resident().saturating_sub(memory);
        println!(
            "{engine:?}: {} accepted, {grown} bytes more",
            site.door.stats().accepted
        );
        assert!(grown < 48 << 20, "{grown} bytes");
    }
}
