//! What goes in and comes out of the mover.

use mover::{EngineChoice, HashKind, Method};
use napi::{Error, Result};
use napi_derive::napi;

use crate::failure::{number, thrown};

/// A storage path and a name such as `sealed/s-t01000-7` below it.
#[napi(object, use_nullable = true)]
pub struct Place {
    pub root: String,
    pub name: String,
}

impl From<Place> for mover::Place {
    fn from(place: Place) -> Self {
        mover::Place {
            root: place.root.into(),
            name: place.name,
        }
    }
}

impl From<mover::Place> for Place {
    fn from(place: mover::Place) -> Self {
        Place {
            root: place.root.to_string_lossy().into_owned(),
            name: place.name,
        }
    }
}

fn invalid(message: String) -> Error<String> {
    Error::new(mover::Code::Invalid.as_str().to_owned(), message)
}

/// `auto`, or an engine's name.
pub fn options_of(copy_engine: &str) -> Result<mover::Options, String> {
    let engine = EngineChoice::of_word(copy_engine).ok_or_else(|| {
        invalid(format!(
            "there is no way to copy '{copy_engine}'; there are auto, direct, uncached and buffered"
        ))
    })?;
    Ok(mover::Options { engine })
}

/// What is to be moved, and how.
#[napi(object, use_nullable = true)]
pub struct TransferRequest {
    /// Unique for ever.
    pub op: String,
    pub source: Place,
    pub target: Place,
    pub keep_source: bool,
    pub verify: bool,
    pub tag: String,
    /// `rename`, `clone` or `copy`: only that. Null: the cheapest that works.
    pub only: Option<String>,
    /// `off`, `xxh3` or `blake3`
    pub hash: String,
    pub skip_zeros: bool,
}

impl TransferRequest {
    pub fn convert(self) -> Result<mover::TransferRequest, String> {
        let only = match self.only.as_deref() {
            None => None,
            Some("rename") => Some(Method::Rename),
            Some("clone") => Some(Method::Clone),
            Some("copy") => Some(Method::Copy),
            Some(other) => {
                let message =
                    format!("there is no method '{other}'; there are rename, clone and copy");
                return Err(invalid(message));
            }
        };
        let hash = HashKind::of_word(&self.hash).ok_or_else(|| {
            let message = format!(
                "there is no hash '{}'; there are off, xxh3 and blake3",
                self.hash
            );
            invalid(message)
        })?;
        let request = mover::TransferRequest {
            op: self.op,
            source: self.source.into(),
            target: self.target.into(),
            keep_source: self.keep_source,
            verify: self.verify,
            tag: self.tag,
            only,
            hash,
            skip_zeros: self.skip_zeros,
        };
        request.check().map_err(thrown)?;
        Ok(request)
    }
}

/// The hash of a file that was copied.
#[napi(object, use_nullable = true)]
pub struct FileHash {
    /// In a directory; empty for a sector file that is one file.
    pub name: String,
    pub bytes: f64,
    /// `blake3:…` or `xxh3:…`
    pub hash: String,
}

impl From<mover::FileHash> for FileHash {
    fn from(hash: mover::FileHash) -> Self {
        FileHash {
            name: hash.name,
            bytes: number(hash.bytes),
            hash: hash.digest.to_string(),
        }
    }
}

/// A target that is complete, verified and durable.
#[napi(object, use_nullable = true)]
pub struct Durable {
    /// `in-place`, `rename`, `clone` or `copy`
    pub method: String,
    pub bytes: f64,
    pub allocated_bytes: f64,
    /// `direct`, `uncached` or `buffered`; null where nothing was copied.
    pub engine: Option<String>,
    /// Read by us; holes are not.
    pub copied_bytes: f64,
    /// Fewer where zeros became holes.
    pub written_bytes: f64,
    /// Read again from the target's disk.
    pub read_back_bytes: f64,
    pub hashes: Vec<FileHash>,
    pub seconds: f64,
    pub files: f64,
    pub source_gone: bool,
}

impl From<mover::Durable> for Durable {
    fn from(durable: mover::Durable) -> Self {
        Durable {
            method: durable.method.as_str().to_owned(),
            bytes: number(durable.bytes),
            allocated_bytes: number(durable.allocated_bytes),
            engine: durable.engine.map(|engine| engine.as_str().to_owned()),
            copied_bytes: number(durable.copied_bytes),
            written_bytes: number(durable.written_bytes),
            read_back_bytes: number(durable.read_back_bytes),
            hashes: durable.hashes.into_iter().map(FileHash::from).collect(),
            seconds: durable.took.as_secs_f64(),
            files: number(durable.files),
            source_gone: durable.source_gone,
        }
    }
}

/// A move that a stop interrupted.
#[napi(object, use_nullable = true)]
pub struct Recovered {
    pub op: String,
    pub tag: String,
    pub source: Place,
    pub target: Place,
    pub keep_source: bool,
    /// `discarded`, `target-durable`, `source-removed` or `alarm`
    pub state: String,
    /// Why there is an alarm.
    pub reason: Option<String>,
}

impl From<mover::Recovered> for Recovered {
    fn from(recovered: mover::Recovered) -> Self {
        Recovered {
            op: recovered.op,
            tag: recovered.tag,
            source: recovered.source.into(),
            target: recovered.target.into(),
            keep_source: recovered.keep_source,
            state: recovered.state.as_str().to_owned(),
            reason: recovered.reason,
        }
    }
}

/// Something under a `fetching/` directory.
#[napi(object, use_nullable = true)]
pub struct Leftover {
    pub name: String,
    /// On the disk.
    pub bytes: f64,
    pub modified_ms: f64,
    pub owned: bool,
}

impl From<mover::Leftover> for Leftover {
    fn from(left: mover::Leftover) -> Self {
        Leftover {
            name: left.name,
            bytes: number(left.bytes),
            modified_ms: left.modified_ms as f64,
            owned: left.owned,
        }
    }
}

/// Bytes at the target, and how many there will be; 0 until it was measured.
#[napi(object, use_nullable = true)]
pub struct Progress {
    pub bytes: f64,
    pub total: f64,
}

#[napi(object, use_nullable = true)]
pub struct Removed {
    pub removed: bool,
    pub allocated_bytes: f64,
}

/// The cheapest method between two storage paths.
#[napi(object, use_nullable = true)]
pub struct Tier {
    /// `in-place`, `rename`, `clone` or `copy`
    pub tier: String,
}
