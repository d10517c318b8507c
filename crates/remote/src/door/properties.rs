//! Whatever arrives, the readers of requests and ranges and the writer of archive headers neither panic nor differ
//! from a plain model of what they should do. They begin with the corpus in `crates/remote/corpus` and mutate it.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::archive::{BLOCK, Listing};
use super::head::{MAX_HEAD, Method, Reading, Target, read};
use super::range::{Wanted, wanted};
use crate::names::cache_file_limit;

fn corpus(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name)
}

fn requests() -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = std::fs::read_dir(corpus("requests"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(paths.len() >= 30, "the corpus is there");
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

/// One change of a request.
#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Repeat(Index, Index),
}

fn change() -> impl Strategy<Value = Change> {
    let words: Vec<Vec<u8>> = [
        "\r\n",
        "\n",
        "\r",
        "\0",
        " ",
        ":",
        "\t",
        "%",
        "//",
        "/..",
        "\r\n\r\n",
        "\u{e9}",
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Range: bytes=0-1\r\n",
        "?token=",
        "HTTP/1.1",
        "18446744073709551616",
        "s-t01-1",
        "/remote/cache/",
    ]
    .map(|word| word.as_bytes().to_vec())
    .to_vec();
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Flip(at, byte)),
        any::<Index>().prop_map(Change::Cut),
        (any::<Index>(), select(words)).prop_map(|(at, word)| Change::Insert(at, word)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Change::Repeat(from, to)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: Change) {
    let end = bytes.len() + 1;
    match change {
        Change::Flip(at, byte) if !bytes.is_empty() => {
            let at = at.index(bytes.len());
            bytes[at] ^= byte;
        }
        Change::Flip(..) => {}
        Change::Cut(at) => bytes.truncate(at.index(end)),
        Change::Insert(at, word) => {
            let at = at.index(end);
            bytes.splice(at..at, word);
        }
        Change::Repeat(one, other) => {
            let (one, other) = (one.index(end), other.index(end));
            let part = bytes[one.min(other)..one.max(other)].to_vec();
            bytes.extend(part);
        }
    }
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    (select(requests()), vec(change(), 0..6)).prop_map(|(mut bytes, changes)| {
        changes
            .into_iter()
            .for_each(|change| apply(&mut bytes, change));
        bytes
    })
}

fn outcome(bytes: &[u8]) -> String {
    format!("{:?}", read(bytes))
}

/// What must hold of every request, whoever made it.
fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Reading::Native(request) = read(bytes) else {
        return Ok(());
    };
    let head = &bytes[..request.head_length];
    prop_assert!(head.ends_with(b"\r\n\r\n") && head.len() <= MAX_HEAD);
    prop_assert_eq!(
        head.windows(4).filter(|part| part == b"\r\n\r\n").count(),
        1
    );
    prop_assert!(!head.contains(&0));
    // Whoever reads the first line in the plainest way sees the same request.
    let line = std::str::from_utf8(head.split(|byte| *byte == b'\r').next().unwrap()).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    prop_assert_eq!(words.len(), 3, "{}", line);
    let path = words[1].split('?').next().unwrap();
    let kinds = [
        "unsealed",
        "sealed",
        "cache",
        "update",
        "update-cache",
        "piece",
    ];
    match &request.target {
        Target::Upload(uuid) => {
            prop_assert!(path.to_ascii_lowercase().ends_with(uuid.as_str()) && uuid.len() == 36);
        }
        Target::Sector { kind, name, inner } => {
            prop_assert!(words[0] == "GET" || words[0] == "HEAD");
            prop_assert!(request.method != Method::Push);
            let parts: Vec<&str> = path.split('/').collect();
            prop_assert_eq!(&parts[..2], &["", "remote"]);
            prop_assert!(kinds.contains(&parts[2]) && kind.word() == parts[2]);
            let numbers = parts[3]
                .strip_prefix("s-t0")
                .and_then(|rest| rest.split_once('-'));
            let (miner, number) = numbers.unwrap();
            prop_assert_eq!(miner.parse(), Ok(name.miner));
            prop_assert_eq!(number.parse(), Ok(name.number));
            prop_assert_eq!(parts.get(4).copied(), inner.as_deref());
            prop_assert!(parts.len() <= 5 && !path.contains("..") && !path.contains('%'));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mutated_request_is_read_as_the_plainest_reader_does(bytes in mutated()) {
        check(&bytes)?;
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..300)) {
        check(&bytes)?;
    }

    /// However the bytes arrive, and whatever comes after them, a request is the same one.
    #[test]
    fn what_was_read_once_is_not_read_differently_later(bytes in mutated(), cut in any::<Index>(), more in vec(any::<u8>(), 0..40)) {
        let part = &bytes[..cut.index(bytes.len() + 1)];
        if !matches!(read(part), Reading::More) {
            let longer = [part, &bytes[part.len()..], &more].concat();
            prop_assert_eq!(outcome(part), outcome(&longer));
        }
    }

    #[test]
    fn a_range_is_what_arithmetic_without_limits_says(first in any::<Option<u64>>(), last in any::<Option<u64>>(), size in any::<u64>(), near in any::<bool>()) {
        // Half of them near the size, where the edges are.
        let bend = |n: u64| if near { size.wrapping_add(n % 7).wrapping_sub(3) } else { n };
        let (first, last) = (first.map(bend), last.map(bend));
        let text = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
        let header = format!("bytes={}-{}", text(first), text(last));
        prop_assert_eq!(wanted(&header, size), model(first, last, size), "{} of {}", header, size);
    }

    #[test]
    fn a_mutated_range_stays_inside_the_file(line in select(ranges()), at in any::<Index>(), with in "[0-9,= a-z-]{0,3}", size in prop_oneof![0..20u64, any::<u64>()]) {
        let at = line.char_indices().map(|(at, _)| at).chain([line.len()]).collect::<Vec<_>>()[at.index(line.chars().count() + 1)];
        let header = format!("{}{with}{}", &line[..at], &line[at..]);
        for header in [&line, &header] {
            if let Wanted::Part { start, length } = wanted(header, size) {
                prop_assert!(length >= 1 && u128::from(start) + u128::from(length) <= u128::from(size), "{header} of {size}");
            }
        }
    }
}

fn ranges() -> Vec<String> {
    let text = std::fs::read_to_string(corpus("ranges.txt")).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// The same in numbers that cannot overflow.
fn model(first: Option<u64>, last: Option<u64>, size: u64) -> Wanted {
    let (whole, end) = (u128::from(size), u128::from(u64::MAX));
    let (from, to) = match (first, last) {
        (None, None) => return Wanted::Malformed,
        (Some(first), Some(last)) if last < first => return Wanted::Malformed,
        _ if size == 0 => return Wanted::Whole,
        (Some(first), last) => (u128::from(first), last.map_or(end, u128::from)),
        (None, Some(0)) => return Wanted::Beyond,
        (None, Some(tail)) => (whole.saturating_sub(tail.into()), whole - 1),
    };
    if from >= whole {
        return Wanted::Beyond;
    }
    Wanted::Part {
        start: from as u64,
        length: (to.min(whole - 1) - from + 1) as u64,
    }
}

/// An archive header as the plainest reader sees it: name, kind, size; the checksum must be right.
fn plain(block: &[u8]) -> (String, u8, u64) {
    let text = |part: &[u8]| {
        let end = part
            .iter()
            .position(|byte| *byte == 0 || *byte == b' ')
            .unwrap_or(part.len());
        String::from_utf8(part[..end].to_vec()).unwrap()
    };
    let octal = |part: &[u8]| u64::from_str_radix(&text(part), 8).unwrap();
    let blank = |at: usize| {
        if (148..156).contains(&at) {
            b' '
        } else {
            block[at]
        }
    };
    let sum: u64 = (0..512).map(|at| u64::from(blank(at))).sum();
    assert_eq!(octal(&block[148..156]), sum);
    assert_eq!(&block[257..265], b"ustar\x0000");
    for field in [
        &block[100..108],
        &block[108..116],
        &block[116..124],
        &block[136..148],
    ] {
        octal(field);
    }
    (text(&block[..100]), block[156], octal(&block[124..136]))
}

const NAMES: [&str; 6] = [
    "p_aux",
    "sc-02-data-layer-11.dat",
    "sc-02-data-tree-c-15.dat",
    "sc-02-data-tree-d.dat",
    "sc-02-data-tree-r-last.dat",
    "t_aux",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Sparse files: a size costs nothing here.
    #[test]
    fn archive_headers_say_what_the_files_are(
        sizes in vec(prop_oneof![0..2_000u64, (8u64 << 30) - 3..(8 << 30) + 3, 0..130u64 << 30], NAMES.len()),
        seconds in 0..20_000_000_000u64,
    ) {
        let root = tempfile::tempdir().unwrap();
        for (name, size) in NAMES.iter().zip(&sizes) {
            prop_assert!(cache_file_limit(name).is_some());
            let file = std::fs::File::create(root.path().join(name)).unwrap();
            file.set_len(*size).unwrap();
            // Later than any filesystem knows, and than eleven octal digits hold: whatever it makes of that.
            let _ = file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds));
        }
        let directory: OwnedFd = std::fs::File::open(root.path()).unwrap().into();
        let listing = Listing::read(&directory).unwrap();
        let mut length = 0;
        for ((entry, name), size) in listing.entries.iter().zip(NAMES).zip(sizes) {
            let header = entry.header();
            let large = size > 0o77_777_777_777;
            prop_assert_eq!(header.len() as u64, if large { 3 * BLOCK } else { BLOCK });
            let last = &header[header.len() - 512..];
            prop_assert_eq!(plain(last), (name.to_owned(), b'0', if large { 0 } else { size }));
            if large {
                let record = format!(" size={size}\n");
                let (pax, kind, bytes) = plain(&header[..512]);
                prop_assert_eq!((pax, kind), (format!("PaxHeaders.0/{name}"), b'x'));
                let text = std::str::from_utf8(&header[512..512 + bytes as usize]).unwrap();
                prop_assert_eq!(text, format!("{bytes}{record}"));
                prop_assert!(header[512 + bytes as usize..1024].iter().all(|byte| *byte == 0));
            }
            prop_assert_eq!((size + entry.padding()) % BLOCK, 0);
            length += header.len() as u64 + size + entry.padding();
        }
        prop_assert_eq!(listing.archive_length(), length + 2 * BLOCK);
    }
}
