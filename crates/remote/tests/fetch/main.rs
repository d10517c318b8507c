//! The fetch client against servers that do what servers of the field have been seen to do.

mod answers;
mod archives;
mod killed;
mod listings;
mod manners;
mod properties;
mod resume;
mod server;
#[path = "../site/mod.rs"]
mod site;
mod tar_archive;
mod writing;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use remote::fetch::{Code, Control, Expect, Failure, Fetched, Kind, MARK_BYTES, Order, fetch};
use tempfile::TempDir;

/// A directory to fetch into.
struct Scratch {
    dir: TempDir,
    /// Where to fetch to, if not into it.
    target_in: Option<PathBuf>,
}

impl Scratch {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            target_in: None,
        }
    }

    fn parent(&self) -> &Path {
        self.target_in.as_deref().unwrap_or(self.dir.path())
    }

    fn target(&self) -> PathBuf {
        self.parent().join("s-t01000-7.1")
    }

    fn order(&self, url: String, kind: Kind) -> Order {
        let progress_timeout = Duration::from_secs(20);
        Order {
            url,
            token: Some("a.b.c".into()),
            target: self.target(),
            record: None,
            mark_bytes: MARK_BYTES,
            kind,
            expect: Expect::default(),
            progress_timeout,
            limits: Arc::default(),
        }
    }

    fn record(&self) -> PathBuf {
        self.parent().join("s-t01000-7.2")
    }

    /// An order whose rests are kept; marks are made at each piece.
    fn kept(&self, url: String, kind: Kind) -> Order {
        Order {
            record: Some(self.record()),
            mark_bytes: 1,
            ..self.order(url, kind)
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
