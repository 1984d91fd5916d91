//! The store of a registry, and what its users share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use super::clock::WallClock;
use super::store::DeferredStore;
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
    pub(crate) clock: WallClock,
    /// Notified when a write was accepted.
    pub(crate) wake: Notify,
    pub(crate) statistics: DeferredStatistics,
}

impl Deferral {
    pub(crate) fn new(store: Arc<dyn DeferredStore>, server: String, clock: WallClock) -> Self {
        IS_USED.store(true, Ordering::Relaxed);
        Self { store, server, clock, wake: Notify::new(), statistics: DeferredStatistics::default() }
    }
}
