//! Page-aligned buffers that are lent out: one fills them, several may read them then, the last one gives them back.

use std::ops::{Deref, DerefMut};
use std::ptr::{NonNull, null_mut};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::mm::{self, Advice, MapFlags, ProtFlags};

use crate::Result;

/// Disks ask for buffers, offsets and lengths of whole blocks; this is the largest block there is.
pub const BLOCK: usize = 4096;

/// A fixed number of buffers of one size, in one mapping.
#[derive(Debug)]
pub struct Slots {
    base: NonNull<u8>,
    slot_bytes: usize,
    count: usize,
    free: Mutex<Vec<usize>>,
    returned: Condvar,
}

// SAFETY: the mapping belongs to this value alone; who may touch which part of it is decided by the slots,
// each of which exists once.
unsafe impl Send for Slots {}
// SAFETY: as above; the list of free slots has a lock.
unsafe impl Sync for Slots {}

impl Slots {
    /// Maps `count` buffers of `slot_bytes` each, a multiple of `BLOCK`.
    pub fn new(count: usize, slot_bytes: usize) -> Result<Arc<Slots>> {
        let whole = count.checked_mul(slot_bytes).ok_or(Errno::NOMEM)?;
        if whole == 0 || !slot_bytes.is_multiple_of(BLOCK) {
            return Err(Errno::INVAL);
        }
        // SAFETY: a new private mapping at an address of the kernel's choice touches nothing that exists.
        let at = unsafe {
            mm::mmap_anonymous(
                null_mut(),
                whole,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )?
        };
        // Fewer, larger pages are quicker to touch and to pin. Where there are none, small ones do.
        // SAFETY: the range is the mapping just made; the advice changes no content.
        let _ = unsafe { mm::madvise(at, whole, Advice::LinuxHugepage) };
        Ok(Arc::new(Slots {
            base: NonNull::new(at.cast()).ok_or(Errno::NOMEM)?,
            slot_bytes,
            count,
            free: Mutex::new((0..count).rev().collect()),
            returned: Condvar::new(),
        }))
    }

    /// Bytes of each buffer.
    pub fn slot_bytes(&self) -> usize {
        self.slot_bytes
    }

    /// How many buffers there are.
    pub fn count(&self) -> usize {
        self.count
    }

    fn free(&self) -> MutexGuard<'_, Vec<usize>> {
        // A push or pop is never half done.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A buffer, if one is free. Its content is what the last user left.
    pub fn take(self: &Arc<Slots>) -> Option<Slot> {
        let index = self.free().pop()?;
        Some(Slot {
            home: self.clone(),
            index,
        })
    }

    /// As `take`, waiting so long for one to be given back.
    pub fn take_within(self: &Arc<Slots>, patience: Duration) -> Option<Slot> {
        let free = self.free();
        let waited = self
            .returned
            .wait_timeout_while(free, patience, |free| free.is_empty());
        let index = waited.unwrap_or_else(PoisonError::into_inner).0.pop()?;
        Some(Slot {
            home: self.clone(),
            index,
        })
    }

    pub(crate) fn address(&self, index: usize) -> *mut u8 {
        assert!(index < self.count, "slot {index} of {}", self.count);
        // SAFETY: the offset is inside the mapping, which is `count` × `slot_bytes` long.
        unsafe { self.base.as_ptr().add(index * self.slot_bytes) }
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // SAFETY: every slot holds the mapping alive, so none is left that could use it.
        let _ = unsafe { mm::munmap(self.base.as_ptr().cast(), self.count * self.slot_bytes) };
    }
}

/// One buffer, lent out; back with the others when it is dropped.
#[derive(Debug)]
pub struct Slot {
    home: Arc<Slots>,
    index: usize,
}

impl Slot {
    pub(crate) fn home(&self) -> &Arc<Slots> {
        &self.home
    }

    pub(crate) fn index(&self) -> usize {
        self.index
    }
}

impl Deref for Slot {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the index is taken from the free list by this value alone until it is dropped, the bytes are
        // mapped and (from zero pages on) initialised, and a mutable borrow excludes this one.
        unsafe { std::slice::from_raw_parts(self.home.address(self.index), self.home.slot_bytes) }
    }
}

impl DerefMut for Slot {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `self` is borrowed mutably.
        unsafe {
            std::slice::from_raw_parts_mut(self.home.address(self.index), self.home.slot_bytes)
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.home.free().push(self.index);
        self.home.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_lent_once_and_comes_back() {
        let slots = Slots::new(2, BLOCK).unwrap();
        let (mut one, two) = (slots.take().unwrap(), slots.take().unwrap());
        assert!(slots.take().is_none());
        assert!(slots.take_within(Duration::ZERO).is_none());
        one.fill(1);
        assert!(two.iter().all(|byte| *byte == 0) && one.iter().all(|byte| *byte == 1));
        assert_eq!(one.as_ptr().align_offset(BLOCK), 0);
        drop(one);
        assert_eq!(slots.take().unwrap()[5], 1);
    }

    #[test]
    fn who_waits_gets_a_slot_that_another_thread_gives_back() {
        let slots = Slots::new(1, BLOCK).unwrap();
        let lent = slots.take().unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| slots.take_within(Duration::from_secs(60)).is_some());
            drop(lent);
            assert!(waiting.join().unwrap());
        });
    }

    #[test]
    fn buffers_that_are_no_whole_blocks_are_refused() {
        assert_eq!(Slots::new(1, 100).unwrap_err(), Errno::INVAL);
        assert_eq!(Slots::new(0, BLOCK).unwrap_err(), Errno::INVAL);
    }
}
