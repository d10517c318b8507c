//! A directory from a node of ours: file by file, and gone on from in the middle of one.

use remote::FileType;
use remote::fetch::{Code, Control, Failure, Fetched, Kind, Order, fetch};

use crate::resume::content;
use crate::server::{Server, TAR, chunked, closing, counted};
use crate::site::Site;
use crate::tar_archive::{Style, cache_entries, complete};
use crate::{Scratch, names};

/// What is received, written and kept at once.
const PIECE: usize = 2 << 20;
const NAME: &str = "s-t01000-7";

fn files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("p_aux", content(1, 64)),
        ("sc-02-data-layer-1.dat", content(2, 3 * PIECE)),
        ("sc-02-data-tree-r-last.dat", content(3, 700_000)),
        ("t_aux", content(4, 290)),
    ]
}

fn open(files: &[(&str, Vec<u8>)]) -> Site {
    let site = Site::open();
    let borrowed: Vec<_> = files
        .iter()
        .map(|(name, bytes)| (*name, bytes.as_slice()))
        .collect();
    site.publish_cache(NAME, &borrowed);
    site
}

fn order(scratch: &Scratch, port: u16) -> Order {
    Order {
        token: Some("good".into()),
        ..scratch.kept(
            format!("http://127.0.0.1:{port}/remote/cache/{NAME}"),
            Kind::Directory,
        )
    }
}

fn run(order: &Order) -> Result<Fetched, Failure> {
    fetch(order, &Control::default())
}

fn check(scratch: &Scratch, files: &[(&str, Vec<u8>)]) {
    let expected: Vec<_> = files.iter().map(|(name, _)| *name).collect();
    assert_eq!(names(&scratch.target()), expected);
    for (name, bytes) in files {
        assert!(
            std::fs::read(scratch.target().join(name)).unwrap() == *bytes,
            "{name}"
        );
    }
}

#[test]
fn a_directory_comes_file_by_file() {
    let (files, scratch) = (files(), Scratch::new());
    let site = open(&files);
    let control = Control::default();
    let fetched = fetch(&order(&scratch, site.port), &control).unwrap();
    check(&scratch, &files);
    let bytes: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    assert_eq!((fetched.bytes, fetched.bytes_resumed), (bytes as u64, 0));
    assert_eq!(
        (control.done(), control.total()),
        (bytes as u64, Some(bytes as u64))
    );
    let listed: Vec<_> = fetched
        .files
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    assert_eq!(listed, names(&scratch.target()));
    // Complete, and without its final name yet: nothing is fetched twice.
    assert_eq!(
        run(&order(&scratch, site.port)).unwrap().bytes_resumed,
        bytes as u64
    );
}

#[test]
fn who_does_not_ask_for_a_listing_gets_the_archive() {
    let (files, scratch) = (files(), Scratch::new());
    let site = open(&files);
    let mut order = order(&scratch, site.port);
    order.record = None;
    run(&order).unwrap();
    check(&scratch, &files);
    let mut client = site.connect();
    let answer = client.ask("GET /remote/cache/s-t01000-7 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nAccept: */*\r\n\r\n");
    assert_eq!(answer.field("Content-Type"), Some("application/x-tar"));
}

/// A relay to the door that cuts every connection after so many bytes of all answers together.
fn cutting(port: u16, cuts: Vec<usize>) -> Server {
    use std::io::{Read, Write};
    let (mut cuts, mut left) = (cuts.into_iter(), None);
    Server::answering(move |request| {
        let mut upstream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        upstream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        upstream.read_to_end(&mut answer).unwrap();
        let allowed = *left.get_or_insert_with(|| cuts.next().unwrap_or(usize::MAX));
        if allowed < answer.len() {
            answer.truncate(allowed);
            left = None;
        } else {
            left = Some(allowed - answer.len());
        }
        closing(answer)
    })
}

