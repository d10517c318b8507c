//! What a disk in user space holds: what is durable, what its cache has not flushed, and the faults it has.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use sys::Errno;

use crate::tell::Random;
use crate::{Outcome, while_doing};

const BLOCK: u64 = 4096;
/// A write is torn between these, as on a real disk.
const SECTOR: usize = 512;

/// The blocks that are not zero.
type Blocks = HashMap<u64, Box<[u8; BLOCK as usize]>>;

/// What the disk answers to reads and writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Reads fail once so many have gone well.
    pub reads_fail_after: Option<u64>,
    /// Writes fail once so many have gone well.
    pub writes_fail_after: Option<u64>,
    /// Only one request fails, not all that follow.
    pub only_once: bool,
    /// What fails to be written has no room: the disk promised more than it has.
    pub full: bool,
    /// Flushes fail as well as writes.
    pub flushes_fail: bool,
    /// Each request takes so long.
    pub delay: Duration,
    /// No request is answered until other faults are set.
    pub stalls: bool,
}

/// A disk with a cache that keeps its promises: what was flushed is there after a cut, the rest may be.
#[derive(Default)]
pub struct Memory {
    bytes: u64,
    durable: Blocks,
    current: Blocks,
    /// Since the last flush, in order.
    pending: Vec<(u64, Vec<u8>)>,
    kept: Blocks,
    off: bool,
    faults: Faults,
    /// Requests since the faults were set: reads, writes, those that failed.
    counts: [u64; 3],
    has_stalled: bool,
}

impl Memory {
    /// Reads an image whose holes are zeros.
    /// # Errors
    /// Those of reading it.
    pub fn load(image: &File) -> Outcome<Memory> {
        let doing = "reading an image";
        let bytes = image.metadata().map_err(while_doing(doing))?.len();
        let mut memory = Memory {
            bytes,
            ..Memory::default()
        };
        let mut at = 0;
        while let Some(data) = sys::extents::next_data(image, at).map_err(while_doing(doing))? {
            let end = sys::extents::next_hole(image, data).map_err(while_doing(doing))?;
            let mut part = vec![0; (end - data) as usize];
            image
                .read_exact_at(&mut part, data)
                .map_err(while_doing(doing))?;
            put(&mut memory.durable, data, &part);
            at = end;
        }
        memory.current = memory.durable.clone();
        Ok(memory)
    }

    /// Its size in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether a request has to wait for other faults.
    pub fn stalls(&mut self) -> bool {
        self.has_stalled |= self.faults.stalls;
        self.faults.stalls
    }

    /// Whether a request had to wait since the faults were set.
    pub fn has_stalled(&self) -> bool {
        self.has_stalled
    }

    /// What a failed write is told.
    pub fn write_errno(&self) -> Errno {
        if self.faults.full && !self.off {
            Errno::NOSPC
        } else {
            Errno::IO
        }
    }

    /// How long a request takes.
    pub fn delay(&self) -> Duration {
        self.faults.delay
    }

