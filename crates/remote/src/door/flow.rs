//! One direction of a tunnel.

use std::os::fd::AsFd;

use super::connection::{Io, receive, send};

/// Buffers moved in one direction before others have their turn.
const TURNS: usize = 4;

/// Bytes on their way.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// Taken in and not yet passed on, from `at`; what lies before `until` may pass.
    held: Vec<u8>,
    at: usize,
    until: usize,
    /// The source has ended its stream.
    pub ended: bool,
}

/// Which call failed.
pub(crate) enum Failed {
    Reading,
    Writing,
}

impl Flow {
    /// Begins with what was read before.
    pub fn holding(held: Vec<u8>) -> Self {
        Self {
            held,
            ..Self::default()
        }
    }

    pub fn is_empty(&self) -> bool {
        self.at == self.held.len()
    }

    /// Whether something may pass and has not.
    pub fn is_due(&self) -> bool {
        self.at < self.until
    }

    /// Moves what can be moved now; returns how many bytes went out. `admit` is shown each byte once, in
    /// order, and says how many of those it is shown may pass; it is shown the others again later.
    pub fn run(
        &mut self,
        from: impl AsFd,
        to: impl AsFd,
        scratch: &mut [u8],
        mut admit: impl FnMut(&[u8]) -> usize,
    ) -> Result<usize, Failed> {
        let mut moved = self.pass(&to, &mut admit)?;
        for _ in 0..TURNS {
            if self.ended || !self.is_empty() {
                break;
            }
            match receive(&from, scratch) {
                Io::Moved(bytes) => {
                    self.held.extend_from_slice(&scratch[..bytes]);
                    moved += self.pass(&to, &mut admit)?;
                }
                Io::Ended => self.ended = true,
                Io::Blocked => break,
                Io::Failed(_) => return Err(Failed::Reading),
            }
        }
        Ok(moved)
    }

    fn pass(
        &mut self,
        to: impl AsFd,
        admit: &mut impl FnMut(&[u8]) -> usize,
    ) -> Result<usize, Failed> {
        if self.until < self.held.len() {
            self.until += admit(&self.held[self.until..]);
        }
        let from = self.at;
        while self.is_due() {
            match send(&to, &self.held[self.at..self.until], false) {
                Io::Moved(bytes) => self.at += bytes,
                Io::Blocked => return Ok(self.at - from),
                Io::Ended | Io::Failed(_) => return Err(Failed::Writing),
            }
        }
        let moved = self.at - from;
        // An idle tunnel keeps no memory.
        self.held = self.held.split_off(self.at);
        (self.at, self.until) = (0, 0);
        Ok(moved)
    }

    /// What has not been passed on.
    pub fn into_rest(mut self) -> Vec<u8> {
        self.held.split_off(self.at)
    }
}
