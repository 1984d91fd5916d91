//! Records the result of an execution at a breaker.

use std::sync::PoisonError;
use std::time::SystemTime;

use resilient_policy::Window;

use super::core::{Recorded, Signal, Ticket};
use super::sync::Ordering;
use super::window::{Results, Sample, Totals};
use super::{AttemptDuration, Breaker, Clean, Reason, core, limits};
use crate::clock::{self, Moment};
use crate::statistics::BreakerRecord;

impl Breaker {
    /// Returns whether the breaker is as it was, and a success changes nothing.
    #[inline]
    pub(crate) fn is_still(&self, clean: Clean) -> bool {
        !self.has_window() && core::is_still(self.cells(), clean) && self.failures_in_a_row.load(Ordering::Relaxed) == 0
    }

    /// Returns whether a success changes nothing, as nearly all do.
    #[inline]
    pub(crate) fn is_all_well(&self, ticket: Ticket) -> bool {
        !self.has_window()
            && core::is_closed_and_clean(self.cells(), ticket)
            && self.failures_in_a_row.load(Ordering::Relaxed) == 0
    }

    /// Records the outcome and the duration of an execution, which ends its ticket.
    pub(crate) fn record(&self, ticket: Ticket, signal: Signal, took: AttemptDuration) {
        self.attempts.recorded(match signal {
            Signal::Success => BreakerRecord::Success,
            Signal::Failure => BreakerRecord::Failure,
            Signal::Neutral => BreakerRecord::Neutral,
        });
        if signal == Signal::Success && self.is_all_well(ticket) {
            return;
        }
        match signal {
            Signal::Failure => {
                self.last_failure.store(clock::unix_millis(SystemTime::now()), Ordering::Relaxed);
                let more = |known: u32| Some(known.saturating_add(1));
                let _ = self.failures_in_a_row.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
            }
            // Write only on change, so that successes do not invalidate the cache line of other threads.
            Signal::Success if self.failures_in_a_row.load(Ordering::Relaxed) > 0 => {
                self.failures_in_a_row.store(0, Ordering::Relaxed);
            }
            Signal::Success | Signal::Neutral => {}
        }
        let settings = self.held();
        let now = Moment::now().millis();
        let slow = took.is_slow(&settings);
        if settings.has_window() && signal != Signal::Neutral && self.is_closed_in(ticket) {
            let sample = Sample { failed: signal == Signal::Failure, slow };
            let tripped = self.update_window(ticket, now, |results, window| match took {
                AttemptDuration::KnownToBeSlow(place) => {
                    results.end_slow(ticket.generation(), window, place, sample.failed, now)
                }
                AttemptDuration::Time(_) | AttemptDuration::Unknown => {
                    results.add(ticket.generation(), window, sample, now)
                }
            });
            if tripped {
                return;
            }
            if settings.rate.is_some() {
                let change = core::record_if_armed(self.cells(), limits(&settings), ticket, signal, now);
                self.report(change, Reason::Peer);
                return;
            }
        }
        // A slow probe shows that the dependency is not healthy.
        let (signal, reason) = match signal {
            Signal::Success if slow && ticket.is_probe() => (Signal::Failure, Reason::Slow),
            Signal::Failure => (Signal::Failure, Reason::Failures),
            other => (other, Reason::Recovered),
        };
        match core::record(self.cells(), limits(&settings), ticket, signal, now) {
            Recorded::Counted(change) => {
                let is_by_peer = change.is_some_and(|change| change.was_armed);
                self.report(change, if is_by_peer { Reason::Peer } else { reason });
            }
            Recorded::Stale => self.attempts.recorded(BreakerRecord::Stale),
        }
        if ticket.is_probe() && !ticket.is_lent() {
            self.wake_those_who_wait();
        }
    }

    pub(super) fn is_closed_in(&self, ticket: Ticket) -> bool {
        core::closed_generation(self.cells()) == Some(ticket.generation())
    }

    /// Changes the window, and opens the breaker if that reaches a rate.
    pub(super) fn update_window(
        &self,
        ticket: Ticket,
        now: u64,
        change: impl FnOnce(&mut Results, Window) -> Totals,
    ) -> bool {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock: results that a change of the settings has removed are not counted by the old ones.
        let settings = self.held();
        let totals = change(&mut results, settings.window);
        drop(results);
        let trips = totals.trips(&settings);
        if trips {
            let change = core::trip(self.cells(), limits(&settings), ticket.generation(), now);
            let is_failing =
                settings.rate.is_some_and(|rate| f64::from(totals.failed) / f64::from(totals.calls) >= rate);
            self.report(change, if is_failing { Reason::Failures } else { Reason::Slow });
        }
        trips
    }
}
