//! Sector files and caches through a real door.

mod site;

use std::io::{Read, Write};
use std::time::Duration;

use remote::FileType::{Cache, Sealed, Unsealed};
use site::{Site, call, content, get, get_with};

const SEALED: &str = "/remote/sealed/s-t01000-7";
const CACHE: &str = "/remote/cache/s-t01000-7";

#[test]
fn a_file_comes_whole_and_in_ranges() {
    let site = Site::open();
    let bytes = content(3 << 20);
    site.publish(Sealed, "s-t01000-7", &bytes);
    let mut client = site.connect();

    let whole = client.ask(&get(SEALED));
    assert_eq!(
        (whole.status, whole.field("content-type")),
        (200, Some("application/octet-stream"))
    );
    assert!(whole.body == bytes);
    let etag = whole.field("etag").unwrap().to_owned();
    assert!(etag.starts_with('"') && whole.field("last-modified").unwrap().ends_with("GMT"));

    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=1000000-2999999", 1_000_000, 3_000_000),
        ("bytes=-5", bytes.len() - 5, bytes.len()),
        ("bytes=3000000-18446744073709551615", 3_000_000, bytes.len()),
    ] {
        let part = client.ask(&get_with(
            SEALED,
            &format!("Range: {range}\r\nIf-Range: {etag}"),
        ));
        assert_eq!(part.status, 206, "{range}");
        let expected = format!("bytes {from}-{}/{}", to - 1, bytes.len());
        assert_eq!(part.field("content-range"), Some(expected.as_str()));
        assert!(part.body == bytes[from..to], "{range}");
    }
    let beyond = client.ask(&get_with(SEALED, "Range: bytes=3145728-"));
    assert_eq!(
        (beyond.status, beyond.field("content-range")),
        (416, Some("bytes */3145728"))
    );
    assert_eq!(
        client
            .ask(&get_with(SEALED, &format!("If-None-Match: {etag}")))
            .status,
        304
    );
    let head = client.ask(&get(SEALED).replace("GET", "HEAD"));
    assert_eq!(
        (head.status, head.field("content-length")),
        (200, Some("3145728"))
    );
    assert_eq!(
        site.door.stats().accepted,
        1,
        "all of it went over one connection"
    );
}

#[test]
fn files_and_calls_share_a_connection() {
    let site = Site::open();
    let bytes = content(700_000);
    site.publish(Sealed, "s-t01000-7", &bytes);
    let mut client = site.connect();
    // All at once: the door answers the first two, tunnels the third, and gets the fourth handed back.
    client.send(
        [
            get(SEALED),
            get_with(SEALED, "Range: bytes=9-99"),
            call("one"),
            get(SEALED),
        ]
        .concat(),
    );
    assert!(client.answer(false).body == bytes);
    assert!(client.answer(false).body == bytes[9..100]);
    assert_eq!(client.answer(false).text(), "POST /rpc/v0 one");
    assert!(client.answer(false).body == bytes);
    // And on: a tunnel again, and back.
    assert_eq!(client.ask(&call("two")).text(), "POST /rpc/v0 two");
    assert!(client.ask(&get(SEALED)).body == bytes);
    assert_eq!(
        client.ask(&get("/remote/stat/abc")).text(),
        "GET /remote/stat/abc "
    );
    assert_eq!(site.door.stats().accepted, 1);
}

#[test]
fn what_comes_with_an_upgrade_waits_for_its_answer() {
    let site = Site::open();
    let bytes = content(300_000);
    let request = [call("first").as_bytes(), get("/upgrade").as_bytes(), &bytes].concat();
    for pieces in [request.len(), 50, 7_001] {
        let mut client = site.connect();
        let mut writer = client.stream.get_ref().try_clone().unwrap();
        let sent = request.clone();
        let sending = std::thread::spawn(move || {
            for piece in sent.chunks(pieces) {
                writer.write_all(piece).unwrap();
            }
            writer.shutdown(std::net::Shutdown::Write).unwrap();
        });
        assert_eq!(client.answer(false).text(), "POST /rpc/v0 first");
        assert!(client.head().unwrap().starts_with("HTTP/1.1 101 "));
        let mut back = Vec::new();
        client.stream.read_to_end(&mut back).unwrap();
        assert!(back == bytes, "{} of {}", back.len(), bytes.len());
        sending.join().unwrap();
    }
}

#[test]
fn calls_know_their_peer() {
    let site = Site::open();
    let mut client = site.connect();
    let own = client.stream.get_ref().local_addr().unwrap().to_string();
    assert_eq!(client.ask(&get("/peer")).text(), own);
    assert_eq!(
        client
            .ask(&get("/peer").replace("Host", "X-Forwarded-For"))
            .text(),
        own
    );
}

