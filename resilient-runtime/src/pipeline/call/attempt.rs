//! An attempt that runs: what it holds, what ends it from outside, and how it ends.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep_until};

#[cfg(feature = "testing")]
use super::injected::Injected;
use super::permit::{CallBreaker, lease};
use super::queue::CallBulkhead;
use super::result::AttemptResult;
use super::{Call, State};
use crate::answer::Meaning;
use crate::breaker::{AttemptDuration, Breaker, Signal};
use crate::clock::{self, Moment};
use crate::context::{self, Activity, CallContext, EnclosingAttempt, Held};
use crate::error::{ResilienceError, TimeoutScope};
use crate::panics::{catch_panic, catch_panic_inline};
use crate::pipeline::body::{Body, Ended};

const HALF_A_MILLI: Duration = Duration::from_micros(500);

/// The share of the timeout that a call needs after it has waited, so that its own timeout counts as a failure.
#[cfg(any(feature = "cache", all(feature = "rate-limit", feature = "replicas")))]
const FULL_SHARE: f64 = 0.75;

/// The admission of an attempt that may run now.
pub(super) struct Admission {
    /// When the attempt begins.
    pub(super) at: Moment,
    /// Whether the attempt had to wait for its permit or its slot.
    pub(super) has_waited: bool,
}

/// The result of a poll of the body: the meaning of its answer, which it lacks if it panicked.
pub(super) type Polled = Poll<Option<Meaning>>;

/// A running attempt. It is written where it stays, and each part is read where it is: moving what was just written
/// stalls the processor.
pub(super) struct Attempt {
    pub(super) started: Moment,
    /// Whether the body has not been polled yet.
    pub(super) is_new: bool,
    /// Whether it had to wait for its permit or its slot.
    pub(super) has_waited: bool,
    /// Why a timeout of it says nothing about the dependency.
    pub(super) excuse: Option<Excuse>,
    /// Counts it as running inside the enclosing attempt.
    activity: Option<Activity>,
    /// When it becomes slow, if the breaker counts slow attempts. [`Moment::LAST`] once that is recorded.
    slow_at: Moment,
    /// What the breaker answered when the attempt was recorded as slow.
    pub(super) slow: Option<AttemptDuration>,
    #[cfg(feature = "testing")]
    pub(super) injected: Injected,
}

/// Why a timeout says nothing about the dependency.
pub(super) enum Excuse {
    /// The timer fired much too late: the process was suspended. The body is polled once more.
    Late,
    /// All calls inside the attempt wait for a permit or a slot.
    Waiting,
}

