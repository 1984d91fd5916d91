//! A store that fails or panics for some time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::deferred::{
    Cancellation, Claim, ClaimToken, Claims, Counts, DeferredStore, Entry, Failure, Filter, Found, NewEntry, Put,
    Receipt, Retried, Scope, State, StoreError, StoreErrorKind, StoreFuture, Summary, Swept, Timestamp, Viewer,
    WallClock,
};
use resilient_runtime::statistics::DeferredResult;
use resilient_runtime::testing;
use resilient_runtime::testing::deferred::{MemoryStore, counted};
use tokio::time::sleep;

use super::shop::serve_with;

/// A store whose next calls for the worker fail or panic.
#[derive(Debug, Clone, Default)]
struct Flaky {
    store: MemoryStore,
    failures: Arc<AtomicU32>,
    panics: Arc<AtomicU32>,
    /// Completions that are written, and whose answer is lost.
    lost: Arc<AtomicU32>,
}

/// Takes one of the faults that are left.
fn takes(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

impl Flaky {
    fn next(&self) -> Result<(), StoreError> {
        assert!(!takes(&self.panics), "a store that panics");
        if takes(&self.failures) {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "the disk is gone"));
        }
        Ok(())
    }

    fn run<'a, T: 'a>(&'a self, answer: StoreFuture<'a, T>) -> StoreFuture<'a, T> {
        Box::pin(async move {
            self.next()?;
            answer.await
        })
    }
}

impl DeferredStore for Flaky {
    fn put(&self, entry: NewEntry) -> StoreFuture<'_, Put> {
        self.store.put(entry)
    }

    fn withdraw(&self, receipt: Receipt) -> StoreFuture<'_, bool> {
        self.store.withdraw(receipt)
    }

    fn find<'a>(&'a self, scope: &'a Scope, arguments: &'a str, now: Timestamp) -> StoreFuture<'a, Option<Found>> {
        self.store.find(scope, arguments, now)
    }

    fn share<'a>(&'a self, scope: &'a Scope, arguments: &'a str, now: Timestamp) -> StoreFuture<'a, Option<Found>> {
        self.store.share(scope, arguments, now)
    }

    fn get<'a>(&'a self, receipt: Receipt, viewer: &'a Viewer) -> StoreFuture<'a, Option<Entry>> {
        self.store.get(receipt, viewer)
    }

    fn claim<'a>(&'a self, claim: &'a Claim) -> StoreFuture<'a, Claims> {
        self.run(self.store.claim(claim))
    }

    fn renew(&self, token: ClaimToken, lease: Duration, now: Timestamp) -> StoreFuture<'_, Option<Timestamp>> {
        self.run(self.store.renew(token, lease, now))
    }

    fn complete(&self, token: ClaimToken, result: Option<String>, now: Timestamp) -> StoreFuture<'_, Option<Summary>> {
        self.run(Box::pin(async move {
            let completed = self.store.complete(token, result, now).await;
            if takes(&self.lost) { Err(StoreError::new(StoreErrorKind::Unavailable, "no answer")) } else { completed }
        }))
    }

    fn fail(&self, token: ClaimToken, failure: Failure, now: Timestamp) -> StoreFuture<'_, Option<Summary>> {
        self.run(self.store.fail(token, failure, now))
    }

    fn postpone(&self, token: ClaimToken, until: Timestamp, now: Timestamp) -> StoreFuture<'_, Option<Summary>> {
        self.run(self.store.postpone(token, until, now))
    }

    fn cancel<'a>(
        &'a self,
        receipt: Receipt,
        viewer: &'a Viewer,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Cancellation>> {
        self.store.cancel(receipt, viewer, now)
    }

    fn retry(&self, receipt: Receipt, now: Timestamp) -> StoreFuture<'_, Retried> {
        self.store.retry(receipt, now)
    }

    fn discard(&self, receipt: Receipt, now: Timestamp) -> StoreFuture<'_, bool> {
        self.store.discard(receipt, now)
    }

    fn list<'a>(&'a self, filter: &'a Filter) -> StoreFuture<'a, Vec<Summary>> {
        self.store.list(filter)
    }

    fn counts<'a>(&'a self, server: Option<&'a str>) -> StoreFuture<'a, Counts> {
        self.store.counts(server)
    }

    fn recover<'a>(&'a self, server: &'a str, now: Timestamp) -> StoreFuture<'a, u64> {
        self.run(self.store.recover(server, now))
    }

    fn sweep<'a>(&'a self, server: &'a str, now: Timestamp) -> StoreFuture<'a, Swept> {
        self.run(self.store.sweep(server, now))
    }

    fn check(&self) -> StoreFuture<'_, ()> {
        self.store.check()
    }
}

/// Defers an order, breaks the store in this way for the worker, and returns how the order ends.
fn broken(break_it: impl FnOnce(&Flaky)) -> (Entry, Vec<String>) {
    testing::run(async |lab| {
        let flaky = Flaky::default();
        let served = serve_with(lab, flaky.store.clone(), |_| flaky.clone(), WallClock::new()).await;
        served.upstream().down(true);
        let receipt = served.defer("order", "k").await;
        served.upstream().down(false);
        break_it(&flaky);
        let entry = served.ended(receipt).await;
        sleep(Duration::from_secs(60)).await;
        (entry, served.upstream().placed())
    })
}

#[test]
fn a_worker_survives_a_store_that_fails() {
    let (entry, placed) = broken(|flaky| flaky.failures.store(10, Ordering::Relaxed));
    assert_eq!((entry.summary.state, entry.summary.tries_used), (State::Done, 1));
    assert_eq!(placed, ["k"]);
}

#[test]
fn a_worker_survives_a_store_that_panics() {
    let (entry, placed) = broken(|flaky| flaky.panics.store(5, Ordering::Relaxed));
    assert_eq!((entry.summary.state, entry.summary.tries_used), (State::Done, 1));
    assert_eq!(placed, ["k"]);
}

#[test]
fn a_delivery_is_counted_even_if_the_answer_of_the_store_is_lost() {
    testing::run(async |lab| {
        let flaky = Flaky::default();
        let served = serve_with(lab, flaky.store.clone(), |_| flaky.clone(), WallClock::new()).await;
        served.upstream().down(true);
        let receipt = served.defer("order", "k").await;
        served.upstream().down(false);
        flaky.lost.store(1, Ordering::Relaxed);
        assert_eq!(served.ended(receipt).await.summary.state, State::Done);
        sleep(Duration::from_secs(60)).await;
        assert_eq!(served.upstream().placed(), ["k"]);
        assert!(counted(lab.registry(), "order").contains(&(DeferredResult::Done, 1)));
    });
}
