//! A thousand clients that take nothing and a thousand that send next to nothing: what they cost, and that everybody
//! else is served meanwhile. Alone in its process: memory and descriptors are everybody's.

mod site;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use remote::FileType::{Cache, Sealed};
use remote::door::Upload;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use site::{Site, call, content, get};

const SEALED: &str = "/remote/sealed/s-t01000-7";
const SMALL: &str = "/remote/cache/s-t01000-7";
const CROWD: usize = 1_000;
/// Each client, the door's end of it and, for pushes, a file; and something to spare.
const DESCRIPTORS: u64 = 6_000;
/// More than two sockets hold.
const LARGE: usize = 16 << 20;
/// What the sockets of one reader may hold, its own end's included.
const HELD: u64 = 1 << 20;

/// Lets this process open so many files; false where it may not.
fn may_open(wanted: u64) -> bool {
    let maximum = getrlimit(Resource::Nofile).maximum;
    if maximum.is_some_and(|maximum| maximum < wanted) {
        return false;
    }
    let current = Some(wanted);
    setrlimit(Resource::Nofile, Rlimit { current, maximum }).is_ok()
}

/// A figure of /proc/self/status, in bytes.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    digits.parse::<u64>().unwrap() * 1024
}

/// What all sockets of this machine hold.
fn sockets_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/net/sockstat").unwrap();
    let line = text.lines().find(|line| line.starts_with("TCP:")).unwrap();
    let pages = line.rsplit(' ').next().unwrap();
    pages.parse::<u64>().unwrap() * rustix::param::page_size() as u64
}

fn connect(port: u16, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

fn uuid(index: usize) -> String {
    format!("0c6a3c5e-5a2b-4b0e-9d8a-{index:012x}")
}

/// What every client that behaves gets, whoever else is there.
fn is_served(site: &Site, large: &[u8]) {
    for _ in 0..4 {
        let mut client = site.connect();
        assert!(client.ask(&get(SEALED)).body == large);
        for _ in 0..50 {
            assert_eq!(client.ask(&get(SMALL)).text(), "small");
            assert_eq!(client.ask(&call("now")).text(), "POST /rpc/v0 now");
        }
    }
}

#[test]
fn a_crowd_that_stands_still_costs_little_and_delays_nobody() {
    if !may_open(DESCRIPTORS) {
        println!("SKIP: a crowd of slow clients: this user may not open {DESCRIPTORS} files");
        return;
    }
    let site = Site::with(|options| {
        options.max_connections = 4_096;
        options.max_connections_per_address = 4_096;
        for timeout in [
            &mut options.head_timeout,
            &mut options.idle_timeout,
            &mut options.progress_timeout,
        ] {
            *timeout = Duration::from_secs(600);
        }
    });
    let large = content(LARGE);
    let path = site.publish(Sealed, "s-t01000-7", &large);
    site.publish(Cache, "s-t01000-7", b"small");
    is_served(&site, &large);
    let before = memory("VmRSS");

    // Cold, so that what a reader does not take would have to be held, were it read ahead for all of them.
    let file = std::fs::File::open(path).unwrap();
    file.sync_all().unwrap();
    sys::extents::forget_cached(&file, 0, 0).unwrap();
    let mut readers = Vec::new();
    for _ in 0..CROWD {
        let mut reader = connect(site.port, &get(SEALED));
        reader.read_exact(&mut [0; 100]).unwrap();
        readers.push(reader);
    }
    let (mut heads, mut pushes): (Vec<TcpStream>, Vec<(TcpStream, Upload)>) = Default::default();
    for index in 0..CROWD / 2 {
        heads.push(connect(site.port, "GET /remote/sealed/s-t0"));
        let path = site.root.path().join(format!("piece-{index}"));
        let upload = site.door.expect_upload(&uuid(index), path, 1 << 20);
        let push = format!(
            "POST /rpc/streams/v0/push/{} HTTP/1.1\r\nContent-Length: 1000\r\n\r\nx",
            uuid(index)
        );
        pushes.push((connect(site.port, &push), upload.unwrap()));
    }
    while site.door.stats().connections < 2 * CROWD as u64
        || site.door.stats().uploads < CROWD as u64 / 2
    {
        std::thread::yield_now();
    }
    let held = sockets_memory();
    println!("{held} bytes in sockets");
    assert!(held < CROWD as u64 * HELD, "{held} bytes in sockets");
    is_served(&site, &large);
    let grown = memory("VmRSS").saturating_sub(before);
    println!("{grown} bytes for {} connections", 2 * CROWD);
    assert!(grown < 32 << 20, "{grown} bytes");

    // They were parked, not given up: the slowest of them gets the rest.
    let mut rest = Vec::new();
    let mut last = readers.pop().unwrap();
    drop(readers);
    last.set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    last.write_all(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        .unwrap();
    last.read_to_end(&mut rest).unwrap();
    let from = rest
        .windows(64)
        .position(|part| *part == large[..64])
        .unwrap();
    assert!(rest[from..from + LARGE] == large);
    for (mut client, upload) in pushes {
        client.write_all(&[b'x'; 999]).unwrap();
        assert_eq!(upload.wait().unwrap(), 1000);
    }
    drop((heads, last));
    while site.door.stats().connections > 0 {
        std::thread::yield_now();
    }
    assert_eq!(site.door.stats().transfers + site.door.stats().uploads, 0);
}
