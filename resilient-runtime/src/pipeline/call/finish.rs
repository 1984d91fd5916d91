//! The end of an attempt and the end of a call: what is recorded and given back, and whether there is a retry.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use resilient_policy::{ErrorKind, Fault};
use tokio::time::sleep_until;

use super::attempt::is_recorded_inside;
use super::nested::CountedAs;
use super::permit::{BreakerWatch, CallBreaker};
use super::queue::CallBulkhead;
use super::result::AttemptResult;
use super::{Call, State, events};
use crate::answer::{Failed, Meaning};
use crate::breaker::{AttemptDuration, Breaker, Signal, Ticket};
use crate::clock::Moment;
use crate::context::{CallContext, Degraded, EnclosingAttempt};
use crate::error::{Failure, ResilienceError, TimeoutScope};
use crate::outcomes::{AttemptOutcome, Outcome, Suppressed};
use crate::panics::catch_panic;
use crate::statistics::ErrorType;
use crate::telemetry;

/// What an attempt that has ended leaves to be recorded at the breaker.
struct Ended {
    ticket: Option<Ticket>,
    took: AttemptDuration,
    /// What the attempt shared with the calls inside it.
    shared: Option<Arc<EnclosingAttempt>>,
}

impl Call<'_> {
    /// Finishes an attempt with a good answer. Nearly every attempt ends here.
    #[expect(clippy::inline_always, reason = "part of every call: as a function it takes 10 to 30 instructions more")]
    #[inline(always)]
    pub(super) fn succeeded(mut self: Pin<&mut Self>) {
        let now = Moment::now();
        let this = self.as_mut().project();
        let State::Running(attempt) = this.state else { return };
        let shared = release(this.context, this.bulkhead);
        let ticket = this.breaker.as_mut().and_then(CallBreaker::take_ticket);
        let breaker = this.breaker.as_ref();
        // The usual case is counted in one step.
        let is_plain = !(this.caller.is_nested || shared.is_some());
        let is_usual = is_plain
            && match (breaker, ticket) {
                (Some(breaker), Some(ticket)) => !breaker.is_keyed() && breaker.is_all_well(ticket),
                (None, _) => true,
                (Some(_), None) => false,
            };
        if is_usual {
            this.binding.attempts().succeeded(now.micros_since(attempt.started));
            this.state.advance(State::Finished(Some(now)));
            return;
        }
        let micros = now.micros_since(attempt.started);
        let timer = this.timer.as_ref().get_ref().as_ref();
        let took = breaker.map_or(AttemptDuration::Unknown, |breaker| attempt.took(breaker, timer, now));
        // Before the subscriber receives the result: if it panics, the attempt is not counted again.
        this.state.advance(State::Finished(Some(now)));
        self.binding.attempts().ended(AttemptOutcome::Ok, micros);
        self.record(Signal::Success, &Ended { ticket, took, shared });
    }

    /// Finishes an attempt without a good answer. Returns the result, unless there is a retry.
    #[cold]
    pub(super) fn finish_attempt(mut self: Pin<&mut Self>, result: AttemptResult) -> Option<AttemptResult> {
        let now = Moment::now();
        let signal = self.signal(&result);
        let ended = self.as_mut().end_attempt(result.attempt_outcome(), now);
        if let AttemptResult::Refused(ResilienceError::Timeout { scope, .. }) = &result {
            self.binding.cold.statistics.timed_out(*scope);
        }
        self.record(signal, &ended);
        let Some(delay) = self.next_delay(&result, now, ended.shared.as_deref()) else { return Some(result) };
        let mut this = self.project();
        this.timer.set(Some(sleep_until(now.after(delay).instant())));
        *this.last = Some(result);
        *this.state = State::Backoff(BreakerWatch::default());
        None
    }

    /// Ends what has not ended by itself, and gives back what the call holds. That says nothing about the dependency.
    #[cold]
    fn abort(mut self: Pin<&mut Self>, outcome: Outcome) -> Moment {
        let now = Moment::now();
        if let State::Running(attempt) = &self.state {
            let took = attempt.slow.unwrap_or(AttemptDuration::Unknown);
            let is_panic = outcome == Outcome::Panic;
            let outcome = if is_panic { AttemptOutcome::Panic } else { AttemptOutcome::Cancelled };
            let ended = self.as_mut().end_attempt(outcome, now);
            self.record(Signal::Neutral, &Ended { took, ..ended });
        }
        self.as_mut().give_back();
        now
    }

    /// Gives back the permit and the slot that the call holds, and leaves its state.
    pub(super) fn give_back(self: Pin<&mut Self>) {
        let mut this = self.project();
        this.timer.set(None);
        this.state.advance(State::Finished(None));
        if let Some(bulkhead) = this.bulkhead {
            bulkhead.give_back(None);
        }
        if let Some(breaker) = this.breaker {
            breaker.give_back();
        }
    }

    /// Counts the attempt that runs and gives back what it holds, except its ticket.
    fn end_attempt(mut self: Pin<&mut Self>, outcome: AttemptOutcome, now: Moment) -> Ended {
        let mut ended = Ended { ticket: None, took: AttemptDuration::Unknown, shared: None };
        let this = self.as_mut().project();
        let State::Running(attempt) = this.state else { return ended };
        let micros = now.micros_since(attempt.started);
        ended.shared = release(this.context, this.bulkhead);
        ended.ticket = this.breaker.as_mut().and_then(CallBreaker::take_ticket);
        if let Some(breaker) = this.breaker.as_deref() {
            ended.took = attempt.took(breaker, this.timer.as_ref().get_ref().as_ref(), now);
        }
        this.state.advance(State::Finished(Some(now)));
        self.binding.attempts().ended(outcome, micros);
        ended
    }

    /// Records the result of an attempt at the breaker, unless a call inside the attempt has recorded it.
    fn record(&self, mut signal: Signal, ended: &Ended) {
        let (Some(breaker), Some(ticket)) = (self.breaker.as_deref(), ended.ticket) else { return };
        let mut took = ended.took;
        if let Some(shared) = &ended.shared
            && is_recorded_inside(shared, breaker)
        {
            signal = shared.signal(breaker, signal);
            // The calls inside have recorded the time as well.
            if signal == Signal::Neutral {
                breaker.withdraw_slow(ticket, took);
            }
            if !took.is_in_window() {
                took = AttemptDuration::Unknown;
            }
        }
        breaker.record(ticket, signal, took);
        if let Some(enclosing) = self.enclosing() {
            enclosing.recorded(breaker, signal);
        }
    }

    /// What the result of an attempt says about the dependency.
    fn signal(&self, result: &AttemptResult) -> Signal {
        let State::Running(attempt) = &self.state else { return Signal::Neutral };
        let shared = self.context.as_ref().and_then(CallContext::shared);
        let has_waited_inside = || shared.is_some_and(|shared| shared.has_queued_past_deadline());
        match result {
            // The call inside had to wait for a permit or a slot, not for the dependency.
            AttemptResult::Answered(Meaning::Failed(Failed(failure)))
                if failure.kind == ErrorKind::Timeout && has_waited_inside() =>
            {
                Signal::Neutral
            }
            AttemptResult::Answered(Meaning::Good) => Signal::Success,
            AttemptResult::Answered(Meaning::Failed(Failed(failure))) if failure.trips_breaker => Signal::Failure,
            AttemptResult::Refused(ResilienceError::Timeout { .. }) if attempt.excuse.is_some() => Signal::Neutral,
            AttemptResult::Refused(ResilienceError::Timeout { scope: TimeoutScope::Attempt, .. }) => Signal::Failure,
            // An attempt without its own limit had the whole timeout, unless the deadline is the caller's, the arguments
            // requested a shorter one, or the attempt had to wait before it began: for a permit, for a slot, or for the
            // run of another call.
            AttemptResult::Refused(ResilienceError::Timeout { .. })
                if self.binding.policy().attempt_limit().is_none()
                    && self.deadline >= self.started.after(self.binding.timeout)
                    && !attempt.has_waited
                    && !self.caller.has_followed =>
            {
                Signal::Failure
            }
            AttemptResult::Answered(_) | AttemptResult::Refused(_) => Signal::Neutral,
        }
    }

    /// The backoff before the next attempt. `None` if there is none.
    fn next_delay(&self, result: &AttemptResult, now: Moment, shared: Option<&EnclosingAttempt>) -> Option<Duration> {
        let retry = self.binding.cold.policy.retry?;
        let failure = match result {
            AttemptResult::Answered(Meaning::Failed(Failed(failure))) => *failure,
            AttemptResult::Refused(error @ ResilienceError::Timeout { scope: TimeoutScope::Attempt, .. }) => {
                Failure::of(error)
            }
            AttemptResult::Answered(_) | AttemptResult::Refused(_) => return None,
        };
        // The error's own setting wins over its kind.
        let never = matches!(failure.kind, ErrorKind::CircuitOpen | ErrorKind::Cancelled);
        if never || !failure.retry_override.unwrap_or_else(|| retry.on.contains(failure.kind)) {
            return None;
        }
        let retries_done = self.attempts - 1;
        if retries_done >= retry.max {
            events::retry_exhausted(self, failure.kind);
            return None;
        }
        let random = fastrand::f64();
        let backoff = retry.delay(retries_done, random);
        // Callers with the same `retry_after` are spread over the time after it.
        let delay = failure
            .retry_after
            .map_or(backoff, |requested| requested.saturating_add(retry.spread(retries_done, random)).max(backoff));
        // The client reads the time that the dependency requested.
        let earliest = failure.retry_after.map_or(backoff, |requested| requested.max(backoff));
        if shared.is_some_and(|shared| shared.has_retried(failure.kind)) {
            self.suppress_retry(failure.kind, delay, Suppressed::RetriedInside, None);
            return None;
        }
        // The breaker would reject the retry.
        if let Some(breaker) = self.breaker.as_deref().filter(|breaker| breaker.rejects_after(delay)) {
            self.report_no_retry(ErrorKind::CircuitOpen.as_str(), breaker.remaining());
            return None;
        }
        let reason = if delay >= self.deadline.since(now) {
            Some(Suppressed::Deadline)
        } else {
            let own = || self.binding.cold.statistics.own_attempts();
            let budget = || self.breaker.as_deref().map_or_else(own, Breaker::attempts);
            let is_spent = |share| !budget().withdraw(now.seconds(), share);
            retry.budget.is_some_and(is_spent).then_some(Suppressed::Budget)
        };
        if let Some(reason) = reason {
            self.suppress_retry(failure.kind, delay, reason, Some(earliest));
            return None;
        }
        events::retry_scheduled(self, failure.kind, delay);
        Some(delay)
    }

    /// Reports that a retryable error is not retried.
    fn suppress_retry(&self, kind: ErrorKind, delay: Duration, reason: Suppressed, retry_after: Option<Duration>) {
        self.binding.cold.statistics.retry_suppressed(reason);
        #[cfg(feature = "cache")]
        if reason == Suppressed::Deadline {
            self.cut_retry(Moment::now().after(delay));
        }
        events::retry_suppressed(self, kind, delay, reason);
        self.report_no_retry(reason.as_str(), retry_after);
    }

    /// Ends the call with the result of its last attempt.
    pub(crate) fn finish(self: Pin<&mut Self>, result: &AttemptResult) {
        if self.attempts > 1 {
            self.report_retries(result);
        }
        self.end(result.outcome(), result.fault());
    }

    /// Reports to the enclosing attempt that retries have failed.
    #[cold]
    fn report_retries(&self, result: &AttemptResult) {
        if let (Some(enclosing), Some(kind)) = (self.enclosing(), result.kind()) {
            enclosing.retried(kind);
        }
    }

    /// Ends the call with the answer of a fallback.
    pub(crate) fn finish_degraded(self: Pin<&mut Self>, result: &AttemptResult) {
        self.end(Outcome::Fallback, result.fault());
    }

    /// Ends a call that is dropped.
    #[cold]
    pub(super) fn dropped(self: Pin<&mut Self>) {
        // A panic outside of the body, such as the subscriber's, drops the future.
        self.end(if std::thread::panicking() { Outcome::Panic } else { Outcome::Cancelled }, None);
    }

    /// Ends the call: counts it once, and gives back what it holds.
    pub(crate) fn end(mut self: Pin<&mut Self>, outcome: Outcome, fault: Option<Fault>) {
        let now = match self.state {
            State::Done => return,
            State::Finished(at) => at.unwrap_or_else(Moment::now),
            _ => self.as_mut().abort(outcome),
        };
        self.as_mut().project().state.advance(State::Done);
        if self.caller.counted >= CountedAs::Hook {
            self.report(outcome, fault);
            if self.is_refresh() && telemetry::is_enabled() {
                self.log_end(outcome, now.since(self.started));
            }
        } else {
            let statistics = &self.binding.cold.statistics;
            if outcome == Outcome::Ok && !self.is_part() {
                statistics.call_succeeded(now.micros_since(self.started));
            } else {
                let (error, took) = (ErrorType::of_outcome(outcome), now.since(self.started));
                statistics.call_ended(outcome, fault, error, (!self.is_part()).then_some(took));
            }
            if telemetry::is_enabled() {
                self.log_end(outcome, now.since(self.started));
            }
        }
    }

    #[cold]
    fn log_end(&self, outcome: Outcome, took: Duration) {
        // If the call is dropped by a panic, a panic of the subscriber would abort the process.
        catch_panic(|| {
            telemetry::call_ended(&self.span, self.site.name(), outcome, took, self.attempts, self.context.as_ref());
        });
    }

    /// Reports to the client that a fallback answered, including the fallback of a function that the tool called. If
    /// there are several, the report has the oldest answer.
    pub(crate) fn degrade(&self, degraded: &Degraded) {
        if let Some(request) = self.context.as_ref().and_then(CallContext::request) {
            degraded.keep_oldest(&mut request.report().degraded);
        }
        #[cfg(feature = "cache")]
        if let Some(enclosing) = self.enclosing() {
            enclosing.degraded(degraded);
        }
    }

    /// Reports to the hook how the call went so far.
    #[inline]
    pub(crate) fn report(&self, outcome: Outcome, fault: Option<Fault>) {
        if let Some(request) = self.hook_request() {
            request.report().ends(self.site, outcome, fault, self.attempts);
        }
    }
}

/// Gives the slot of an attempt back, and ends what it shares with the calls inside it.
#[expect(clippy::inline_always, reason = "part of every call: as a function it takes 10 to 30 instructions more")]
#[inline(always)]
fn release(context: &mut Option<CallContext>, bulkhead: &mut Option<CallBulkhead>) -> Option<Arc<EnclosingAttempt>> {
    let shared = context.as_mut().and_then(CallContext::end_attempt);
    if let Some(bulkhead) = bulkhead {
        bulkhead.give_back(shared.as_ref());
    } else if let Some(shared) = &shared {
        shared.end(None);
    }
    shared
}
