//! The bulkhead of a call: the permit of an attempt, and the wait for one in the queue.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep_until};

use super::permit::BreakerWatch;
use crate::breaker::Breaker;
use crate::bulkhead::{Bulkhead, BulkheadEntry, PermitFuture, PermitGuard};
use crate::clock::{self, Moment};
use crate::context::{Activity, EnclosingAttempt, Lender, Lending, Loan};
use crate::statistics::ToolStatistics;

/// The bulkhead of a call, and the slot that the call holds there. Dropping it gives the slot back.
pub(super) struct CallBulkhead {
    bulkhead: Arc<Bulkhead>,
    slot: Option<CallPermit>,
}

/// The permission of a bulkhead to run one attempt. Dropping it gives the slot back.
#[expect(dead_code, reason = "both give their slot back when they are dropped")]
pub(super) enum CallPermit {
    Own(PermitGuard<Arc<Bulkhead>>),
    /// The slot of an enclosing attempt.
    Borrowed(Loan),
}

/// The response of a bulkhead to an attempt.
pub(super) enum BulkheadResponse {
    Admitted,
    Queued(QueuePosition),
    /// Neither a slot nor a place in the queue is free.
    Full,
}

/// A place in the queue. It is counted as queued until it is dropped.
pub(super) struct QueuePosition {
    /// The place in the bulkhead's own queue, if there was one.
    queued: Option<PermitFuture>,
    /// The enclosing attempt whose slot another call has borrowed.
    lender: Option<Lender>,
    statistics: Arc<ToolStatistics>,
}

impl Drop for QueuePosition {
    fn drop(&mut self) {
        self.statistics.unqueued();
    }
}

impl CallBulkhead {
    pub(super) const fn new(bulkhead: Arc<Bulkhead>) -> Self {
        Self { bulkhead, slot: None }
    }

    /// Requests a slot or a place in the queue. The slot of an enclosing attempt is used before one of the bulkhead.
    pub(super) fn acquire(
        &mut self,
        statistics: &Arc<ToolStatistics>,
        enclosing: Option<&Arc<EnclosingAttempt>>,
    ) -> BulkheadResponse {
        let lender = match enclosing.map(|enclosing| enclosing.lend_slot(&self.bulkhead)) {
            Some(Lending::Granted(loan, _)) => {
                self.slot = Some(CallPermit::Borrowed(loan));
                return BulkheadResponse::Admitted;
            }
            Some(Lending::Taken(lender)) => Some(lender),
            Some(Lending::Nothing) | None => None,
        };
        let queued: Option<PermitFuture> =
            match BulkheadEntry::enter(Arc::clone(&self.bulkhead)).map(BulkheadEntry::try_permit) {
                Some(Ok(slot)) => {
                    self.slot = Some(CallPermit::Own(slot));
                    return BulkheadResponse::Admitted;
                }
                Some(Err(entry)) => Some(Box::pin(entry.permit())),
                None if lender.is_none() => return BulkheadResponse::Full,
                None => None,
            };
        statistics.queued();
        BulkheadResponse::Queued(QueuePosition { queued, lender, statistics: Arc::clone(statistics) })
    }

    /// Holds a slot that the call has waited for.
    pub(super) fn hold(&mut self, slot: CallPermit) {
        self.slot = Some(slot);
    }

    /// Gives the slot back. One that a call inside the attempt has borrowed becomes free when that call returns it.
    #[inline]
    pub(super) fn give_back(&mut self, shared: Option<&Arc<EnclosingAttempt>>) {
        let slot = self.slot.take();
        match shared {
            Some(shared) => shared.end(slot.map(|slot| Box::new(slot) as _)),
            None => drop(slot),
        }
    }

    /// The bulkhead whose slot the call holds.
    pub(super) fn held(&self) -> Option<&Bulkhead> {
        self.slot.as_ref().map(|_| &*self.bulkhead)
    }

    /// The end of the longest wait in its queue that began at `since`.
    pub(super) fn expires(&self, since: Moment) -> Option<Moment> {
        self.bulkhead.settings().wait.map(|wait| since.after(wait))
    }

    /// The longest time that an attempt may queue. `None` if the bulkhead has no queue.
    pub(super) fn longest_wait(&self, deadline: Moment) -> Option<Duration> {
        let settings = self.bulkhead.settings();
        let left = || deadline.since(Moment::now());
        (settings.queue > 0).then(|| settings.wait.map_or_else(left, |wait| wait.min(left())))
    }
}

impl QueuePosition {
    /// Waits for a slot of the bulkhead or of the enclosing attempt. `None` if neither can become free any more.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<CallPermit>> {
        if let Some(lender) = &self.lender {
            match lender.poll_loan(cx) {
                Poll::Ready(Some(loan)) => {
                    // A call from within an event, before this place is dropped, may need its place in the queue.
                    self.queued = None;
                    return Poll::Ready(Some(CallPermit::Borrowed(loan)));
                }
                Poll::Ready(None) => self.lender = None,
                Poll::Pending => {}
            }
        }
        match &mut self.queued {
            Some(queued) => Pin::as_mut(queued).poll(cx).map(|slot| Some(CallPermit::Own(slot))),
            None if self.lender.is_none() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

/// An attempt that waits in the queue of its bulkhead.
pub(super) struct QueueTicket {
    position: QueuePosition,
    /// The end of the bulkhead's longest wait, if that is before the call's deadline.
    expires: Option<Moment>,
    watch: BreakerWatch,
    /// Counts the call as waiting inside the enclosing attempt.
    _activity: Option<Activity>,
}

/// The end of a wait in the queue.
pub(super) enum QueueEnd {
    Admitted(CallPermit, Moment),
    /// No slot became free in time, or none can any more.
    Full,
    DeadlineExceeded,
    /// The breaker opened in the meantime.
    CircuitOpen,
}

impl QueueTicket {
    pub(super) fn new(position: QueuePosition, expires: Option<Moment>, activity: Option<Activity>) -> Self {
        Self { position, expires, watch: BreakerWatch::default(), _activity: activity }
    }

    /// Waits for a slot, no longer than the bulkhead's longest wait and the call's deadline.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut timer: Pin<&mut Option<Sleep>>,
        deadline: Moment,
        breaker: Option<&Breaker>,
    ) -> Poll<QueueEnd> {
        let slot = match self.position.poll(cx) {
            Poll::Ready(Some(slot)) => Some(slot),
            Poll::Ready(None) => return Poll::Ready(QueueEnd::Full),
            Poll::Pending => {
                let until = self.expires.unwrap_or(deadline);
                if timer.is_none() {
                    timer.set(Some(sleep_until(until.instant())));
                }
                if let Some(timer) = timer.as_pin_mut()
                    && clock::poll_timer(timer, cx).is_pending()
                {
                    ready!(self.watch.poll_opened(breaker, until, cx));
                    return Poll::Ready(QueueEnd::CircuitOpen);
                }
                None
            }
        };
        let now = Moment::now();
        Poll::Ready(match slot {
            _ if now >= deadline => QueueEnd::DeadlineExceeded,
            Some(slot) => QueueEnd::Admitted(slot, now),
            None if self.expires.is_some() => QueueEnd::Full,
            None => QueueEnd::DeadlineExceeded,
        })
    }
}
