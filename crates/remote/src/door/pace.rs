//! Whether a client takes and sends fast enough to be waited for.

use std::time::{Duration, Instant};

/// What is asked of clients.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// How long one may be waited for before it has moved `least` bytes.
    pub window: Duration,
    /// Bytes, one at least.
    pub least: u64,
}

impl Rules {
    /// `rate` in bytes a second, on average over a window.
    pub fn new(window: Duration, rate: u64) -> Self {
        let least = rate as f64 * window.as_secs_f64();
        Self {
            window,
            least: (least as u64).max(1),
        }
    }
}

/// One client's pace. Only the time spent waiting for it counts: a slow disk is not its fault.
#[derive(Debug)]
pub(crate) struct Pace {
    rules: Rules,
    /// Waited since the count of bytes was `from`.
    waited: Duration,
    from: u64,
    since: Option<Instant>,
}

impl Pace {
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            waited: Duration::ZERO,
            from: 0,
            since: None,
        }
    }

    /// The client must move something now; `moved` is how much it has in all. Returns when it will have
    /// been waited for too long, and nothing when it has been already.
    pub fn waits(&mut self, now: Instant, moved: u64) -> Option<Instant> {
        self.resumes(now);
        if moved - self.from >= self.rules.least {
            (self.from, self.waited) = (moved, Duration::ZERO);
        }
        self.since = Some(now);
        let left = self.rules.window.checked_sub(self.waited)?;
        (!left.is_zero()).then(|| now + left)
    }

    /// It is not the client that is waited for any more.
    pub fn resumes(&mut self, now: Instant) {
        if let Some(since) = self.since.take() {
            self.waited += now.saturating_duration_since(since);
        }
    }

    /// Why it is given up, in words.
    pub fn complaint(&self) -> String {
        let Rules { window, least } = self.rules;
        let seconds = window.as_secs_f64();
        format!("too slow: fewer than {least} bytes moved in {seconds} s of waiting for the client")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace() -> Pace {
        Pace::new(Rules::new(10 * SECOND, 100))
    }

    #[test]
    fn dripping_does_not_buy_time() {
        let (mut pace, start) = (pace(), Instant::now());
        for second in 0..10 {
            let until = pace.waits(start + second * SECOND, u64::from(second));
            assert_eq!(until, Some(start + 10 * SECOND), "one byte a second");
        }
        assert_eq!(pace.waits(start + 10 * SECOND, 999), None);
    }

    #[test]
    fn enough_bytes_buy_a_window() {
        let (mut pace, start) = (pace(), Instant::now());
        for second in 0..100 {
            let now = start + second * SECOND;
            let until = pace.waits(now, u64::from(second) * 101);
            assert!(until.is_some_and(|until| until > now), "{second}");
        }
        let late = start + 100 * SECOND;
        assert_eq!(pace.waits(late, 1 << 20), Some(late + 10 * SECOND));
        // Caught up within the last wait: judged by what it has moved, not by when it was looked at.
        assert!(pace.waits(late + 30 * SECOND, 2 << 20).is_some());
    }

    #[test]
    fn our_own_time_does_not_count() {
        let (mut pace, start) = (pace(), Instant::now());
        for hour in 0..9u32 {
            let now = start + hour * 3600 * SECOND;
            assert!(pace.waits(now, 0).is_some(), "{hour}");
            pace.resumes(now + SECOND);
        }
        assert!(pace.waits(start + 9 * 3600 * SECOND, 0).is_some());
        assert_eq!(pace.waits(start + (9 * 3600 + 1) * SECOND, 0), None);
    }

    #[test]
    fn without_a_rate_one_byte_is_enough() {
        let mut pace = Pace::new(Rules::new(10 * SECOND, 0));
        let start = Instant::now();
        assert!(pace.waits(start, 0).is_some());
        assert!(pace.waits(start + 11 * SECOND, 1).is_some());
        assert_eq!(pace.waits(start + 21 * SECOND, 1), None);
    }
}
