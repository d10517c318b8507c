//! Cuts a file's data extents into what is copied at once, and sets blocks aside for them.

use std::os::fd::OwnedFd;

use sys::{Errno, extents};

use super::{Order, Side};
use crate::Control;
use crate::content::Extents;
use crate::failure::{During, Result};

/// Shorter extents are written by a few requests: setting blocks aside for each costs more than it gives.
const WORTH_RESERVING: u64 = 16 << 20;

/// What is copied at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// Segments of a file are counted from 0, so that the hash takes them in order.
    pub number: u64,
    pub at: u64,
    pub bytes: usize,
}

pub(super) struct Segments<'a> {
    source: &'a Side<'a>,
    /// Where blocks are set aside; None for a file that is only read, or whose zeros are left out.
    reserve_in: Option<&'a Side<'a>>,
    control: &'a Control,
    extents: Extents<'a>,
    most: usize,
    /// What is left of the current extent.
    left: (u64, u64),
    next: u64,
}

impl<'a> Segments<'a> {
    /// @param most bytes of one segment, a multiple of the block size
    pub fn of(order: &Order<'a>, most: usize) -> Segments<'a> {
        Segments {
            reserve_in: (!order.skip_zeros).then_some(order.target).flatten(),
            source: order.source,
            control: order.control,
            extents: Extents::new(order.source.file, order.size, order.freed.clone()),
            most,
            left: (0, 0),
            next: 0,
        }
    }

    /// The next one, None at the end. Holes count as copied when they are passed.
    pub fn next(&mut self) -> Result<Option<Segment>> {
        if self.left.0 == self.left.1 {
            let before = self.left.1;
            let Some((start, end)) = self.extents.next().during("lseek", || self.source.path())?
            else {
                return Ok(None);
            };
            self.control.advance(start - before);
            self.left = (start, end);
            if let Some(target) = self.reserve_in.filter(|_| end - start >= WORTH_RESERVING) {
                reserve(target, start, end - start)?;
            }
        }
        let (at, end) = self.left;
        let bytes = self.most.min((end - at) as usize);
        self.left.0 += bytes as u64;
        self.next += 1;
        Ok(Some(Segment {
            number: self.next - 1,
            at,
            bytes,
        }))
    }
}

/// Finds out that the disk is full before writing, and gets long extents. Not every file system can.
fn reserve(target: &Side<'_>, offset: u64, bytes: u64) -> Result<()> {
    let file: &OwnedFd = target.file;
    match extents::allocate(file, offset, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        other => other.during("fallocate", || target.path()),
    }
}
