//! Through the page cache on two threads, leaving in it exactly what was there (RWF_DONTCACHE).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use sys::slots::{Slot, Slots};
use sys::{Errno, uncached};

use super::hash_thread::HashThread;
use super::segments::{Segment, Segments};
use super::zeros::parts_with_data;
use super::{Order, Side, Stop, Work, is_refusal, take_slot, unless_refused};
use crate::failure::{Code, During, Failure, Result};

/// Measured best on cached pages, with two threads: one reads while the other writes.
const CHUNK: usize = 1 << 20;
const SLOTS: usize = 4;
/// Buffers more where some wait for the hash.
const AHEAD_OF_HASH: usize = 8;

struct Pair<'a> {
    order: &'a Order<'a>,
    target: &'a Side<'a>,
    hash: Option<&'a HashThread>,
    slots: Arc<Slots>,
    segments: Mutex<Segments<'a>>,
    /// One of both ended early, so the other ends too.
    ended: AtomicBool,
    read_bytes: AtomicU64,
    written_bytes: AtomicU64,
}

/// None where the source or the target refuses it.
pub(super) fn copy(order: &Order<'_>, hash: Option<&HashThread>) -> Result<Option<Work>> {
    let Some(target) = order.target else {
        return Ok(None);
    };
    let count = SLOTS + hash.map_or(0, |_| AHEAD_OF_HASH);
    let pair = Pair {
        order,
        target,
        hash,
        slots: Slots::new(count, CHUNK).during("mmap", || order.source.path())?,
        segments: Mutex::new(Segments::of(order, CHUNK)),
        ended: AtomicBool::new(false),
        read_bytes: AtomicU64::new(0),
        written_bytes: AtomicU64::new(0),
    };
    let done = thread::scope(|scope| {
        let second = thread::Builder::new().name("sealyard-move-copy".to_owned());
        // Without a second thread one does all.
        let second = second.spawn_scoped(scope, || pair.work()).ok();
        let ours = pair.work();
        let theirs = second.map_or(Ok(()), |second| {
            let died = |_| {
                Err(Failure::new(Code::Io, order.source.label, "a copying thread ended").into())
            };
            second.join().unwrap_or_else(died)
        });
        ours.and(theirs)
    });
    unless_refused(done.map(|()| Work {
        read_bytes: pair.read_bytes.load(Relaxed),
        written_bytes: pair.written_bytes.load(Relaxed),
    }))
}

impl Pair<'_> {
    /// What each thread does.
    fn work(&self) -> std::result::Result<(), Stop> {
        let outcome = self.copy_segments();
        if outcome.is_err() {
            self.ended.store(true, Relaxed);
        }
        outcome
    }

    fn copy_segments(&self) -> std::result::Result<(), Stop> {
        while !self.ended.load(Relaxed) {
            // The buffer first: who holds the oldest segment must not wait for one.
            let slot = take_slot(&self.slots, self.order)?;
            let next = self
                .segments
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .next()?;
            let Some(segment) = next else {
                break;
            };
            self.copy_segment(segment, slot)?;
        }
        Ok(())
    }

    fn copy_segment(&self, segment: Segment, mut slot: Slot) -> std::result::Result<(), Stop> {
        self.read(&mut slot[..segment.bytes], segment.at)?;
        let slot = Arc::new(slot);
        if let Some(hash) = self.hash {
            hash.give(segment, slot.clone())?;
        }
        let bytes = &slot[..segment.bytes];
        let whole = std::iter::once(0..bytes.len());
        let parts: Vec<_> = match self.order.skip_zeros {
            true => parts_with_data(bytes),
            false => whole.collect(),
        };
        for part in parts {
            let at = segment.at + part.start as u64;
            self.write(&bytes[part], at)?;
        }
        self.order.control.advance(segment.bytes as u64);
        Ok(())
    }

    fn read(&self, part: &mut [u8], at: u64) -> std::result::Result<(), Stop> {
        let source = self.order.source;
        let mut done = 0;
        while done < part.len() {
            match uncached::read_at(source.file, &mut part[done..], at + done as u64) {
                Ok(0) => return Err(source.became_shorter().into()),
                Ok(bytes) => done += bytes,
                Err(errno) if is_refusal(errno) => return Err(Stop::Refused),
                Err(errno) => return Err(Failure::kernel("preadv2", source.label, errno).into()),
            }
        }
        self.read_bytes.fetch_add(done as u64, Relaxed);
        Ok(())
    }

    fn write(&self, part: &[u8], at: u64) -> std::result::Result<(), Stop> {
        let mut done = 0;
        while done < part.len() {
            match uncached::write_at(self.target.file, &part[done..], at + done as u64) {
                Ok(0) => return Err(self.write_failure(Errno::IO)),
                Ok(bytes) => done += bytes,
                Err(errno) if is_refusal(errno) => return Err(Stop::Refused),
                Err(errno) => return Err(self.write_failure(errno)),
            }
        }
        self.written_bytes.fetch_add(done as u64, Relaxed);
        Ok(())
    }

    fn write_failure(&self, errno: Errno) -> Stop {
        Failure::kernel("pwritev2", self.target.label, errno).into()
    }
}
