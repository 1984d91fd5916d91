//! Admission of an attempt: the rate limit, the breaker and the bulkhead, and a rejection by one of them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use resilient_policy::ErrorKind;

use super::attempt::{Admission, whole_call};
use super::permit::lease;
use super::queue::{BulkheadResponse, CallPermit, QueueEnd, QueueTicket};
use super::result::AttemptResult;
use super::{Call, State, events};
use crate::Classify as _;
use crate::breaker::Breaker;
use crate::bulkhead;
use crate::clock::Moment;
use crate::context::{Activity, Lender};
use crate::error::{LimitKind, Refusal, ResilienceError, TimeoutScope};
use crate::gate;
use crate::outcomes::{Rejected, Suppressed};
use crate::registry::Registry;
use crate::telemetry;

impl Call<'_> {
    /// Requests admission for the attempt that is due. `None`: the call waits for a permit of the rate limit, a
    /// permit of the breaker or a slot.
    #[expect(clippy::inline_always, reason = "part of every call: as a function it takes 10 to 30 instructions more")]
    #[inline(always)]
    pub(super) fn admit(mut self: Pin<&mut Self>, now: Moment) -> Result<Option<Admission>, AttemptResult> {
        #[cfg(feature = "rate-limit")]
        if self.binding.is_limited && self.as_mut().request_rate_limit()? {
            return Ok(None);
        }
        if self.as_mut().acquire_permit()?.is_some() {
            self.await_permit();
            return Ok(None);
        }
        if self.bulkhead.is_none() {
            return Ok(Some(Admission { at: now, has_waited: false }));
        }
        self.acquire_slot(now, false)
    }

    /// Requests a permit of the breaker. `Some`: another call has borrowed the permit of this enclosing attempt.
    #[expect(clippy::inline_always, reason = "part of every call: as a function it takes 10 to 30 instructions more")]
    #[inline(always)]
    pub(super) fn acquire_permit(mut self: Pin<&mut Self>) -> Result<Option<Lender>, AttemptResult> {
        if self.caller.is_nested
            && let Some(borrowed) = self.as_mut().borrow_permit()
        {
            return Ok(borrowed.err());
        }
        let this = self.as_mut().project();
        let Some(breaker) = this.breaker else { return Ok(None) };
        // A breaker that an operator isolates rejects the calls of every key.
        if breaker.is_keyed()
            && let Some(unkeyed) = this.binding.breaker.as_deref()
            && let Err(error) = unkeyed.check_isolated()
        {
            return Err(self.reject_by_breaker(error));
        }
        match breaker.admit(|| Some(lease(this.binding.policy()))) {
            Ok(ticket) => {
                breaker.hold(ticket);
                Ok(None)
            }
            Err(error) => Err(self.reject_by_breaker(error)),
        }
    }

    /// Requests a slot of the bulkhead for an attempt that the breaker admits. `None`: the call waits in the queue.
    pub(super) fn acquire_slot(
        mut self: Pin<&mut Self>,
        now: Moment,
        has_waited: bool,
    ) -> Result<Option<Admission>, AttemptResult> {
        let enclosing = self.enclosing();
        let this = self.as_mut().project();
        let Some(bulkhead) = this.bulkhead else { return Ok(Some(Admission { at: now, has_waited })) };
        let position = match bulkhead.acquire(&this.binding.cold.statistics, enclosing.as_ref()) {
            BulkheadResponse::Admitted => return Ok(Some(Admission { at: now, has_waited })),
            BulkheadResponse::Full => return Err(self.reject(LimitKind::Bulkhead, bulkhead::overloaded())),
            BulkheadResponse::Queued(position) => position,
        };
        if let Some(breaker) = this.breaker
            && let Some(ticket) = breaker.ticket()
        {
            if ticket.is_lent() {
                // Another call inside the same attempt may need the permit before a slot becomes free.
                let _ = breaker.take_ticket();
            } else if let Some(wait) = bulkhead.longest_wait(*this.deadline) {
                // The breaker must not give a probe up while it queues.
                breaker.start_lease(ticket, || lease(this.binding.policy()).saturating_add(wait));
            }
        }
        let expires = bulkhead.expires(now).filter(|until| until < this.deadline);
        let activity = enclosing.as_ref().map(Activity::queued);
        *this.state = State::Queued(QueueTicket::new(position, expires, activity));
        Ok(None)
    }

    /// Waits in the queue of the bulkhead. `None`: the call waits for a permit then.
    pub(super) fn poll_queue(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Admission>, AttemptResult>> {
        if self.as_mut().poll_cancelled(cx).is_ready() {
            return Poll::Ready(Err(self.cancelled()));
        }
        let this = self.as_mut().project();
        let State::Queued(ticket) = this.state else { return Poll::Ready(Ok(None)) };
        Poll::Ready(match ready!(ticket.poll(cx, this.timer, *this.deadline, this.breaker.as_deref())) {
            QueueEnd::Admitted(slot, now) => self.leave_queue(slot, now),
            QueueEnd::Full => Err(self.reject(LimitKind::Bulkhead, bulkhead::overloaded())),
            QueueEnd::DeadlineExceeded => Err(self.reject_by_deadline()),
            QueueEnd::CircuitOpen => Err(self.reject_by_opened_breaker()),
        })
    }

    /// Admits the attempt that has got its slot. It needs a new permit if the breaker has changed its state since, or
    /// if its permit was a borrowed one.
    fn leave_queue(
        mut self: Pin<&mut Self>,
        slot: CallPermit,
        now: Moment,
    ) -> Result<Option<Admission>, AttemptResult> {
        // A switch may have been set in the meantime.
        self.as_mut().ask_gate_again()?;
        let mut this = self.as_mut().project();
        this.timer.set(None);
        if let Some(breaker) = this.breaker
            && !breaker.has_current_permit()
        {
            // The breaker no longer accepts its result.
            let _ = breaker.take_ticket();
            if self.as_mut().acquire_permit()?.is_some() {
                // The call that has borrowed the permit may need this slot.
                drop(slot);
                self.await_permit();
                return Ok(None);
            }
        }
        if let Some(bulkhead) = self.project().bulkhead {
            bulkhead.hold(slot);
        }
        Ok(Some(Admission { at: now, has_waited: true }))
    }

    /// Rejects the attempt because of its rate limit or bulkhead.
    pub(super) fn reject(self: Pin<&mut Self>, limit: LimitKind, error: ResilienceError) -> AttemptResult {
        self.binding.cold.statistics.rejected(match limit {
            LimitKind::Bulkhead => Rejected::Bulkhead,
            LimitKind::RateLimit | LimitKind::RateLimitKeys => Rejected::RateLimit,
            LimitKind::Concurrency => Rejected::Concurrency,
        });
        events::limit_rejected(&self, limit);
        if self.last.is_some() {
            self.report_no_retry(ErrorKind::Overloaded.as_str(), error.retry_after());
        }
        self.give_up(error)
    }

    /// Ends the call of a tool that has waited if the gate would refuse it now. The limit on the calls in flight does
    /// not apply: the call is one of them.
    #[cold]
    pub(super) fn ask_gate_again(self: Pin<&mut Self>) -> Result<(), AttemptResult> {
        let is_gated = self.is_counted_by_hook() || self.is_refresh_of_tool() || self.site.is_remote();
        if !gate::is_active() || !is_gated {
            return Ok(());
        }
        let refusal = Registry::here(|registry| registry.gate().refusal(&self.site.gated()));
        refusal.map_or(Ok(()), |refusal| Err(self.reject_by_gate(refusal)))
    }

    /// Rejects an attempt because of the gate. A call that has run ends with the result of its last attempt.
    #[cold]
    pub(super) fn reject_by_gate(self: Pin<&mut Self>, refusal: Refusal) -> AttemptResult {
        self.binding.cold.statistics.rejected(refusal.rejected());
        telemetry::refused(self.site.name(), refusal, self.context.as_ref());
        if self.last.is_some() {
            self.report_no_retry(refusal.rejected().as_str(), None);
        }
        self.give_up(refusal.error())
    }

    /// Rejects the attempt because of its breaker. The hook reports until when the breaker is open.
    pub(super) fn reject_by_breaker(self: Pin<&mut Self>, error: ResilienceError) -> AttemptResult {
        self.binding.cold.statistics.rejected(Rejected::Breaker);
        // Most of these calls hold nothing, and have not run.
        if self.attempts == 0 && self.bulkhead.is_none() && matches!(self.state, State::Admitting(_)) {
            self.project().state.advance(State::Finished(None));
            return AttemptResult::Refused(error);
        }
        if self.last.is_some() {
            self.report_no_retry(ErrorKind::CircuitOpen.as_str(), error.retry_after());
        }
        self.give_up(error)
    }

    /// Rejects the attempt because the breaker opened while the call waited.
    pub(super) fn reject_by_opened_breaker(self: Pin<&mut Self>) -> AttemptResult {
        let Some(error) = self.breaker.as_deref().map(Breaker::reject) else {
            return self.give_up(ResilienceError::Cancelled);
        };
        self.reject_by_breaker(error)
    }

    /// Rejects the attempt because the deadline passed while it waited for admission.
    pub(super) fn reject_by_deadline(self: Pin<&mut Self>) -> AttemptResult {
        if self.last.is_some() {
            self.report_no_retry(Suppressed::Deadline.as_str(), None);
            #[cfg(feature = "cache")]
            self.cut_retry(Moment::now());
        }
        if let Some(enclosing) = self.enclosing() {
            enclosing.queued_past_deadline();
        }
        let limit = whole_call(self.started, self.deadline);
        self.binding.cold.statistics.timed_out(TimeoutScope::Call);
        self.give_up(ResilienceError::Timeout { scope: TimeoutScope::Call, limit })
    }

    /// Ends a call that is cancelled while no attempt runs, regardless of the result of its last attempt.
    pub(super) fn cancelled(mut self: Pin<&mut Self>) -> AttemptResult {
        *self.as_mut().project().last = None;
        self.give_up(ResilienceError::Cancelled)
    }

    /// Ends the attempts before another one runs. The result is that of the last attempt, if there was one.
    fn give_up(mut self: Pin<&mut Self>, error: ResilienceError) -> AttemptResult {
        self.as_mut().give_back();
        if self.last.is_none() {
            return AttemptResult::Refused(error);
        }
        self.project().last.take().unwrap_or(AttemptResult::Refused(error))
    }

    /// Reports to the hook why there is no retry, and when a retry by the client may help.
    pub(super) fn report_no_retry(&self, reason: &'static str, retry_after: Option<Duration>) {
        if let Some(request) = self.hook_request() {
            let mut report = request.report();
            report.retry_after = retry_after;
            report.reason = Some(reason);
        }
    }
}
