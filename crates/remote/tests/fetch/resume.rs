//! A single file that was cut: it is gone on from where nothing speaks against it, else begun anew, never mixed.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use proptest::prelude::*;
use remote::fetch::{Code, Control, Expect, Failure, Fetched, Kind, Order, fetch};

use crate::server::{FILE, Server, as_lotus, closing, counted, holding, with_head};
use crate::{Scratch, code, names};

const PATH: &str = "/remote/sealed/s-t01000-7";
const OLD: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const NEW: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
/// What is received, written and kept at once.
const PIECE: usize = 2 << 20;

/// Bytes without a pattern that two places could share.
pub fn content(seed: u64, length: usize) -> Vec<u8> {
    let word = |at: u64| mixed_up(seed.wrapping_mul(0x9e37_79b9).wrapping_add(at)).to_le_bytes();
    let words = (0..length.div_ceil(8) as u64).flat_map(word);
    words.take(length).collect()
}

fn mixed_up(seed: u64) -> u64 {
    let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn run(order: &Order) -> Result<Fetched, Failure> {
    fetch(order, &Control::default())
}

/// Fetches from a server that is cut after so many bytes of its answer.
fn cut_at(
    scratch: &Scratch,
    content: &[u8],
    bytes: usize,
    then: impl FnMut(&str) -> Vec<u8> + Send + 'static,
) -> (Server, Order) {
    let whole = content.to_vec();
    let (mut then, mut asked) = (then, 0);
    let server = Server::answering(move |request| {
        asked += 1;
        if asked > 1 {
            return closing(then(request));
        }
        let mut answer = as_lotus(request, &whole, OLD);
        answer.truncate(answer.len() - whole.len() + bytes);
        closing(answer)
    });
    let order = scratch.kept(server.url(PATH), Kind::File);
    let failure = run(&order).unwrap_err();
    assert_eq!(failure.code, Code::Incomplete, "{failure}");
    let kept = bytes / PIECE * PIECE;
    assert_eq!(failure.bytes_kept, kept as u64);
    let left: &[&str] = if kept > 0 {
        &["s-t01000-7.1", "s-t01000-7.2"]
    } else {
        &[]
    };
    assert_eq!(names(scratch.dir.path()), left);
    let first = server.request();
    assert!(!first.contains("Range"), "{first}");
    (server, order)
}

fn is(path: &Path, content: &[u8]) -> bool {
    std::fs::read(path).unwrap() == content
}

#[test]
fn a_cut_file_is_gone_on_from_with_its_tail_received_again() {
    let (scratch, whole) = (Scratch::new(), content(1, 5 * PIECE + 12_345));
    let served = whole.clone();
    let (server, order) = cut_at(&scratch, &whole, 3 * PIECE + 17, move |request| {
        as_lotus(request, &served, OLD)
    });
    let control = Control::default();
    let fetched = fetch(&order, &control).unwrap();
    assert_eq!(fetched.bytes_resumed, 3 * PIECE as u64);
    assert_eq!(fetched.bytes, whole.len() as u64);
    assert_eq!(control.done(), whole.len() as u64);
    assert_eq!(control.total(), Some(whole.len() as u64));
    let request = server.request();
    let start = 3 * PIECE - (256 << 10);
    assert!(
        request.contains(&format!("\r\nRange: bytes={start}-\r\nIf-Range: {OLD}\r\n")),
        "{request}"
    );
    assert!(is(&scratch.target(), &whole));
}

#[test]
fn what_arrived_whole_and_got_no_name_needs_only_its_tail() {
    let (scratch, whole) = (Scratch::new(), content(2, 2 * PIECE + 999));
    let served = whole.clone();
    let server = Server::answering(move |request| closing(as_lotus(request, &served, OLD)));
    let order = scratch.kept(server.url(PATH), Kind::File);
    assert_eq!(run(&order).unwrap().bytes_resumed, 0);
    assert_eq!(run(&order).unwrap().bytes_resumed, whole.len() as u64);
    assert!(is(&scratch.target(), &whole));
}

/// A part of a file, as a server sends it that has its own idea of what was asked for.
fn part(whole: &[u8], start: usize, fields: &str) -> Vec<u8> {
    let (size, body) = (whole.len(), &whole[start..]);
    let head = format!(
        "206 Partial Content\r\nContent-Type: {FILE}\r\n{fields}Content-Range: bytes {start}-{}/{size}\r\n\
         Content-Length: {}",
        size - 1,
        body.len()
    );
    with_head(&head, body)
}

#[test]
fn anything_but_the_exact_rest_is_a_new_start() {
    const TAIL_AT: usize = 3 * PIECE - (256 << 10);
    type Then = fn(&[u8], &[u8]) -> Vec<u8>;
    // What a request with a range gets; one without gets the new file.
    let cases: [(&str, Then); 7] = [
        ("200: it has changed", |_, new| as_lotus("", new, NEW)),
        ("200: ranges are ignored", |_, new| counted(FILE, new)),
        ("416: it is shorter", |_, _| {
            with_head("416 Range\r\nContent-Length: 0", b"")
        }),
        ("another content under the same date", |_, new| {
            part(new, TAIL_AT, &format!("Last-Modified: {OLD}\r\n"))
        }),
        ("another date", |old, _| {
            part(old, TAIL_AT, &format!("Last-Modified: {NEW}\r\n"))
        }),
        ("another part", |old, _| part(old, TAIL_AT - 1, "")),
        ("a part of something longer", |old, _| {
            part(&[old, b"more"].concat(), TAIL_AT, "")
        }),
    ];
    let (old, new) = (content(3, 4 * PIECE), content(4, 4 * PIECE));
    for (case, then) in cases {
        let scratch = Scratch::new();
        let (before, after) = (old.clone(), new.clone());
        let (_server, order) = cut_at(&scratch, &old, 3 * PIECE, move |request| {
            if request.contains("Range: ") {
                then(&before, &after)
            } else {
                as_lotus(request, &after, NEW)
            }
        });
        let fetched = run(&order).unwrap();
        assert_eq!(fetched.bytes_resumed, 0, "{case}");
        assert!(is(&scratch.target(), &new), "{case}");
    }
}

#[test]
fn a_tail_that_the_disk_has_lost_is_a_new_start() {
    let (scratch, whole) = (Scratch::new(), content(5, 4 * PIECE));
    let served = whole.clone();
    let (_server, order) = cut_at(&scratch, &whole, 3 * PIECE, move |request| {
        as_lotus(request, &served, OLD)
    });
    let mut bytes = std::fs::read(scratch.target()).unwrap();
    bytes[3 * PIECE - 1] ^= 1;
    // Written in place: another inode would not be taken for ours in the first place.
    std::fs::write(scratch.target(), bytes).unwrap();
    assert_eq!(run(&order).unwrap().bytes_resumed, 0);
    assert!(is(&scratch.target(), &whole));
}

#[test]
fn what_the_record_was_not_made_of_is_replaced() {
    let whole = content(6, 4 * PIECE);
    type Change = fn(&Scratch);
    let changes: [Change; 4] = [
        |scratch| std::fs::remove_file(scratch.target()).unwrap(),
        |scratch| std::fs::remove_file(scratch.record()).unwrap(),
        |scratch| std::fs::write(scratch.record(), "junk").unwrap(),
        |scratch| {
            let copy = scratch.dir.path().join("copy");
            std::fs::copy(scratch.target(), &copy).unwrap();
            std::fs::rename(copy, scratch.target()).unwrap();
        },
    ];
    for change in changes {
        let scratch = Scratch::new();
        let served = whole.clone();
        let (_server, order) = cut_at(&scratch, &whole, 3 * PIECE, move |request| {
            as_lotus(request, &served, OLD)
        });
        change(&scratch);
        assert_eq!(run(&order).unwrap().bytes_resumed, 0);
        assert!(is(&scratch.target(), &whole));
    }
}

#[test]
fn a_file_that_has_got_another_name_is_not_written_to() {
    let (scratch, whole) = (Scratch::new(), content(13, 4 * PIECE));
    let served = whole.clone();
    let (_server, order) = cut_at(&scratch, &whole, 3 * PIECE, move |request| {
        as_lotus(request, &served, OLD)
    });
    let named = scratch.dir.path().join("named");
    std::fs::hard_link(scratch.target(), &named).unwrap();
    let before = std::fs::read(&named).unwrap();
    assert_eq!(run(&order).unwrap().bytes_resumed, 0);
    assert!(is(&named, &before) && is(&scratch.target(), &whole));
}

#[test]
fn another_url_is_never_gone_on_from() {
    let (scratch, old, new) = (Scratch::new(), content(7, 4 * PIECE), content(8, 4 * PIECE));
    let (_server, mut order) = cut_at(&scratch, &old, 3 * PIECE, |_| unreachable!());
    let after = new.clone();
    let other = Server::answering(move |request| closing(as_lotus(request, &after, OLD)));
    order.url = other.url(PATH);
    assert_eq!(run(&order).unwrap().bytes_resumed, 0);
    assert!(!other.request().contains("Range: "));
    assert!(is(&scratch.target(), &new));
}

#[test]
fn a_source_that_is_away_for_a_while_costs_nothing() {
    let (scratch, whole) = (Scratch::new(), content(9, 4 * PIECE));
    let (served, mut asked) = (whole.clone(), 0);
    let (_server, order) = cut_at(&scratch, &whole, 3 * PIECE, move |request| {
        asked += 1;
        let refused = |status| with_head(&format!("{status}\r\nContent-Length: 0"), b"");
        match asked {
            1 => refused("503 Busy"),
            2 => refused("500 Error"),
            3 => refused("401 Unauthorized"),
            4 => Vec::new(),
            _ => as_lotus(request, &served, OLD),
        }
    });
    for _ in 0..4 {
        assert_eq!(run(&order).unwrap_err().bytes_kept, 3 * PIECE as u64);
    }
    assert_eq!(run(&order).unwrap().bytes_resumed, 3 * PIECE as u64);
    assert!(is(&scratch.target(), &whole));
}

#[test]
fn without_a_validator_nothing_is_kept() {
    for fields in [
        "",
        "ETag: W/\"1\"\r\n",
        &format!("Last-Modified: {OLD}\r\nDate: {OLD}\r\n"),
    ] {
        let scratch = Scratch::new();
        let head = format!(
            "200 OK\r\nContent-Type: {FILE}\r\n{fields}Content-Length: {}",
            4 * PIECE
        );
        let cut = with_head(&head, &content(1, 3 * PIECE));
        let server = Server::start(vec![closing(cut)]);
        let failure = run(&scratch.kept(server.url(PATH), Kind::File)).unwrap_err();
        assert_eq!((failure.code, failure.bytes_kept), (Code::Incomplete, 0));
        assert_eq!(names(scratch.dir.path()), [""; 0], "{fields}");
    }
}

#[test]
fn an_interrupted_fetch_keeps_and_a_cancelled_one_does_not() {
    for (end, expected) in [
        (Control::interrupt as fn(&Control), Code::Interrupted),
        (Control::cancel, Code::Cancelled),
    ] {
        let (scratch, whole) = (Scratch::new(), content(10, 4 * PIECE));
        let mut half = as_lotus("", &whole, OLD);
        half.truncate(half.len() - PIECE);
        let server = Server::start(vec![holding(half)]);
        let order = scratch.kept(server.url(PATH), Kind::File);
        let control = Arc::new(Control::default());
        let running = thread::spawn({
            let control = Arc::clone(&control);
            move || fetch(&order, &control)
        });
        while control.done() < 3 * PIECE as u64 {
            thread::yield_now();
        }
        end(&control);
        let failure = running.join().unwrap().unwrap_err();
        assert_eq!(failure.code, expected);
        let kept = failure.bytes_kept == 3 * PIECE as u64;
        assert_eq!(kept, expected == Code::Interrupted);
        assert_eq!(names(scratch.dir.path()).is_empty(), !kept);
    }
}

#[test]
fn a_paused_fetch_reads_nothing_until_it_proceeds() {
    let (scratch, whole) = (Scratch::new(), content(11, 2 * PIECE));
    let server = Server::start(vec![closing(as_lotus("", &whole, OLD))]);
    let order = scratch.kept(server.url(PATH), Kind::File);
    let control = Arc::new(Control::default());
    control.pause();
    let running = thread::spawn({
        let control = Arc::clone(&control);
        move || fetch(&order, &control)
    });
    while control.held_back_ms() < 100 {
        thread::yield_now();
    }
    assert_eq!(
        (control.done(), control.total()),
        (0, Some(2 * PIECE as u64))
    );
    control.proceed();
    assert_eq!(running.join().unwrap().unwrap().bytes, 2 * PIECE as u64);
}

#[test]
fn a_wrong_length_or_hash_is_never_accepted() {
    let whole = content(12, 2 * PIECE + 5);
    let run = |bytes, digest| {
        let scratch = Scratch::new();
        let served = whole.clone();
        let server = Server::answering(move |request| closing(as_lotus(request, &served, OLD)));
        let mut order = scratch.kept(server.url(PATH), Kind::File);
        order.expect = Expect { bytes, digest };
        let outcome = fetch(&order, &Control::default());
        assert_eq!(outcome.is_err(), names(scratch.dir.path()).is_empty());
        code(outcome)
    };
    let (length, digest) = (whole.len() as u64, *blake3::hash(&whole).as_bytes());
    assert_eq!(run(Some(length), Some(digest)), None);
    assert_eq!(run(Some(length + 1), None), Some(Code::Incomplete));
    assert_eq!(run(Some(length), Some([1; 32])), Some(Code::Damaged));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_global_rejects: 4096, ..ProptestConfig::default() })]

    /// However often and wherever it is cut, the file arrives whole, and little of it twice.
    #[test]
    fn cuts_at_random_bytes_never_mix(seed in 0u64..1000, cuts in proptest::collection::vec(1usize..3 * PIECE, 0..6)) {
        let (scratch, whole) = (Scratch::new(), content(seed, 4 * PIECE + seed as usize));
        let (served, mut left) = (whole.clone(), cuts.clone().into_iter());
        let server = Server::answering(move |request| {
            let mut answer = as_lotus(request, &served, OLD);
            if let Some(cut) = left.next() {
                answer.truncate(cut);
            }
            closing(answer)
        });
        let order = scratch.kept(server.url(PATH), Kind::File);
        let mut attempts = 1;
        while let Err(failure) = run(&order) {
            prop_assert!(matches!(failure.code, Code::Incomplete | Code::Network), "{failure}");
            attempts += 1;
            prop_assert!(attempts <= cuts.len() + 1);
        }
        prop_assert!(is(&scratch.target(), &whole));
    }
}
