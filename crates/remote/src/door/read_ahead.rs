//! Reads a file past the page cache, several reads at a time, and sends what has come in order.
//!
//! Only a client that takes what is read has much read for it: the distance grows with each buffer that was
//! sent and falls back when the client stands still. So a slow one costs no memory while it is parked, and few
//! reads in vain.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use sys::ring::{Landed, Ring};
use sys::slots::{BLOCK, Slot, Slots};

use super::bench::{ALLOWANCE, Bench, CHUNK, CHUNKS, Host};
use super::client::Client;
use super::connection::Io;
use super::sending::{Position, Ran, failed, is_unable, not_moved, shrank};
use super::serve_engine::Way;

/// How far to read ahead of a client that stood still.
pub(crate) const SHORT: usize = 256 << 10;
/// The same, of one of which nothing is known.
pub(crate) const REACH: usize = 1 << 20;
/// The most.
pub(crate) const LONG: usize = CHUNKS * CHUNK;
/// Longer than any disk takes; the wait is then begun anew.
const PATIENCE: Duration = Duration::from_secs(1);

/// A read: where it begins, how much was wanted, and how much has come.
#[derive(Clone, Copy, Debug)]
struct Read {
    offset: u64,
    wanted: usize,
    filled: usize,
}

/// The reads of one run; they stay on its thread.
struct ReadAhead<'f> {
    file: &'f OwnedFd,
    slots: &'f std::sync::Arc<Slots>,
    ring: Ring<'f, Read>,
    /// Whole reads, by their offset, and their length.
    landed: BTreeMap<u64, (Slot, usize)>,
    /// Where the next read begins.
    next: u64,
    /// Nothing more is asked for.
    ends: bool,
}

/// Sends until another way is better, the client stands still, or the thread is wanted once the count of sent bytes
/// has reached `until`.
pub(crate) fn run(
    file: &OwnedFd,
    position: &mut Position,
    client: &mut Client,
    bench: &mut Bench,
    host: &dyn Host,
    until: u64,
) -> Ran {
    let Ok(slots) = bench.slots() else {
        return Ran::Unable;
    };
    // Without O_NONBLOCK too: a ring answers EAGAIN then.
    if fcntl_setfl(file, OFlags::DIRECT).is_err() {
        return Ran::Unable;
    }
    let ran = match Ring::new(CHUNKS as u32, &slots, &[file.as_fd()]) {
        Err(_) => Ran::Unable,
        Ok(ring) => {
            let mut ahead = ReadAhead {
                file,
                slots: &slots,
                ring,
                landed: BTreeMap::new(),
                next: position.at - position.at % BLOCK as u64,
                ends: false,
            };
            ahead.run(position, client, host, until)
        }
    };
    // The end of the file is read without blocks in mind.
    match fcntl_setfl(file, OFlags::empty()) {
        Ok(()) => ran,
        Err(errno) => failed(errno.into(), true),
    }
}

impl ReadAhead<'_> {
    fn run(
        &mut self,
        position: &mut Position,
        client: &mut Client,
        host: &dyn Host,
        mut until: u64,
    ) -> Ran {
        let mut wanted = false;
        loop {
            if client.sent() >= until {
                // What was read ahead is sent first, else it would be read again.
                wanted |= host.is_wanted();
                self.ends |= wanted;
                until = client.sent() + ALLOWANCE;
            }
            self.ask(position);
            if let Err(errno) = self.collect(position) {
                return if is_unable(errno) || errno == Errno::AGAIN {
                    Ran::Unable
                } else if errno == Errno::NODATA {
                    failed(shrank(), true)
                } else {
                    failed(errno.into(), true)
                };
            }
            match self.send(position, client, host) {
                Ran::Moved if self.landed.is_empty() && self.ring.in_flight() == 0 => {
                    return if wanted { Ran::Yield } else { Ran::Moved };
                }
                Ran::Moved => {}
                other => return other,
            }
        }
    }

    /// Asks for as much as the client's pace allows.
    fn ask(&mut self, position: &mut Position) {
        while !self.ends && self.next < position.at + position.reach as u64 {
            if self.next >= position.last()
                || position.choose(self.file, self.next).way != Way::Direct
            {
                self.ends = true;
                return;
            }
            let Some(slot) = self.slots.take() else {
                return;
            };
            let left = (position.last() - self.next).next_multiple_of(BLOCK as u64);
            let wanted = (position.reach / 4).clamp(SHORT, CHUNK);
            let wanted = usize::try_from(left).map_or(wanted, |left| left.min(wanted));
            let read = Read {
                offset: self.next,
                wanted,
                filled: 0,
            };
            self.ring.read(0, slot, 0..wanted, read.offset, read);
            self.next += wanted as u64;
        }
    }

    /// Submits what was asked for and takes in what has come; waits when nothing else can be done.
    /// NODATA: the file ended early.
    fn collect(&mut self, position: &Position) -> sys::Result<()> {
        if self.ring.in_flight() == 0 {
            return Ok(());
        }
        let patience = if self.due(position).is_some() {
            Duration::ZERO
        } else {
            PATIENCE
        };
        for landed in self.ring.wait(patience)? {
            let Landed::Read(slot, mut read, result) = landed else {
                continue;
            };
            match result? {
                0 => return Err(Errno::NODATA),
                bytes => read.filled += bytes,
            }
            if read.filled >= read.wanted {
                self.landed.insert(read.offset, (slot, read.wanted));
            } else if read.filled.is_multiple_of(BLOCK) {
                let at = read.offset + read.filled as u64;
                self.ring.read(0, slot, read.filled..read.wanted, at, read);
            } else {
                return Err(Errno::NODATA);
            }
        }
        Ok(())
    }

    /// The buffer that is to be sent next, if it has come.
    fn due(&self, position: &Position) -> Option<(u64, usize)> {
        let (offset, (_, length)) = self.landed.first_key_value()?;
        (*offset <= position.at).then_some((*offset, *length))
    }

    fn send(&mut self, position: &mut Position, client: &mut Client, host: &dyn Host) -> Ran {
        let Some((offset, length)) = self.due(position) else {
            return Ran::Moved;
        };
        let end = (offset + length as u64).min(position.last());
        let (slot, _) = &self.landed[&offset];
        while position.at < end {
            let part = (position.at - offset) as usize..(end - offset) as usize;
            match client.send(&slot[part], true) {
                Io::Moved(bytes) => position.advance(bytes),
                Io::Blocked if !client.soon_ready(host) => {
                    position.reach = SHORT;
                    return Ran::Stalled;
                }
                Io::Blocked => {}
                other => return not_moved(other),
            }
        }
        self.landed.remove(&offset);
        position.reach = (2 * position.reach).min(LONG);
        Ran::Moved
    }
}
