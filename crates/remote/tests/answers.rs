//! Every status of a sector file to the byte, head included: what clients of lotus and HTTP caches rely on.

mod site;

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, UNIX_EPOCH};

use remote::FileType::Sealed;
use site::{Client, Site, content, get, get_with};

const SEALED: &str = "/remote/sealed/s-t01000-7";
const CACHE: &str = "/remote/cache/s-t01000-7";
const CHANGED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const SIZE: usize = 100_000;

/// A file that was changed last in 1994.
fn old_file(site: &Site) -> Vec<u8> {
    let bytes = content(SIZE);
    let path = site.publish(Sealed, "s-t01000-7", &bytes);
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(784_111_777))
        .unwrap();
    bytes
}

/// Everything that comes, without the date.
fn whole(client: &mut Client, request: &str, body: usize) -> (String, Vec<u8>) {
    client.send(request);
    let head = client.head().unwrap();
    let lines: Vec<&str> = head
        .split("\r\n")
        .filter(|line| !line.starts_with("Date: "))
        .collect();
    assert_eq!(
        lines.len() + 1,
        head.split("\r\n").count(),
        "one date: {head}"
    );
    let mut bytes = vec![0; body];
    client.stream.read_exact(&mut bytes).unwrap();
    assert!(client.stream.buffer().is_empty(), "nothing follows: {head}");
    (lines.join("\r\n"), bytes)
}

#[test]
fn every_status_is_answered_to_the_byte() {
    let site = Site::open();
    let bytes = old_file(&site);
    let mut client = site.connect();
    let etag = client.ask(&get(SEALED)).field("etag").unwrap().to_owned();
    let is_strong = etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"');
    assert!(is_strong, "{etag}");
    let common = format!("Accept-Ranges: bytes\r\nETag: {etag}\r\nLast-Modified: {CHANGED}\r\n");
    let typed = "Content-Type: application/octet-stream\r\n";
    let end = "Connection: keep-alive\r\n\r\n";
    let ok = format!("HTTP/1.1 200 OK\r\n{common}{typed}Content-Length: {SIZE}\r\n{end}");
    let part = |from: usize, to: usize| {
        let length = to - from + 1;
        format!(
            "HTTP/1.1 206 Partial Content\r\n{common}Content-Range: bytes {from}-{to}/{SIZE}\r\n{typed}Content-Length: {length}\r\n{end}"
        )
    };
    let none = format!("HTTP/1.1 304 Not Modified\r\n{common}{end}");
    let failed = format!("HTTP/1.1 412 Precondition Failed\r\n{common}Content-Length: 0\r\n{end}");
    let refused = |field: &str| {
        format!("HTTP/1.1 416 Range Not Satisfiable\r\n{common}{field}Content-Length: 0\r\n{end}")
    };
    let beyond = refused("Content-Range: bytes */100000\r\n");
    let nothing = 0..0;
    let range = "Range: bytes=10-19";
    for (fields, head, body) in [
        ("Accept-Encoding: gzip".to_owned(), ok.clone(), 0..SIZE),
        (range.into(), part(10, 19), 10..20),
        ("Range: bytes=0-99999".into(), part(0, SIZE - 1), 0..SIZE),
        (
            "Range: bytes=-7".into(),
            part(SIZE - 7, SIZE - 1),
            SIZE - 7..SIZE,
        ),
        (
            "Range: bytes=99999-18446744073709551615".into(),
            part(SIZE - 1, SIZE - 1),
            SIZE - 1..SIZE,
        ),
        ("Range: bytes=0-1,5-6".into(), ok.clone(), 0..SIZE),
        (format!("{range}\r\nIf-Range: {etag}"), part(10, 19), 10..20),
        (
            format!("{range}\r\nIf-Range: {CHANGED}"),
            part(10, 19),
            10..20,
        ),
        (
            format!("{range}\r\nIf-Range: {EARLIER}"),
            ok.clone(),
            0..SIZE,
        ),
        (
            format!("{range}\r\nIf-Range: \"another\""),
            ok.clone(),
            0..SIZE,
        ),
        (
            format!("{range}\r\nIf-Range: W/{etag}"),
            ok.clone(),
            0..SIZE,
        ),
        (
            format!("If-None-Match: {etag}"),
            none.clone(),
            nothing.clone(),
        ),
        ("If-None-Match: *".into(), none.clone(), nothing.clone()),
        (
            format!("{range}\r\nIf-None-Match: {etag}"),
            none.clone(),
            nothing.clone(),
        ),
        (
            format!("If-Modified-Since: {CHANGED}"),
            none.clone(),
            nothing.clone(),
        ),
        (format!("If-Modified-Since: {EARLIER}"), ok.clone(), 0..SIZE),
        (
            "If-Match: \"another\"".into(),
            failed.clone(),
            nothing.clone(),
        ),
        (
            format!("If-Match: \"another\", {etag}"),
            ok.clone(),
            0..SIZE,
        ),
        (
            format!("If-Unmodified-Since: {EARLIER}"),
            failed,
            nothing.clone(),
        ),
        (
            format!("If-Unmodified-Since: {CHANGED}"),
            ok.clone(),
            0..SIZE,
        ),
        ("Range: bytes=100000-".into(), beyond, nothing.clone()),
        ("Range: bytes=9-1".into(), refused(""), nothing.clone()),
        ("Range: items=0-1".into(), refused(""), nothing.clone()),
    ] {
        let request = get_with(SEALED, &fields);
        let (found, came) = whole(&mut client, &request, body.len());
        assert_eq!(found, head, "{fields}");
        assert!(came == bytes[body], "{fields}");
        // The same head without a body.
        let (found, _) = whole(&mut client, &request.replacen("GET", "HEAD", 1), 0);
        assert_eq!(found, head, "HEAD, {fields}");
    }
    assert_eq!(
        site.door.stats().accepted,
        1,
        "none of them ended the connection"
    );
}

