//! What the door does at its edges: a taken port, too many clients, closing.

mod site;

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use remote::FileType::Sealed;
use remote::door::{Event, FrontDoor, Observer, UploadErrorCode};
use site::{Site, call, content, get};

const SEALED: &str = "/remote/sealed/s-t01000-7";

struct Nobody;

impl Observer for Nobody {
    fn authorize(&self, _ticket: u64, _token: &str) {}
    fn event(&self, _event: Event) {}
}

#[test]
fn a_taken_port_is_said_to_be_taken() {
    let site = Site::open();
    let mut options = site::options(1);
    options.port = site.port;
    let second = FrontDoor::new(options, Arc::new(Nobody)).unwrap();
    assert_eq!(
        second.start().unwrap_err().kind(),
        std::io::ErrorKind::AddrInUse
    );
    assert!(site.door.start().is_err(), "a door is started once");
}

#[test]
fn a_name_that_is_no_address_is_an_error() {
    let mut options = site::options(1);
    options.host = "not an address".into();
    assert!(
        FrontDoor::new(options, Arc::new(Nobody))
            .unwrap()
            .start()
            .is_err()
    );
}

#[test]
fn every_address_means_both_families() {
    if std::net::TcpListener::bind("[::]:0").is_err() {
        eprintln!("SKIP: connections of one IPv6 network: this machine has no IPv6");
        return;
    }
    let site = Site::with(|options| options.host = "::".into());
    assert_eq!(site.connect().ask(&call("four")).status, 200);
    // An IPv4 caller is known by its IPv4 address, not by the mapped one.
    let mut client = site.connect();
    let own = client.stream.get_ref().local_addr().unwrap().to_string();
    assert_eq!(client.ask(&get("/peer")).text(), own);
}

#[test]
fn accepting_pauses_at_the_limit() {
    let site = Site::with(|options| options.max_connections = 3);
    let mut clients: Vec<_> = (0..3).map(|_| site.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.ask(&call("in")).status, 200);
    }
    let mut waiting = site.connect();
    waiting.send(call("late"));
    site.event("accept-paused");
    assert_eq!(site.door.stats().accepted, 3);
    clients.pop();
    assert_eq!(waiting.answer(false).text(), "POST /rpc/v0 late");
}

#[test]
fn an_address_has_so_many_connections() {
    let site = Site::with(|options| options.max_connections_per_address = 2);
    let mut clients = [site.connect(), site.connect()];
    for client in &mut clients {
        assert_eq!(client.ask(&call("in")).status, 200);
    }
    assert!(site.connect().is_closed_politely());
    site.event("address-full");
    // Others are let in, and so is this address when it has closed one.
    assert_eq!(site.connect_from("127.0.0.2").ask(&call("x")).status, 200);
    drop(clients);
    while site.door.stats().connections > 0 {
        std::thread::yield_now();
    }
    assert_eq!(site.connect().ask(&call("again")).status, 200);
}

/// Waits no longer than half a second for a client that is slower than 64 MiB/s.
fn hasty() -> Site {
    Site::with(|options| {
        options.progress_timeout = Duration::from_millis(500);
        options.min_rate = 64 << 20;
    })
}

