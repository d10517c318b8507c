//! Whatever an archive holds, the client neither panics nor writes beside its directory.

use proptest::collection::vec;
use proptest::prelude::*;
use remote::cache_file_limit;
use remote::fetch::{Code, Control, Kind, fetch};

use crate::server::{Server, TAR, closing, counted};
use crate::tar_archive::{Style, cache_entries, complete, file, header, pax};
use crate::{Scratch, names};

/// Fetches an archive. The directory that holds the target has a neighbour that must stay alone.
fn check(archive: &[u8]) -> Result<(), TestCaseError> {
    let (scratch, server) = (
        Scratch::new(),
        Server::start(vec![closing(counted(TAR, archive))]),
    );
    std::fs::write(scratch.dir.path().join("neighbour"), "mine").unwrap();
    let order = scratch.order(server.url("/remote/cache/s-t01000-7"), Kind::Directory);
    match fetch(&order, &Control::default()) {
        Ok(fetched) => {
            prop_assert_eq!(names(scratch.dir.path()), ["neighbour", "s-t01000-7.1"]);
            let mut written: Vec<_> = fetched.files.iter().map(|file| file.name.clone()).collect();
            written.sort();
            prop_assert_eq!(&written, &names(&scratch.target()));
            for file in fetched.files {
                prop_assert!(cache_file_limit(&file.name).is_some_and(|limit| file.size <= limit));
            }
        }
        Err(failure) => {
            prop_assert!(
                matches!(failure.code, Code::Incomplete | Code::RefusedName),
                "{}",
                failure
            );
            prop_assert_eq!(names(scratch.dir.path()), ["neighbour"]);
        }
    }
    prop_assert_eq!(
        std::fs::read(scratch.dir.path().join("neighbour")).unwrap(),
        b"mine"
    );
    Ok(())
}

fn any_name() -> impl Strategy<Value = String> {
    let known = [
        "p_aux",
        "t_aux",
        "sc-02-data-tree-r-last.dat",
        "sc-02-data-layer-1.dat",
    ];
    prop_oneof![
        4 => proptest::sample::select(known.map(String::from).to_vec()),
        1 => "[./]{0,4}(neighbour|p_aux|[a-z/.\\x01-\\xff]{0,20})",
    ]
}

fn any_style() -> impl Strategy<Value = Style> {
    prop_oneof![Just(Style::Plain), Just(Style::Pax), Just(Style::Gnu)]
}

/// Something like an entry: mostly right, sometimes of a wrong kind, size or record.
fn any_entry() -> impl Strategy<Value = Vec<u8>> {
    let content = vec(any::<u8>(), 0..900);
    prop_oneof![
        6 => (any_name(), content, any_style()).prop_map(|(name, bytes, style)| file(&name, &bytes, style)),
        1 => (any_name(), any::<u64>(), any::<u8>()).prop_map(|(name, size, kind)| header(&name, size, kind, Style::Gnu)),
        1 => ".{0,40}".prop_map(|records| pax(&records)),
        1 => (any_name(), 0..3000u64).prop_map(|(name, size)| {
            let records = format!("path={name}\n");
            let record = format!("{} {records}", records.len() + 3);
            [pax(&record), header("p_aux", size, b'0', Style::Plain)].concat()
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..3000)) {
        check(&bytes)?;
    }

    #[test]
    fn any_entries_do_no_harm(entries in vec(any_entry(), 0..5)) {
        check(&complete(&entries))?;
    }

    #[test]
    fn a_changed_archive_does_no_harm(at in 0usize..40_000, byte in any::<u8>(), cut in any::<proptest::sample::Index>()) {
        let mut archive = complete(&cache_entries(Style::Pax));
        let at = at % archive.len();
        archive[at] = byte;
        check(&archive)?;
        archive.truncate(cut.index(archive.len()));
        check(&archive)?;
    }
}
