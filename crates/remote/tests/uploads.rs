//! Pushed bodies through a real door.

mod site;

use std::path::PathBuf;
use std::time::Duration;

use remote::door::{Upload, UploadErrorCode};
use site::{Client, Site, UUID, call, content};

const LIMIT: u64 = 8 << 20;

fn expect(site: &Site) -> (Upload, PathBuf) {
    let path = site.root.path().join("piece");
    (
        site.door.expect_upload(UUID, path.clone(), LIMIT).unwrap(),
        path,
    )
}

fn push(fields: &str) -> String {
    format!("POST /rpc/streams/v0/push/{UUID} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

fn chunked(bytes: &[u8], chunk: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for part in bytes.chunks(chunk) {
        body.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        body.extend_from_slice(part);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    body
}

fn fails(upload: &Upload, path: &PathBuf, code: UploadErrorCode) {
    let failure = upload.wait().unwrap_err();
    assert_eq!(
        (failure.code, &failure.path),
        (code, path),
        "{}",
        failure.detail
    );
    assert!(!path.exists(), "nothing is left of it");
}

#[test]
fn a_body_of_known_length_arrives() {
    let site = Site::open();
    let bytes = content(5 << 20);
    let (upload, path) = expect(&site);
    let mut client = site.connect();
    client.send(push(&format!("Content-Length: {}\r\n", bytes.len())));
    client.send(&bytes);
    // The next request on the same connection, sent before the answer.
    client.send(call("after"));
    assert_eq!(client.answer(false).status, 200);
    assert_eq!(upload.wait().unwrap(), bytes.len() as u64);
    assert_eq!(upload.received(), bytes.len() as u64);
    assert!(std::fs::read(path).unwrap() == bytes);
    assert_eq!(client.answer(false).text(), "POST /rpc/v0 after");
}

#[test]
fn a_chunked_body_arrives_whatever_its_pieces() {
    let site = Site::open();
    let bytes = content(600_000);
    for chunk in [1 << 20, 4096, 7777] {
        let (upload, path) = expect(&site);
        let mut client = site.connect();
        client.send(push("Transfer-Encoding: chunked\r\n"));
        for piece in chunked(&bytes, chunk).chunks(50_001) {
            client.send(piece);
        }
        assert_eq!(client.answer(false).status, 200);
        assert_eq!(upload.wait().unwrap(), bytes.len() as u64);
        assert!(std::fs::read(&path).unwrap() == bytes);
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_push_may_come_before_it_is_expected() {
    let site = Site::open();
    let mut client = site.connect();
    client.send(push("").replace("POST", "HEAD"));
    let (upload, path) = expect(&site);
    assert_eq!(client.answer(true).status, 200);
    client.send(push("Content-Length: 5\r\nExpect: 100-continue\r\n"));
    assert!(client.head().unwrap().starts_with("HTTP/1.1 100 Continue"));
    client.send("piece");
    assert_eq!(client.answer(false).status, 200);
    assert_eq!(
        (upload.wait().unwrap(), std::fs::read(path).unwrap()),
        (5, b"piece".to_vec())
    );
    assert!(site.asked.try_recv().is_err(), "the UUID alone lets it in");
}

#[test]
fn nobody_waits_for_ever() {
    let site = Site::with(|options| options.upload_wait = Duration::from_millis(50));
    let (upload, path) = expect(&site);
    fails(&upload, &path, UploadErrorCode::Timeout);
    let mut client = site.connect();
    assert_eq!(client.ask(&push("").replace("POST", "HEAD")).status, 503);
    assert_eq!(client.ask(&push("Content-Length: 5\r\n")).status, 503);
}

#[test]
fn a_token_that_is_sent_must_be_good() {
    let site = Site::open();
    let (_upload, path) = expect(&site);
    let mut client = site.connect();
    assert_eq!(
        client
            .ask(&push(
                "Content-Length: 5\r\nAuthorization: Bearer wrong\r\n"
            ))
            .status,
        401
    );
    assert!(!path.exists());
}

#[test]
fn nothing_is_left_of_a_push_that_breaks_off() {
    let site = Site::open();
    let begin = |site: &Site| -> (Upload, PathBuf, Client) {
        let (upload, path) = expect(site);
        let mut client = site.connect();
        client.send(push("Content-Length: 1000000\r\n"));
        client.send(content(300_000));
        while upload.received() < 300_000 {
            std::thread::yield_now();
        }
        (upload, path, client)
    };
    let (upload, path, client) = begin(&site);
    drop(client);
    fails(&upload, &path, UploadErrorCode::Incomplete);

    let (upload, path, mut client) = begin(&site);
    upload.cancel();
    fails(&upload, &path, UploadErrorCode::Cancelled);
    assert!(!client.is_closed_politely());

    let (upload, path, mut client) = begin(&site);
    site.door.close(Duration::ZERO);
    fails(&upload, &path, UploadErrorCode::Closed);
    assert!(!client.is_closed_politely());
}

#[test]
fn bodies_that_are_wrong_are_refused() {
    let site = Site::open();
    for (fields, body, code) in [
        (
            format!("Content-Length: {}", LIMIT + 1),
            Vec::new(),
            UploadErrorCode::TooLarge,
        ),
        (
            "Transfer-Encoding: chunked".into(),
            b"zz\r\n".to_vec(),
            UploadErrorCode::Malformed,
        ),
        (
            "Transfer-Encoding: chunked".into(),
            chunked(&content(LIMIT as usize + 1), 1 << 20),
            UploadErrorCode::TooLarge,
        ),
    ] {
        let (upload, path) = expect(&site);
        let mut client = site.connect();
        client.send(push(&format!("{fields}\r\n")));
        // The door may destroy the connection before it has all of it.
        let _ = std::io::Write::write_all(client.stream.get_mut(), &body);
        fails(&upload, &path, code);
    }
    let (upload, path) = expect(&site);
    std::fs::write(&path, b"somebody's").unwrap();
    let mut client = site.connect();
    client.send(push("Content-Length: 1\r\n"));
    let failure = upload.wait().unwrap_err();
    assert_eq!(
        (failure.code, failure.errno),
        (UploadErrorCode::Io, Some(17))
    );
    assert_eq!(std::fs::read(path).unwrap(), b"somebody's");
    assert!(
        site.door
            .expect_upload("not-a-uuid", "/nowhere".into(), 1)
            .is_none()
    );
}