/// Moves a little now and then, until the door has had enough.
fn drip(mut little: impl FnMut() -> std::io::Result<usize>, enough: impl Fn() -> bool) {
    while !enough() {
        let _ = little();
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn readers_that_drip_are_cut() {
    let site = hasty();
    let bytes = content(48 << 20);
    site.publish(Sealed, "s-t01000-7", &bytes);
    let mut slow = site.connect();
    slow.send(get(SEALED));
    drip(
        || slow.stream.read(&mut [0; 100]),
        || site.door.stats().broken > 0,
    );
    assert!(site.event("transfer-broken").detail.contains("too slow"));
    // Whoever reads as fast as it can is fast enough, even on a machine that is busy.
    let site = Site::with(|options| options.min_rate = 1 << 10);
    site.publish(Sealed, "s-t01000-7", &bytes);
    assert!(site.connect().ask(&get(SEALED)).body == bytes);
}

#[test]
fn readers_of_calls_that_drip_are_cut() {
    let site = hasty();
    let mut slow = site.connect();
    slow.send(call(&"x".repeat(24 << 20)));
    slow.head().unwrap();
    drip(
        || slow.stream.read(&mut [0; 100]),
        || site.door.stats().tunnels == 0,
    );
}

#[test]
fn senders_that_drip_are_cut() {
    let site = hasty();
    let upload = site
        .door
        .expect_upload(site::UUID, site.root.path().join("pushed"), 1 << 30)
        .unwrap();
    let push = format!("POST /rpc/streams/v0/push/{} HTTP/1.1", site::UUID);
    let call = "POST /rpc/v0 HTTP/1.1".to_owned();
    for head in [push, call] {
        let accepted = site.door.stats().accepted;
        let mut slow = site.connect();
        slow.send(format!("{head}\r\nContent-Length: 1000000\r\n\r\n"));
        while site.door.stats().accepted == accepted {
            std::thread::yield_now();
        }
        drip(
            || slow.stream.get_mut().write(b"x"),
            || site.door.stats().connections == 0,
        );
    }
    let failure = upload.wait().unwrap_err();
    assert_eq!(failure.code, UploadErrorCode::Timeout);
    assert!(failure.detail.contains("too slow"), "{}", failure.detail);
    assert!(!failure.path.exists());
}

#[test]
fn without_a_control_plane_callers_are_told_to_come_again() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let site = Site::with(|options| options.upstream_port = closed);
    site.publish(Sealed, "s-t01000-7", b"seven");
    let mut client = site.connect();
    assert_eq!(client.ask(&get(SEALED)).text(), "seven");
    assert_eq!(client.ask(&call("hello")).status, 503);
}

#[test]
fn a_client_that_ends_its_stream_still_gets_its_answer() {
    let site = Site::open();
    site.publish(Sealed, "s-t01000-7", b"seven");
    for (request, answer) in [(get(SEALED), "seven"), (call("last"), "POST /rpc/v0 last")] {
        let mut client = site.connect();
        client.send(request);
        client.end();
        assert_eq!(client.answer(false).text(), answer);
        assert!(client.is_closed_politely());
    }
}

#[test]
fn closing_lets_what_runs_end() {
    let site = Site::open();
    let bytes = content(48 << 20);
    site.publish(Sealed, "s-t01000-7", &bytes);
    let (mut reader, mut idle, mut tunnel) = (site.connect(), site.connect(), site.connect());
    reader.send(get(SEALED));
    reader.head().unwrap();
    idle.send("GET /rem");
    assert_eq!(tunnel.ask(&call("before")).status, 200);
    let door = site.door.clone();
    let closing = std::thread::spawn(move || door.close(Duration::from_secs(20)));
    assert!(tunnel.is_closed_politely() && idle.is_closed_politely());
    drop((tunnel, idle));
    assert!(
        std::net::TcpStream::connect(("127.0.0.1", site.port)).is_err(),
        "nothing listens any more"
    );
    let mut body = vec![0; bytes.len()];
    reader.stream.read_exact(&mut body).unwrap();
    assert!(body == bytes);
    assert!(reader.is_closed_politely());
    drop(reader);
    closing.join().unwrap();
    assert_eq!(site.door.stats().connections, 0);
}

#[test]
fn closing_cuts_what_does_not_end() {
    let site = Site::open();
    site.publish(Sealed, "s-t01000-7", &content(48 << 20));
    let (mut still, mut slow, mut unjudged) = (site.connect(), site.connect(), site.connect());
    still.send(get(SEALED));
    still.head().unwrap();
    slow.send(get("/slow"));
    unjudged.send(get(SEALED).replace("good", "silence"));
    while site.asked.recv().unwrap() != "silence" {}
    site.door.close(Duration::from_millis(100));
    for client in [&mut still, &mut slow, &mut unjudged] {
        assert!(!client.is_closed_politely());
    }
    assert_eq!(site.door.stats().connections, 0);
    site.door.close(Duration::ZERO);
    let upload = site
        .door
        .expect_upload(site::UUID, site.root.path().join("x"), 1)
        .unwrap();
    assert!(upload.wait().is_err());
}

#[test]
fn refused_requests_sent_all_at_once_do_not_exhaust_the_stack() {
    // In a process of its own, whose threads have an eighth of the usual stack.
    if std::env::var_os("RUST_MIN_STACK").is_none() {
        let name = "refused_requests_sent_all_at_once_do_not_exhaust_the_stack";
        let again = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env("RUST_MIN_STACK", (256 << 10).to_string())
            .output()
            .unwrap();
        return assert!(again.status.success(), "{again:?}");
    }
    let site = Site::open();
    site.publish(Sealed, "s-t01-1", b"x");
    let mut client = site.connect();
    let (count, request) = (2_000, "HEAD /remote/sealed/s-t01-1 HTTP/1.1\r\n\r\n");
    client.send(request.repeat(count));
    for answered in 0..count {
        assert_eq!(client.answer(true).status, 401, "after {answered}");
    }
}
