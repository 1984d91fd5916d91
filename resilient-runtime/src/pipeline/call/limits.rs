//! While an attempt runs: what ends it from outside.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::sleep_until;

use super::{Call, Verdict, breaker};
use crate::breaker::{Breaker, Signal, Took};
use crate::clock::{self, Moment};
use crate::context::{CallContext, EnclosingAttempt};
use crate::error::{ResilienceError, TimeoutScope};

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
        let end = self.binding.attempt_end(self.attempt_started).min(self.deadline);
        loop {
            let mut this = self.as_mut().project();
            let slow_at = this.slow_at.filter(|slow| *slow < end);
            if this.timer.is_none() {
                this.timer.set(Some(sleep_until(slow_at.unwrap_or(end).instant())));
            }
            if let Some(timer) = this.timer.as_mut().as_pin_mut() {
                ready!(clock::poll_timer(timer, cx));
            }
            this.timer.set(None);
            let Some(due) = slow_at else { break };
            self.as_mut().becomes_slow(due);
        }
        let this = self.as_mut().project();
        // The process stood still: what the dependency answered meanwhile may still be on its way to the body.
        if clock::is_far_too_late(Moment::now().since(end), end.since(*this.attempt_started)) {
            *this.is_late = true;
            // Everything that can run does so first, such as the task that reads from the connection.
            return pin!(tokio::task::yield_now()).poll(cx).map(|()| self.timed_out());
        }
        // Nor is it the dependency that keeps calls waiting for a permit or a slot.
        *this.is_excused = this.context.as_ref().and_then(CallContext::shared).is_some_and(|it| it.only_waits());
        Poll::Ready(self.timed_out())
    }

    /// The running attempt is slow, unless the process stood still or a call inside it tells of the same request.
    #[cold]
    fn becomes_slow(self: Pin<&mut Self>, due: Moment) {
        let this = self.project();
        *this.slow_at = None;
        let (Some(breaker), Some(ticket)) = (breaker(this.keyed_breaker.as_ref(), this.binding), *this.ticket) else {
            return;
        };
        let Some(slow) = breaker.held().slow else { return };
        let now = Moment::now();
        if clock::is_far_too_late(now.since(due), due.since(*this.attempt_started)) {
            // From now on the dependency has the whole time once more.
            (*this.slow, *this.slow_at) = (Some(Took::Nothing), Some(now.after(slow)));
            return;
        }
        if let Some(shared) = this.context.as_ref().and_then(CallContext::shared) {
            if is_recorded_inside(shared, breaker) {
                *this.slow = Some(Took::Nothing);
                return;
            }
            // What runs inside holds it too. If that asks the same breaker, it is slow itself, or has ended, when as
            // much time has passed again.
            if Arc::strong_count(shared) > 1 && due <= this.attempt_started.after(slow) {
                *this.slow_at = Some(due.after(slow));
                return;
            }
        }
        let noted = breaker.note_slow(ticket);
        *this.slow = Some(noted);
        if noted.is_in_window()
            && let Some(around) = this.context.as_ref().and_then(CallContext::around)
        {
            around.recorded(breaker, Signal::Success);
        }
    }

    /// Whether the timer of the running attempt should have fired long ago: the process stood still.
    pub(super) fn is_overdue(&self, now: Moment) -> bool {
        self.timer.as_ref().is_some_and(|timer| {
            let due = Moment::of(timer.deadline());
            clock::is_far_too_late(now.since(due), due.since(self.attempt_started))
        })
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

/// Whether a call inside the attempt has given this breaker a result.
pub(super) fn is_recorded_inside(shared: &EnclosingAttempt, breaker: &Breaker) -> bool {
    shared.signal(breaker, Signal::Success) == Signal::Neutral
}

/// How long a call had. What a caller left of its own time is no round number; nobody needs its
/// nanoseconds.
pub(super) fn whole_call(started: Moment, deadline: Moment) -> Duration {
    let limit = deadline.since(started);
    Duration::from_millis(clock::saturating_millis(limit.saturating_add(HALF_A_MILLI)))
}