#[test]
fn a_head_may_come_byte_by_byte() {
    let site = Site::open();
    site.publish(Sealed, "s-t01000-7", b"seven");
    let mut client = site.connect();
    for byte in get(SEALED).bytes() {
        client.send([byte]);
    }
    assert_eq!(client.answer(false).text(), "seven");
    for byte in call("slowly").bytes() {
        client.send([byte]);
    }
    assert_eq!(client.answer(false).text(), "POST /rpc/v0 slowly");
}

#[test]
fn a_cache_comes_as_one_complete_archive() {
    let site = Site::open();
    let layer = content(1_000_003);
    let files: [(&str, &[u8]); 4] = [
        ("t_aux", b"t"),
        ("p_aux", b"pp"),
        ("sc-02-data-layer-1.dat", &layer),
        ("notes.txt", b"mine"),
    ];
    site.publish_cache("s-t01000-7", &files);
    let mut client = site.connect();
    let archive = client.ask(&get(CACHE));
    assert_eq!(
        (archive.status, archive.field("content-type")),
        (200, Some("application/x-tar"))
    );
    assert_eq!(archive.body.len() % 512, 0);

    let mut at = 0;
    for (name, expected) in [
        ("p_aux", &b"pp"[..]),
        ("sc-02-data-layer-1.dat", &layer),
        ("t_aux", b"t"),
    ] {
        let header = &archive.body[at..at + 512];
        assert!(header.starts_with(format!("{name}\0").as_bytes()));
        assert_eq!(&header[257..265], b"ustar\x0000");
        let size =
            usize::from_str_radix(std::str::from_utf8(&header[124..135]).unwrap(), 8).unwrap();
        assert!(
            archive.body[at + 512..at + 512 + size] == *expected,
            "{name}"
        );
        at += 512 + size.next_multiple_of(512);
    }
    assert!(archive.body[at..] == [0; 1024], "two empty blocks end it");
    assert!(site.event("names-skipped").detail.contains("notes.txt"));

    assert_eq!(client.ask(&get(&format!("{CACHE}/p_aux"))).text(), "pp");
    assert_eq!(client.ask(&get(&format!("{CACHE}/notes.txt"))).status, 404);
    assert_eq!(
        client.ask(&get_with(CACHE, "Range: bytes=0-9")).status,
        200,
        "an archive has no ranges"
    );
}

#[test]
fn what_is_not_here_is_not_found() {
    let site = Site::open();
    site.publish_cache("s-t01000-8", &[]);
    let path = site.publish(Unsealed, "s-t01000-9", b"x");
    std::fs::remove_file(path).unwrap();
    let mut client = site.connect();
    // An empty archive would pass for a whole cache, and the source would be deleted.
    assert_eq!(client.ask(&get("/remote/cache/s-t01000-8")).status, 404);
    assert_eq!(client.ask(&get("/remote/unsealed/s-t01000-9")).status, 404);
    assert!(
        site.door
            .unpublish("path-1", Unsealed, "s-t01000-9".parse().unwrap())
    );
    assert!(
        !site
            .door
            .unpublish("path-1", Unsealed, "s-t01000-9".parse().unwrap())
    );
}

#[test]
fn what_nobody_has_published_is_asked_of_the_control_plane() {
    let site = Site::open();
    let mut client = site.connect();
    let path = "/remote/unsealed/s-t01000-5";
    assert_eq!(
        client.ask(&get(path)).body,
        format!("GET {path} ").as_bytes()
    );
}

#[test]
fn strangers_are_answered_as_lotus_does() {
    let site = Site::open();
    site.publish(Sealed, "s-t01000-7", b"seven");
    let mut client = site.connect();
    let missing = "{\"Error\":\"unauthorized: missing admin permission\"}\n";
    let with = |field: &str| format!("GET {SEALED} HTTP/1.1\r\nHost: a\r\n{field}\r\n");
    for (request, words) in [
        (with(""), missing),
        (with("Authorization: Bearer reader\r\n"), missing),
        (with("Authorization: Bearer wrong\r\n"), ""),
        (with("Authorization: bearer good\r\n"), ""),
        (with("Authorization: Basic good\r\n"), ""),
    ] {
        let answer = client.ask(&request);
        assert_eq!((answer.status, answer.text()), (401, words), "{request}");
    }
    assert_eq!(
        client.ask(&with("")).field("content-type"),
        Some("text/plain; charset=utf-8"),
        "JSON, labelled as text"
    );
    let told = client.ask(&with("").replace(" HTTP", "?token=good HTTP"));
    assert_eq!(told.status, 401);
    assert!(told.text().contains("a token in the URL"));
}

#[test]
fn one_question_is_asked_for_one_token() {
    let site = Site::open();
    site.publish(Sealed, "s-t01000-7", b"seven");
    for _ in 0..3 {
        assert_eq!(site.connect().ask(&get(SEALED)).status, 200);
    }
    assert_eq!(site.asked.try_iter().collect::<Vec<_>>(), ["good"]);
}

