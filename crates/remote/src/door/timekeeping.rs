//! What time does to connections: patience ends, and a closing door cuts at its deadline.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::event_loop::{EventLoop, Slot, State};
use super::reply;
use super::tokens::Verdict;
use super::upload::UploadErrorCode;

/// How often a closing door looks for tunnels that have fallen silent.
const LOOK: Duration = Duration::from_millis(50);

impl EventLoop {
    /// Ends what has waited long enough, and finds out when to look again.
    pub fn keep_time(&mut self, now: Instant) {
        if self.wake_at.is_none_or(|at| at > now) {
            return;
        }
        self.wake_at = None;
        self.rests_until = self.rests_until.filter(|until| *until > now);
        for key in self.tokens.expired(now) {
            self.judged(key, Verdict::Unavailable);
        }
        self.shared
            .expectations
            .expire(self.shared.options.upload_wait);
        let late = |slot: &Slot| slot.until.is_some_and(|until| until <= now);
        for key in self
            .slots
            .iter()
            .filter(|(_, slot)| late(slot))
            .map(|(key, _)| *key)
            .collect::<Vec<_>>()
        {
            if let Some(slot) = self.slots.remove(&key) {
                self.out_of_time(key, slot.state);
            }
        }
        if let Some(deadline) = self.closing {
            self.go_on_closing(now, deadline);
        }
        let next = self.slots.values().filter_map(|slot| slot.until).min();
        let uploads = self
            .shared
            .expectations
            .earliest(self.shared.options.upload_wait);
        for at in [next, self.tokens.earliest(), uploads]
            .into_iter()
            .flatten()
        {
            self.arm(at);
        }
    }

    /// A connection's patience has ended.
    fn out_of_time(&mut self, key: u64, state: State) {
        match state {
            State::Head(connection) if connection.buffer.is_empty() => {}
            State::Head(connection) => self.reply(key, connection, reply::empty(408, false)),
            State::Expecting(connection, request) => self.not_expected(key, connection, &request),
            State::Parked {
                mut job,
                for_reading,
            } => match job.waits(Instant::now()) {
                Some(until) => self.hold(key, State::Parked { job, for_reading }, Some(until)),
                None => {
                    let reason = job.complaint();
                    self.pool.give_up(job, UploadErrorCode::Timeout, &reason);
                }
            },
            State::Tunnel(tunnel) => self.pump(key, tunnel),
            State::Judging(..) | State::Replying { .. } | State::Lingering(_) => {}
        }
    }

    pub fn begin_close(&mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        self.closing = Some(deadline);
        self.listener = None;
        self.shared.expectations.close();
        let idle = |slot: &Slot| matches!(slot.state, State::Head(_));
        self.slots.retain(|_, slot| !idle(slot));
        self.look_at_uploads();
        self.go_on_closing(Instant::now(), deadline);
    }

    /// A kept-alive tunnel ends when nothing moves in it; at the deadline all that is left is cut.
    fn go_on_closing(&mut self, now: Instant, deadline: Instant) {
        let over = now >= deadline;
        let ends = |slot: &Slot| {
            over || matches!(&slot.state, State::Tunnel(tunnel) if tunnel.is_quiet(now))
        };
        let keys: Vec<u64> = self
            .slots
            .iter()
            .filter(|(_, slot)| ends(slot))
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            match self.slots.remove(&key).map(|slot| slot.state) {
                Some(State::Tunnel(tunnel)) if !over => self.linger(key, tunnel.into_client()),
                Some(state) => self.cut(state),
                None => {}
            }
        }
        if over {
            self.pool.cut.store(true, Ordering::Relaxed);
        }
        self.arm(now + LOOK);
    }

    fn cut(&self, state: State) {
        match state {
            State::Parked { job, .. } => {
                self.pool
                    .give_up(job, UploadErrorCode::Closed, "the front door closed")
            }
            State::Tunnel(tunnel) => tunnel.into_client().destroy(),
            State::Judging(connection, _) | State::Expecting(connection, _) => connection.destroy(),
            State::Replying { connection, .. } => connection.destroy(),
            State::Head(_) | State::Lingering(_) => {}
        }
    }
}
