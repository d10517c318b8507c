//! What the client makes of statuses, content types and lengths that a lotus client was seen to get.

use remote::fetch::{Code, Kind};

use crate::archives::fetch_cache;
use crate::server::{Answer, FILE, LAST, Server, TAR, chunked, closing, counted, with_head};
use crate::tar_archive::{Style, cache_entries, complete};
use crate::{Scratch, code};

fn fetch_file(answer: Answer) -> Option<Code> {
    let (scratch, server) = (Scratch::new(), Server::start(vec![answer]));
    let order = scratch.order(server.url("/remote/sealed/s-t01000-7"), Kind::File);
    code(scratch.fetch(&order))
}

#[test]
fn a_status_says_what_to_do_next() {
    for (status, expected) in [
        ("404 Not Found", Code::NotHere),
        ("500 Internal Server Error", Code::NotHere),
        ("401 Unauthorized", Code::Unauthorized),
        ("403 Forbidden", Code::Unauthorized),
        ("503 Service Unavailable", Code::Network),
        ("204 No Content", Code::Network),
        ("206 Partial Content", Code::Network),
        ("416 Range Not Satisfiable", Code::Network),
        ("304 Not Modified", Code::Network),
    ] {
        let head = format!("{status}\r\nContent-Type: {FILE}\r\nContent-Length: 4");
        let (scratch, server) = (
            Scratch::new(),
            Server::start(vec![closing(with_head(&head, b"data"))]),
        );
        let order = scratch.order(server.url("/remote/sealed/s-t01000-7"), Kind::File);
        let failure = scratch.fetch(&order).unwrap_err();
        assert_eq!(failure.code, expected, "{status}");
        assert_eq!(failure.status, status[..3].parse().ok());
    }
}

#[test]
fn an_answer_of_another_kind_is_refused() {
    let archive = complete(&cache_entries(Style::Plain));
    for media_type in [FILE, "text/html", ""] {
        assert_eq!(
            fetch_cache(counted(media_type, &archive)),
            Some(Code::Network),
            "{media_type}"
        );
    }
    assert_eq!(
        fetch_file(closing(counted(TAR, &archive))),
        Some(Code::Network)
    );
    let no_type = with_head("200 OK\r\nContent-Length: 4", b"data");
    assert_eq!(fetch_file(closing(no_type)), Some(Code::Network));
    let gzip =
        format!("200 OK\r\nContent-Type: {FILE}\r\nContent-Encoding: gzip\r\nContent-Length: 4");
    assert_eq!(
        fetch_file(closing(with_head(&gzip, b"data"))),
        Some(Code::Network)
    );
    let gzip_tar = gzip.replace(FILE, TAR);
    assert_eq!(
        fetch_cache(with_head(&gzip_tar, b"data")),
        Some(Code::Network)
    );
}

#[test]
fn a_file_is_whole_or_not_there() {
    let content: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
    let whole = counted(FILE, &content);
    assert_eq!(fetch_file(closing(whole.clone())), None);
    assert_eq!(fetch_file(closing(chunked(FILE, &content, LAST))), None);
    let close_ended = with_head(&format!("200 OK\r\nContent-Type: {FILE}"), &content);
    for (case, answer) in [
        ("short of its length", whole[..whole.len() - 1].to_vec()),
        (
            "nothing of its length",
            whole[..whole.len() - content.len()].to_vec(),
        ),
        ("no last chunk", chunked(FILE, &content, "")),
        ("half a last chunk", chunked(FILE, &content, "0\r\n")),
        ("a malformed chunk", chunked(FILE, &content, "zz\r\n")),
        ("no length", close_ended),
        ("empty", counted(FILE, b"")),
        ("empty in chunks", chunked(FILE, b"", LAST)),
    ] {
        assert_eq!(
            fetch_file(closing(answer)),
            Some(Code::Incomplete),
            "{case}"
        );
    }
}

#[test]
fn two_lengths_are_refused() {
    let head = format!(
        "200 OK\r\nContent-Type: {FILE}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked"
    );
    assert_eq!(
        fetch_file(closing(with_head(&head, b"4\r\ndata\r\n0\r\n\r\n"))),
        Some(Code::Network)
    );
    assert_eq!(
        fetch_file(closing(*b"SSH-2.0-OpenSSH\r\n")),
        Some(Code::Network)
    );
    assert_eq!(fetch_file(closing(*b"")), Some(Code::Network));
    let endless = format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(20_000));
    assert_eq!(fetch_file(closing(endless)), Some(Code::Network));
}

#[test]
fn a_server_that_is_no_node_may_name_its_files_as_it_likes() {
    for (media_type, expected) in [
        (FILE, None),
        ("application/vnd.ipld.car", None),
        ("", None),
        ("text/html; charset=utf-8", Some(Code::Network)),
        (TAR, Some(Code::Network)),
    ] {
        let (scratch, server) = (
            Scratch::new(),
            Server::start(vec![closing(counted(media_type, b"data"))]),
        );
        let mut order = scratch.order(server.url("/piece"), Kind::File);
        order.token = None;
        assert_eq!(code(scratch.fetch(&order)), expected, "{media_type}");
        assert!(!server.request().contains("Authorization"));
    }
}
