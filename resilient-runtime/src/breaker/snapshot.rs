//! Snapshots of the state and counters of a breaker.

use std::sync::PoisonError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::core::{self, State};
use super::history::Transition;
use super::sync::Ordering;
use super::{Breaker, BreakerState};
use crate::clock::Moment;
use crate::statistics::BreakerRecord;

/// A snapshot of a breaker.
///
/// ```
/// use resilient_runtime::Breaker;
/// use resilient_runtime::breaker::BreakerState;
/// use resilient_runtime::policy::BreakerSettings;
///
/// let shop = Breaker::new("shop", BreakerSettings::new());
/// shop.try_acquire()?.failure();
/// let seen = shop.snapshot();
/// assert_eq!((seen.state, seen.consecutive_failures, seen.failures), (BreakerState::Closed, 1, 1));
/// # Ok::<_, resilient_runtime::ResilienceError>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BreakerSnapshot {
    /// The name of the breaker.
    pub name: &'static str,
    /// The state of the breaker.
    pub state: BreakerState,
    /// The remaining time of the open period, or of the lease of the running probes.
    pub remaining: Option<Duration>,
    /// The number of consecutive failures, while the breaker is closed. The count starts again when the breaker of
    /// another replica opens.
    pub consecutive_failures: u32,
    /// Whether the next failure opens the breaker, because that of another replica has opened. The next success ends
    /// this. `false` unless the breaker is closed and `distributed`.
    pub armed: bool,
    /// The number of failures since the last success, in any state and with any settings.
    pub failures_in_a_row: u32,
    /// Whether this is the breaker of a partition key.
    pub of_key: bool,
    /// The results in the window, if the breaker is closed and has a window: all, failed, slow.
    pub window: Option<(u32, u32, u32)>,
    /// The number of running probes.
    pub probes: u32,
    /// The number of successes.
    pub successes: u64,
    /// The number of failures.
    pub failures: u64,
    /// The number of neutral results, which say nothing about the dependency, including cancelled calls.
    pub neutral: u64,
    /// The number of rejected calls.
    pub rejected: u64,
    /// The number of results that arrived too late to matter. The three counters above include them.
    pub stale: u64,
    /// The wall-clock time of the last failure.
    pub last_failure: Option<SystemTime>,
    /// The wall-clock time of the last transition. `None` if there was none.
    pub since: Option<SystemTime>,
    /// The last 100 transitions, oldest first.
    pub transitions: Vec<Transition>,
}

impl BreakerSnapshot {
    /// Returns whether the breaker is open and its open period is over, so that the next call probes, if there is one.
    pub(crate) fn is_over(&self) -> bool {
        self.state == State::Open && self.remaining.is_none_or(|left| left.is_zero())
    }
}

impl Breaker {
    /// Returns a snapshot of the state and counters of the breaker.
    #[must_use]
    pub fn snapshot(&self) -> BreakerSnapshot {
        let (state, count, probes) = core::peek(self.cells());
        let transitions = self.history.read();
        BreakerSnapshot {
            name: self.name,
            state,
            remaining: self.remaining(),
            consecutive_failures: if state == State::Closed { count } else { 0 },
            armed: state == State::Closed && core::is_armed(self.cells()),
            failures_in_a_row: self.failures_in_a_row.load(Ordering::Relaxed),
            of_key: false,
            window: self.window(),
            probes,
            successes: self.attempts.count(BreakerRecord::Success),
            failures: self.attempts.count(BreakerRecord::Failure),
            neutral: self.attempts.count(BreakerRecord::Neutral),
            rejected: self.attempts.count(BreakerRecord::Rejected),
            stale: self.attempts.count(BreakerRecord::Stale),
            last_failure: match self.last_failure.load(Ordering::Relaxed) {
                0 => None,
                millis => UNIX_EPOCH.checked_add(Duration::from_millis(millis)),
            },
            since: transitions.last().map(|moved| moved.at),
            transitions,
        }
    }

    pub(super) fn window(&self) -> Option<(u32, u32, u32)> {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = self.held();
        let generation = core::closed_generation(self.cells()).filter(|_| settings.has_window())?;
        let totals = results.totals(generation, settings.window, Moment::now().millis());
        Some((totals.calls, totals.failed, totals.slow))
    }
}
