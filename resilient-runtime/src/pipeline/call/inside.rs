//! A call inside the attempt of another call: what it borrows from that attempt, and how it waits for it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::time::sleep_until;

use super::ask::lease;
use super::{Call, State, Verdict, breaker};
use crate::breaker::Breaker;
use crate::clock::{self, Moment};
use crate::context::{Activity, CallContext, EnclosingAttempt, Lender, Lending, Loan};
use crate::error::ResilienceError;
use crate::pipeline::turn::Got;

/// What a call has of the attempt around it.
#[derive(Default)]
pub(super) struct Inside {
    permit: Option<Loan>,
    /// Whose permit it waits for.
    lender: Option<Lender>,
    activity: Option<Activity>,
    /// Whether the running attempt had to wait for a permit.
    pub(super) has_waited: bool,
}

impl Inside {
    pub(super) fn runs(&mut self, around: Option<&Arc<EnclosingAttempt>>) {
        if let Some(around) = around {
            self.activity = Some(Activity::running(around));
        }
    }

    /// Gives back what it has borrowed.
    pub(super) fn give_back(&mut self) {
        self.permit = None;
        self.lender = None;
        self.activity = None;
    }
}

impl Call<'_> {
    /// The attempt around this call, if there is one.
    pub(super) fn around(&self) -> Option<&Arc<EnclosingAttempt>> {
        self.context.as_ref().and_then(CallContext::around)
    }

    pub(super) fn wait_in(mut self: Pin<&mut Self>, state: State) {
        let activity = self.around().map(Activity::queued);
        let this = self.as_mut().project();
        if activity.is_some() {
            this.inside.activity = activity;
        }
        *this.state = state;
    }

    /// Asks the attempts around the call for the permit that one of them may hold. `None`: none does.
    #[cold]
    pub(super) fn borrow_permit(self: Pin<&mut Self>) -> Option<Got> {
        let this = self.project();
        let breaker = breaker(this.keyed_breaker.as_ref(), this.binding)?;
        match this.context.as_ref().and_then(CallContext::around)?.lend_permit(breaker) {
            Lending::Nothing => None,
            Lending::Granted(loan, ticket) => {
                this.inside.permit = Some(loan);
                *this.ticket = ticket;
                Some(Got::Slot)
            }
            Lending::Taken(lender) => {
                *this.ticket = breaker.admit_if_free(lease(this.binding.policy()));
                if this.ticket.is_some() {
                    return Some(Got::Slot);
                }
                this.inside.lender = Some(lender);
                this.inside.has_waited = true;
                Some(Got::Taken)
            }
        }
    }

    /// Waits for the permit that another call inside the same attempt has, or for a free one.
    pub(super) fn poll_permit(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Got, Verdict>> {
        if self.as_mut().poll_cancelled(cx).is_ready() {
            *self.as_mut().project().last = None;
            return Poll::Ready(Err(self.give_up(ResilienceError::Cancelled)));
        }
        loop {
            // Before it asks, so that no change is missed.
            let is_watching = self.as_mut().poll_changed(cx).is_pending();
            self.as_mut().project().inside.lender = None;
            match self.as_mut().ask_breaker() {
                Ok(Got::Taken) => {}
                Ok(_) => {
                    let mut this = self.as_mut().project();
                    this.timer.set(None);
                    this.changed.set(None);
                    *this.attempt_started = Moment::now();
                    return Poll::Ready(Ok(self.ask_bulkhead()));
                }
                Err(verdict) => return Poll::Ready(Err(verdict)),
            }
            let lender = self.inside.lender.as_ref();
            if lender.is_some_and(|lender| lender.poll_return(cx).is_pending()) && is_watching {
                break;
            }
        }
        let mut this = self.as_mut().project();
        if this.timer.is_none() {
            this.timer.set(Some(sleep_until(this.deadline.instant())));
        }
        if let Some(timer) = this.timer.as_mut().as_pin_mut() {
            ready!(clock::poll_timer(timer, cx));
        }
        Poll::Ready(Err(self.out_of_time()))
    }

    /// Waits for the next change of the breaker. It is being watched once this is pending.
    fn poll_changed(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(breaker) = breaker(this.keyed_breaker.as_ref(), this.binding) else { return Poll::Pending };
        if this.changed.is_none() {
            this.changed.set(Some(breaker.changed()));
        }
        let polled = this.changed.as_mut().as_pin_mut().map_or(Poll::Pending, |changed| changed.poll(cx));
        if polled.is_ready() {
            this.changed.set(None);
        }
        polled
    }

    /// Waits until the breaker is sure to reject what would come at `until`.
    pub(super) fn poll_opened(mut self: Pin<&mut Self>, cx: &mut Context<'_>, until: Moment) -> Poll<()> {
        if self.breaker().is_none() {
            return Poll::Pending;
        }
        loop {
            let changed = self.as_mut().poll_changed(cx);
            let wait = until.since(Moment::now());
            if self.breaker().is_some_and(|breaker| breaker.rejects_after(wait)) {
                return Poll::Ready(());
            }
            ready!(changed);
        }
    }

    /// The breaker has opened while the call waited: it ends as its last attempt did, or is rejected.
    pub(super) fn opened_meanwhile(self: Pin<&mut Self>) -> Verdict {
        let Some(error) = self.breaker().map(Breaker::reject) else {
            return self.give_up(ResilienceError::Cancelled);
        };
        self.rejected_by_breaker(error)
    }
}
