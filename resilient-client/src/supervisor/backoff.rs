//! The delays between attempts to connect.

use std::time::Duration;

use resilient_policy::Retry;

/// 1 s, 2 s, 4 s, … 30 s, with jitter.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Returns the delay after another failure. An attempt that a request has caused makes the delay no longer.
    pub(super) fn next(&mut self, random: f64, is_by_request: bool) -> Duration {
        if !is_by_request || self.failures == 0 {
            self.failures = self.failures.saturating_add(1);
        }
        let mut schedule = Retry::new(1);
        schedule.base = Duration::from_secs(1);
        schedule.cap = Duration::from_secs(30);
        schedule.delay(self.failures.min(10), random)
    }

    /// Begins again, after a success.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}
