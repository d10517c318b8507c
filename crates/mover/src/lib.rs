//! Moves or copies one sector file of this machine, a file or a flat directory as a unit, so that at
//! any instant, also after a power cut, one complete copy has a final name.
//!
//! The cheapest true way is found by trying: in place (both names are one directory) → rename →
//! clone (FICLONE) → copy of the data extents. See [`Mover`] for the states a move goes through.
//!
//! The crate decides *how*: which path a sector belongs on, when it is declared and when its source
//! may go is the caller's.

mod attributes;
mod content;
mod control;
mod copy;
mod engines;
mod failure;
mod filesystem;
mod frames;
mod freed;
mod hash;
mod journal;
mod leftovers;
mod manifest;
mod mover;
mod naming;
mod place;
mod read_back;
mod record;
mod recovery;
mod removal;
mod request;
mod residency;
mod tier;
mod trace;
mod transfer;
mod tree;

pub use control::{Control, Step};
pub use copy::{Engine, EngineChoice};
pub use engines::probe_engines;
pub use failure::{Code, Failure, Result};
pub use filesystem::{FilesystemState, filesystem_of};
pub use hash::{Digest, HashKind};
pub use leftovers::Leftover;
pub use mover::Mover;
pub use place::Place;
pub use recovery::{Recovered, RecoveredState};
pub use removal::Removed;
pub use request::{Durable, FileHash, Method, Options, TransferRequest};
pub use tier::probe_tier;
pub use tree::disk_usage;
