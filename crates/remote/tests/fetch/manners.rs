//! How the client asks, waits, follows and writes.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use remote::fetch::{Code, Control, Kind, fetch};
use sys::Errno;

use crate::server::{FILE, Server, chunked, closing, counted, holding, with_head};
use crate::{Scratch, code, names};

const PATH: &str = "/remote/sealed/s-t01000-7";

fn redirect(location: &str) -> Vec<u8> {
    with_head(
        &format!("307 Temporary Redirect\r\nLocation: {location}\r\nContent-Length: 0"),
        b"",
    )
}

#[test]
fn asks_with_the_token_and_without_gzip() {
    let answer = with_head(
        &format!("200 OK\r\nContent-Type: {FILE}\r\nETag: \"1-2-3\"\r\nContent-Length: 4"),
        b"data",
    );
    let (scratch, server) = (Scratch::new(), Server::start(vec![closing(answer)]));
    let fetched = scratch
        .fetch(&scratch.order(server.url(PATH), Kind::File))
        .unwrap();
    let request = server.request();
    assert!(request.starts_with(&format!(
        "GET {PATH} HTTP/1.1\r\nHost: {}\r\n",
        server.address
    )));
    assert!(request.contains("\r\nAuthorization: Bearer a.b.c\r\n"));
    assert!(!request.contains("gzip"));
    assert_eq!(fetched.etag.as_deref(), Some("\"1-2-3\""));
    assert_eq!((fetched.bytes, fetched.files.len()), (4, 1));
    assert_eq!(std::fs::read(scratch.target()).unwrap(), b"data");
    assert_eq!(
        std::fs::metadata(scratch.target())
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o644
    );
}

#[test]
fn follows_redirects_on_the_same_host_with_the_token() {
    let (scratch, server) = (
        Scratch::new(),
        Server::start(vec![
            closing(redirect("/elsewhere/x")),
            closing(redirect("y?again")),
            closing(counted(FILE, b"data")),
        ]),
    );
    scratch
        .fetch(&scratch.order(server.url(PATH), Kind::File))
        .unwrap();
    assert!(server.request().starts_with(&format!("GET {PATH} ")));
    assert!(server.request().starts_with("GET /elsewhere/x "));
    let last = server.request();
    assert!(last.starts_with("GET /elsewhere/y?again "), "{last}");
    assert!(last.contains("\r\nAuthorization: Bearer a.b.c\r\n"));
}

#[test]
fn never_takes_the_token_to_another_host() {
    let other = Server::start(vec![]);
    for location in [
        other.url("/x"),
        "http://elsewhere.invalid/x".into(),
        "https://127.0.0.1/x".into(),
    ] {
        let (scratch, server) = (
            Scratch::new(),
            Server::start(vec![closing(redirect(&location))]),
        );
        let failure = scratch
            .fetch(&scratch.order(server.url(PATH), Kind::File))
            .unwrap_err();
        assert_eq!(
            (failure.code, failure.status),
            (Code::Network, Some(307)),
            "{location}"
        );
    }
}

#[test]
fn gives_up_after_five_redirects() {
    let circle = (0..6).map(|_| closing(redirect(PATH))).collect();
    let (scratch, server) = (Scratch::new(), Server::start(circle));
    let failure = scratch
        .fetch(&scratch.order(server.url(PATH), Kind::File))
        .unwrap_err();
    assert_eq!(failure.code, Code::Network);
    assert!(failure.detail.contains("redirects"), "{failure}");
}

#[test]
fn skips_answers_that_announce_the_real_one() {
    let answer = [
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".to_vec(),
        counted(FILE, b"data"),
    ]
    .concat();
    let (scratch, server) = (Scratch::new(), Server::start(vec![closing(answer)]));
    assert_eq!(
        scratch
            .fetch(&scratch.order(server.url(PATH), Kind::File))
            .unwrap()
            .bytes,
        4
    );
}

#[test]
fn a_server_that_falls_silent_times_out() {
    let half = counted(FILE, b"data");
    let silent = [
        b"".to_vec(),
        b"HTTP/1.1 200".to_vec(),
        half[..half.len() - 2].to_vec(),
        chunked(FILE, b"data", ""),
    ];
    for answer in silent {
        let (scratch, server) = (Scratch::new(), Server::start(vec![holding(answer)]));
        let mut order = scratch.order(server.url(PATH), Kind::File);
        order.progress_timeout = Duration::from_millis(120);
        let failure = scratch.fetch(&order).unwrap_err();
        assert_eq!(failure.code, Code::Timeout, "{failure}");
    }
}

#[test]
fn a_cancelled_fetch_leaves_nothing() {
    let half = with_head(
        &format!("200 OK\r\nContent-Type: {FILE}\r\nContent-Length: 9000000"),
        &[7; 100_000],
    );
    let (scratch, server) = (Scratch::new(), Server::start(vec![holding(half)]));
    let order = scratch.order(server.url(PATH), Kind::File);
    let control = Arc::new(Control::default());
    assert_eq!((control.done(), control.total()), (0, None));
    let running = thread::spawn({
        let control = Arc::clone(&control);
        move || fetch(&order, &control)
    });
    while control.done() < 100_000 {
        thread::yield_now();
    }
    assert_eq!(control.total(), Some(9_000_000));
    control.cancel();
    let failure = running.join().unwrap().unwrap_err();
    assert_eq!(
        (failure.code, failure.bytes_done),
        (Code::Cancelled, 100_000)
    );
    assert_eq!(names(scratch.dir.path()), [""; 0]);
}

#[test]
fn reaches_names_and_both_families_of_addresses() {
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        let bind = if host == "[::1]" {
            "[::1]:0"
        } else {
            "127.0.0.1:0"
        };
        if std::net::TcpListener::bind(bind).is_err() {
            eprintln!("skipped: this machine has no {host}");
            continue;
        }
        let (scratch, server) = (
            Scratch::new(),
            Server::start_on(bind, vec![closing(counted(FILE, b"data"))]),
        );
        let url = format!("http://{host}:{}{PATH}", server.address.port());
        assert_eq!(
            code(scratch.fetch(&scratch.order(url, Kind::File))),
            None,
            "{host}"
        );
    }
}

#[test]
fn what_cannot_be_reached_is_a_network_failure() {
    let scratch = Scratch::new();
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let failure = scratch
        .fetch(&scratch.order(format!("http://{nobody}{PATH}"), Kind::File))
        .unwrap_err();
    assert_eq!(
        (failure.code, failure.errno),
        (Code::Network, Some(Errno::CONNREFUSED.raw_os_error())),
        "{failure}"
    );
    let failure = scratch
        .fetch(&scratch.order(format!("https://{nobody}{PATH}"), Kind::File))
        .unwrap_err();
    assert_eq!(failure.code, Code::Network);
    assert!(
        failure.detail.contains("https is not supported"),
        "{failure}"
    );
}
