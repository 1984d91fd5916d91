//! What exporters read: one series for each name, those of all its keys together.

use std::time::Duration;

use super::core::State;
use super::{Breaker, BreakerState};
use crate::statistics::{AttemptSnapshot, Heard};

/// What has been counted under the name of a breaker, whatever the key.
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
    /// The state of the one that stands worst; a key whose open period is over is left out.
    pub state: BreakerState,
    /// Calls that were not let through.
    pub rejected: u64,
    /// Results that came too late to matter.
    pub stale: u64,
    /// How often it has gone from one state to another.
    pub transitions: Vec<((BreakerState, BreakerState), u64)>,
    /// How long attempts took that functions made under it.
    pub attempts: AttemptSnapshot,
}

impl BreakerSeries {
    /// Whether rejecting this state is worse than that.
    pub(crate) const fn rank(state: State) -> u8 {
        match state {
            State::Closed => 0,
            State::HalfOpen => 1,
            State::Open => 2,
            State::Isolated => 3,
        }
    }

    /// This breaker and that one as one.
    pub(crate) fn and(&mut self, other: &Breaker) {
        let counted = other.series();
        self.count(&counted);
        // The next call would probe, but there may never be one of that key.
        let is_over = counted.state == State::Open && !other.rejects_after(Duration::ZERO);
        if !is_over && Self::rank(counted.state) > Self::rank(self.state) {
            self.state = counted.state;
        }
    }

    /// What another has counted; where it stands does not matter any more.
    pub(crate) fn count(&mut self, other: &Self) {
        self.rejected += other.rejected;
        self.stale += other.stale;
        self.attempts.add(&other.attempts);
        for ((_, count), (_, more)) in self.transitions.iter_mut().zip(&other.transitions) {
            *count += more;
        }
    }
}

impl Breaker {
    /// What this one has counted.
    pub(crate) fn series(&self) -> BreakerSeries {
        BreakerSeries {
            state: self.state(),
            rejected: self.attempts.count(Heard::Rejected),
            stale: self.attempts.count(Heard::Stale),
            transitions: self.history.counts(),
            attempts: self.attempts.read(),
        }
    }
}