#[test]
fn a_cut_directory_is_gone_on_from_in_the_middle_of_a_file() {
    let (files, scratch) = (files(), Scratch::new());
    let site = open(&files);
    let relay = cutting(site.port, vec![2 * PIECE + 300_000, 1000, PIECE + 800_000]);
    let mut order = order(&scratch, site.port);
    order.url = relay.url("/remote/cache/s-t01000-7");
    let failure = run(&order).unwrap_err();
    assert_eq!(failure.bytes_kept, 64 + 2 * PIECE as u64, "{failure}");
    assert_eq!(
        names(&scratch.target()),
        ["p_aux", "sc-02-data-layer-1.dat"]
    );
    let kept = run(&order).unwrap_err().bytes_kept;
    assert_eq!(kept, 64 + 2 * PIECE as u64);
    let kept = run(&order).unwrap_err().bytes_kept;
    assert_eq!(kept, 64 + 3 * PIECE as u64);
    let fetched = run(&order).unwrap();
    assert_eq!(fetched.bytes_resumed, kept);
    check(&scratch, &files);
}

#[test]
fn a_directory_that_changed_is_begun_anew() {
    let (mut files, scratch) = (files(), Scratch::new());
    let site = open(&files);
    let relay = cutting(site.port, vec![2 * PIECE + 300_000]);
    let mut order = order(&scratch, site.port);
    order.url = relay.url("/remote/cache/s-t01000-7");
    run(&order).unwrap_err();
    files[0].1 = content(9, 64);
    files.remove(3);
    let dir = site.root.path().join("cache").join(NAME);
    std::fs::write(dir.join("p_aux"), &files[0].1).unwrap();
    std::fs::remove_file(dir.join("t_aux")).unwrap();
    assert_eq!(run(&order).unwrap().bytes_resumed, 0);
    check(&scratch, &files);
}

#[test]
fn a_directory_that_changes_while_it_is_fetched_is_not_accepted() {
    let (files, scratch) = (files(), Scratch::new());
    let site = open(&files);
    let dir = site.root.path().join("cache").join(NAME);
    let port = site.port;
    let relay = Server::answering(move |request| {
        use std::io::{Read, Write};
        // Another file comes to be while the last one is on its way.
        let late = dir.join("sc-02-data-layer-2.dat");
        if request.starts_with("GET /remote/cache/s-t01000-7/t_aux ") && !late.exists() {
            std::fs::write(late, "late").unwrap();
        }
        let mut upstream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        upstream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        upstream.read_to_end(&mut answer).unwrap();
        closing(answer)
    });
    let mut order = order(&scratch, site.port);
    order.url = relay.url("/remote/cache/s-t01000-7");
    let failure = run(&order).unwrap_err();
    assert_eq!(failure.code, Code::Incomplete);
    assert!(failure.detail.contains("changed"), "{failure}");
    // The next one sees the new listing, and takes it whole.
    assert_eq!(run(&order).unwrap().files.len(), 5);
}

#[test]
fn an_archive_from_a_stranger_is_asked_for_again_from_its_start() {
    let archive = complete(&cache_entries(Style::Plain));
    let cut = counted(TAR, &archive)[..9000].to_vec();
    let (scratch, server) = (
        Scratch::new(),
        Server::start(vec![
            closing(cut),
            closing(chunked(TAR, &archive, "0\r\n\r\n")),
        ]),
    );
    let order = scratch.kept(server.url("/remote/cache/s-t01000-7"), Kind::Directory);
    let failure = run(&order).unwrap_err();
    assert_eq!((failure.code, failure.bytes_kept), (Code::Incomplete, 0));
    assert_eq!(names(scratch.dir.path()), [""; 0]);
    run(&order).unwrap();
    for _ in 0..2 {
        let request = server.request();
        assert!(!request.contains("Range"), "{request}");
        assert!(
            request.contains(
                "\r\nAccept: application/vnd.sealyard.listing, application/x-tar;q=0.5\r\n"
            )
        );
    }
}

#[test]
fn a_single_file_comes_from_a_door_as_from_lotus() {
    let (scratch, site) = (Scratch::new(), Site::open());
    let whole = content(5, 3 * PIECE + 1);
    site.publish(FileType::Sealed, NAME, &whole);
    let relay = cutting(site.port, vec![2 * PIECE]);
    let order = Order {
        token: Some("good".into()),
        ..scratch.kept(relay.url("/remote/sealed/s-t01000-7"), Kind::File)
    };
    assert_eq!(run(&order).unwrap_err().bytes_kept, PIECE as u64);
    assert_eq!(run(&order).unwrap().bytes_resumed, PIECE as u64);
    assert!(std::fs::read(scratch.target()).unwrap() == whole);
}
