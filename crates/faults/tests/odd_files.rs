//! What is no regular file where one should be, and names that lead elsewhere.

mod paths;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use faults::scene::Subject;
use faults::tell::skip;
use mover::{Code, Control, Method, Place, TransferRequest};
use paths::Paths;

/// Makes something that is no regular file.
fn make_odd(kind: &str, at: &Path) {
    use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
    let made = match kind {
        "symlink" => return symlink("/etc/hostname", at).unwrap(),
        "FIFO" => mknodat(CWD, at, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0),
        "socket" => mknodat(CWD, at, FileType::Socket, Mode::RUSR, 0),
        // /dev/zero, which would be read without an end.
        _ => mknodat(
            CWD,
            at,
            FileType::CharacterDevice,
            Mode::RUSR,
            makedev(1, 5),
        ),
    };
    made.unwrap();
}

#[test]
fn a_link_a_pipe_a_socket_or_a_device_where_a_file_should_be_is_refused() {
    let title = "a device where a file should be";
    for kind in ["symlink", "FIFO", "socket", "device"] {
        if kind == "device" && !sys::abilities::root() {
            skip(title, "needs root to make one");
            continue;
        }
        for side in ["source", "target", "inside"] {
            for only in [None, Some(Method::Copy)] {
                let paths = Paths::new();
                let subject = if side == "inside" {
                    Subject::Directory
                } else {
                    Subject::File
                };
                let mut scene = paths.scene(&paths.make("store"), subject, 5000);
                scene.request.only = only;
                let odd = match side {
                    "source" => scene.source(),
                    "target" => scene.target(),
                    _ => scene.source().join("sc-02-data-layer-1.dat"),
                };
                if side == "source" {
                    fs::remove_file(&odd).unwrap();
                }
                make_odd(kind, &odd);
                let before = fs::symlink_metadata(&odd).unwrap();
                let failure = scene
                    .move_wholly(&scene.request, &Control::new())
                    .unwrap_err();
                assert_eq!(
                    failure.code,
                    Code::UnexpectedFile,
                    "{kind}, {side}, {only:?}: {failure}"
                );
                let after = fs::symlink_metadata(&odd).unwrap();
                assert_eq!(
                    after.file_type(),
                    before.file_type(),
                    "{kind}, {side}: it was replaced"
                );
                assert_eq!(scene.recover(&Control::new()).unwrap(), []);
            }
        }
    }
}

#[test]
fn a_link_on_the_way_to_a_file_is_not_followed() {
    for side in ["seal", "store"] {
        let paths = Paths::new();
        let scene = paths.scene(&paths.make("store"), Subject::File, 5000);
        let elsewhere = paths.make("elsewhere");
        let kind = paths.make(side).join("sealed");
        fs::rename(&kind, elsewhere.join("sealed")).unwrap();
        symlink(elsewhere.join("sealed"), &kind).unwrap();
        let failure = scene
            .move_wholly(&scene.request, &Control::new())
            .unwrap_err();
        assert_eq!(failure.code, Code::Invalid, "{side}: {failure}");
        let expected = usize::from(side == "seal");
        assert_eq!(
            fs::read_dir(elsewhere.join("sealed")).unwrap().count(),
            expected
        );
    }
}

#[test]
fn a_place_that_names_another_path_is_refused_before_anything_is_looked_at() {
    let paths = Paths::new();
    let scene = paths.scene(&paths.make("store"), Subject::File, 5000);
    for name in [
        "sealed/../../etc/passwd",
        "/etc/passwd",
        "sealed/.",
        "sealed",
        "sealed/a/b",
        "sealed/a\0b",
    ] {
        let source = Place {
            name: name.to_owned(),
            ..scene.request.source.clone()
        };
        let request = TransferRequest {
            source,
            ..scene.request.clone()
        };
        assert_eq!(
            scene
                .move_wholly(&request, &Control::new())
                .unwrap_err()
                .code,
            Code::Invalid,
            "{name}"
        );
    }
}
