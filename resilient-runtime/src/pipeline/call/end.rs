//! The end of a call: it is counted once, and gives back whatever it still holds.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::limits::is_recorded_inside;
use super::{Call, Verdict};
use crate::breaker::{Breaker, Signal, Ticket, Took};
use crate::clock::Moment;
use crate::context::{CallContext, EnclosingAttempt};
use crate::outcomes::{AttemptOutcome, Outcome};
use crate::panics::barrier;
use crate::pipeline::turn::Turn;
use crate::statistics::{AttemptStatistics, ErrorType};
use crate::telemetry;

impl Call<'_> {
    /// The call is over.
    pub(crate) fn finish(mut self: Pin<&mut Self>, verdict: &Verdict) {
        *self.as_mut().project().fault = verdict.fault();
        if self.attempt > 1 {
            self.has_retried(verdict);
        }
        self.end(verdict.outcome());
    }

    /// Says so to the attempt around the call.
    #[cold]
    fn has_retried(&self, verdict: &Verdict) {
        if let (Some(around), Some(kind)) = (self.around(), verdict.kind()) {
            around.retried(kind);
        }
    }

    /// The call is over, and something else answered.
    pub(crate) fn finish_degraded(mut self: Pin<&mut Self>, verdict: &Verdict) {
        *self.as_mut().project().fault = verdict.fault();
        self.end(Outcome::Fallback);
    }

    /// Nobody waits for it any more.
    #[cold]
    pub(super) fn dropped(self: Pin<&mut Self>) {
        // A panic that no barrier was around takes the future with it.
        self.end(if std::thread::panicking() { Outcome::Panic } else { Outcome::Cancelled });
    }

    /// Counts the call, once, and gives back what it may still hold.
    pub(crate) fn end(mut self: Pin<&mut Self>, outcome: Outcome) {
        if self.outcome.is_some() {
            return;
        }
        *self.as_mut().project().outcome = Some(outcome);
        let now = self.ended.unwrap_or_else(Moment::now);
        if self.is_running || self.ticket.is_some() || self.turn.as_ref().is_some_and(Turn::holds_anything) {
            self.as_mut().break_off(outcome, now);
        }
        if self.reports {
            self.report(outcome);
        } else {
            let statistics = &self.binding.statistics;
            if outcome == Outcome::Ok && !self.is_part {
                statistics.call_succeeded(now.micros_since(self.started));
            } else {
                let (error, took) = (ErrorType::of_outcome(outcome), now.since(self.started));
                statistics.call_ended(outcome, self.fault, error, (!self.is_part).then_some(took));
            }
            if telemetry::is_listened_to() {
                self.tell_end(outcome, now.since(self.started));
            }
        }
    }

    #[cold]
    fn tell_end(&self, outcome: Outcome, took: Duration) {
        // Also where a panic drops the call; a second one would end the process.
        barrier(|| {
            telemetry::call_ended(&self.span, self.site.name(), outcome, took, self.attempt, self.context.as_ref());
        });
    }

    /// Ends what has not ended by itself.
    #[cold]
    fn break_off(mut self: Pin<&mut Self>, outcome: Outcome, now: Moment) {
        let is_panic = outcome == Outcome::Panic;
        self.as_mut().attempt_ended(if is_panic { AttemptOutcome::Panic } else { AttemptOutcome::Cancelled }, now);
        self.give_back();
    }

    /// Counts the attempt that runs, if one does.
    pub(super) fn attempt_ended(mut self: Pin<&mut Self>, outcome: AttemptOutcome, now: Moment) {
        if std::mem::take(self.as_mut().project().is_running) {
            self.attempt_statistics().ended(outcome, now.micros_since(self.attempt_started));
        }
    }

    /// Where its attempts are counted. The breakers of all keys are one to whoever looks.
    pub(super) fn attempt_statistics(&self) -> &AttemptStatistics {
        let plain = self.binding.breaker.as_deref().map(Breaker::attempts);
        plain.unwrap_or_else(|| self.binding.statistics.own_attempts())
    }

    /// Gives back whatever it holds; that says nothing about the dependency.
    pub(super) fn give_back(mut self: Pin<&mut Self>) {
        let (ticket, shared) = self.as_mut().release();
        if let Some(ticket) = ticket {
            self.record(ticket, Signal::Neutral, self.slow.unwrap_or(Took::Nothing), shared.as_ref());
        }
    }

    /// Leaves the bulkhead, and hands out the ticket, which is to be recorded, and what the attempt shared with the
    /// calls inside it.
    #[expect(clippy::inline_always, reason = "part of every call: as a function it takes 10 to 30 instructions more")]
    #[inline(always)]
    pub(super) fn release(self: Pin<&mut Self>) -> (Option<Ticket>, Option<Arc<EnclosingAttempt>>) {
        let this = self.project();
        let shared = this.context.as_mut().and_then(CallContext::end_attempt);
        if let Some(turn) = this.turn {
            turn.give_back(shared.as_ref());
        } else if let Some(shared) = &shared {
            shared.end(None);
        }
        this.seldom.give_back();
        (this.ticket.take(), shared)
    }

    /// Gives the ticket back with what the attempt says about the dependency, unless a call inside it has said so.
    pub(super) fn record(&self, ticket: Ticket, signal: Signal, took: Took, shared: Option<&Arc<EnclosingAttempt>>) {
        let Some(breaker) = self.breaker() else { return };
        let (mut signal, mut took) = (signal, took);
        if let Some(shared) = shared
            && is_recorded_inside(shared, breaker)
        {
            signal = shared.signal(breaker, signal);
            // The calls inside have told of the time as well.
            if signal == Signal::Neutral {
                breaker.withdraw_slow(ticket, took);
            }
            if !took.is_in_window() {
                took = Took::Nothing;
            }
        }
        breaker.record(ticket, signal, took);
        if let Some(around) = self.around() {
            around.recorded(breaker, signal);
        }
    }
}
