//! The data that exporters read: one series per breaker name, which combines the breakers of all partition keys.

use std::time::Duration;

use super::core::State;
use super::{Breaker, BreakerState};
use crate::statistics::{AttemptSnapshot, BreakerRecord};

/// The counters of all breakers of one name, over all partition keys.
///
/// ```
/// use resilient_runtime::Registry;
///
/// for (name, counted) in Registry::global().breaker_series() {
///     eprintln!("{name}: {:?}, {} rejected", counted.state, counted.rejected);
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerSeries {
    /// The worst state of any of the breakers. A breaker whose open period is over counts as half-open, because it
    /// rejects no call. Such a breaker of a key is ignored.
    pub state: BreakerState,
    /// The number of results that were successes.
    pub successes: u64,
    /// The number of results that were failures.
    pub failures: u64,
    /// The number of neutral results, which say nothing about the dependency.
    pub neutral: u64,
    /// The number of rejected calls.
    pub rejected: u64,
    /// The number of results that arrived too late to matter.
    pub stale: u64,
    /// The number of transitions, for each pair of states.
    pub transitions: Vec<((BreakerState, BreakerState), u64)>,
    /// Durations of the attempts that functions made under the breaker.
    pub attempts: AttemptSnapshot,
}

impl BreakerSeries {
    /// Returns the rank of a state; a higher rank is worse.
    pub(crate) const fn rank(state: State) -> u8 {
        match state {
            State::Closed => 0,
            State::HalfOpen => 1,
            State::Open => 2,
            State::Isolated => 3,
        }
    }

    /// Adds the counters of another breaker and combines the states.
    pub(crate) fn and(&mut self, other: &Breaker) {
        let counted = other.series();
        self.count(&counted);
        // The next call would probe, but there may never be another call with that key.
        if !other.is_over() && Self::rank(counted.state) > Self::rank(self.state) {
            self.state = counted.state;
        }
    }

    /// Adds the counters of another series, but not its state.
    pub(crate) fn count(&mut self, other: &Self) {
        self.successes += other.successes;
        self.failures += other.failures;
        self.neutral += other.neutral;
        self.rejected += other.rejected;
        self.stale += other.stale;
        self.attempts.add(&other.attempts);
        for ((_, count), (_, more)) in self.transitions.iter_mut().zip(&other.transitions) {
            *count += more;
        }
    }
}

impl Breaker {
    /// Returns whether the breaker is open and its open period is over, so that the next call probes, if there is one.
    pub(super) fn is_over(&self) -> bool {
        self.state() == State::Open && !self.rejects_after(Duration::ZERO)
    }

    /// Returns the counters of this breaker.
    pub(crate) fn series(&self) -> BreakerSeries {
        BreakerSeries {
            state: if self.is_over() { State::HalfOpen } else { self.state() },
            successes: self.attempts.count(BreakerRecord::Success),
            failures: self.attempts.count(BreakerRecord::Failure),
            neutral: self.attempts.count(BreakerRecord::Neutral),
            rejected: self.attempts.count(BreakerRecord::Rejected),
            stale: self.attempts.count(BreakerRecord::Stale),
            transitions: self.history.counts(),
            attempts: self.attempts.read(),
        }
    }
}
