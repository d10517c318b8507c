//! Past the page cache of both sides, many requests at a time (io_uring, O_DIRECT).

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sys::ring::{Landed, Ring};
use sys::slots::{Slot, Slots};
use sys::{Errno, files, uncached};

use super::hash_thread::HashThread;
use super::segments::{Segment, Segments};
use super::zeros::parts_with_data;
use super::{Order, PATIENCE, Side, Stop, Work, is_refusal, take_slot, unless_refused};
use crate::content::BLOCK;
use crate::failure::{During, Failure, Result};

/// Measured best on a cold disk and busy processors: as fast as the disk reads, at a tenth of `cp`'s CPU. 8 buffers do
/// as well where this thread is never kept waiting.
const CHUNK: usize = 4 << 20;
const SLOTS: usize = 16;
/// Buffers more where some wait for the hash.
const AHEAD_OF_HASH: usize = 8;
/// An answer that takes longer halves what is in flight: what was asked for must be waited for before a cancelled
/// copy can end.
const SLOW: Duration = Duration::from_millis(100);
/// What is in flight on the slowest disk: one is read, another written.
const FEWEST: usize = 2;

const SOURCE: u32 = 0;
const TARGET: u32 = 1;

/// Reads and writes of an open file go past the page cache until this is dropped.
struct Directly<'a>(&'a OwnedFd);

impl<'a> Directly<'a> {
    fn on(side: &Side<'a>) -> std::result::Result<Directly<'a>, Stop> {
        match uncached::set_direct(side.file, true) {
            Ok(()) => Ok(Directly(side.file)),
            Err(errno) if is_refusal(errno) => Err(Stop::Refused),
            Err(errno) => Err(Failure::kernel("fcntl", side.label, errno).into()),
        }
    }
}

impl Drop for Directly<'_> {
    fn drop(&mut self) {
        // Taking the flag away always works; were it not so, the next read or write of odd length would tell.
        let _ = uncached::set_direct(self.0, false);
    }
}

/// None where there is no io_uring, or one side cannot be read or written past the page cache.
pub(super) fn copy(order: &Order<'_>, hash: Option<&HashThread>) -> Result<Option<Work>> {
    unless_refused(run(order, hash))
}

fn run(order: &Order<'_>, hash: Option<&HashThread>) -> std::result::Result<Work, Stop> {
    let _source = Directly::on(order.source)?;
    let _target = order.target.map(Directly::on).transpose()?;
    if let Some(target) = order.target {
        // Not one by one at the end of the file, which each write would have to move; the last block is written whole.
        let whole = order.size.next_multiple_of(BLOCK as u64);
        files::set_length(target.file, whole).during("ftruncate", || target.path())?;
    }
    let files: Vec<_> = [Some(order.source), order.target]
        .into_iter()
        .flatten()
        .map(|side| side.file.as_fd())
        .collect();
    let chunk = (CHUNK as u64).min(order.size.next_multiple_of(BLOCK as u64));
    let chunk = chunk.max(BLOCK as u64);
    let needed = order.size.div_ceil(chunk).max(1);
    let count = (SLOTS + hash.map_or(0, |_| AHEAD_OF_HASH)).min(needed as usize);
    let slots = Slots::new(count, chunk as usize).during("mmap", || order.source.path())?;
    // Without room for a ring, or leave to have one, the copy goes another way.
    let ring = Ring::new(2 * SLOTS as u32, &slots, &files).map_err(|_| Stop::Refused)?;
    let pump = Pump {
        order,
        hash,
        segments: Segments::of(order, chunk as usize),
        ring,
        slots,
        writes: VecDeque::new(),
        most: SLOTS,
        work: Work::default(),
    };
    pump.run()
}

/// A request: this part of a buffer, which holds the segment and then zeros up to a whole block.
#[derive(Clone, Copy)]
struct Request {
    segment: Segment,
    from: usize,
    to: usize,
    since: Instant,
}

impl Request {
    fn of(segment: Segment, from: usize, to: usize) -> Request {
        Request {
            segment,
            from,
            to,
            since: Instant::now(),
        }
    }

    fn offset(&self) -> u64 {
        self.segment.at + self.from as u64
    }
}

/// Keeps the disks busy: free buffers are read into, full ones are written.
struct Pump<'a> {
    order: &'a Order<'a>,
    hash: Option<&'a HashThread>,
    segments: Segments<'a>,
    /// Before the buffers: it is dropped first, which waits for what is in flight.
    ring: Ring<'a, Request>,
    slots: Arc<Slots>,
    /// Full buffers that the ring has no room for yet.
    writes: VecDeque<(Arc<Slot>, Request)>,
    /// How many requests may be in flight.
    most: usize,
    work: Work,
}

