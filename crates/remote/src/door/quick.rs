//! Small files that are in memory: answered by the event loop itself, which must not wait for a disk.

use std::io::IoSliceMut;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::io::{ReadWriteFlags, preadv2};

use super::head::{Request, Target};
use super::reply::Reply;
use super::response::{Part, respond_file};
use super::source::{identity_cached, open_cached};

/// Copying this much takes some 10 microseconds, about what handing a connection to a bulk thread and back
/// costs, and it fits into an idle socket: more would keep other connections waiting and gain nothing.
const SMALL: u64 = 64 << 10;

/// An answer, and how long its body is.
pub(crate) struct Quick {
    pub reply: Reply,
    pub body: u64,
}

/// The whole answer to a request for a small file, if it can be given without waiting. Nothing is known of
/// a file then that a bulk thread would refuse: it looks again.
pub(crate) fn answer(request: &Request, paths: &[PathBuf]) -> Option<Quick> {
    let Target::Sector { inner, .. } = &request.target else {
        return None;
    };
    let inner = inner.as_deref();
    if inner.is_some_and(|name| crate::names::cache_file_limit(name).is_none()) {
        return None;
    }
    // The first that opens is served, and only the first can be known to open without waiting.
    let path = paths.first()?;
    let (file, identity) = open_cached(path, inner)?;
    let mut response = respond_file(request, path, file, identity);
    let mut bytes = Vec::new();
    while let Some(part) = response.parts.pop_front() {
        match part {
            Part::Bytes(more) => bytes.extend_from_slice(&more),
            Part::Open {
                file,
                identity,
                start,
                length,
            } if length <= SMALL => {
                read_cached(&file, start, length as usize, &mut bytes)?;
                if identity_cached(&file)? != identity {
                    return None;
                }
            }
            _ => return None,
        }
    }
    Some(Quick {
        body: bytes.len() as u64 - response.head_length,
        reply: Reply {
            bytes,
            keep_alive: response.keep_alive,
        },
    })
}

/// Reads what is in the page cache, all of it or nothing (RWF_NOWAIT, Linux 4.14; not every filesystem).
fn read_cached(file: &OwnedFd, start: u64, length: usize, into: &mut Vec<u8>) -> Option<()> {
    let mut at = into.len();
    let end = at + length;
    into.resize(end, 0);
    while at < end {
        let offset = start + (length - (end - at)) as u64;
        let buffers = &mut [IoSliceMut::new(&mut into[at..])];
        match preadv2(file, buffers, offset, ReadWriteFlags::NOWAIT) {
            Ok(read) if read > 0 => at += read,
            _ => return None,
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::head::{Reading, read};
    use super::*;

    fn request(path: &str, field: &str) -> Request {
        let text = format!("GET {path} HTTP/1.1\r\n{field}\r\n\r\n");
        match read(text.as_bytes()) {
            Reading::Native(request) => *request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn small_files_in_memory_are_answered_and_others_left_to_the_threads() {
        let root = tempfile::tempdir().unwrap();
        let path = |below: &str| root.path().join(below);
        std::fs::create_dir_all(path("cache/s-t01-1")).unwrap();
        std::fs::create_dir_all(path("sealed")).unwrap();
        std::fs::write(path("cache/s-t01-1/p_aux"), [7; 64]).unwrap();
        std::fs::write(path("sealed/s-t01-1"), vec![5; SMALL as usize]).unwrap();
        std::fs::write(path("sealed/s-t01-2"), vec![5; SMALL as usize + 1]).unwrap();
        std::os::unix::fs::symlink(path("sealed/s-t01-1"), path("sealed/s-t01-3")).unwrap();
        let ask =
            |url: &str, field: &str, below: &str| answer(&request(url, field), &[path(below)]);

        let file = "/remote/sealed/s-t01-1";
        if ask(file, "A: b", "sealed/s-t01-1").is_none() {
            eprintln!(
                "SKIP: a small file from memory: this kernel or filesystem cannot read without waiting"
            );
            return;
        }
        let whole = ask(file, "A: b", "sealed/s-t01-1").unwrap();
        assert_eq!(whole.body, SMALL);
        assert!(whole.reply.bytes.ends_with(&[5; SMALL as usize]));
        let aux = ask("/remote/cache/s-t01-1/p_aux", "A: b", "cache/s-t01-1").unwrap();
        assert!(aux.body == 64 && aux.reply.bytes.ends_with(&[7; 64]));
        let part = ask(
            "/remote/sealed/s-t01-2",
            "Range: bytes=1-2",
            "sealed/s-t01-2",
        )
        .unwrap();
        assert!(part.body == 2 && part.reply.bytes.starts_with(b"HTTP/1.1 206 "));

        for (url, below) in [
            ("/remote/sealed/s-t01-2", "sealed/s-t01-2"),
            ("/remote/sealed/s-t01-3", "sealed/s-t01-3"),
            ("/remote/sealed/s-t01-4", "sealed/s-t01-4"),
            ("/remote/cache/s-t01-1", "cache/s-t01-1"),
            ("/remote/cache/s-t01-1/secret", "cache/s-t01-1"),
        ] {
            assert!(ask(url, "A: b", below).is_none(), "{url}");
        }
    }

    #[test]
    fn both_ways_of_looking_see_the_same_file() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("sealed/s-t01-1");
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        std::fs::write(&path, b"seven").unwrap();
        let super::super::source::Source::File(file, opened) =
            super::super::source::open(&path).unwrap()
        else {
            panic!("a file was written");
        };
        assert_eq!(identity_cached(&file), Some(opened));
    }
}
