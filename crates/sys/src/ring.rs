//! Many reads and writes of files at a time, by one thread (io_uring).
//!
//! A buffer that the kernel fills is inside the ring and nowhere else; one that it reads may be read by others
//! too. So no use of this module can make the kernel write where someone reads.

use std::marker::PhantomData;
use std::mem::{forget, take};
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use io_uring::types::{Fixed, SubmitArgs, Timespec};
use io_uring::{IoUring, opcode, squeue};
use rustix::io::Errno;

use crate::Result;
use crate::slots::{Slot, Slots};

/// A request the kernel has not answered. The buffer stays ours until it has.
enum Flight {
    Read(Slot),
    Write(Arc<Slot>),
}

/// An answered request: its buffer, what the caller noted with it, and how many bytes were moved.
pub enum Landed<T> {
    /// The buffer was filled.
    Read(Slot, T, Result<usize>),
    /// The buffer was written.
    Write(Arc<Slot>, T, Result<usize>),
}

/// Requests in flight between some files and buffers. `T` is what the caller notes with each.
pub struct Ring<'f, T> {
    ring: IoUring,
    slots: Arc<Slots>,
    /// Pinned once; else the kernel pins them for each request.
    registered: bool,
    flights: Vec<Option<(Flight, T)>>,
    idle: Vec<usize>,
    /// The files outlive the ring, and it stays with its thread: the kernel allows one to submit.
    _files: PhantomData<(BorrowedFd<'f>, *const ())>,
}

fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

fn build(depth: u32) -> std::io::Result<IoUring> {
    // Answers are collected when we ask for them, not by interrupting us; since Linux 6.1.
    let modern = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .build(depth);
    match modern {
        Err(error) if errno_of(&error) == Errno::INVAL => IoUring::new(depth),
        other => other,
    }
}

