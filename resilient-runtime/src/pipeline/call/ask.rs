//! Before an attempt: who has a say in whether it may run, and what happens where one says no.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use resilient_policy::{ErrorKind, Policy};
use tokio::time::sleep_until;

use super::limits::whole_call;
use super::telemetry;
use super::{Call, Verdict, breaker};
use crate::Classify as _;
use crate::breaker::Breaker;
use crate::bulkhead;
use crate::clock::{self, Moment};
use crate::context::CallContext;
use crate::error::{LimitKind, ResilienceError, TimeoutScope};
#[cfg(feature = "rate-limit")]
use crate::keyed_hash::Collected;
use crate::outcomes::{Rejected, Suppressed};
use crate::pipeline::turn::Got;

impl Call<'_> {
    /// Asks everybody who has a say for an attempt, and says what the bulkhead gave it.
    pub(super) fn ask(mut self: Pin<&mut Self>) -> Result<Got, Verdict> {
        #[cfg(feature = "rate-limit")]
        if self.binding.is_limited
            && let Err(error) = self.check_rate()
        {
            let limit = match error {
                ResilienceError::Overloaded { limit, .. } => limit,
                _ => LimitKind::RateLimit,
            };
            return Err(self.reject(limit, error));
        }
        self.as_mut().project().seldom.asks();
        match self.as_mut().ask_breaker()? {
            Got::Slot if self.turn.is_some() => Ok(self.ask_bulkhead()),
            got => Ok(got),
        }
    }

    /// Asks the breaker for a permit.
    #[expect(clippy::inline_always, reason = "part of every call: as a function it takes 10 to 30 instructions more")]
    #[inline(always)]
    pub(super) fn ask_breaker(mut self: Pin<&mut Self>) -> Result<Got, Verdict> {
        if self.is_inside
            && let Some(got) = self.as_mut().borrow_permit()
        {
            return Ok(got);
        }
        let this = self.as_mut().project();
        let Some(breaker) = breaker(this.keyed_breaker.as_ref(), this.binding) else { return Ok(Got::Slot) };
        // A breaker that is isolated by hand is isolated for every key.
        let plain = this.keyed_breaker.as_ref().and(this.binding.breaker.as_deref());
        let by_hand = plain.map_or(Ok(()), Breaker::check_isolated);
        match by_hand.and_then(|()| breaker.admit(|| Some(lease(this.binding.policy())))) {
            Ok(ticket) => {
                *this.ticket = Some(ticket);
                Ok(Got::Slot)
            }
            Err(error) => Err(self.rejected_by_breaker(error)),
        }
    }

    /// The breaker rejects the attempt. A call that has run ends as its last attempt did, and says until when the
    /// breaker is open.
    pub(super) fn rejected_by_breaker(self: Pin<&mut Self>, error: ResilienceError) -> Verdict {
        self.binding.statistics.rejected(Rejected::Breaker);
        // It holds no ticket: most rejected calls hold nothing, and have not run.
        if !self.has_more_than_a_ticket() {
            return Verdict::Refused(error);
        }
        if self.last.is_some() {
            self.no_retry(ErrorKind::CircuitOpen.as_str(), error.retry_after());
        }
        self.give_up(error)
    }

    /// Tells the hook why there is no retry, and when one would be of use.
    pub(super) fn no_retry(&self, reason: &'static str, retry_after: Option<Duration>) {
        if let Some(request) = self.hook() {
            let mut report = request.report();
            report.retry_after = retry_after;
            report.reason = Some(reason);
        }
    }

    /// Asks the bulkhead for a slot.
    pub(super) fn ask_bulkhead(self: Pin<&mut Self>) -> Got {
        let this = self.project();
        let Some(turn) = this.turn else { return Got::Slot };
        let around = this.context.as_ref().and_then(CallContext::around);
        let got = turn.ask(&this.binding.statistics, around.as_ref());
        if let (Got::Place, Some(ticket)) = (got, *this.ticket) {
            if ticket.is_lent() {
                // Another call inside the same attempt may need the permit before a slot becomes free.
                *this.ticket = None;
                this.seldom.give_back();
            } else if let (Some(breaker), Some(wait)) =
                (breaker(this.keyed_breaker.as_ref(), this.binding), turn.longest_wait(*this.deadline))
            {
                // A probe that has to queue is not given up while it does.
                breaker.start_lease(ticket, || lease(this.binding.policy()).saturating_add(wait));
            }
        }
        got
    }

    /// After a wait for a slot: the permit is asked for again if the breaker has moved on since, or if it was lent.
    fn ask_again(mut self: Pin<&mut Self>) -> Result<Got, Verdict> {
        let still_holds = |breaker: &Breaker| self.ticket.is_some_and(|ticket| breaker.is_current(ticket));
        if self.breaker().is_none_or(still_holds) {
            return Ok(Got::Slot);
        }
        *self.as_mut().project().ticket = None;
        let got = self.as_mut().ask_breaker()?;
        if matches!(got, Got::Taken) {
            // It does not hold a slot that the call with the permit may wait for.
            self.give_back();
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
            LimitKind::RateLimit | LimitKind::RateLimitKeys => Rejected::RateLimit,
        });
        telemetry::limit_rejected(&self, limit);
        if self.last.is_some() {
            self.no_retry(ErrorKind::Overloaded.as_str(), error.retry_after());
        }
        self.give_up(error)
    }

    /// Whether there may be anything to give back beside the ticket, or a last attempt to answer with.
    #[inline]
    fn has_more_than_a_ticket(&self) -> bool {
        self.turn.is_some() || self.is_inside || self.attempt > 0
    }

    /// There is no attempt, although the breaker let it through: says so to everybody.
    pub(super) fn give_up(mut self: Pin<&mut Self>, error: ResilienceError) -> Verdict {
        if self.ticket.is_some() || self.has_more_than_a_ticket() {
            self.as_mut().give_back();
        }
        let mut this = self.project();
        this.timer.set(None);
        this.seldom.watches_no_more();
        this.last.take().unwrap_or(Verdict::Refused(error))
    }

    /// Waits in line for a slot, at most as long as the bulkhead allows and the call has time.
    pub(super) fn poll_queue(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Got, Verdict>> {
        if self.as_mut().poll_cancelled(cx).is_ready() {
            // That the client is gone is the end, whatever came before.
            *self.as_mut().project().last = None;
            return Poll::Ready(Err(self.give_up(ResilienceError::Cancelled)));
        }
        let mut this = self.as_mut().project();
        let turn = this.turn.as_mut();
        let given_up = turn.as_ref().and_then(|turn| turn.waits_until(*this.attempt_started));
        let given_up = given_up.filter(|until| until < this.deadline);
        let polled = turn.map_or(Poll::Ready(true), |turn| turn.poll_slot(cx));
        if polled == Poll::Ready(false) {
            return Poll::Ready(Err(self.reject(LimitKind::Bulkhead, bulkhead::overloaded())));
        }
        let has_slot = polled.is_ready();
        if !has_slot {
            let until = given_up.unwrap_or(*this.deadline);
            if this.timer.is_none() {
                this.timer.set(Some(sleep_until(until.instant())));
            }
            if let Some(timer) = this.timer.as_mut().as_pin_mut()
                && clock::poll_timer(timer, cx).is_pending()
            {
                ready!(self.as_mut().poll_opened(cx, until));
                return Poll::Ready(Err(self.opened_meanwhile()));
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
        let mut this = self.as_mut().project();
        this.timer.set(None);
        this.seldom.watches_no_more();
        *this.attempt_started = now;
        Poll::Ready(self.ask_again())
    }

    /// The deadline came while an attempt was in line.
    pub(super) fn out_of_time(self: Pin<&mut Self>) -> Verdict {
        if self.last.is_some() {
            self.no_retry(Suppressed::Deadline.as_str(), None);
        }
        if let Some(around) = self.around() {
            around.waited_too_long();
        }
        let limit = whole_call(self.started, self.deadline);
        self.binding.statistics.timed_out(TimeoutScope::Call);
        self.give_up(ResilienceError::Timeout { scope: TimeoutScope::Call, limit })
    }
}

/// How long a probe is waited for: what ends it, that is its attempt's limit, else the timeout. And a quarter more,
/// so that its own timeout is recorded before another probe takes its place.
pub(super) fn lease(policy: &Policy) -> Duration {
    const LEAST_MARGIN: Duration = Duration::from_millis(100);
    let longest = policy.attempt_limit().unwrap_or(policy.timeout);
    longest.saturating_add((longest / 4).max(LEAST_MARGIN))
}