impl Call<'_> {
    /// Begins an attempt that is admitted.
    #[expect(clippy::inline_always, reason = "part of every call: as a function it takes 10 to 30 instructions more")]
    #[inline(always)]
    pub(super) fn begin_attempt(mut self: Pin<&mut Self>, Admission { at: started, has_waited }: Admission) {
        let this = self.as_mut().project();
        *this.attempts += 1;
        *this.is_on_short_path = false;
        this.binding.cold.statistics.attempt_started();
        if let Some(error) = this.last.as_ref().and_then(AttemptResult::kind) {
            this.binding.cold.statistics.retried(error);
        }
        // Only a call that reaches the dependency earns retries.
        if *this.attempts == 1 && this.binding.earns_retries {
            let own = || this.binding.cold.statistics.own_attempts();
            this.breaker.as_deref().map_or_else(own, Breaker::attempts).deposit(started.seconds());
        }
        let permit = this.breaker.as_ref().and_then(|breaker| Some((&**breaker, breaker.ticket()?)));
        if let Some(context) = this.context {
            let attempt_end = this.binding.attempt_end(started);
            context.begin_attempt(*this.attempts, attempt_end.min(*this.deadline));
            // All attempts of a call have a slot or none has one, and each of them may have a probe's permit.
            if this.bulkhead.is_some() || *this.attempts > 1 || permit.is_some_and(|(_, ticket)| ticket.is_probe()) {
                context.holds(Held::new(permit, this.bulkhead.as_ref().and_then(CallBulkhead::held)));
            }
        }
        let mut slow_at = Moment::LAST;
        if let Some((breaker, ticket)) = permit {
            breaker.start_lease(ticket, || lease(this.binding.policy()));
            slow_at = breaker.slow_at(started);
        }
        let attempt = Attempt { is_new: true, has_waited, ..Attempt::polled(started, slow_at) };
        this.state.advance(State::Running(attempt));
        if this.caller.is_nested {
            self.count_as_running();
        }
    }

    /// Returns whether a wait has left the call too little time for its timeout to say something about the dependency.
    ///
    /// A timeout after most of its time says as much as one after all of it. Otherwise a dependency that hangs under
    /// calls that all wait a moment first, for each other or for a shared rate limit, would open no breaker.
    #[cfg(any(feature = "cache", all(feature = "rate-limit", feature = "replicas")))]
    pub(super) fn has_lost_time(&self, now: Moment) -> bool {
        self.deadline.since(now) < self.binding.policy().timeout.mul_f64(FULL_SHARE)
    }

    /// Counts the attempt as running inside the enclosing attempt.
    #[cold]
    fn count_as_running(self: Pin<&mut Self>) {
        let activity = self.enclosing().as_ref().map(Activity::running);
        if let State::Running(attempt) = self.project().state {
            attempt.activity = activity;
        }
    }

    /// Polls the body of the running attempt, behind the panic barrier and in its context.
    #[expect(clippy::inline_always, reason = "part of every call: as a function it takes 10 to 30 instructions more")]
    #[inline(always)]
    pub(super) fn poll_body(self: Pin<&mut Self>, cx: &mut Context<'_>, mut body: Pin<&mut dyn Body>) -> Polled {
        let this = self.project();
        let State::Running(attempt) = this.state else { return Poll::Ready(None) };
        let begins = std::mem::take(&mut attempt.is_new).then(|| *this.attempts > this.binding.retries);
        // Written by the body and read here: a move of what was just written stalls the processor.
        let mut meaning = None;
        let _context = context::enter(this.context);
        #[cfg(not(feature = "testing"))]
        let polled = catch_panic_inline(|| body.as_mut().poll(cx, begins, &mut meaning));
        #[cfg(feature = "testing")]
        let polled = catch_panic_inline(|| attempt.injected.poll(this.site, body.as_mut(), cx, begins, &mut meaning));
        if polled.is_none() {
            catch_panic(|| body.as_mut().abandon());
        }
        of_body(polled, meaning)
    }

    /// Waits for the end of the attempt from outside: cancellation, its own limit, or the call's deadline.
    pub(super) fn poll_limits(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<AttemptResult> {
        if self.as_mut().poll_cancelled(cx).is_ready() {
            return Poll::Ready(AttemptResult::Refused(ResilienceError::Cancelled));
        }
        let mut this = self.as_mut().project();
        let State::Running(attempt) = this.state else { return Poll::Pending };
        let started = attempt.started;
        if matches!(attempt.excuse, Some(Excuse::Late)) {
            return Poll::Ready(self.timed_out(started));
        }
        let end = this.binding.attempt_end(started).min(*this.deadline);
        loop {
            let slow_at = attempt.slow_at;
            let due = slow_at.min(end);
            let is_armed_now = this.timer.is_none();
            if is_armed_now {
                this.timer.set(Some(sleep_until(due.instant())));
            }
            if let Some(timer) = this.timer.as_mut().as_pin_mut() {
                // A timer that was armed just now is not compared with the clock: its time is over only if the body has
                // blocked its thread. The timer then fires when the driver turns, and the body is polled once more first, as
                // by tokio's `timeout`. If the call began without any time, the clock decides.
                let is_left_to_driver = is_armed_now && due > started;
                ready!(if is_left_to_driver { timer.poll(cx) } else { clock::poll_timer_for(due, timer, cx) });
            }
            this.timer.set(None);
            if slow_at >= end {
                break;
            }
            attempt.becomes_slow(slow_at, this.breaker.as_ref(), this.context.as_ref());
        }
        // The process was suspended: the dependency's response may still be on its way to the body.
        if clock::is_far_too_late(Moment::now().since(end), end.since(started)) {
            attempt.excuse = Some(Excuse::Late);
            // All other tasks run first, such as the one that reads from the connection.
            return pin!(tokio::task::yield_now()).poll(cx).map(|()| self.timed_out(started));
        }
        // Calls that wait for a permit or a slot say nothing about the dependency either.
        let only_waits = this.context.as_ref().and_then(CallContext::shared).is_some_and(|shared| shared.only_waits());
        attempt.excuse = only_waits.then_some(Excuse::Waiting);
        Poll::Ready(self.timed_out(started))
    }

    fn timed_out(&self, started: Moment) -> AttemptResult {
        let (scope, limit) = match self.binding.policy().attempt_limit() {
            Some(limit) if self.binding.attempt_end(started) <= self.deadline => (TimeoutScope::Attempt, limit),
            _ => (TimeoutScope::Call, whole_call(self.started, self.deadline)),
        };
        AttemptResult::Refused(ResilienceError::Timeout { scope, limit })
    }
}

