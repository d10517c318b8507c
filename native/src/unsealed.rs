//! What is allocated in unsealed files: `crates/unsealed`.

use std::fs::File;
use std::io;
use std::path::Path;

use mover::{Code, Failure};
use napi::bindgen_prelude::{Either, PromiseRaw};
use napi::{Env, Error, Result};
use napi_derive::napi;
use unsealed::TrailerError;

use crate::background::in_background;
use crate::failure::{NativeFailure, exact, outcome, panicked};

#[napi(object, use_nullable = true)]
pub struct Allocation {
    /// True if every byte of the range is.
    pub all: bool,
}

/// Whether a range of an unsealed file is allocated, by its trailer. All numbers are padded bytes.
#[napi(catch_unwind)]
pub fn unsealed_allocated(
    env: &Env,
    path: String,
    sector_size: f64,
    offset: f64,
    size: f64,
) -> Result<PromiseRaw<'static, Either<Allocation, NativeFailure>>, String> {
    let sector_size = exact("sectorSize", sector_size)?;
    let (offset, size) = (exact("offset", offset)?, exact("size", size)?);
    let work = move || {
        let allocated = read(Path::new(&path), sector_size);
        outcome(allocated, |allocated| Allocation {
            all: allocated.contains(&(offset..offset + size)),
        })
    };
    in_background(env, "sealyard-trailer", work, panicked)
        .map_err(|error| Error::new(Code::Io.as_str().to_owned(), error.reason.clone()))
}

fn read(path: &Path, sector_size: u64) -> mover::Result<unsealed::Allocated> {
    let label = || path.display().to_string();
    let kernel = |call, error: io::Error| {
        let errno = sys::Errno::from_io_error(&error).unwrap_or(sys::Errno::IO);
        Failure::kernel(call, label(), errno)
    };
    let file = File::open(path).map_err(|error| kernel("open", error))?;
    unsealed::read(&file, sector_size).map_err(|error| match error {
        TrailerError::Io(error) => kernel("pread", error),
        other => Failure::new(Code::Invalid, label(), other.to_string()),
    })
}