    /// From now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
        self.counts = [0; 3];
        self.has_stalled = false;
    }

    /// Reads, writes and failures since the faults were set.
    pub fn counts(&self) -> [u64; 3] {
        self.counts
    }

    fn request(&mut self, which: usize, limit: Option<u64>) -> bool {
        let fails = self.off
            || limit.is_some_and(|limit| match self.faults.only_once {
                true => self.counts[which] == limit,
                false => self.counts[which] >= limit,
            });
        self.counts[which] += 1;
        self.counts[2] += u64::from(fails);
        !fails
    }

    /// None: it failed.
    pub fn read(&mut self, offset: u64, bytes: usize) -> Option<Vec<u8>> {
        self.request(0, self.faults.reads_fail_after).then(|| {
            let bytes = bytes.min(self.bytes.saturating_sub(offset) as usize);
            get(&self.current, offset, bytes)
        })
    }

    /// False: it failed.
    pub fn write(&mut self, offset: u64, data: &[u8]) -> bool {
        let goes = self.request(1, self.faults.writes_fail_after);
        if goes {
            put(&mut self.current, offset, data);
            self.pending.push((offset, data.to_vec()));
        }
        goes
    }

    /// False: it failed, and what was not flushed before is not either.
    pub fn flush(&mut self) -> bool {
        let broken = self
            .faults
            .writes_fail_after
            .is_some_and(|limit| self.counts[1] > limit);
        if self.off || self.faults.flushes_fail && broken {
            self.counts[2] += 1;
            return false;
        }
        for (offset, data) in self.pending.drain(..) {
            put(&mut self.durable, offset, &data);
        }
        true
    }

    /// Off it goes. Of what was not flushed stays: nothing, the first writes, or any of them, some torn.
    pub fn cut(&mut self, random: &mut Random) {
        self.off = true;
        let pending = std::mem::take(&mut self.pending);
        let prefix = random.below(pending.len() as u64 + 1) as usize;
        let kind = random.below(3);
        for (at, (offset, data)) in pending.into_iter().enumerate() {
            let stays = match kind {
                0 => false,
                1 => at < prefix,
                _ => random.percent(50),
            };
            let sectors = data.len().div_ceil(SECTOR) as u64;
            let whole = kind != 2 || !random.percent(20);
            let length = if whole {
                data.len()
            } else {
                random.below(sectors + 1) as usize * SECTOR
            };
            if stays {
                put(&mut self.durable, offset, &data[..length.min(data.len())]);
            }
        }
        self.current = self.durable.clone();
    }

    /// On again, without faults.
    pub fn power_on(&mut self) {
        self.off = false;
        self.set_faults(Faults::default());
    }

    /// Keeps what is durable.
    pub fn keep(&mut self) {
        self.kept = self.durable.clone();
    }

    /// Holds what was kept.
    pub fn rewind(&mut self) {
        self.durable = self.kept.clone();
        self.current = self.kept.clone();
        self.pending.clear();
    }
}

/// Block numbers of a range, with the part of the block and of the range.
fn parts(offset: u64, bytes: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        (done < bytes).then(|| {
            let at = offset + done as u64;
            let within = (at % BLOCK) as usize;
            let length = (BLOCK as usize - within).min(bytes - done);
            let part = (at / BLOCK, within, done, length);
            done += length;
            part
        })
    })
}

fn put(blocks: &mut Blocks, offset: u64, data: &[u8]) {
    for (block, within, from, length) in parts(offset, data.len()) {
        let held = blocks
            .entry(block)
            .or_insert_with(|| Box::new([0; BLOCK as usize]));
        held[within..within + length].copy_from_slice(&data[from..from + length]);
    }
}

fn get(blocks: &Blocks, offset: u64, bytes: usize) -> Vec<u8> {
    let mut data = vec![0; bytes];
    for (block, within, from, length) in parts(offset, bytes) {
        if let Some(held) = blocks.get(&block) {
            data[from..from + length].copy_from_slice(&held[within..within + length]);
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Memory {
        Memory {
            bytes: 1 << 20,
            ..Memory::default()
        }
    }

    #[test]
    fn what_was_flushed_is_there_after_any_cut() {
        for seed in 0..50 {
            let mut memory = memory();
            assert!(memory.write(1000, &[7; 9000]) && memory.flush());
            assert!(memory.write(50_000, &[8; 9000]));
            memory.cut(&mut Random::new(seed));
            assert!(!memory.write(0, &[1]) && !memory.flush() && memory.read(0, 1).is_none());
            memory.power_on();
            assert_eq!(memory.read(1000, 9000), Some(vec![7; 9000]));
        }
    }

    #[test]
    fn some_cuts_lose_or_tear_what_was_not_flushed() {
        let left: Vec<usize> = (0..50)
            .map(|seed| {
                let mut memory = memory();
                memory.write(8192, &[8; 4096]);
                memory.cut(&mut Random::new(seed));
                memory.power_on();
                memory
                    .read(8192, 4096)
                    .unwrap()
                    .iter()
                    .filter(|byte| **byte == 8)
                    .count()
            })
            .collect();
        assert!(left.contains(&0) && left.contains(&4096));
        assert!(left.iter().any(|bytes| *bytes > 0 && *bytes < 4096));
    }

    #[test]
    fn requests_fail_from_the_one_that_was_asked_for() {
        let mut memory = memory();
        memory.set_faults(Faults {
            writes_fail_after: Some(2),
            ..Faults::default()
        });
        assert_eq!(
            [(); 4].map(|()| memory.write(0, &[1])),
            [true, true, false, false]
        );
        assert_eq!(memory.counts(), [0, 4, 2]);
    }
}
