//! Which files may be served under which name.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::names::{FileType, SectorName};

type Key = (FileType, SectorName);

/// Names and the files behind them; several storage paths may hold one name.
#[derive(Debug, Default)]
pub(crate) struct Publications {
    held: Mutex<HashMap<Key, Vec<(String, PathBuf)>>>,
}

impl Publications {
    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Vec<(String, PathBuf)>>> {
        // A map of plain values is whole whatever thread died while it held the lock.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn publish(&self, path_id: &str, key: Key, path: PathBuf) {
        let mut held = self.held();
        let paths = held.entry(key).or_default();
        paths.retain(|(id, _)| id != path_id);
        paths.push((path_id.to_owned(), path));
    }

    pub fn unpublish(&self, path_id: &str, key: Key) -> bool {
        let mut held = self.held();
        let Some(paths) = held.get_mut(&key) else {
            return false;
        };
        let before = paths.len();
        paths.retain(|(id, _)| id != path_id);
        let removed = paths.len() < before;
        if paths.is_empty() {
            held.remove(&key);
        }
        removed
    }

    /// The files behind a name, first published first.
    pub fn paths(&self, key: Key) -> Vec<PathBuf> {
        self.held()
            .get(&key)
            .into_iter()
            .flatten()
            .map(|(_, path)| path.clone())
            .collect()
    }
}
