//! A call's turn at its bulkhead: the slot that it holds, or the line that it stands in. Whatever
//! becomes of the call, dropping this gives both back.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::bulkhead::{Bulkhead, Place, Queued, Slot};
use crate::clock::Moment;
use crate::statistics::ToolStatistics;

/// What an attempt got when it asked for a slot.
#[derive(Debug, Clone, Copy)]
pub(super) enum Got {
    /// A slot, or none is needed.
    Slot,
    /// A place in the queue.
    Place,
    /// Neither.
    Nothing,
}

/// The turn of one call.
pub(super) struct Turn {
    bulkhead: Arc<Bulkhead>,
    slot: Option<Slot<Arc<Bulkhead>>>,
    line: Option<Line>,
    /// Whether the running attempt had to queue.
    has_queued: bool,
}

/// Standing in line, counted for as long as it lasts.
struct Line {
    queued: Queued,
    statistics: Arc<ToolStatistics>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.statistics.unqueued();
    }
}

impl Turn {
    pub(super) const fn new(bulkhead: Arc<Bulkhead>) -> Self {
        Self { bulkhead, slot: None, line: None, has_queued: false }
    }

    /// Asks for a slot, or for a place in the queue.
    pub(super) fn ask(&mut self, statistics: &Arc<ToolStatistics>) -> Got {
        self.has_queued = false;
        let Some(place) = Place::enter(Arc::clone(&self.bulkhead)) else { return Got::Nothing };
        match place.try_slot() {
            Ok(slot) => {
                self.slot = Some(slot);
                Got::Slot
            }
            Err(place) => {
                statistics.queued();
                self.line = Some(Line { queued: Box::pin(place.slot()), statistics: Arc::clone(statistics) });
                self.has_queued = true;
                Got::Place
            }
        }
    }

    /// Waits in line until there is a slot.
    pub(super) fn poll_slot(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(line) = &mut self.line {
            self.slot = Some(ready!(Pin::as_mut(&mut line.queued).poll(cx)));
            self.line = None;
        }
        Poll::Ready(())
    }

    pub(super) const fn holds_anything(&self) -> bool {
        self.slot.is_some() || self.line.is_some()
    }

    /// Gives up the slot, or the place in line.
    pub(super) fn give_back(&mut self) {
        self.slot = None;
        self.line = None;
    }

    /// When an attempt that began to queue at `since` has waited long enough, where its bulkhead
    /// says so.
    pub(super) fn waits_until(&self, since: Moment) -> Option<Moment> {
        let wait = self.bulkhead.settings().wait?;
        Some(since.after(wait))
    }

    /// How long an attempt may have to queue before it begins, given the time that its call has.
    /// `None` where nobody queues.
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
