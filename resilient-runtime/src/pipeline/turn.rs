//! A call's turn at its bulkhead: the slot that it holds, or its place in the queue. Dropping this gives both back.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::bulkhead::{Bulkhead, Place, Queued, Slot};
use crate::clock::Moment;
use crate::context::{EnclosingAttempt, Lender, Lending, Loan};
use crate::statistics::ToolStatistics;

/// What an attempt got when it asked for a permit and a slot.
#[derive(Debug, Clone, Copy)]
pub(super) enum Got {
    /// A slot, or none is needed.
    Slot,
    /// A place in the queue.
    Place,
    /// Neither.
    Nothing,
    /// No permit: another call inside the same attempt has it at present.
    Taken,
}

/// The turn of one call.
pub(super) struct Turn {
    bulkhead: Arc<Bulkhead>,
    slot: Option<Taken>,
    line: Option<Line>,
    /// Whether the running attempt had to queue.
    has_queued: bool,
}

/// A slot of the bulkhead, or the one of an attempt around the call.
#[expect(dead_code, reason = "they give back what they hold when they are dropped")]
enum Taken {
    Own(Slot<Arc<Bulkhead>>),
    Lent(Loan),
}

/// Standing in line, counted for as long as it lasts.
struct Line {
    /// The place in the bulkhead's queue, if it had one.
    queued: Option<Queued>,
    /// The attempt around the call, whose slot another call has at present.
    lender: Option<Lender>,
    statistics: Arc<ToolStatistics>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.statistics.unqueued();
    }
}

impl Line {
    /// Waits for the first of the two that has a slot. `None` if no slot can come any more.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Taken>> {
        if let Some(lender) = &self.lender {
            match lender.poll_loan(cx) {
                Poll::Ready(Some(loan)) => return Poll::Ready(Some(Taken::Lent(loan))),
                Poll::Ready(None) => self.lender = None,
                Poll::Pending => {}
            }
        }
        match &mut self.queued {
            Some(queued) => Pin::as_mut(queued).poll(cx).map(|slot| Some(Taken::Own(slot))),
            None if self.lender.is_none() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl Turn {
    pub(super) const fn new(bulkhead: Arc<Bulkhead>) -> Self {
        Self { bulkhead, slot: None, line: None, has_queued: false }
    }

    /// Asks for a slot, or for a place in the queue. A slot of this bulkhead that an attempt around the call holds
    /// comes first.
    pub(super) fn ask(&mut self, statistics: &Arc<ToolStatistics>, around: Option<&Arc<EnclosingAttempt>>) -> Got {
        self.has_queued = false;
        let lender = match around.map(|around| around.lend_slot(&self.bulkhead)) {
            Some(Lending::Granted(loan, _)) => {
                self.slot = Some(Taken::Lent(loan));
                return Got::Slot;
            }
            Some(Lending::Taken(lender)) => Some(lender),
            Some(Lending::Nothing) | None => None,
        };
        let queued: Option<Queued> = match Place::enter(Arc::clone(&self.bulkhead)).map(Place::try_slot) {
            Some(Ok(slot)) => {
                self.slot = Some(Taken::Own(slot));
                return Got::Slot;
            }
            Some(Err(place)) => Some(Box::pin(place.slot())),
            None if lender.is_none() => return Got::Nothing,
            None => None,
        };
        statistics.queued();
        self.line = Some(Line { queued, lender, statistics: Arc::clone(statistics) });
        self.has_queued = true;
        Got::Place
    }

    /// Waits in line until there is a slot. `false` if none can come any more.
    pub(super) fn poll_slot(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if let Some(line) = &mut self.line {
            self.slot = ready!(line.poll(cx));
            self.line = None;
        }
        Poll::Ready(self.slot.is_some())
    }

    pub(super) const fn holds_anything(&self) -> bool {
        self.slot.is_some() || self.line.is_some()
    }

    /// The bulkhead whose slot it holds.
    pub(super) fn held(&self) -> Option<&Bulkhead> {
        self.slot.as_ref().map(|_| &*self.bulkhead)
    }

    /// Gives up the slot, or the place in line. What calls inside the attempt have of it comes back later.
    pub(super) fn give_back(&mut self, shared: Option<&Arc<EnclosingAttempt>>) {
        let slot = self.slot.take();
        match shared {
            Some(shared) => shared.end(slot.map(|slot| Box::new(slot) as _)),
            None => drop(slot),
        }
        self.line = None;
    }

    /// When an attempt that began to queue at `since` has waited long enough, where its bulkhead
    /// says so.
    pub(super) fn waits_until(&self, since: Moment) -> Option<Moment> {
        let wait = self.bulkhead.settings().wait?;
        Some(since.after(wait))
    }

    /// How long an attempt may have to queue before it begins, given the time that its call has.
    /// `None` where nothing queues.
    pub(super) fn longest_wait(&self, deadline: Moment) -> Option<Duration> {
        let settings = self.bulkhead.settings();
        let left = || deadline.since(Moment::now());
        (settings.queue > 0).then(|| settings.wait.map_or_else(left, |wait| wait.min(left())))
    }

    /// Whether the running attempt had to queue.
    pub(super) const fn has_queued(&self) -> bool {
        self.has_queued
    }
}
