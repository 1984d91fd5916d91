//! Before an attempt: who has a say in whether it may run, and what happens where one says no.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use resilient_policy::Policy;
use tokio::time::sleep_until;

use super::limits::whole_call;
use super::{Call, Verdict, breaker};
use crate::breaker::Breaker;
use crate::bulkhead;
use crate::clock::{self, Moment};
#[cfg(feature = "rate-limit")]
use crate::context::CallContext;
use crate::error::{LimitKind, ResilienceError, TimeoutScope};
#[cfg(feature = "rate-limit")]
use crate::keyed_hash::Collected;
use crate::pipeline::turn::Got;
use crate::statistics::{Rejected, Suppressed};
use crate::telemetry;

impl Call<'_> {
    /// Asks everybody who has a say for an attempt, and says what the bulkhead gave it.
    pub(super) fn ask(mut self: Pin<&mut Self>) -> Result<Got, Verdict> {
        #[cfg(feature = "rate-limit")]
        if self.binding.is_limited
            && let Err(error) = self.check_rate()
        {
            return Err(self.reject(LimitKind::RateLimit, error));
        }
        let this = self.as_mut().project();
        if let Some(breaker) = breaker(this.keyed_breaker.as_ref(), this.binding) {
            // Who isolates a breaker by hand isolates it for every key.
            let plain = this.keyed_breaker.as_ref().and(this.binding.breaker.as_deref());
            let by_hand = plain.map_or(Ok(()), Breaker::check_isolated);
            match by_hand.and_then(|()| breaker.admit(|| Some(lease(this.binding.policy(), breaker)))) {
                Ok(ticket) => *this.ticket = Some(ticket),
                // A call that has run ends as its last attempt did.
                Err(error) => {
                    this.binding.statistics.rejected(Rejected::Breaker);
                    return Err(this.last.take().unwrap_or(Verdict::Refused(error)));
                }
            }
        }
        let Some(turn) = this.turn else { return Ok(Got::Slot) };
        let got = turn.ask(&this.binding.statistics);
        // A probe that has to queue is not given up while it does.
        if let (Got::Place, Some(breaker), Some(ticket), Some(wait)) =
            (&got, breaker(this.keyed_breaker.as_ref(), this.binding), *this.ticket, turn.longest_wait(*this.deadline))
        {
            breaker.start_lease(ticket, || lease(this.binding.policy(), breaker).saturating_add(wait));
        }
        Ok(got)
    }

    /// Asks the rate limit for the call, at its beginning.
    #[cfg(feature = "rate-limit")]
    pub(super) fn check_rate(&self) -> Result<(), ResilienceError> {
        let Some(limits) = self.binding.seldom.rate_limits.as_ref().filter(|_| self.attempt == 0) else {
            return Ok(());
        };
        let by_caller = self.binding.seldom.policy.rate_limit.is_some_and(|rate_limit| rate_limit.by_caller);
        // Without a known caller the whole process is one.
        let principal = self.context.as_ref().and_then(CallContext::principal).filter(|_| by_caller);
        let caller = principal.and_then(|principal| Collected::hash(|hash| hash.add(principal.as_str())));
        limits.check(caller.or(self.rate_limit_key))
    }

    /// A limit did not let an attempt run: what it had is given back, and a call that has run ends
    /// as its last attempt did.
    pub(super) fn reject(self: Pin<&mut Self>, limit: LimitKind, error: ResilienceError) -> Verdict {
        self.binding.statistics.rejected(match limit {
            LimitKind::Bulkhead => Rejected::Bulkhead,
            LimitKind::RateLimit => Rejected::RateLimit,
        });
        telemetry::limit_rejected(&self, limit);
        self.give_up(error)
    }

    /// There is no attempt, although the breaker let it through: says so to everybody.
    pub(super) fn give_up(mut self: Pin<&mut Self>, error: ResilienceError) -> Verdict {
        self.as_mut().give_back();
        let mut this = self.project();
        this.timer.set(None);
        this.last.take().unwrap_or(Verdict::Refused(error))
    }

    /// Waits in line for a slot, at most as long as the bulkhead allows and the call has time.
    pub(super) fn poll_queue(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Verdict>> {
        if self.as_mut().poll_cancelled(cx).is_ready() {
            // That the client is gone is the end, whatever came before.
            *self.as_mut().project().last = None;
            return Poll::Ready(Err(self.give_up(ResilienceError::Cancelled)));
        }
        let mut this = self.as_mut().project();
        let turn = this.turn.as_mut();
        let given_up = turn.as_ref().and_then(|turn| turn.waits_until(*this.attempt_started));
        let given_up = given_up.filter(|until| until < this.deadline);
        let has_slot = turn.is_none_or(|turn| turn.poll_slot(cx).is_ready());
        if !has_slot {
            if this.timer.is_none() {
                this.timer.set(Some(sleep_until(given_up.unwrap_or(*this.deadline).instant())));
            }
            if let Some(timer) = this.timer.as_mut().as_pin_mut() {
                ready!(clock::poll_timer(timer, cx));
            }
        }
        let now = Moment::now();
        // Without a slot and without a wait of its own, it was the deadline's timer.
        if now >= *this.deadline || (!has_slot && given_up.is_none()) {
            return Poll::Ready(Err(self.out_of_time()));
        }
        if !has_slot {
            return Poll::Ready(Err(self.reject(LimitKind::Bulkhead, bulkhead::overloaded())));
        }
        this.timer.set(None);
        *this.attempt_started = now;
        Poll::Ready(Ok(()))
    }

    /// The deadline came while an attempt was in line.
    pub(super) fn out_of_time(self: Pin<&mut Self>) -> Verdict {
        if self.last.is_some()
            && let Some(request) = self.hook()
        {
            request.report().reason = Some(Suppressed::Deadline.as_str());
        }
        let limit = whole_call(self.started, self.deadline);
        self.binding.statistics.timed_out(TimeoutScope::Call);
        self.give_up(ResilienceError::Timeout { scope: TimeoutScope::Call, limit })
    }
}

/// How long a probe is waited for: its attempt's limit, else the open period or, where that is
/// shorter, the timeout. And a little longer, so that its own timeout is heard before somebody else
/// takes its place.
pub(super) fn lease(policy: &Policy, breaker: &Breaker) -> Duration {
    const LEAST_MARGIN: Duration = Duration::from_millis(100);
    let longest = policy.attempt_limit().unwrap_or_else(|| policy.timeout.min(breaker.held().open));
    longest.saturating_add((longest / 4).max(LEAST_MARGIN))
}
