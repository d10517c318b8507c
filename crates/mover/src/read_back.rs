//! The hash of a file that is there, from its disk or through the page cache.

use std::ops::Range;

use sys::extents;

use crate::Control;
use crate::content::{Extents, read_full};
use crate::copy::{Order, Side, hash_from_disk};
use crate::failure::{During, Result};
use crate::hash::{ContentHash, Digest, HashKind};
use crate::trace::Trace;

/// Bytes per read.
const CHUNK: usize = 1 << 20;

/// A file whose content is wanted as a hash.
pub(crate) struct Wanted<'a> {
    pub file: Side<'a>,
    pub size: u64,
    /// `Off` counts as `Xxh3`.
    pub kind: HashKind,
    /// What the disk holds, not what the page cache says; reading it leaves nothing there.
    pub from_disk: bool,
    /// As in a copy: passed over.
    pub freed: Vec<Range<u64>>,
    pub control: &'a Control,
}

impl Wanted<'_> {
    fn kind(&self) -> HashKind {
        match self.kind {
            HashKind::Off => HashKind::Xxh3,
            kind => kind,
        }
    }

    /// Reads and hashes it from front to back.
    pub fn hash(&self) -> Result<Digest> {
        if !self.from_disk {
            return self.through_page_cache(None);
        }
        let path = || self.file.label.to_owned();
        extents::forget_cached(self.file.file, 0, 0).during("fadvise", path)?;
        match self.past_page_cache()? {
            Some(digest) => Ok(digest),
            // Reading back is no reason to push others out of the page cache.
            None => self.through_page_cache(Some(Trace::cold(self.file.file))),
        }
    }

    fn past_page_cache(&self) -> Result<Option<Digest>> {
        // Smaller ones are read sooner than a ring is made.
        if self.size < CHUNK as u64 {
            return Ok(None);
        }
        // What was copied has been counted; the counter stays.
        let unseen = Control::following(self.control);
        hash_from_disk(&Order {
            source: &self.file,
            target: None,
            size: self.size,
            allocated: self.size,
            before: 0,
            hash: self.kind(),
            skip_zeros: false,
            freed: self.freed.clone(),
            control: &unseen,
        })
    }

    fn through_page_cache(&self, mut trace: Option<Trace<'_>>) -> Result<Digest> {
        let (file, label) = (self.file.file, self.file.label);
        let path = || label.to_owned();
        let hash = ContentHash::new(self.kind());
        let mut hash = hash.expect("a kind that is not off");
        let mut buffer = vec![0u8; CHUNK.min(self.size as usize)];
        let mut parts = Extents::new(file, self.size, self.freed.clone());
        while let Some((mut at, end)) = parts.next().during("lseek", path)? {
            while at < end {
                self.control.check(label)?;
                if let Some(trace) = &mut trace {
                    trace.look(at).during("fadvise", path)?;
                }
                let part = &mut buffer[..CHUNK.min((end - at) as usize)];
                if !read_full(file, part, at).during("pread", path)? {
                    return Err(self.file.became_shorter());
                }
                hash.update(at, part);
                at += part.len() as u64;
                if let Some(trace) = &mut trace {
                    trace.read(at).during("fadvise", path)?;
                }
            }
        }
        if let Some(mut trace) = trace {
            trace.finish().during("fadvise", path)?;
        }
        Ok(hash.finish(self.size))
    }
}
