//! Moves and copies between two directories of one file system.

mod yard;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use mover::{Code, Method, TransferRequest};
use yard::{DIRECTORY, FILE, Yard, content, snapshot, write_cache};

#[test]
fn files_of_every_length_around_a_block_are_renamed_and_copied() {
    let yard = Yard::new();
    for size in [0, 1, 4095, 4096, 4097, 3 << 20] {
        for copy in [false, true] {
            fs::write(yard.from(FILE), content(size, 9)).unwrap();
            let request = if copy {
                yard.copy_request(FILE)
            } else {
                yard.request(FILE)
            };
            let durable = yard.move_wholly(&request).unwrap();
            assert_eq!(
                durable.method,
                if copy { Method::Copy } else { Method::Rename }
            );
            assert_eq!((durable.bytes, durable.files), (size as u64, 1));
            assert_eq!(durable.copied_bytes, if copy { size as u64 } else { 0 });
            assert_eq!(durable.source_gone, !copy);
            assert!(
                fs::read(yard.to(FILE)).unwrap() == content(size, 9),
                "{size} bytes"
            );
            assert!(!yard.from(FILE).exists());
            fs::remove_file(yard.to(FILE)).unwrap();
        }
    }
    yard.assert_tidy();
}

#[test]
fn a_directory_is_moved_as_a_unit_by_either_way() {
    let yard = Yard::new();
    for copy in [false, true] {
        write_cache(&yard.from(DIRECTORY));
        let before = snapshot(&yard.from(DIRECTORY));
        let request = if copy {
            yard.copy_request(DIRECTORY)
        } else {
            yard.request(DIRECTORY)
        };
        let durable = yard.move_wholly(&request).unwrap();
        assert_eq!((durable.files, durable.bytes), (3, 64 + (3 << 20)));
        assert!(
            durable.copied_bytes < 100_000,
            "holes are not copied: {}",
            durable.copied_bytes
        );
        assert_eq!(snapshot(&yard.to(DIRECTORY)), before);
        assert!(!yard.from(DIRECTORY).exists());
        fs::remove_dir_all(yard.to(DIRECTORY)).unwrap();
    }
    yard.assert_tidy();
}

#[test]
fn a_copy_keeps_holes_mode_time_and_source() {
    let yard = Yard::new();
    fs::write(yard.from(FILE), content(10_000, 2)).unwrap();
    let file = fs::File::options()
        .write(true)
        .open(yard.from(FILE))
        .unwrap();
    file.set_len(64 << 20).unwrap();
    fs::set_permissions(yard.from(FILE), fs::Permissions::from_mode(0o640)).unwrap();
    let request = TransferRequest {
        keep_source: true,
        ..yard.copy_request(FILE)
    };
    let durable = yard.move_wholly(&request).unwrap();
    assert_eq!(durable.bytes, 64 << 20);
    assert!(
        durable.allocated_bytes < 1 << 20,
        "{}",
        durable.allocated_bytes
    );
    let (from, to) = (
        fs::metadata(yard.from(FILE)).unwrap(),
        fs::metadata(yard.to(FILE)).unwrap(),
    );
    assert_eq!(to.permissions().mode() & 0o7777, 0o640);
    assert_eq!(to.modified().unwrap(), from.modified().unwrap());
    assert!(fs::read(yard.from(FILE)).unwrap() == fs::read(yard.to(FILE)).unwrap());
    yard.assert_tidy();
}

#[test]
fn the_same_content_at_the_target_is_success_and_other_content_is_kept() {
    let yard = Yard::new();
    for only in [None, Some(Method::Copy)] {
        fs::write(yard.from(FILE), content(5000, 1)).unwrap();
        fs::write(yard.to(FILE), content(5000, 2)).unwrap();
        let request = TransferRequest {
            only,
            ..yard.request(FILE)
        };
        let failure = yard.move_wholly(&request).unwrap_err();
        assert_eq!(failure.code, Code::TargetDiffers);
        assert!(fs::read(yard.to(FILE)).unwrap() == content(5000, 2));
        assert!(fs::read(yard.from(FILE)).unwrap() == content(5000, 1));
        fs::write(yard.to(FILE), content(5000, 1)).unwrap();
        let durable = yard
            .move_wholly(&TransferRequest {
                only,
                ..yard.request(FILE)
            })
            .unwrap();
        assert_eq!((durable.method, durable.copied_bytes), (Method::Copy, 0));
        assert!(!yard.from(FILE).exists());
        fs::remove_file(yard.to(FILE)).unwrap();
    }
    yard.assert_tidy();
}

#[test]
fn a_directory_with_one_file_more_at_the_target_differs() {
    let yard = Yard::new();
    write_cache(&yard.from(DIRECTORY));
    write_cache(&yard.to(DIRECTORY));
    fs::write(yard.to(DIRECTORY).join("extra"), "x").unwrap();
    assert_eq!(
        yard.move_wholly(&yard.request(DIRECTORY)).unwrap_err().code,
        Code::TargetDiffers
    );
    fs::remove_file(yard.to(DIRECTORY).join("extra")).unwrap();
    yard.move_wholly(&yard.request(DIRECTORY)).unwrap();
    assert!(!yard.from(DIRECTORY).exists());
    yard.assert_tidy();
}

#[test]
fn one_name_is_in_place_and_its_file_survives_the_removal_of_the_source() {
    let yard = Yard::new();
    fs::write(yard.from(FILE), "x").unwrap();
    std::os::unix::fs::symlink(&yard.source, yard.journal.with_file_name("again")).unwrap();
    let mut request = yard.request(FILE);
    request.target.root = yard.journal.with_file_name("again");
    let durable = yard.move_wholly(&request).unwrap();
    assert_eq!(durable.method, Method::InPlace);
    assert_eq!(fs::read(yard.from(FILE)).unwrap(), b"x");
    yard.assert_tidy();
}

#[test]
fn a_private_name_that_appears_at_the_source_too_shows_that_both_are_one_directory() {
    // As it is with one NFS share mounted twice: other devices, other inodes, the same names.
    let yard = Yard::new();
    let request = yard.request(FILE);
    for root in [&yard.source, &yard.target] {
        fs::write(root.join(FILE), "the one file").unwrap();
        fs::create_dir_all(root.join("sealed/fetching")).unwrap();
    }
    let seen = yard
        .source
        .join("sealed/fetching")
        .join(format!("s-t01000-7.{}", request.op));
    fs::write(&seen, "").unwrap();
    assert_eq!(yard.move_wholly(&request).unwrap().method, Method::InPlace);
    assert_eq!(fs::read(yard.from(FILE)).unwrap(), b"the one file");
    fs::remove_file(seen).unwrap();
    yard.assert_tidy();
}
