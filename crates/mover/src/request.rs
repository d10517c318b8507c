//! What a caller asks of a mover, and what it is told.

use std::time::Duration;

use crate::copy::{Engine, EngineChoice};
use crate::failure::{Code, Failure, Result};
use crate::hash::{Digest, HashKind};
use crate::place::{Place, check_op, split_name};

/// How content comes to a target, cheapest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Source and target are one name.
    InPlace,
    /// The name moved, the blocks did not.
    Rename,
    /// Both share their blocks (FICLONE).
    Clone,
    /// The data extents were copied.
    Copy,
}

impl Method {
    /// The word operators and TypeScript know.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::InPlace => "in-place",
            Method::Rename => "rename",
            Method::Clone => "clone",
            Method::Copy => "copy",
        }
    }
}

/// What is to be moved, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRequest {
    /// Unique for ever; letters, digits, `-` and `_`, at most 64.
    pub op: String,
    /// What is moved.
    pub source: Place,
    /// Where it goes; its storage path must exist.
    pub target: Place,
    /// True copies: the source is never removed.
    pub keep_source: bool,
    /// Compare what the target's disk gives back with what was read. A clone or rename needs none.
    pub verify: bool,
    /// Comes back with a recovered move.
    pub tag: String,
    /// Only this method, `NotHere` where it does not work.
    pub only: Option<Method>,
    /// The hash taken of what is copied. A clone or rename reads nothing, so has none.
    pub hash: HashKind,
    /// Copies runs of zeros that were written as holes.
    pub skip_zeros: bool,
}

impl TransferRequest {
    /// Refuses what could not be a request: nothing on the disk is looked at.
    /// # Errors
    /// `Invalid`.
    pub fn check(&self) -> Result<()> {
        check_op(&self.op)?;
        split_name(&self.source.name)?;
        split_name(&self.target.name)?;
        if self.keep_source && self.only == Some(Method::Rename) {
            return Err(Failure::new(
                Code::Invalid,
                &self.op,
                "a rename cannot keep its source",
            ));
        }
        Ok(())
    }
}

/// What holds for all moves of a mover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How data is copied.
    pub engine: EngineChoice,
}

/// The hash of a file that was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHash {
    /// In a directory; empty for a sector file that is one file.
    pub name: String,
    /// Length.
    pub bytes: u64,
    /// Of its content.
    pub digest: Digest,
}

/// A target that is complete, verified and durable under its final name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Durable {
    /// How it came there.
    pub method: Method,
    /// Length of all files.
    pub bytes: u64,
    /// What they take on the target's disk.
    pub allocated_bytes: u64,
    /// How data was copied (of the largest file of a directory); None for all but a copy that we made.
    pub engine: Option<Engine>,
    /// Bytes read from the source: 0 for all but a copy, holes not counted.
    pub copied_bytes: u64,
    /// Bytes written: fewer where zeros became holes.
    pub written_bytes: u64,
    /// Bytes read again from the target's disk, to compare them.
    pub read_back_bytes: u64,
    /// Of the files that were copied, where a hash was asked for.
    pub hashes: Vec<FileHash>,
    /// How long it took.
    pub took: Duration,
    /// How many files.
    pub files: u64,
    /// Nothing is left for `remove_source` to do.
    pub source_gone: bool,
}
