//! After an attempt: what it says about the dependency, and whether there is another.

use std::pin::Pin;
use std::time::Duration;

use resilient_policy::ErrorKind;
use tokio::time::sleep_until;

use super::telemetry;
use super::{Call, State, Verdict};
use crate::answer::{Failed, Meaning};
use crate::breaker::{Breaker, Signal, Took};
use crate::clock::Moment;
use crate::context::{CallContext, EnclosingAttempt};
use crate::error::{Failure, ResilienceError, TimeoutScope};
use crate::outcomes::{AttemptOutcome, Suppressed};
use crate::pipeline::turn::Turn;

impl Call<'_> {
    /// The attempt gave a good answer: the way that nearly every call goes.
    pub(super) fn succeeded(mut self: Pin<&mut Self>) {
        let now = Moment::now();
        let (ticket, shared) = self.as_mut().release();
        let micros = now.micros_since(self.attempt_started);
        // Before anything is told, which is somebody else's code: it is counted once.
        let this = self.as_mut().project();
        *this.is_running = false;
        *this.ended = Some(now);
        let is_alone = !self.is_inside && self.keyed_breaker.is_none() && shared.is_none();
        let is_counted = match (self.breaker(), ticket) {
            (Some(breaker), Some(ticket)) if is_alone => breaker.has_succeeded(ticket, micros),
            _ => false,
        };
        if !is_counted {
            self.attempt_statistics().ended(AttemptOutcome::Ok, micros);
            if let (Some(breaker), Some(ticket)) = (self.breaker(), ticket) {
                self.record(ticket, Signal::Success, self.took(breaker, now), shared.as_ref());
            }
        }
    }

    /// How long the attempt took, where the breaker wants to know.
    fn took(&self, breaker: &Breaker, now: Moment) -> Took {
        match (self.slow, breaker.held().slow) {
            (Some(slow), _) => slow,
            (None, None) => Took::Nothing,
            // It may have been this process that took the time.
            _ if self.is_late || self.is_overdue(now) => Took::Nothing,
            (None, Some(_)) => Took::Time(now.since(self.attempt_started)),
        }
    }

    /// Takes note of how an attempt ended, and decides whether there is another.
    #[cold]
    pub(super) fn settle(mut self: Pin<&mut Self>, ended: Verdict) -> Option<Verdict> {
        let now = Moment::now();
        let signal = self.signal(&ended);
        self.as_mut().attempt_ended(ended.of_attempt(), now);
        if let Verdict::Refused(ResilienceError::Timeout { scope, .. }) = &ended {
            self.binding.statistics.timed_out(*scope);
        }
        let (ticket, shared) = self.as_mut().release();
        if let (Some(breaker), Some(ticket)) = (self.breaker(), ticket) {
            self.record(ticket, signal, self.took(breaker, now), shared.as_ref());
        }
        match self.next_delay(&ended, now, shared.as_deref()) {
            None => {
                *self.project().ended = Some(now);
                Some(ended)
            }
            Some(delay) => {
                let mut this = self.project();
                this.timer.set(Some(sleep_until(now.after(delay).instant())));
                *this.last = Some(ended);
                *this.state = State::Waiting;
                None
            }
        }
    }

    /// What the end of an attempt says about the dependency.
    pub(super) fn signal(&self, ended: &Verdict) -> Signal {
        let shared = self.context.as_ref().and_then(CallContext::shared);
        let has_waited_too_long = || shared.is_some_and(|shared| shared.has_waited_too_long());
        match ended {
            // It was not the dependency that kept the inner call waiting.
            Verdict::Answered(Meaning::Failed(Failed(failure)))
                if failure.kind == ErrorKind::Timeout && has_waited_too_long() =>
            {
                Signal::Neutral
            }
            Verdict::Answered(Meaning::Good) => Signal::Success,
            Verdict::Answered(Meaning::Failed(Failed(failure))) if failure.trips_breaker => Signal::Failure,
            Verdict::Refused(ResilienceError::Timeout { .. }) if self.is_excused => Signal::Neutral,
            Verdict::Refused(ResilienceError::Timeout { scope: TimeoutScope::Attempt, .. }) => Signal::Failure,
            // Without a limit of its own the attempt had all the time there was, unless that was
            // somebody else's, or queueing had taken some of it.
            Verdict::Refused(ResilienceError::Timeout { .. })
                if self.binding.policy().attempt_limit().is_none()
                    && !self.deadline_is_inherited
                    && !self.seldom.has_waited()
                    && !self.turn.as_ref().is_some_and(Turn::has_queued) =>
            {
                Signal::Failure
            }
            Verdict::Answered(_) | Verdict::Refused(_) => Signal::Neutral,
        }
    }

    /// How long to wait for the next attempt; `None` where there is none.
    pub(super) fn next_delay(
        &self,
        ended: &Verdict,
        now: Moment,
        shared: Option<&EnclosingAttempt>,
    ) -> Option<Duration> {
        let retry = self.binding.seldom.policy.retry?;
        let failure = match ended {
            Verdict::Answered(Meaning::Failed(Failed(failure))) => *failure,
            Verdict::Refused(error @ ResilienceError::Timeout { scope: TimeoutScope::Attempt, .. }) => {
                Failure::of(error)
            }
            Verdict::Answered(_) | Verdict::Refused(_) => return None,
        };
        // What the error says of itself wins; else it is its kind that decides.
        let never = matches!(failure.kind, ErrorKind::CircuitOpen | ErrorKind::Cancelled);
        if never || !failure.retry_override.unwrap_or_else(|| retry.on.contains(failure.kind)) {
            return None;
        }
        let retries_done = self.attempt - 1;
        if retries_done >= retry.max {
            telemetry::retry_exhausted(self, failure.kind);
            return None;
        }
        let random = fastrand::f64();
        let backoff = retry.delay(retries_done, random);
        // Callers that were asked to wait for the same time do not come back together, and none before it.
        let delay = failure
            .retry_after
            .map_or(backoff, |asked| asked.saturating_add(retry.spread(retries_done, random)).max(backoff));
        // What the client reads is the time that was asked for.
        let earliest = failure.retry_after.map_or(backoff, |asked| asked.max(backoff));
        if shared.is_some_and(|shared| shared.has_retried(failure.kind)) {
            self.suppressed(failure.kind, delay, Suppressed::RetriedInside, None);
            return None;
        }
        // The breaker would reject the retry: nobody has to wait to hear that.
        if let Some(breaker) = self.breaker().filter(|it| it.rejects_after(delay)) {
            self.no_retry(ErrorKind::CircuitOpen.as_str(), breaker.remaining());
            return None;
        }
        let reason = if delay >= self.deadline.since(now) {
            Some(Suppressed::Deadline)
        } else {
            let is_spent = |share| !self.budget().withdraw(now.seconds(), share);
            retry.budget.is_some_and(is_spent).then_some(Suppressed::Budget)
        };
        if let Some(reason) = reason {
            self.suppressed(failure.kind, delay, reason, Some(earliest));
            return None;
        }
        telemetry::retry_scheduled(self, failure.kind, delay);
        Some(delay)
    }

    /// There is no retry, although the error could be retried.
    fn suppressed(&self, kind: ErrorKind, delay: Duration, reason: Suppressed, retry_after: Option<Duration>) {
        self.binding.statistics.retry_suppressed(reason);
        telemetry::retry_suppressed(self, kind, delay, reason);
        self.no_retry(reason.as_str(), retry_after);
    }
}
