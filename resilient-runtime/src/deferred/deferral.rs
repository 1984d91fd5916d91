//! The store of a registry, and what its users share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::clock::StoreClock;
use super::error::StoreError;
use super::last_counts::LastCounts;
use super::store::{Counts, DeferredStore};
use super::time::Timestamp;
use crate::statistics::DeferredStatistics;

/// Whether a registry has a store. Until then, a request is not searched for a delivery.
static IS_USED: AtomicBool = AtomicBool::new(false);

/// Returns whether a registry of this process has a store.
pub(crate) fn is_used() -> bool {
    IS_USED.load(Ordering::Relaxed)
}

/// Where the tools of a registry defer their writes to. Set once for each registry.
#[derive(Debug)]
pub(crate) struct Deferral {
    pub(crate) store: Arc<dyn DeferredStore>,
    /// The name of the server, which each of its entries has.
    pub(crate) server: String,
    pub(crate) clock: StoreClock,
    /// Whether the last search for a key failed, which is logged once.
    pub(crate) search_failed: AtomicBool,
    /// Why the last call was not accepted, which is logged once.
    last_refusal: Mutex<Option<&'static str>>,
    /// Notified when a write was accepted.
    pub(crate) wake: Notify,
    pub(crate) statistics: DeferredStatistics,
    /// The entries of this server as they were counted last.
    pub(crate) last_counts: LastCounts,
    /// The functions of the tools that a worker delivers, by their addresses. `None`: all, in tests without a worker.
    delivered: Option<Vec<usize>>,
}

impl Deferral {
    pub(crate) fn new(store: Arc<dyn DeferredStore>, server: String, clock: StoreClock) -> Self {
        IS_USED.store(true, Ordering::Relaxed);
        Self {
            store,
            server,
            clock,
            search_failed: AtomicBool::new(false),
            last_refusal: Mutex::default(),
            wake: Notify::new(),
            statistics: DeferredStatistics::default(),
            last_counts: LastCounts::default(),
            delivered: None,
        }
    }

    /// Accepts only writes of these tools: a worker claims no others.
    pub(crate) fn delivering(mut self, tools: Vec<usize>) -> Self {
        self.delivered = Some(tools);
        self
    }

    /// Returns whether a worker delivers the writes of this tool. Another server may have a tool of the same name.
    pub(crate) fn delivers(&self, tool: usize) -> bool {
        self.delivered.as_ref().is_none_or(|delivered| delivered.contains(&tool))
    }

    /// Takes why a call was not accepted; `None` for one that was. Returns whether the call before ended differently.
    pub(crate) fn refused(&self, reason: Option<&'static str>) -> bool {
        let mut last = self.last_refusal.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *last, reason) != reason
    }

    /// Takes newer counts of the entries of this server, which exporters show until the next ones.
    pub(crate) fn observed(&self, counts: Counts, at: Timestamp) {
        self.last_counts.set(counts, at);
    }

    /// Counts the entries of this server, and keeps the counts for exporters.
    pub(crate) async fn sample(&self) -> Result<Counts, StoreError> {
        let at = self.clock.now();
        let counts = self.store.counts(Some(&self.server)).await?;
        self.observed(counts, at);
        Ok(counts)
    }
}
