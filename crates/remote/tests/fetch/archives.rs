//! What the client makes of each archive that a lotus client was seen to get, and of cut ones.

use remote::fetch::{Code, Kind};

use crate::server::{LAST, Server, TAR, chunked, closing, counted, with_head};
use crate::tar_archive::{BLOCK, Style, cache_entries, cache_files, complete, file, header, pax};
use crate::{Scratch, code, names};

pub fn fetch_cache(answer: Vec<u8>) -> Option<Code> {
    let (scratch, server) = (Scratch::new(), Server::start(vec![closing(answer)]));
    let order = scratch.order(server.url("/remote/cache/s-t01000-7"), Kind::Directory);
    let outcome = scratch.fetch(&order);
    if let Ok(fetched) = &outcome {
        let known = cache_files();
        for file in &fetched.files {
            let content = std::fs::read(scratch.target().join(&file.name)).unwrap();
            assert_eq!(content.len() as u64, file.size);
            assert!(
                known
                    .iter()
                    .any(|(name, expected)| *name == file.name && *expected == content)
            );
        }
        assert_eq!(names(&scratch.target()).len(), fetched.files.len());
    }
    code(outcome)
}

fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
    counted(TAR, &complete(entries))
}

#[test]
fn a_complete_cache_is_taken_however_it_is_written() {
    for style in [Style::Plain, Style::Pax, Style::Gnu] {
        assert_eq!(fetch_cache(tar(&cache_entries(style))), None);
    }
    let archive = complete(&cache_entries(Style::Plain));
    assert_eq!(
        fetch_cache(counted("application/x-tar; v=1", &archive)),
        None
    );
    assert_eq!(fetch_cache(chunked(TAR, &archive, LAST)), None);
    let filled_up = [archive.clone(), vec![0; 8192]].concat();
    assert_eq!(fetch_cache(counted(TAR, &filled_up)), None);
    assert_eq!(
        fetch_cache(counted(TAR, &[archive, b"junk".to_vec()].concat())),
        None
    );
}

#[test]
fn an_unfinished_archive_is_taken_where_the_framing_is_whole() {
    let mut bare = cache_entries(Style::Plain).concat();
    assert_eq!(fetch_cache(counted(TAR, &bare)), None);
    // t_aux has 290 bytes: lotus leaves 222 bytes of padding out.
    bare.truncate(bare.len() - 222);
    assert_eq!(fetch_cache(counted(TAR, &bare)), None);
    assert_eq!(fetch_cache(chunked(TAR, &bare, LAST)), None);
    // A lotus server that fails between two files: only the caller knows what is missing.
    let one = &cache_entries(Style::Plain)[0];
    assert_eq!(fetch_cache(chunked(TAR, one, LAST)), None);
}

#[test]
fn a_cut_cache_is_incomplete() {
    let archive = complete(&cache_entries(Style::Plain));
    let one = &cache_entries(Style::Plain)[0];
    for (case, answer) in [
        (
            "closed between entries, no last chunk",
            chunked(TAR, one, ""),
        ),
        (
            "complete with end blocks, no last chunk",
            chunked(TAR, &archive, ""),
        ),
        (
            "an error trailer",
            chunked(TAR, one, "0\r\nX-Error: read failed\r\n\r\n"),
        ),
        (
            "an error trailer behind a whole archive",
            chunked(TAR, &archive, "0\r\nX-Error: no\r\n\r\n"),
        ),
        ("an empty body", counted(TAR, b"")),
        ("an empty body in chunks", chunked(TAR, b"", LAST)),
        ("end blocks and no file", counted(TAR, &[0; 2 * BLOCK])),
        (
            "half an end mark",
            counted(TAR, &archive[..archive.len() - BLOCK]),
        ),
        (
            "half a padding",
            counted(TAR, &archive[..archive.len() - 2 * BLOCK - 100]),
        ),
        ("only a PAX header", counted(TAR, &pax("12 size=640\n"))),
        (
            "no length",
            with_head("200 OK\r\nContent-Type: application/x-tar", &archive),
        ),
        (
            "a wrong checksum",
            counted(TAR, &[vec![b'x'; BLOCK], archive.clone()].concat()),
        ),
    ] {
        assert_eq!(fetch_cache(answer), Some(Code::Incomplete), "{case}");
    }
}

#[test]
fn what_no_cache_directory_holds_is_refused() {
    let mut entries = cache_entries(Style::Plain);
    let with = |extra: Vec<u8>| tar(&[cache_entries(Style::Plain), vec![extra]].concat());
    for (case, answer) in [
        (
            "an extra name",
            with(file("manifest.json", b"{}", Style::Plain)),
        ),
        ("a path", with(file("../p_aux", b"x", Style::Plain))),
        (
            "an absolute path",
            with(file("/etc/cron.d/x", b"x", Style::Plain)),
        ),
        (
            "a dot before it",
            with(file("./p_aux", &[1; 64], Style::Plain)),
        ),
        (
            "a name by PAX",
            with([pax("15 path=../aux\n"), file("t_aux", b"x", Style::Plain)].concat()),
        ),
        (
            "a directory",
            with(header("sc-02-data-layer-1.dat", 0, b'5', Style::Plain)),
        ),
        (
            "a link",
            with(header("sc-02-data-layer-1.dat", 0, b'2', Style::Plain)),
        ),
        (
            "a hard link",
            with(header("sc-02-data-layer-1.dat", 0, b'1', Style::Plain)),
        ),
        (
            "a GNU long name",
            with(header("././@LongLink", 0, b'L', Style::Gnu)),
        ),
        (
            "a p_aux of 65 bytes",
            tar(&[file("p_aux", &[1; 65], Style::Plain)]),
        ),
        (
            "a size beyond its limit",
            tar(&[header(
                "sc-02-data-tree-r-last.dat",
                10_000_001,
                b'0',
                Style::Gnu,
            )]),
        ),
        (
            "the same name twice",
            tar(&[entries.remove(0), file("p_aux", &[1; 64], Style::Plain)]),
        ),
    ] {
        assert_eq!(fetch_cache(answer), Some(Code::RefusedName), "{case}");
    }
}

#[test]
fn a_small_sectors_tree_c_is_taken() {
    let (scratch, archive) = (
        Scratch::new(),
        tar(&[file("sc-02-data-tree-c.dat", &[7; 4096], Style::Plain)]),
    );
    let server = Server::start(vec![closing(archive)]);
    let order = scratch.order(server.url("/remote/cache/s-t01000-7"), Kind::Directory);
    assert_eq!(scratch.fetch(&order).unwrap().bytes, 4096);
}

#[test]
fn an_archive_cut_at_any_block_fails() {
    let archive = complete(&cache_entries(Style::Pax));
    let whole = counted(TAR, &archive);
    let head = whole.len() - archive.len();
    let mut boundaries = vec![0];
    for entry in cache_entries(Style::Pax) {
        boundaries.push(boundaries[boundaries.len() - 1] + entry.len());
    }
    for cut in (0..archive.len()).step_by(BLOCK) {
        assert_eq!(
            fetch_cache(whole[..head + cut].to_vec()),
            Some(Code::Incomplete),
            "{cut} of the length"
        );
        // With a polite end only a cut exactly between two files stays unseen.
        let unseen = cut > 0 && boundaries.contains(&cut);
        let verdict = (!unseen).then_some(Code::Incomplete);
        assert_eq!(
            fetch_cache(chunked(TAR, &archive[..cut], LAST)),
            verdict,
            "{cut} in chunks"
        );
    }
}
