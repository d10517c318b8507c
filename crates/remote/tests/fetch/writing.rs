//! What stands on the disk after a fetch, and after one that failed.

use remote::fetch::{Code, Control, Kind, fetch};
use std::os::unix::fs::MetadataExt;
use sys::Errno;

use crate::server::{FILE, Server, TAR, chunked, closing, counted};
use crate::tar_archive::{Style, cache_entries, complete, file};
use crate::{Scratch, code, names};

const PATH: &str = "/remote/sealed/s-t01000-7";

#[test]
fn zeros_become_holes_and_the_content_stays() {
    let mut content = vec![0u8; 6 << 20];
    content[..5000].fill(1);
    content[(3 << 20) + 4096..][..4096].fill(2);
    *content.last_mut().unwrap() = 3;
    for answer in [
        counted(FILE, &content),
        chunked(FILE, &content, "0\r\n\r\n"),
    ] {
        let (scratch, server) = (Scratch::new(), Server::start(vec![closing(answer)]));
        scratch
            .fetch(&scratch.order(server.url(PATH), Kind::File))
            .unwrap();
        assert!(std::fs::read(scratch.target()).unwrap() == content);
        let allocated = std::fs::metadata(scratch.target()).unwrap().blocks() * 512;
        assert!(allocated <= 1 << 20, "{allocated} bytes on the disk");
    }
}

#[test]
fn a_file_of_zeros_keeps_its_length() {
    let (scratch, server) = (
        Scratch::new(),
        Server::start(vec![closing(counted(FILE, &[0; 10_000]))]),
    );
    scratch
        .fetch(&scratch.order(server.url(PATH), Kind::File))
        .unwrap();
    assert_eq!(std::fs::read(scratch.target()).unwrap(), [0; 10_000]);
}

#[test]
fn more_than_the_write_window_arrives_whole() {
    let content: Vec<u8> = (0..10u32 << 20).flat_map(u32::to_le_bytes).collect();
    let (scratch, server) = (
        Scratch::new(),
        Server::start(vec![closing(counted(FILE, &content))]),
    );
    let fetched = scratch
        .fetch(&scratch.order(server.url(PATH), Kind::File))
        .unwrap();
    assert_eq!(fetched.bytes, 40 << 20);
    assert!(std::fs::read(scratch.target()).unwrap() == content);
}

#[test]
fn what_is_at_the_target_stays() {
    let archive = complete(&cache_entries(Style::Plain));
    for (kind, answer) in [
        (Kind::File, counted(FILE, b"data")),
        (Kind::Directory, counted(TAR, &archive)),
    ] {
        let (scratch, server) = (Scratch::new(), Server::start(vec![closing(answer)]));
        std::fs::write(scratch.target(), "mine").unwrap();
        let failure =
            fetch(&scratch.order(server.url(PATH), kind), &Control::default()).unwrap_err();
        assert_eq!(
            (failure.code, failure.errno),
            (Code::Io, Some(Errno::EXIST.raw_os_error())),
            "{failure}"
        );
        assert_eq!(std::fs::read(scratch.target()).unwrap(), b"mine");
    }
}

#[test]
fn a_link_at_the_target_is_not_followed() {
    let (scratch, server) = (
        Scratch::new(),
        Server::start(vec![closing(counted(FILE, b"data"))]),
    );
    std::os::unix::fs::symlink("elsewhere", scratch.target()).unwrap();
    let outcome = fetch(
        &scratch.order(server.url(PATH), Kind::File),
        &Control::default(),
    );
    assert_eq!(code(outcome), Some(Code::Io));
    assert_eq!(names(scratch.dir.path()), ["s-t01000-7.1"]);
}

#[test]
fn a_refused_entry_removes_those_before_it() {
    let archive = complete(
        &[
            cache_entries(Style::Plain),
            vec![file("x", b"y", Style::Plain)],
        ]
        .concat(),
    );
    let (scratch, server) = (
        Scratch::new(),
        Server::start(vec![closing(counted(TAR, &archive))]),
    );
    let failure = scratch
        .fetch(&scratch.order(server.url(PATH), Kind::Directory))
        .unwrap_err();
    assert_eq!(
        (failure.code, failure.path.as_deref()),
        (Code::RefusedName, Some("x"))
    );
}
