//! The breaker of a call, the permit that the call holds there, and the wait for a change of the breaker.

use std::mem::forget;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use resilient_policy::Policy;
use tokio::sync::futures::OwnedNotified;

use crate::binding::BindingRef;
use crate::breaker::{AttemptDuration, Breaker, Held, Signal, Ticket};
use crate::clock::Moment;
use crate::context::{EnclosingAttempt, Lender, Lending, Loan};

/// The breaker of a call, and the permit that the call holds there.
///
/// A permit that is still held when this is dropped is given back with a neutral result.
pub(super) struct CallBreaker<'a> {
    breaker: BreakerRef<'a>,
    ticket: Option<Ticket>,
    /// Returns a borrowed permit to the enclosing attempt.
    loan: Option<Loan>,
}

enum BreakerRef<'a> {
    /// The function's breaker, where its first binding still applies, or a `static` one.
    Borrowed(&'a Breaker),
    /// The function's breaker in another registry, or after a change of the settings.
    Shared(Arc<Breaker>),
    /// The breaker of the call's partition key.
    Keyed(Arc<Breaker>),
}

impl<'a> CallBreaker<'a> {
    /// The function's breaker, if its policy has one.
    #[inline]
    pub(super) fn of(binding: &BindingRef<'a>) -> Option<Self> {
        let breaker = match binding {
            BindingRef::First(binding) => BreakerRef::Borrowed(binding.breaker.as_deref()?),
            BindingRef::Other(binding) => match binding.breaker.as_ref()?.held() {
                Held::Named(breaker) => BreakerRef::Shared(Arc::clone(breaker)),
                Held::Static(breaker) => BreakerRef::Borrowed(breaker),
            },
        };
        Some(Self { breaker, ticket: None, loan: None })
    }

    /// The same breaker, and a permit that it has granted.
    #[inline]
    pub(super) fn with(mut self, ticket: Option<Ticket>) -> Self {
        self.ticket = ticket;
        self
    }

    /// The breaker of a partition key.
    pub(super) const fn keyed(breaker: Arc<Breaker>) -> Self {
        Self { breaker: BreakerRef::Keyed(breaker), ticket: None, loan: None }
    }

    #[inline]
    pub(super) const fn is_keyed(&self) -> bool {
        matches!(self.breaker, BreakerRef::Keyed(_))
    }

    /// Holds the permit that the breaker has granted.
    #[inline]
    pub(super) const fn hold(&mut self, ticket: Ticket) {
        self.ticket = Some(ticket);
    }

    /// Borrows the permit of an enclosing attempt. `None` if no enclosing attempt holds one.
    pub(super) fn borrow(&mut self, enclosing: &Arc<EnclosingAttempt>, policy: &Policy) -> Option<Borrowed> {
        match enclosing.lend_permit(&self.breaker) {
            Lending::Nothing => return None,
            Lending::Granted(loan, ticket) => (self.loan, self.ticket) = (Some(loan), ticket),
            Lending::Taken(lender) => {
                self.ticket = self.admit_if_free(lease(policy));
                if self.ticket.is_none() {
                    return Some(Err(lender));
                }
            }
        }
        Some(Ok(()))
    }

    #[inline]
    pub(super) const fn ticket(&self) -> Option<Ticket> {
        self.ticket
    }

    /// Whether a success changes nothing at the breaker.
    #[inline]
    pub(super) fn is_unchanged_by_success(&self) -> bool {
        self.ticket.is_some_and(|ticket| self.breaker.is_all_well(ticket))
    }

    /// Drops it after a success that changes nothing, mostly without the code that would give back what it holds.
    #[inline]
    pub(super) fn end_unchanged(breaker: &mut Option<Self>) {
        if let Some(known) = breaker {
            known.ticket = None;
            if known.loan.is_none() && matches!(known.breaker, BreakerRef::Borrowed(_)) {
                forget(breaker.take());
            }
        }
    }

    /// Takes the ticket, whose result the caller records, and returns a borrowed permit.
    #[inline]
    pub(super) fn take_ticket(&mut self) -> Option<Ticket> {
        self.loan = None;
        self.ticket.take()
    }

    /// Gives the permit back with a neutral result.
    #[inline]
    pub(super) fn give_back(&mut self) {
        if self.ticket.is_some() {
            self.record_neutral();
        }
    }

    #[cold]
    fn record_neutral(&mut self) {
        if let Some(ticket) = self.take_ticket() {
            self.record(ticket, Signal::Neutral, AttemptDuration::Unknown);
        }
    }

    /// Whether the call holds a permit whose result the breaker still accepts.
    pub(super) fn has_current_permit(&self) -> bool {
        self.ticket.is_some_and(|ticket| self.is_current(ticket))
    }
}

/// An enclosing attempt has lent its permit, or has lent it to another call.
type Borrowed = Result<(), Lender>;

impl Deref for BreakerRef<'_> {
    type Target = Breaker;

    #[inline]
    fn deref(&self) -> &Breaker {
        match self {
            Self::Borrowed(breaker) => breaker,
            Self::Shared(breaker) | Self::Keyed(breaker) => breaker,
        }
    }
}

impl Deref for CallBreaker<'_> {
    type Target = Breaker;

    #[inline]
    fn deref(&self) -> &Breaker {
        &self.breaker
    }
}

impl Drop for CallBreaker<'_> {
    #[inline]
    fn drop(&mut self) {
        self.give_back();
    }
}

/// How long the breaker waits for the result of a probe: the limit of its attempt, else the timeout, and a quarter more,
/// so that the probe's own timeout is recorded before another probe is admitted.
pub(super) fn lease(policy: &Policy) -> Duration {
    const LEAST_MARGIN: Duration = Duration::from_millis(100);
    let longest = policy.attempt_limit().unwrap_or(policy.timeout);
    longest.saturating_add((longest / 4).max(LEAST_MARGIN))
}

/// Observes the breaker while a call waits. It costs nothing before its first poll.
#[derive(Default)]
pub(super) struct BreakerWatch(Option<Pin<Box<OwnedNotified>>>);

impl BreakerWatch {
    /// Waits for the next change of the breaker. While this is pending, no change is missed.
    pub(super) fn poll_changed(&mut self, breaker: &Breaker, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.0.get_or_insert_with(|| Box::pin(breaker.changed())).as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(())
    }

    /// Waits until the breaker is sure to reject a call at `until`. Pending forever without a breaker.
    pub(super) fn poll_opened(&mut self, breaker: Option<&Breaker>, until: Moment, cx: &mut Context<'_>) -> Poll<()> {
        let Some(breaker) = breaker else { return Poll::Pending };
        loop {
            let changed = self.poll_changed(breaker, cx);
            if breaker.rejects_after(until.since(Moment::now())) {
                return Poll::Ready(());
            }
            ready!(changed);
        }
    }
}
