//! While an attempt runs: what ends it from outside.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::sleep_until;

use super::{Call, Verdict, breaker};
use crate::clock::{self, Moment};
use crate::context::CallContext;
use crate::error::{ResilienceError, TimeoutScope};

/// By how much a timer has to fire late before the process counts as having stood still.
const LATE: Duration = Duration::from_millis(500);
const HALF_A_MILLI: Duration = Duration::from_micros(500);

impl Call<'_> {
    /// Waits for whatever ends a running attempt from outside.
    pub(super) fn poll_limits(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Verdict> {
        if self.as_mut().poll_cancelled(cx).is_ready() {
            return Poll::Ready(Verdict::Refused(ResilienceError::Cancelled));
        }
        if self.is_late {
            *self.as_mut().project().is_excused = true;
            return Poll::Ready(self.timed_out());
        }
        let mut this = self.as_mut().project();
        let own_end = this.binding.attempt_end(*this.attempt_started);
        let end = own_end.min(*this.deadline);
        loop {
            let slow_at = this.slow_at.filter(|slow| *slow < end);
            if this.timer.is_none() {
                this.timer.set(Some(sleep_until(slow_at.unwrap_or(end).instant())));
            }
            if let Some(timer) = this.timer.as_mut().as_pin_mut() {
                ready!(clock::poll_timer(timer, cx));
            }
            this.timer.set(None);
            *this.slow_at = None;
            if slow_at.is_none() {
                break;
            }
            if let (Some(breaker), Some(ticket)) = (breaker(this.keyed_breaker.as_ref(), this.binding), *this.ticket) {
                *this.slow = Some(breaker.note_slow(ticket));
            }
        }
        // The process stood still: what the dependency answered meanwhile may still be on its way to the body.
        if Moment::now().since(end) > LATE.max(end.since(*this.attempt_started) / 4) {
            *this.is_late = true;
            // Everything that can run does so first, such as the task that reads from the connection.
            return pin!(tokio::task::yield_now()).poll(cx).map(|()| self.timed_out());
        }
        // Nor is it the dependency that keeps calls waiting for a permit or a slot.
        *this.is_excused = this.context.as_ref().and_then(CallContext::shared).is_some_and(|it| it.only_waits());
        Poll::Ready(self.timed_out())
    }

    fn timed_out(self: Pin<&mut Self>) -> Verdict {
        let (scope, limit) = match self.binding.policy().attempt_limit() {
            Some(limit) if self.binding.attempt_end(self.attempt_started) <= self.deadline => {
                (TimeoutScope::Attempt, limit)
            }
            _ => (TimeoutScope::Call, whole_call(self.started, self.deadline)),
        };
        Verdict::Refused(ResilienceError::Timeout { scope, limit })
    }

    /// Whether the client was gone before anything began.
    pub(super) fn is_cancelled(&self) -> bool {
        self.watches_cancellation
            && self.context.as_ref().and_then(CallContext::request).is_some_and(|it| it.cancellation.is_cancelled())
    }

    pub(super) fn poll_cancelled(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if !*this.watches_cancellation {
            return Poll::Pending;
        }
        if this.cancelled.is_none()
            && let Some(request) = this.context.as_ref().and_then(CallContext::request)
        {
            this.cancelled.set(Some(request.cancellation.clone().cancelled_owned()));
        }
        this.cancelled.as_mut().as_pin_mut().map_or(Poll::Pending, |cancelled| cancelled.poll(cx))
    }
}

/// How long a call had. What a caller left of its own time is no round number; nobody needs its
/// nanoseconds.
pub(super) fn whole_call(started: Moment, deadline: Moment) -> Duration {
    let limit = deadline.since(started);
    Duration::from_millis(clock::saturating_millis(limit.saturating_add(HALF_A_MILLI)))
}
