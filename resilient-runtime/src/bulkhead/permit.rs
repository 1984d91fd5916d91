//! Places and permits of a bulkhead, returned on drop.

use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::SemaphorePermit;

use super::Bulkhead;

/// A place among the calls that run or wait.
pub(crate) struct BulkheadEntry<B: Deref<Target = Bulkhead>>(B);

/// A permit, held by a running call.
pub(crate) struct PermitGuard<B: Deref<Target = Bulkhead>>(BulkheadEntry<B>);

/// A wait for a permit. Dropping it leaves the queue.
pub(crate) type PermitFuture = Pin<Box<dyn Future<Output = PermitGuard<Arc<Bulkhead>>> + Send + Sync>>;

impl<B: Deref<Target = Bulkhead>> BulkheadEntry<B> {
    /// Takes a place, if one is left.
    pub(crate) fn enter(bulkhead: B) -> Option<Self> {
        bulkhead.enter().then(|| Self(bulkhead))
    }

    /// Takes a permit, if one is free. Calls that wait already come first.
    pub(crate) fn try_permit(self) -> Result<PermitGuard<B>, Self> {
        let found = self.0.slots.try_acquire().map(SemaphorePermit::forget);
        if found.is_ok() { Ok(PermitGuard(self)) } else { Err(self) }
    }

    /// Waits for a permit, behind the calls that wait already.
    pub(crate) async fn permit(self) -> PermitGuard<B> {
        // The semaphore is never closed, so `acquire` does not fail.
        if let Ok(permit) = self.0.slots.acquire().await {
            permit.forget();
        }
        PermitGuard(self)
    }
}

impl<B: Deref<Target = Bulkhead>> Drop for BulkheadEntry<B> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl<B: Deref<Target = Bulkhead>> PermitGuard<B> {
    pub(super) fn bulkhead(&self) -> &Bulkhead {
        &self.0.0
    }
}

impl<B: Deref<Target = Bulkhead>> Drop for PermitGuard<B> {
    fn drop(&mut self) {
        // The permit is returned before the place, so that a call that enters a bulkhead without a queue finds a
        // permit.
        let bulkhead = self.bulkhead();
        if !bulkhead.size.withholds_one() {
            bulkhead.slots.add_permits(1);
        }
    }
}
