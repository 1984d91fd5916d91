//! The connection of a breaker with those of other replicas: its openings are counted, so that they can be published,
//! and it is armed when one of the others opens.

use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

use super::core::{self, State};
use super::sync::{AtomicU64, Ordering};
use super::{Breaker, Reason};

/// The openings that other replicas learn about.
#[derive(Debug)]
pub(super) struct Openings {
    count: AtomicU64,
    /// Notified at each of them.
    opened: OnceLock<Arc<Notify>>,
}

impl Openings {
    pub(super) const fn new() -> Self {
        Self { count: AtomicU64::new(0), opened: OnceLock::new() }
    }
}

impl Breaker {
    /// Makes each own opening notify `opened`, from now on.
    pub(crate) fn distribute(&self, opened: &Arc<Notify>) {
        let _ = self.openings.opened.set(Arc::clone(opened));
    }

    /// Returns how often the closed breaker has opened because of results of this replica.
    pub(crate) fn own_openings(&self) -> u64 {
        self.openings.count.load(Ordering::Acquire)
    }

    /// Returns whether the breaker is open, and its open period is not over.
    pub(crate) fn is_still_open(&self) -> bool {
        self.state() == State::Open && !self.is_over()
    }

    /// Arms the breaker if it is closed: one failure opens it, and one success disarms it. Returns whether it was armed
    /// by this call.
    #[doc(hidden)]
    pub fn arm(&self) -> bool {
        let is_new = core::set_armed(self.cells(), true);
        if is_new {
            tracing::info!(event = "breaker.armed", breaker = self.name);
        }
        is_new
    }

    /// Disarms the breaker if it is armed, because the news that armed it is over.
    pub(crate) fn disarm(&self) {
        core::set_armed(self.cells(), false);
    }

    /// Counts a transition if it is an opening that other replicas learn about. One that another replica caused is not:
    /// else the news of one opening would never end.
    pub(super) fn note_opening(&self, from: State, to: State, reason: Reason) {
        if from == State::Closed && to == State::Open && matches!(reason, Reason::Failures | Reason::Slow) {
            self.openings.count.fetch_add(1, Ordering::Release);
            if let Some(opened) = self.openings.opened.get() {
                opened.notify_one();
            }
        }
    }
}
