//! Bytes per second that fetches may receive: in all, and from each peer. Both may change at any time.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::control::Control;
use super::failure::Result;

/// What was not received is not made up for beyond this: a limit also bounds bursts.
const BURST_SECONDS: f64 = 0.1;
/// Least that is read at once under a limit.
const MIN_GRAIN: u64 = 16 << 10;

/// Shared by all fetches of a node. Without a limit nothing is counted.
#[derive(Debug, Default)]
pub struct Limits {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    total: Option<u64>,
    per_peer: Option<u64>,
    all: Bucket,
    peers: HashMap<String, Bucket>,
}

/// Bytes that may be received now; below zero, too many have been.
#[derive(Debug)]
struct Bucket {
    balance: f64,
    at: Instant,
}

impl Default for Bucket {
    fn default() -> Self {
        Self {
            balance: 0.0,
            at: Instant::now(),
        }
    }
}

impl Bucket {
    fn charge(&mut self, rate: u64, bytes: f64, now: Instant) {
        let rate = rate as f64;
        let earned = now.saturating_duration_since(self.at).as_secs_f64() * rate;
        self.at = now;
        self.balance = (self.balance + earned).min(rate * BURST_SECONDS) - bytes;
    }
}

impl State {
    /// @returns whether a limit is overdrawn
    fn charge(&mut self, peer: &str, bytes: usize, now: Instant) -> bool {
        let mut overdrawn = false;
        if let Some(rate) = self.total {
            self.all.charge(rate, bytes as f64, now);
            overdrawn |= self.all.balance < 0.0;
        }
        if let Some(rate) = self.per_peer {
            if !self.peers.contains_key(peer) {
                // An hour of peers come and gone is no reason to remember them.
                self.peers.retain(|_, bucket| bucket.balance < 0.0);
                self.peers.insert(peer.to_owned(), Bucket::default());
            }
            let bucket = self.peers.entry(peer.to_owned()).or_default();
            bucket.charge(rate, bytes as f64, now);
            overdrawn |= bucket.balance < 0.0;
        }
        overdrawn
    }
}

impl Limits {
    /// Sets both limits in bytes per second; `None` and 0 lift one. Running fetches follow at once.
    pub fn set(&self, total: Option<u64>, per_peer: Option<u64>) {
        let mut state = self.state();
        // Debts made under another limit would hold up a fetch for as long as that one was generous.
        *state = State {
            total: total.filter(|rate| *rate > 0),
            per_peer: per_peer.filter(|rate| *rate > 0),
            ..State::default()
        };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Numbers are whole whatever thread died while it held the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Most that may be read at once, so that a limit is kept evenly.
    pub(crate) fn grain(&self) -> usize {
        let state = self.state();
        let least = [state.total, state.per_peer].into_iter().flatten().min();
        least.map_or(usize::MAX, |rate| {
            usize::try_from((rate / 16).max(MIN_GRAIN)).unwrap_or(usize::MAX)
        })
    }

    /// Counts what was received, and waits until no limit is overdrawn.
    pub(crate) fn charge(&self, peer: &str, bytes: usize, control: &Control) -> Result<()> {
        let mut overdrawn = self.state().charge(peer, bytes, Instant::now());
        while overdrawn {
            control.hold()?;
            overdrawn = self.state().charge(peer, 0, Instant::now());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn state(total: u64, per_peer: u64) -> (State, Instant) {
        let limits = Limits::default();
        limits.set(Some(total), Some(per_peer));
        let mut state = limits.state.into_inner().unwrap();
        let now = state.all.at;
        state.charge("a", 0, now);
        state.charge("b", 0, now);
        let now = now + Duration::from_secs(3600);
        (state, now)
    }

    #[test]
    fn each_peer_and_all_together_have_their_limit() {
        let (mut state, now) = state(1000, 600);
        // An hour of silence is worth a tenth of a second.
        assert!(!state.charge("a", 60, now));
        assert!(state.charge("a", 1, now));
        assert!(!state.charge("b", 39, now));
        assert!(state.charge("b", 2, now));
        let later = now + Duration::from_millis(50);
        assert!(!state.charge("a", 0, later));
        assert!(!state.charge("b", 0, later));
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let limits = Limits::default();
        assert_eq!(limits.grain(), usize::MAX);
        limits.charge("a", usize::MAX, &Control::default()).unwrap();
        limits.set(Some(16 << 20), None);
        assert_eq!(limits.grain(), 1 << 20);
        limits.set(Some(1), Some(0));
        assert_eq!(limits.grain(), MIN_GRAIN as usize);
    }

    #[test]
    fn a_lifted_limit_lets_a_waiting_fetch_go() {
        let limits = Limits::default();
        limits.set(Some(1), None);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| limits.charge("a", 1 << 30, &Control::default()));
            while limits.state().all.balance > -1.0 {
                std::thread::yield_now();
            }
            limits.set(None, None);
            waiting.join().unwrap().unwrap();
        });
    }
}
