//! From a stream into a file, piece by piece; how far it is gets recorded on the way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::body::Stream;
use super::disk_file::DiskFile;
use super::failure::{Failure, Result};
use super::writers::{PIECE, Writers};

/// A kill or a power cut costs no more than this to fetch again: 3 % of a 32 GiB sector. (A cut connection costs one
/// piece.) Each mark waits for the writes under way and two flushes of the disk: measured, at every 256 MiB a fifth
/// of the speed.
pub const MARK_BYTES: u64 = 1 << 30;
/// The same for a slow connection.
const MARK_EVERY: Duration = Duration::from_secs(15);

/// What makes an offset durable, once everything before it has been written; and after how many bytes.
pub(crate) type Checkpoint<'c> = (u64, &'c mut dyn FnMut(u64) -> sys::Result<()>);

/// Writes a stream to a file from `offset`, a multiple of the piece, to its end. After a failure of the stream that
/// spares what is there, the last whole piece is recorded too.
/// @returns where the stream ended
pub(crate) fn pour(
    stream: &mut impl Stream,
    file: &Arc<DiskFile>,
    offset: u64,
    writers: &mut Writers,
    (failed, mut checkpoint): (&dyn Fn(sys::Errno) -> Failure, Option<Checkpoint>),
) -> Result<u64> {
    let (mut end, mut marked, mut at) = (offset, offset, Instant::now());
    loop {
        let mut buffer = match writers.take() {
            Ok(buffer) => buffer,
            // What failed first says why; a later write may fail of it.
            Err(errno) => return Err(failed(writers.settle().err().unwrap_or(errno))),
        };
        let filled = match stream.fill(buffer.bytes()) {
            Ok(filled) => filled,
            Err(failure) => {
                writers.give_back(buffer);
                writers.settle().map_err(failed)?;
                if let Some((_, record)) =
                    checkpoint.filter(|_| failure.code.spares() && end > marked)
                {
                    record(end).map_err(failed)?;
                }
                return Err(failure);
            }
        };
        writers.submit(file, buffer, filled, end);
        end += filled as u64;
        if filled < PIECE {
            writers.settle().map_err(failed)?;
            return Ok(end);
        }
        if let Some((every, record)) = &mut checkpoint
            && (end - marked >= *every || at.elapsed() >= MARK_EVERY)
        {
            writers.settle().map_err(failed)?;
            record(end).map_err(failed)?;
            (marked, at) = (end, Instant::now());
        }
    }
}