#[test]
fn without_a_verdict_the_caller_is_told_to_come_again() {
    let site = Site::with(|options| options.verdict_timeout = Duration::from_millis(50));
    site.publish(Sealed, "s-t01000-7", b"seven");
    let mut client = site.connect();
    for token in ["early", "silence"] {
        let answer = client.ask(&get(SEALED).replace("good", token));
        assert_eq!(
            (answer.status, answer.field("retry-after")),
            (503, Some("1")),
            "{token}"
        );
    }
    assert_eq!(client.ask(&get(SEALED)).status, 200);
}

#[test]
fn a_reader_that_stands_still_delays_nobody() {
    let site = Site::open();
    let large = content(48 << 20);
    site.publish(Sealed, "s-t01000-7", &large);
    site.publish(Cache, "s-t01000-7", b"small");
    // Twice as many as there are threads.
    let mut still: Vec<_> = (0..4).map(|_| site.connect()).collect();
    for client in &mut still {
        client.send(get(SEALED));
        client.head().unwrap();
    }
    let mut other = site.connect();
    for _ in 0..20 {
        assert_eq!(other.ask(&get(CACHE)).text(), "small");
    }
    assert_eq!(other.ask(&call("quick")).text(), "POST /rpc/v0 quick");
    // The last small answer may still be on its way out of the count.
    let counted = (0..10_000).any(|_| {
        std::thread::yield_now();
        site.door.stats().transfers == 4
    });
    assert!(counted, "{:?}", site.door.stats());
    let mut body = vec![0; large.len()];
    std::io::Read::read_exact(&mut still[0].stream, &mut body).unwrap();
    assert!(body == large);
}

#[test]
fn a_client_that_never_reads_on_is_cut() {
    let site = Site::with(|options| options.progress_timeout = Duration::from_millis(100));
    site.publish(Sealed, "s-t01000-7", &content(48 << 20));
    let mut client = site.connect();
    client.send(get(SEALED));
    let event = site.event("transfer-broken");
    assert_eq!(
        event.peer,
        Some(client.stream.get_ref().local_addr().unwrap())
    );
    assert_eq!(site.door.stats().broken, 1);
    assert!(!client.is_closed_politely());
}

#[test]
fn a_source_that_changes_is_never_served_as_whole() {
    let site = Site::open();
    let large = content(48 << 20);
    let file = site.publish(Sealed, "s-t01000-7", &large);
    let cache = site.publish_cache(
        "s-t01000-7",
        &[("p_aux", b"p"), ("sc-02-data-layer-1.dat", &large)],
    );
    let mut readers = [site.connect(), site.connect()];
    for (client, path) in readers.iter_mut().zip([SEALED, CACHE]) {
        client.send(get(path));
        client.head().unwrap();
    }
    std::fs::write(file, b"shorter").unwrap();
    std::fs::write(cache.join("t_aux"), b"late").unwrap();
    for client in &mut readers {
        assert!(!client.is_closed_politely());
        site.event("source-changed");
    }
}

#[test]
fn doubtful_heads_are_refused_and_the_connection_closed() {
    let site = Site::with(|options| options.head_timeout = Duration::from_millis(100));
    for (request, status) in [
        (get_with(SEALED, "Content-Length: 3"), 400),
        (get("/a\0b"), 400),
        ("CONNECT a:1 HTTP/1.1\r\n\r\n".into(), 405),
        (format!("GET {SEALED} HTTP/1.1\r\nHo"), 408),
    ] {
        let mut client = site.connect();
        assert_eq!(client.ask(&request).status, status, "{request:?}");
        assert!(client.is_closed_politely());
    }
    assert!(
        site.connect().is_closed_politely(),
        "a client that says nothing is let go"
    );
}

#[test]
fn a_scoped_token_is_kept_to_its_scope() {
    let site = Site::open();
    site.publish(Sealed, "s-t01000-7", b"seven");
    site.publish_cache("s-t01000-7", &[("p_aux", b"p")]);
    let mut client = site.connect();
    let missing = "{\"Error\":\"unauthorized: missing admin permission\"}\n";
    for (token, sealed, cache) in [
        ("read-storage", 200, 200),
        ("read-storage:sealed", 200, 401),
        ("read-storage:cache/s-t01000-7", 401, 200),
        ("read-storage:cache/s-t01000-8", 401, 401),
        ("write-storage", 401, 401),
        ("delete-storage", 401, 401),
    ] {
        for (path, status) in [(SEALED, sealed), (CACHE, cache)] {
            // Twice: a remembered verdict is no other.
            for _ in 0..2 {
                let answer = client.ask(&get(path).replace("good", token));
                assert_eq!(answer.status, status, "{token}: {path}");
                assert!(status == 200 || answer.text() == missing);
            }
        }
    }
}
