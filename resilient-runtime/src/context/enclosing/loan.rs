//! The loans of an attempt's permits to the calls inside it.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use super::{EnclosingAttempt, Shared};
use crate::breaker::Ticket;

/// The kinds of permits that an attempt can lend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lent {
    Permit,
    Slot,
}

/// A lent permit of an enclosing attempt. It is returned on drop.
pub(crate) struct Loan {
    of: Arc<EnclosingAttempt>,
    what: Lent,
}

/// The response of the enclosing attempts to a request for a loan.
pub(crate) enum Lending {
    /// No enclosing attempt holds such a permit.
    Nothing,
    Granted(Loan, Option<Ticket>),
    /// Another inner call has the permit at present.
    Taken(Lender),
}

/// The attempt whose loan a call waits for.
pub(crate) struct Lender {
    pub(super) of: Arc<EnclosingAttempt>,
    pub(super) what: Lent,
}

impl Lent {
    fn count(self, shared: &mut Shared) -> &mut u32 {
        match self {
            Self::Permit => &mut shared.permits_lent,
            Self::Slot => &mut shared.slots_lent,
        }
    }
}

impl Lender {
    pub(super) fn take(&self, even_if_lent: bool) -> Option<Loan> {
        let mut shared = self.of.lock();
        if shared.has_ended {
            return None;
        }
        let lent = self.what.count(&mut shared);
        if *lent > 0 && !even_if_lent {
            return None;
        }
        *lent += 1;
        Some(Loan { of: Arc::clone(&self.of), what: self.what })
    }

    pub(super) fn ticket(&self) -> Option<Ticket> {
        self.of.held.probe.map(Ticket::lent).filter(|_| self.what == Lent::Permit)
    }

    /// Waits until a new request may succeed: the loan was returned, or the lending attempt has ended.
    pub(crate) fn poll_return(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_free(&mut self.of.lock(), cx)
    }

    /// Waits for the loan. Returns `None` if the lending attempt has ended.
    pub(crate) fn poll_loan(&self, cx: &mut Context<'_>) -> Poll<Option<Loan>> {
        let mut shared = self.of.lock();
        ready!(self.poll_free(&mut shared, cx));
        if shared.has_ended {
            return Poll::Ready(None);
        }
        *self.what.count(&mut shared) += 1;
        Poll::Ready(Some(Loan { of: Arc::clone(&self.of), what: self.what }))
    }

    fn poll_free(&self, shared: &mut Shared, cx: &mut Context<'_>) -> Poll<()> {
        if shared.has_ended || *self.what.count(shared) == 0 {
            return Poll::Ready(());
        }
        if !shared.waiting.iter().any(|known| known.will_wake(cx.waker())) {
            shared.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let (waiting, freed) = {
            let mut shared = self.of.lock();
            let lent = self.what.count(&mut shared);
            *lent = lent.saturating_sub(1);
            let freed = if shared.slots_lent == 0 { shared.slot.take() } else { None };
            (std::mem::take(&mut shared.waiting), freed)
        };
        drop(freed);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl fmt::Debug for Loan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loan").field("what", &self.what).finish_non_exhaustive()
    }
}
