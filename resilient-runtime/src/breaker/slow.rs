//! Slow executions: recorded while they still run, and removed again if another result covers the same request.

use std::sync::PoisonError;
use std::time::Duration;

use resilient_policy::BreakerSettings;

use super::window::{Sample, SampleNumber};
use super::{Breaker, Ticket};
use crate::clock::Moment;

/// The duration of an execution, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AttemptDuration {
    /// The execution took this long.
    Time(Duration),
    /// The execution is slow: [`Breaker::note_slow`] recorded it, and may have added it to a window.
    KnownToBeSlow(Option<SampleNumber>),
    /// The execution did not start, or its duration says nothing about the dependency.
    Unknown,
}

impl AttemptDuration {
    pub(super) fn is_slow(self, settings: &BreakerSettings) -> bool {
        match (self, settings.slow) {
            (Self::Time(took), Some(slow)) => took >= slow,
            (Self::KnownToBeSlow(_), _) => true,
            (Self::Time(_) | Self::Unknown, _) => false,
        }
    }

    /// Returns whether a window has a result of the execution while it still runs.
    pub(crate) const fn is_in_window(self) -> bool {
        matches!(self, Self::KnownToBeSlow(Some(_)))
    }
}

impl Breaker {
    /// Returns when an execution that begins at `started` is slow, or [`Moment::LAST`] if the breaker counts none as slow.
    pub(crate) fn slow_at(&self, started: Moment) -> Moment {
        let slow = if self.has_window() { self.held().slow } else { None };
        slow.map_or(Moment::LAST, |slow| started.after(slow))
    }

    /// Records that a running execution has become slow: a dependency that hangs must not look healthy until its
    /// callers time out. Called at most once per ticket. Pass the result as the duration when the ticket is returned.
    pub(crate) fn note_slow(&self, ticket: Ticket) -> AttemptDuration {
        let mut number = None;
        if self.held().slow.is_some() && self.is_closed_in(ticket) {
            let now = Moment::now().millis();
            let sample = Sample { failed: false, slow: true };
            self.update_window(ticket, now, |results, window| {
                let totals = results.add(ticket.generation(), window, sample, now);
                number = results.newest();
                totals
            });
        }
        AttemptDuration::KnownToBeSlow(number)
    }

    /// Removes the result of a slow execution from the window, because another result covers the same request.
    pub(crate) fn withdraw_slow(&self, ticket: Ticket, took: AttemptDuration) {
        if let AttemptDuration::KnownToBeSlow(Some(number)) = took {
            self.results.lock().unwrap_or_else(PoisonError::into_inner).withdraw_slow(ticket.generation(), number);
        }
    }
}