impl<'f, T> Ring<'f, T> {
    /// A ring for at most `depth` requests between these files (by their place in the list) and these buffers.
    /// # Errors
    /// ENOSYS, EPERM, EACCES where io_uring is not there or not allowed; ENOMEM.
    pub fn new(depth: u32, slots: &Arc<Slots>, files: &[BorrowedFd<'f>]) -> Result<Ring<'f, T>> {
        let ring = build(depth).map_err(|error| errno_of(&error))?;
        if !ring.params().is_feature_ext_arg() {
            // Before Linux 5.11 waiting has no end.
            return Err(Errno::NOSYS);
        }
        let numbers: Vec<i32> = files.iter().map(AsRawFd::as_raw_fd).collect();
        let registered_files = ring.submitter().register_files(&numbers);
        registered_files.map_err(|error| errno_of(&error))?;
        let parts: Vec<libc::iovec> = (0..slots.count())
            .map(|index| libc::iovec {
                iov_base: slots.address(index).cast(),
                iov_len: slots.slot_bytes(),
            })
            .collect();
        // Counted against RLIMIT_MEMLOCK, which is small for ordinary users: not having it is no failure.
        // SAFETY: the buffers are mapped, and `slots` is held by the ring for as long as it lives.
        let registered = unsafe { ring.submitter().register_buffers(&parts) }.is_ok();
        Ok(Ring {
            ring,
            slots: slots.clone(),
            registered,
            flights: (0..depth).map(|_| None).collect(),
            idle: (0..depth as usize).rev().collect(),
            _files: PhantomData,
        })
    }

    /// Whether the buffers are pinned once for all requests.
    pub fn has_registered_buffers(&self) -> bool {
        self.registered
    }

    /// Requests that were not answered yet.
    pub fn in_flight(&self) -> usize {
        self.flights.len() - self.idle.len()
    }

    /// How many more requests may be made before one has been answered.
    pub fn room(&self) -> usize {
        self.idle.len()
    }

    /// Reads from `offset` of a file into a part of a buffer.
    ///
    /// # Panics
    /// Without `room`, for a buffer of others, or a part that is not in it.
    pub fn read(&mut self, file: u32, slot: Slot, part: Range<usize>, offset: u64, note: T) {
        let (at, bytes) = self.locate(&slot, &part);
        let entry = if self.registered {
            opcode::ReadFixed::new(Fixed(file), at, bytes, slot.index() as u16)
                .offset(offset)
                .build()
        } else {
            opcode::Read::new(Fixed(file), at, bytes)
                .offset(offset)
                .build()
        };
        self.push(entry, Flight::Read(slot), note);
    }

    /// Writes a part of a buffer at `offset` of a file.
    ///
    /// # Panics
    /// As `read`.
    pub fn write(&mut self, file: u32, slot: Arc<Slot>, part: Range<usize>, offset: u64, note: T) {
        let (at, bytes) = self.locate(&slot, &part);
        let entry = if self.registered {
            opcode::WriteFixed::new(Fixed(file), at, bytes, slot.index() as u16)
                .offset(offset)
                .build()
        } else {
            opcode::Write::new(Fixed(file), at, bytes)
                .offset(offset)
                .build()
        };
        self.push(entry, Flight::Write(slot), note);
    }

    fn locate(&self, slot: &Slot, part: &Range<usize>) -> (*mut u8, u32) {
        assert!(Arc::ptr_eq(slot.home(), &self.slots), "a foreign buffer");
        assert!(part.start < part.end && part.end <= self.slots.slot_bytes());
        let start = self.slots.address(slot.index()).wrapping_add(part.start);
        (start, u32::try_from(part.len()).expect("less than 4 GiB"))
    }

    fn push(&mut self, entry: squeue::Entry, flight: Flight, note: T) {
        let id = self.idle.pop().expect("room for a request");
        self.flights[id] = Some((flight, note));
        // SAFETY: the buffer is inside a slot that is kept in `flights` until the kernel has answered, and the
        // files were registered. The queue has an entry for each flight, and is emptied by every submission.
        let pushed = unsafe { self.ring.submission().push(&entry.user_data(id as u64)) };
        pushed.expect("as many entries as flights");
    }

    /// Submits what was asked for and waits until something was answered, at most so long.
    /// @returns all answers there are
    pub fn wait(&mut self, patience: Duration) -> Result<Vec<Landed<T>>> {
        let limit = Timespec::from(patience);
        let args = SubmitArgs::new().timespec(&limit);
        match self.ring.submitter().submit_with_args(1, &args) {
            Ok(_) => {}
            Err(error) => match errno_of(&error) {
                // Nothing yet; or a signal; or the queue of answers is full, so they are fetched first.
                Errno::TIME | Errno::INTR | Errno::BUSY | Errno::AGAIN => {}
                errno => return Err(errno),
            },
        }
        Ok(self.collect())
    }

    fn collect(&mut self) -> Vec<Landed<T>> {
        let mut all = Vec::new();
        for answer in self.ring.completion() {
            let id = answer.user_data() as usize;
            let (flight, note) = self.flights[id].take().expect("an answer to a request");
            self.idle.push(id);
            let result = match answer.result() {
                bytes @ 0.. => Ok(bytes as usize),
                error => Err(Errno::from_raw_os_error(-error)),
            };
            all.push(match flight {
                Flight::Read(slot) => Landed::Read(slot, note, result),
                Flight::Write(slot) => Landed::Write(slot, note, result),
            });
        }
        all
    }
}

impl<T> Drop for Ring<'_, T> {
    /// Waits for what is in flight: the kernel must have let go of the buffers before they are used again.
    fn drop(&mut self) {
        while self.in_flight() > 0 {
            let waited = self.ring.submit_and_wait(1);
            let failed = waited.err().map(|error| errno_of(&error));
            if failed
                .is_some_and(|errno| !matches!(errno, Errno::INTR | Errno::BUSY | Errno::AGAIN))
            {
                // Nobody can tell any more when the kernel is done with them: they are never used again.
                for flight in take(&mut self.flights) {
                    forget(flight);
                }
                return;
            }
            self.collect();
        }
        // The kernel takes a closed ring apart some time later; until then its files would count as open, and keep a
        // file system from being unmounted. Not having had them registered is no failure.
        let _ = self.ring.submitter().unregister_files();
        let _ = self.ring.submitter().unregister_buffers();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    fn ring_of(depth: u32, files: &[std::fs::File]) -> Option<(Arc<Slots>, Ring<'_, u64>)> {
        let slots = Slots::new(4, 1 << 16).unwrap();
        let borrowed: Vec<_> = files.iter().map(AsFd::as_fd).collect();
        match Ring::new(depth, &slots, &borrowed) {
            Ok(ring) => Some((slots, ring)),
            Err(errno) => {
                println!("SKIP: io_uring: not allowed here ({errno})");
                None
            }
        }
    }

    #[test]
    fn what_is_written_is_read_and_buffers_come_back() {
        let files = [tempfile::tempfile().unwrap()];
        let Some((slots, mut ring)) = ring_of(2, &files) else {
            return;
        };
        let mut slot = slots.take().unwrap();
        slot.fill(7);
        ring.write(0, Arc::new(slot), 0..5000, 4096, 1);
        assert_eq!(ring.in_flight(), 1);
        let landed = ring.wait(Duration::from_secs(10)).unwrap();
        assert!(matches!(landed[..], [Landed::Write(_, 1, Ok(5000))]));
        drop(landed);
        ring.read(0, slots.take().unwrap(), 10..6010, 4096, 2);
        for landed in ring.wait(Duration::from_secs(10)).unwrap() {
            let Landed::Read(slot, 2, Ok(5000)) = landed else {
                panic!("not what was asked for");
            };
            assert!(slot[10..5010].iter().all(|byte| *byte == 7));
        }
        drop(ring);
        assert_eq!(
            std::iter::from_fn(|| slots.take()).map(forget).count(),
            4,
            "all buffers are free again"
        );
    }

    #[test]
    fn a_dropped_ring_has_its_requests_answered_first() {
        let files = [tempfile::tempfile().unwrap()];
        let Some((slots, mut ring)) = ring_of(4, &files) else {
            return;
        };
        for at in 0..4 {
            let mut slot = slots.take().unwrap();
            slot.fill(at as u8 + 1);
            ring.write(0, Arc::new(slot), 0..1 << 16, at << 16, at);
        }
        assert_eq!((ring.room(), ring.in_flight()), (0, 4));
        drop(ring);
        assert_eq!(files[0].metadata().unwrap().len(), 4 << 16);
    }

    #[test]
    fn waiting_ends_without_an_answer() {
        let files = [tempfile::tempfile().unwrap()];
        let Some((_slots, mut ring)) = ring_of(1, &files) else {
            return;
        };
        assert!(ring.wait(Duration::from_millis(1)).unwrap().is_empty());
    }
}