impl Pump<'_> {
    fn run(mut self) -> std::result::Result<Work, Stop> {
        let mut more = true;
        loop {
            self.order.control.check(self.order.source.label)?;
            self.start_writes();
            more = more && self.start_reads()?;
            if self.ring.in_flight() > 0 {
                let landed = self.ring.wait(PATIENCE);
                for each in landed.during("io_uring_enter", || self.order.source.path())? {
                    self.handle(each)?;
                }
            } else if more {
                // All buffers wait for the hash.
                drop(take_slot(&self.slots, self.order)?);
            } else {
                return Ok(self.work);
            }
        }
    }

    fn start_writes(&mut self) {
        while self.ring.room() > 0
            && let Some((slot, request)) = self.writes.pop_front()
        {
            let request = Request::of(request.segment, request.from, request.to);
            let (part, offset) = (request.from..request.to, request.offset());
            self.ring.write(TARGET, slot, part, offset, request);
        }
    }

    /// @returns false when there is nothing left to read
    fn start_reads(&mut self) -> Result<bool> {
        while self.ring.room() > 0 && self.ring.in_flight() < self.most {
            let Some(slot) = self.slots.take() else {
                break;
            };
            let Some(segment) = self.segments.next()? else {
                return Ok(false);
            };
            let whole = segment.bytes.next_multiple_of(BLOCK);
            self.read(slot, Request::of(segment, 0, whole));
        }
        Ok(true)
    }

    fn read(&mut self, slot: Slot, request: Request) {
        let (part, offset) = (request.from..request.to, request.offset());
        self.ring.read(SOURCE, slot, part, offset, request);
    }

    fn handle(&mut self, landed: Landed<Request>) -> std::result::Result<(), Stop> {
        match landed {
            Landed::Read(slot, request, result) => {
                self.pace(&request);
                self.have_read(slot, request, result)
            }
            Landed::Write(slot, request, result) => {
                self.pace(&request);
                self.have_written(slot, request, result)
            }
        }
    }

    fn pace(&mut self, request: &Request) {
        let took = request.since.elapsed();
        if took > SLOW {
            self.most = FEWEST.max(self.most / 2);
        } else if took < SLOW / 4 {
            self.most = SLOTS.min(self.most + 1);
        }
    }

    fn have_read(
        &mut self,
        mut slot: Slot,
        mut request: Request,
        result: sys::Result<usize>,
    ) -> std::result::Result<(), Stop> {
        let (source, segment) = (self.order.source, request.segment);
        match result {
            Ok(bytes) => request.from += bytes,
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(errno) if is_refusal(errno) => return Err(Stop::Refused),
            Err(errno) => return Err(Failure::kernel("io_uring read", source.label, errno).into()),
        }
        if request.from >= segment.bytes {
            let whole = segment.bytes.next_multiple_of(BLOCK);
            slot[segment.bytes..whole].fill(0);
            self.work.read_bytes += segment.bytes as u64;
            return self
                .have_filled(Arc::new(slot), segment)
                .map_err(Stop::from);
        }
        // Only the end of a file ends a direct read within a block.
        if result == Ok(0) || !request.from.is_multiple_of(BLOCK) {
            return Err(source.became_shorter().into());
        }
        self.read(slot, Request::of(segment, request.from, request.to));
        Ok(())
    }

    fn have_filled(&mut self, slot: Arc<Slot>, segment: Segment) -> Result<()> {
        if let Some(hash) = self.hash {
            hash.give(segment, slot.clone())?;
        }
        if self.order.target.is_none() {
            self.order.control.advance(segment.bytes as u64);
            return Ok(());
        }
        let whole = segment.bytes.next_multiple_of(BLOCK);
        if !self.order.skip_zeros {
            self.writes
                .push_back((slot, Request::of(segment, 0, whole)));
            return Ok(());
        }
        let parts = parts_with_data(&slot[..whole]);
        let zeros =
            segment.bytes - payload(&segment, parts.iter().map(|part| (part.start, part.end)));
        self.order.control.advance(zeros as u64);
        for part in parts {
            self.writes
                .push_back((slot.clone(), Request::of(segment, part.start, part.end)));
        }
        Ok(())
    }

    fn have_written(
        &mut self,
        slot: Arc<Slot>,
        request: Request,
        result: sys::Result<usize>,
    ) -> std::result::Result<(), Stop> {
        let target = self.order.target.unwrap_or(self.order.source);
        let failed = |errno| Stop::Failed(Failure::kernel("io_uring write", target.label, errno));
        let bytes = match result {
            // Part of a block would be written again: only whole ones count.
            Ok(bytes) => bytes / BLOCK * BLOCK,
            Err(Errno::AGAIN | Errno::INTR) => 0,
            Err(errno) if is_refusal(errno) => return Err(Stop::Refused),
            Err(errno) => return Err(failed(errno)),
        };
        if bytes == 0 && result.is_ok() {
            return Err(failed(Errno::IO));
        }
        let (segment, next) = (request.segment, request.from + bytes);
        let counted = payload(&segment, [(request.from, next)].into_iter());
        self.work.written_bytes += counted as u64;
        self.order.control.advance(counted as u64);
        if next < request.to {
            self.writes
                .push_back((slot, Request::of(segment, next, request.to)));
        }
        Ok(())
    }
}

/// How much of these parts of a buffer is the segment's own, and not filling of its last block.
fn payload(segment: &Segment, parts: impl Iterator<Item = (usize, usize)>) -> usize {
    parts
        .map(|(from, to)| to.min(segment.bytes).saturating_sub(from))
        .sum()
}
