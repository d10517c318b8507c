//! The fetch client against servers that do what servers of the field have been seen to do.

mod answers;
mod archives;
mod manners;
mod properties;
mod server;
mod tar_archive;
mod writing;

use std::path::{Path, PathBuf};
use std::time::Duration;

use remote::fetch::{Code, Control, Failure, Fetched, Kind, Order, fetch};
use tempfile::TempDir;

/// A directory to fetch into.
struct Scratch {
    dir: TempDir,
}

impl Scratch {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn target(&self) -> PathBuf {
        self.dir.path().join("s-t01000-7.1")
    }

    fn order(&self, url: String, kind: Kind) -> Order {
        let progress_timeout = Duration::from_secs(20);
        Order {
            url,
            token: Some("a.b.c".into()),
            target: self.target(),
            kind,
            progress_timeout,
        }
    }

    /// Fetches, and checks that a failure left nothing.
    fn fetch(&self, order: &Order) -> Result<Fetched, Failure> {
        let outcome = fetch(order, &Control::default());
        if let Err(failure) = &outcome {
            assert_eq!(names(self.dir.path()), [""; 0], "{failure}");
        }
        outcome
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn code<T>(outcome: Result<T, Failure>) -> Option<Code> {
    outcome.err().map(|failure| failure.code)
}
