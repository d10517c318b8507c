//! Through the page cache, one chunk at a time, dropping behind what was not there before.

use std::sync::Arc;

use sys::slots::Slots;
use sys::{Errno, files};

use super::drop_behind::DropBehind;
use super::hash_thread::HashThread;
use super::segments::{Segment, Segments};
use super::zeros::parts_with_data;
use super::{Order, Side, Work, take_slot};
use crate::content::read_full;
use crate::failure::{During, Failure, Result};
use crate::trace::Trace;

/// Bytes per read.
pub(super) const CHUNK: usize = 1 << 20;
/// Buffers that wait for the hash, with one that is filled.
const AHEAD_OF_HASH: usize = 8;

pub(super) fn copy(order: &Order<'_>, hash: Option<&HashThread>) -> Result<Work> {
    let source = order.source;
    let count = if hash.is_some() { AHEAD_OF_HASH } else { 1 };
    let chunk = (CHUNK as u64).min(order.size.next_multiple_of(4096).max(4096)) as usize;
    let slots = Slots::new(count, chunk).during("mmap", || source.path())?;
    let trace = Trace::of(source.file, order.size);
    let mut trace = trace.during("cachestat", || source.path())?;
    let mut behind = order.target.map(DropBehind::new);
    let mut segments = Segments::of(order, chunk);
    let mut work = Work::default();
    while let Some(segment) = segments.next()? {
        let mut slot = take_slot(&slots, order)?;
        read_segment(source, &mut slot[..segment.bytes], segment, &mut trace)?;
        work.read_bytes += segment.bytes as u64;
        let slot = Arc::new(slot);
        if let Some(hash) = hash {
            hash.give(segment, slot.clone())?;
        }
        if let (Some(target), Some(behind)) = (order.target, &mut behind) {
            let bytes = &slot[..segment.bytes];
            work.written_bytes += write_segment(target, bytes, segment.at, order.skip_zeros)?;
            behind.wrote(segment.at, segment.at + segment.bytes as u64)?;
        }
        order.control.advance(segment.bytes as u64);
    }
    trace.finish().during("fadvise", || source.path())?;
    behind.map_or(Ok(()), |mut behind| behind.finish())?;
    Ok(work)
}

fn read_segment(
    source: &Side<'_>,
    part: &mut [u8],
    segment: Segment,
    trace: &mut Trace<'_>,
) -> Result<()> {
    trace.look(segment.at).during("fadvise", || source.path())?;
    if !read_full(source.file, part, segment.at).during("pread", || source.path())? {
        return Err(source.became_shorter());
    }
    trace
        .read(segment.at + part.len() as u64)
        .during("fadvise", || source.path())
}

/// @returns bytes written
fn write_segment(target: &Side<'_>, bytes: &[u8], at: u64, skip_zeros: bool) -> Result<u64> {
    if !skip_zeros {
        write_full(target, bytes, at)?;
        return Ok(bytes.len() as u64);
    }
    let mut written = 0;
    for part in parts_with_data(bytes) {
        written += part.len() as u64;
        write_full(target, &bytes[part.clone()], at + part.start as u64)?;
    }
    Ok(written)
}

fn write_full(target: &Side<'_>, part: &[u8], offset: u64) -> Result<()> {
    let mut done = 0;
    while done < part.len() {
        match files::write_at(target.file, &part[done..], offset + done as u64) {
            Ok(0) => return Err(Failure::kernel("pwrite", target.label, Errno::IO)),
            Ok(written) => done += written,
            Err(errno) => return Err(Failure::kernel("pwrite", target.label, errno)),
        }
    }
    Ok(())
}
