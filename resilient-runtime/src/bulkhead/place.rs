//! Places and slots that are given back by being dropped, wherever that happens.

use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::SemaphorePermit;

use super::Bulkhead;

/// A place among those that run or wait.
pub(crate) struct Place<B: Deref<Target = Bulkhead>>(B);

/// A slot: whoever holds it runs.
pub(crate) struct Slot<B: Deref<Target = Bulkhead>>(Place<B>);

/// Standing in line for a slot. Dropped, it leaves the line.
pub(crate) type Queued = Pin<Box<dyn Future<Output = Slot<Arc<Bulkhead>>> + Send + Sync>>;

impl<B: Deref<Target = Bulkhead>> Place<B> {
    /// A place, if one is left.
    pub(crate) fn enter(bulkhead: B) -> Option<Self> {
        bulkhead.enter().then(|| Self(bulkhead))
    }

    /// A slot, if one is free. Where others wait, none is.
    pub(crate) fn try_slot(self) -> Result<Slot<B>, Self> {
        let found = self.0.slots.try_acquire().map(SemaphorePermit::forget);
        if found.is_ok() { Ok(Slot(self)) } else { Err(self) }
    }

    /// Waits for a slot, behind those who wait already.
    pub(crate) async fn slot(self) -> Slot<B> {
        // Nobody closes the semaphore, so there always is one in the end.
        if let Ok(permit) = self.0.slots.acquire().await {
            permit.forget();
        }
        Slot(self)
    }
}

impl<B: Deref<Target = Bulkhead>> Drop for Place<B> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl<B: Deref<Target = Bulkhead>> Slot<B> {
    pub(super) fn bulkhead(&self) -> &Bulkhead {
        &self.0.0
    }
}

impl<B: Deref<Target = Bulkhead>> Drop for Slot<B> {
    fn drop(&mut self) {
        // The slot before the place, which goes after this: who finds a place where nobody may
        // wait finds a slot as well.
        self.bulkhead().slots.add_permits(1);
    }
}
