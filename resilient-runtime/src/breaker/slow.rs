//! Executions that are slow: noted while they still run, and taken out again where another result tells of the same
//! request.

use std::sync::PoisonError;
use std::time::Duration;

use resilient_policy::BreakerSettings;

use super::window::{Place, Sample};
use super::{Breaker, Ticket};
use crate::clock::Moment;

/// How long an execution took, as far as that is known.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Took {
    /// That long.
    Time(Duration),
    /// Long enough that [`Breaker::note_slow`] noted it, which may have put it in a window.
    KnownToBeSlow(Option<Place>),
    /// It did not begin, or its time says nothing about the dependency.
    Nothing,
}

impl Took {
    pub(super) fn is_slow(self, settings: &BreakerSettings) -> bool {
        match (self, settings.slow) {
            (Self::Time(took), Some(slow)) => took >= slow,
            (Self::KnownToBeSlow(_), _) => true,
            (Self::Time(_) | Self::Nothing, _) => false,
        }
    }

    /// Whether a window has a result of it while it still runs.
    pub(crate) const fn is_in_window(self) -> bool {
        matches!(self, Self::KnownToBeSlow(Some(_)))
    }
}

impl Breaker {
    /// Takes note that an execution that is still running has become slow: a dependency that hangs
    /// must not look well until its callers give up. Called at most once for a ticket; what it returns
    /// is what took the time when the ticket is given back.
    pub(crate) fn note_slow(&self, ticket: Ticket) -> Took {
        let settings = self.held();
        let mut place = None;
        if settings.slow.is_some() && self.is_closed_in(ticket) {
            let now = Moment::now().millis();
            let sample = Sample { failed: false, slow: true };
            self.look_at_window(settings, ticket, now, |results| {
                let totals = results.add(ticket.generation(), settings.window, sample, now);
                place = results.newest();
                totals
            });
        }
        Took::KnownToBeSlow(place)
    }

    /// Takes the result of a slow execution out of the window: another result tells of the same request.
    pub(crate) fn withdraw_slow(&self, ticket: Ticket, took: Took) {
        if let Took::KnownToBeSlow(Some(place)) = took {
            self.results.lock().unwrap_or_else(PoisonError::into_inner).withdraw_slow(ticket.generation(), place);
        }
    }
}
