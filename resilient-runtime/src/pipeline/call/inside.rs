//! A call inside the attempt of another call: what it borrows from that attempt, and how it waits for it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::futures::OwnedNotified;
use tokio::time::sleep_until;

use super::ask::lease;
use super::{Call, State, Verdict, breaker};
use crate::breaker::{Breaker, BreakerState};
use crate::clock::{self, Moment};
use crate::context::{Activity, CallContext, EnclosingAttempt, Lender, Lending, Loan};
use crate::error::ResilienceError;
use crate::pipeline::turn::Got;

/// State of the few calls that wait for their breaker, or that another guarded call makes. Most calls have none.
#[derive(Default)]
pub(super) struct Seldom(Option<Box<Inside>>);

#[derive(Default)]
struct Inside {
    /// When the attempt around the call ends.
    ends: Option<Moment>,
    permit: Option<Loan>,
    /// Whose permit it waits for.
    lender: Option<Lender>,
    activity: Option<Activity>,
    /// Whether the running attempt had to wait for a permit.
    has_waited: bool,
    /// Wakes it when its breaker changes while it waits.
    changed: Option<Pin<Box<OwnedNotified>>>,
}

impl Seldom {
    fn get(&mut self) -> &mut Inside {
        self.0.get_or_insert_default()
    }

    /// The attempt around the call ends then.
    pub(super) fn ends(&mut self, ends: Moment) {
        self.get().ends = Some(ends);
    }

    #[inline]
    pub(super) fn runs(&mut self, around: Option<Arc<EnclosingAttempt>>) {
        if let Some(around) = around {
            self.get().activity = Some(Activity::running(&around));
        }
    }

    /// Another attempt is asked for.
    #[inline]
    pub(super) fn asks(&mut self) {
        if let Some(inside) = &mut self.0 {
            inside.has_waited = false;
        }
    }

    pub(super) fn has_waited(&self) -> bool {
        self.0.as_ref().is_some_and(|inside| inside.has_waited)
    }

    /// It does not wait for a change of its breaker any longer.
    #[inline]
    pub(super) fn watches_no_more(&mut self) {
        if let Some(inside) = &mut self.0 {
            inside.changed = None;
        }
    }

    /// Gives back what it has borrowed.
    #[expect(clippy::inline_always, reason = "part of every call: as a function it takes 10 to 30 instructions more")]
    #[inline(always)]
    pub(super) fn give_back(&mut self) {
        if let Some(inside) = &mut self.0 {
            inside.give_back();
        }
    }
}

impl Inside {
    #[cold]
    fn give_back(&mut self) {
        (self.permit, self.lender, self.activity) = (None, None, None);
    }
}

impl Call<'_> {
    /// When the attempt around this call ends, if there is one.
    pub(crate) fn outer_deadline(&self) -> Option<Moment> {
        self.seldom.0.as_ref().and_then(|inside| inside.ends)
    }

    /// The attempt around this call, if there is one.
    pub(super) fn around(&self) -> Option<Arc<EnclosingAttempt>> {
        self.context.as_ref().and_then(CallContext::around)
    }

    pub(super) fn wait_in(mut self: Pin<&mut Self>, state: State) {
        let activity = self.around().as_ref().map(Activity::queued);
        let this = self.as_mut().project();
        if activity.is_some() {
            this.seldom.get().activity = activity;
        }
        *this.state = state;
    }

    /// Asks the attempts around the call for the permit that one of them may hold. `None`: none does.
    #[cold]
    pub(super) fn borrow_permit(self: Pin<&mut Self>) -> Option<Got> {
        let this = self.project();
        let breaker = breaker(this.keyed_breaker.as_ref(), this.binding)?;
        let plain = this.keyed_breaker.as_ref().and(this.binding.breaker.as_deref());
        if plain.is_some_and(|plain| plain.state() == BreakerState::Isolated) {
            return None;
        }
        match this.context.as_ref().and_then(CallContext::around)?.lend_permit(breaker) {
            Lending::Nothing => None,
            Lending::Granted(loan, ticket) => {
                this.seldom.get().permit = Some(loan);
                *this.ticket = ticket;
                Some(Got::Slot)
            }
            Lending::Taken(lender) => {
                *this.ticket = breaker.admit_if_free(lease(this.binding.policy()));
                if this.ticket.is_some() {
                    return Some(Got::Slot);
                }
                let inside = this.seldom.get();
                inside.lender = Some(lender);
                inside.has_waited = true;
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
            self.as_mut().project().seldom.get().lender = None;
            match self.as_mut().ask_breaker() {
                Ok(Got::Taken) => {}
                Ok(_) => {
                    let mut this = self.as_mut().project();
                    this.timer.set(None);
                    this.seldom.watches_no_more();
                    *this.attempt_started = Moment::now();
                    return Poll::Ready(Ok(self.ask_bulkhead()));
                }
                Err(verdict) => return Poll::Ready(Err(verdict)),
            }
            let lender = self.seldom.0.as_ref().and_then(|inside| inside.lender.as_ref());
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
        let this = self.project();
        let Some(breaker) = breaker(this.keyed_breaker.as_ref(), this.binding) else { return Poll::Pending };
        let changed = this.seldom.get().changed.get_or_insert_with(|| Box::pin(breaker.changed()));
        ready!(changed.as_mut().poll(cx));
        this.seldom.watches_no_more();
        Poll::Ready(())
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
