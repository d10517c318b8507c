//! Storage paths and a journal in a directory of their own.

use std::fs;
use std::path::{Path, PathBuf};

use faults::scene::{Scene, Subject};

/// Storage paths below a directory of their own.
pub struct Paths {
    pub own: tempfile::TempDir,
}

impl Paths {
    pub fn new() -> Paths {
        Paths {
            own: tempfile::tempdir().unwrap(),
        }
    }

    pub fn make(&self, name: &str) -> PathBuf {
        let path = self.own.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    pub fn scene(&self, target: &Path, subject: Subject, bytes: usize) -> Scene {
        let journal = self.own.path().join("moves.journal");
        Scene::set(&journal, (&self.make("seal"), target), subject, bytes, 1).unwrap()
    }
}
