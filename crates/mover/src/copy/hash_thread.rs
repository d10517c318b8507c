//! The hash of a copy, taken on a thread of its own from the buffers of the copy: nothing is read twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use sys::slots::Slot;

use super::segments::Segment;
use crate::failure::{Code, Failure, Result};
use crate::hash::{ContentHash, Digest, HashKind};

type Piece = (Segment, Arc<Slot>);

/// It ends when it is dropped, and tells the hash when it is finished.
pub(super) struct HashThread {
    pieces: Sender<Piece>,
    thread: JoinHandle<Option<ContentHash>>,
}

impl HashThread {
    /// None where no hash is wanted.
    pub fn start(kind: HashKind) -> Result<Option<HashThread>> {
        let Some(hash) = ContentHash::new(kind) else {
            return Ok(None);
        };
        let (pieces, inbox) = channel();
        let thread = Builder::new()
            .name("sealyard-move-hash".to_owned())
            .spawn(move || take_in_order(hash, &inbox))
            .map_err(|error| failure(&format!("no thread for the hash: {error}")))?;
        Ok(Some(HashThread { pieces, thread }))
    }

    /// Adds a segment, in any order; its buffer is free again when it was hashed.
    pub fn give(&self, segment: Segment, slot: Arc<Slot>) -> Result<()> {
        self.pieces
            .send((segment, slot))
            .map_err(|_| failure("the hash ended early"))
    }

    /// Waits for the hash of all that was given.
    pub fn finish(self, size: u64) -> Result<Digest> {
        drop(self.pieces);
        let hash = self.thread.join();
        let hash = hash.map_err(|_| failure("the hash ended early"))?;
        hash.map(|hash| hash.finish(size))
            .ok_or_else(|| failure("a segment is missing"))
    }
}

fn failure(message: &str) -> Failure {
    Failure::new(Code::Io, "hash", message)
}

/// None if a segment is missing, as after a copy that failed: nobody asks for its hash.
fn take_in_order(mut hash: ContentHash, inbox: &Receiver<Piece>) -> Option<ContentHash> {
    let (mut early, mut next) = (BTreeMap::new(), 0);
    for (segment, slot) in inbox {
        early.insert(segment.number, (segment, slot));
        while let Some((segment, slot)) = early.remove(&next) {
            hash.update(segment.at, &slot[..segment.bytes]);
            next += 1;
        }
    }
    early.is_empty().then_some(hash)
}