#[test]
fn an_archive_of_more_than_eight_gib_says_its_length_and_its_sizes() {
    let site = Site::open();
    let layer = 9_663_676_416; // 9 GiB
    let path = site.publish_cache("s-t01000-7", &[("p_aux", b"p"), ("t_aux", b"t")]);
    let file = std::fs::File::create(path.join("sc-02-data-layer-1.dat")).unwrap();
    file.set_len(layer).unwrap();
    assert!(file.metadata().unwrap().blocks() < 100, "a hole");
    let mut client = site.connect();
    let length = (512 + 512) * 2 + 3 * 512 + layer + 1024;
    let head = client.ask(&get(CACHE).replacen("GET", "HEAD", 1));
    assert_eq!(
        head.field("content-length"),
        Some(length.to_string().as_str())
    );
    client.send(get_with(CACHE, "Accept-Encoding: gzip"));
    let head = client.head().unwrap();
    assert!(
        head.contains(&format!("\r\nContent-Length: {length}\r\n")),
        "{head}"
    );
    assert!(
        !head.contains("Content-Encoding") && !head.contains("Transfer-Encoding"),
        "{head}"
    );
    let mut begin = vec![0; 1024 + 3 * 512 + (1 << 20)];
    client.stream.read_exact(&mut begin).unwrap();
    let (pax, records, header) = (&begin[1024..1536], &begin[1536..2048], &begin[2048..2560]);
    assert!(pax.starts_with(b"PaxHeaders.0/sc-02-data-layer-1.dat\0") && pax[156] == b'x');
    assert!(records.starts_with(b"19 size=9663676416\n\0"));
    assert!(header.starts_with(b"sc-02-data-layer-1.dat\0") && header[156] == b'0');
    assert_eq!(&header[124..136], b"00000000000\0");
    assert!(
        begin[2560..].iter().all(|byte| *byte == 0),
        "the hole reads as zeroes"
    );
}

#[test]
fn a_refusal_tells_neither_paths_nor_what_is_there() {
    let site = Site::open();
    let path = site.publish(Sealed, "s-t01000-7", b"x");
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
    site.publish_cache("s-t01000-7", &[]);
    let (root, secret) = (site.root.path().to_str().unwrap(), "wrong-but-private");
    let mut bodies = Vec::new();
    for (path, token) in [
        (SEALED, "good"),
        (CACHE, "good"),
        ("/remote/cache/s-t01000-7/p_aux", "good"),
        (SEALED, secret),
        ("/remote/sealed/s-t01000-7?token=wrong-but-private", secret),
    ] {
        let answer = site.connect().ask(&get(path).replace("good", token));
        let said = format!("{}{}", answer.head, answer.text());
        assert!(!said.contains(root) && !said.contains("passwd"), "{said}");
        assert!(!answer.text().contains(secret), "{said}");
        bodies.push((answer.status, answer.body));
    }
    assert_eq!(bodies[3], (401, Vec::new()), "no hint what exists");
    for event in site.events.try_iter() {
        assert!(!format!("{event:?}").contains(secret), "{event:?}");
    }
}
