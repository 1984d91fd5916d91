//! When a breaker opens, how long it stays open, and what closes it again.

use std::time::Duration;

use crate::{Problem, format_duration};

const SHORTEST_OPEN: Duration = Duration::from_millis(100);
const LONGEST_OPEN: Duration = Duration::from_secs(24 * 60 * 60);

/// The most failures, probes or successes that a breaker can count.
pub(crate) const LARGEST_COUNT: u32 = 1023;

/// The settings of one breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerSettings {
    /// How many failures in a row open it. Default 5.
    pub failures: u32,
    /// How long it stays open before a probe is let through. Default 60 s.
    pub open: Duration,
    /// How many probes may run at a time while it is half-open. Default 1.
    pub probes: u32,
    /// How many successful probes close it. Default 2.
    pub successes: u32,
}

impl BreakerSettings {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self { failures: 5, open: Duration::from_secs(60), probes: 1, successes: 2 }
    }

    /// Sets how many failures in a row open it.
    #[must_use]
    pub const fn failures(mut self, failures: u32) -> Self {
        self.failures = failures;
        self
    }

    /// Sets how long it stays open before a probe is let through.
    #[must_use]
    pub const fn open(mut self, open: Duration) -> Self {
        self.open = open;
        self
    }

    /// Sets how many probes may run at a time while it is half-open.
    #[must_use]
    pub const fn probes(mut self, probes: u32) -> Self {
        self.probes = probes;
        self
    }

    /// Sets how many successful probes close it.
    #[must_use]
    pub const fn successes(mut self, successes: u32) -> Self {
        self.successes = successes;
        self
    }

    pub(crate) fn problems(&self, found: &mut Vec<Problem>) {
        for (path, value) in [
            ("breaker.failures", self.failures),
            ("breaker.probes", self.probes),
            ("breaker.successes", self.successes),
        ] {
            if value == 0 || value > LARGEST_COUNT {
                found.push(Problem::new(path, format!("expected 1 to {LARGEST_COUNT}, found {value}")));
            }
        }
        if self.open < SHORTEST_OPEN || self.open > LONGEST_OPEN {
            found.push(Problem::new(
                "breaker.open",
                format!("expected between 100ms and 24h, found {}", format_duration(self.open)),
            ));
        }
    }
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self::new()
    }
}
