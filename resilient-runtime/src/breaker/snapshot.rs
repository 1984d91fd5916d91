//! What a breaker says about itself to whoever asks.

use std::sync::PoisonError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::core::{self, State};
use super::history::Transition;
use super::sync::Ordering;
use super::{Breaker, BreakerState};
use crate::clock::Moment;
use crate::statistics::Heard;

/// What a breaker said when it was read.
///
/// ```
/// use resilient_runtime::{Breaker, BreakerSettings, BreakerState};
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
    /// Its name.
    pub name: &'static str,
    /// Where it stands.
    pub state: BreakerState,
    /// What is left of the open period, or of the lease of the probes that are running.
    pub remaining: Option<Duration>,
    /// Failures in a row, while it is closed.
    pub consecutive_failures: u32,
    /// Failures since the last success, wherever it stands and whatever it decides by.
    pub failures_in_a_row: u32,
    /// Whether it is that of a key.
    pub of_key: bool,
    /// What the window holds, while it is closed and has one: results, failures, slow ones.
    pub window: Option<(u32, u32, u32)>,
    /// Probes that are running.
    pub probes: u32,
    /// Results that were successes.
    pub successes: u64,
    /// Results that were failures.
    pub failures: u64,
    /// Results that said nothing about the dependency, cancelled calls among them.
    pub neutral: u64,
    /// Calls that were not let through.
    pub rejected: u64,
    /// Results that came too late to matter; they are among the three above as well.
    pub stale: u64,
    /// When the last failure was, by the wall clock.
    pub last_failure: Option<SystemTime>,
    /// Since when it stands where it stands, by the wall clock. `None` where it never moved.
    pub since: Option<SystemTime>,
    /// The last 100 transitions, oldest first.
    pub transitions: Vec<Transition>,
}

impl BreakerSnapshot {
    /// Whether it is open and its period is over: the next call probes, if there is ever one.
    pub(crate) fn is_over(&self) -> bool {
        self.state == State::Open && self.remaining.is_none_or(|left| left.is_zero())
    }
}

impl Breaker {
    /// What it has seen and where it stands.
    #[must_use]
    pub fn snapshot(&self) -> BreakerSnapshot {
        let (state, count, probes) = core::peek(self.cells());
        let transitions = self.history.read();
        BreakerSnapshot {
            name: self.name,
            state,
            remaining: self.remaining(),
            consecutive_failures: if state == State::Closed { count } else { 0 },
            failures_in_a_row: self.failures_in_a_row.load(Ordering::Relaxed),
            of_key: false,
            window: self.window(),
            probes,
            successes: self.attempts.count(Heard::Success),
            failures: self.attempts.count(Heard::Failure),
            neutral: self.attempts.count(Heard::Neutral),
            rejected: self.attempts.count(Heard::Rejected),
            stale: self.attempts.count(Heard::Stale),
            last_failure: match self.last_failure.load(Ordering::Relaxed) {
                0 => None,
                millis => UNIX_EPOCH.checked_add(Duration::from_millis(millis)),
            },
            since: transitions.last().map(|moved| moved.at),
            transitions,
        }
    }

    pub(super) fn window(&self) -> Option<(u32, u32, u32)> {
        let settings = self.settings();
        let generation = core::closed_generation(self.cells()).filter(|_| settings.has_window())?;
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        let totals = results.totals(generation, settings.window, Moment::now().millis());
        Some((totals.calls, totals.failed, totals.slow))
    }
}
