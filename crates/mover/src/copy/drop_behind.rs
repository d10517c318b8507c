//! Writing through the page cache without staying in it.

use std::os::fd::OwnedFd;

use sys::{Errno, extents};

use super::Side;
use crate::failure::{During, Result};

/// Dirty bytes of a copy in flight: enough to keep a disk busy, little enough not to flush others out.
pub(super) const WINDOW: u64 = 8 << 20;

/// Starts write-back of one window while the next is filled, then waits for it and drops its pages.
pub(super) struct DropBehind<'a> {
    target: &'a Side<'a>,
    /// Written, write-back not yet waited for; and where the part begins that was not even started.
    pending: Option<(u64, u64)>,
}

impl<'a> DropBehind<'a> {
    pub fn new(target: &'a Side<'a>) -> DropBehind<'a> {
        DropBehind {
            target,
            pending: None,
        }
    }

    pub fn wrote(&mut self, from: u64, to: u64) -> Result<()> {
        let (start, _) = self.pending.unwrap_or((from, from));
        self.range(from, to, |file, at, bytes| {
            extents::start_writeback(file, at, bytes)
        })?;
        self.pending = Some((start, to));
        if to - start >= WINDOW {
            // All but the newest chunk, whose write-back has only begun.
            self.drop_until(from)?;
        }
        Ok(())
    }

    pub fn finish(&mut self) -> Result<()> {
        self.pending.map_or(Ok(()), |(_, to)| self.drop_until(to))
    }

    fn drop_until(&mut self, until: u64) -> Result<()> {
        let Some((start, to)) = self.pending else {
            return Ok(());
        };
        if until > start {
            self.range(start, until, |file, at, bytes| {
                extents::finish_writeback(file, at, bytes)
            })?;
            let path = || self.target.path();
            extents::forget_cached(self.target.file, start, until - start)
                .during("fadvise", path)?;
        }
        self.pending = (until < to).then_some((until, to));
        Ok(())
    }

    /// An error of write-back is told once, here or by fsync: it must not be passed over.
    fn range(
        &self,
        from: u64,
        to: u64,
        call: impl Fn(&OwnedFd, u64, u64) -> sys::Result<()>,
    ) -> Result<()> {
        match call(self.target.file, from, to - from) {
            Err(Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL | Errno::SPIPE) => Ok(()),
            other => other.during("sync_file_range", || self.target.path()),
        }
    }
}