impl Attempt {
    /// An attempt whose body was polled when it began.
    #[inline]
    pub(super) fn polled(started: Moment, slow_at: Moment) -> Self {
        Self {
            started,
            is_new: false,
            has_waited: false,
            excuse: None,
            activity: None,
            slow_at,
            slow: None,
            #[cfg(feature = "testing")]
            injected: Injected::default(),
        }
    }

    /// Whether there is nothing to drop.
    #[inline]
    pub(super) const fn holds_nothing(&self) -> bool {
        // An injected fault may hold a timer.
        self.activity.is_none() && !cfg!(feature = "testing")
    }

    /// Records the attempt as slow, unless the process was suspended or a call inside it records the same request.
    #[cold]
    fn becomes_slow(&mut self, due: Moment, breaker: Option<&CallBreaker<'_>>, context: Option<&CallContext>) {
        self.slow_at = Moment::LAST;
        let Some(breaker) = breaker else { return };
        let Some(ticket) = breaker.ticket() else { return };
        let Some(slow) = breaker.held().slow else { return };
        let now = Moment::now();
        if clock::is_far_too_late(now.since(due), due.since(self.started)) {
            // The dependency gets the whole time again.
            (self.slow, self.slow_at) = (Some(AttemptDuration::Unknown), now.after(slow));
            return;
        }
        if let Some(shared) = context.and_then(CallContext::shared) {
            if is_recorded_inside(shared, breaker) {
                self.slow = Some(AttemptDuration::Unknown);
                return;
            }
            // A call inside the attempt holds it too. If that call uses the same breaker, it is slow itself, or has
            // ended, after the same time again.
            if Arc::strong_count(shared) > 1 && due <= self.started.after(slow) {
                self.slow_at = due.after(slow);
                return;
            }
        }
        let recorded = breaker.note_slow(ticket);
        self.slow = Some(recorded);
        if recorded.is_in_window()
            && let Some(enclosing) = context.and_then(CallContext::enclosing)
        {
            enclosing.recorded(breaker, Signal::Success);
        }
    }

    /// How long the attempt took, if the breaker counts slow attempts and the time was the dependency's.
    pub(super) fn took(&self, breaker: &Breaker, timer: Option<&Sleep>, now: Moment) -> AttemptDuration {
        match (self.slow, breaker.held().slow) {
            (Some(recorded), _) => recorded,
            (None, None) => AttemptDuration::Unknown,
            (None, Some(_)) if matches!(self.excuse, Some(Excuse::Late)) || self.is_overdue(timer, now) => {
                AttemptDuration::Unknown
            }
            (None, Some(_)) => AttemptDuration::Time(now.since(self.started)),
        }
    }

    /// Whether the timer should have fired long ago: the process was suspended.
    fn is_overdue(&self, timer: Option<&Sleep>, now: Moment) -> bool {
        timer.is_some_and(|timer| {
            let due = Moment::of(timer.deadline());
            clock::is_far_too_late(now.since(due), due.since(self.started))
        })
    }
}

/// Whether a call inside the attempt has recorded a result at this breaker.
pub(super) fn is_recorded_inside(shared: &EnclosingAttempt, breaker: &Breaker) -> bool {
    shared.signal(breaker, Signal::Success) == Signal::Neutral
}

/// The time that a call had, in whole milliseconds: the deadline of its caller leaves it an arbitrary number of
/// nanoseconds.
pub(super) fn whole_call(started: Moment, deadline: Moment) -> Duration {
    let limit = deadline.since(started);
    Duration::from_millis(clock::saturating_millis(limit.saturating_add(HALF_A_MILLI)))
}

/// Returns the result of a poll of the body, which is `None` if it panicked.
pub(super) fn of_body(polled: Option<Poll<Ended>>, meaning: Option<Meaning>) -> Polled {
    match polled {
        Some(Poll::Pending) => Poll::Pending,
        Some(Poll::Ready(Ended::Good)) => Poll::Ready(Some(Meaning::Good)),
        Some(Poll::Ready(Ended::Otherwise)) => Poll::Ready(meaning),
        Some(Poll::Ready(Ended::Nothing)) | None => Poll::Ready(None),
    }
}
