//! A store that stops at one step of an entry, so that a test can kill the process there.

use std::error::Error;
use std::future::pending;
use std::time::Duration;

use resilient_runtime::deferred::{
    Cancellation, Claim, ClaimToken, Claims, Counts, DeferredStore, Entry, Failure, Filter, Found, NewEntry, Put,
    Receipt, Retried, Scope, StoreFuture, Summary, Swept, Timestamp, Viewer,
};

/// The variable with the step at which the store stops.
pub const HOLD: &str = "RECORDS_HOLD";

/// The steps at which a store can stop. It writes `step: WORD` to stderr then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The store is about to accept an entry. It does not stop here: the test blocks the store before.
    Putting,
    /// The entry is on disk, and the caller does not know it.
    Put,
    /// The entry is claimed, and the worker does not know it.
    Claimed,
    /// The write has taken effect, and the entry is not completed.
    Completing,
    /// The entry is completed, and the worker does not know it.
    Completed,
}

impl Step {
    const ALL: [Self; 5] = [Self::Putting, Self::Put, Self::Claimed, Self::Completing, Self::Completed];

    /// The word of the step.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Putting => "putting",
            Self::Put => "put",
            Self::Claimed => "claimed",
            Self::Completing => "completing",
            Self::Completed => "completed",
        }
    }
}

#[derive(Debug)]
pub(super) struct HeldStore<S> {
    store: S,
    hold: Option<Step>,
}

impl<S> HeldStore<S> {
    pub(super) fn from_env(store: S) -> Result<Self, Box<dyn Error>> {
        let hold = match std::env::var(HOLD) {
            Ok(word) => Some(Step::ALL.into_iter().find(|step| step.as_str() == word).ok_or("an unknown step")?),
            Err(_) => None,
        };
        Ok(Self { store, hold })
    }

    async fn reach(&self, step: Step) {
        if self.hold == Some(step) {
            eprintln!("step: {}", step.as_str());
            if step != Step::Putting {
                pending::<()>().await;
            }
        }
    }
}

impl<S: DeferredStore> DeferredStore for HeldStore<S> {
    fn put(&self, entry: NewEntry) -> StoreFuture<'_, Put> {
        Box::pin(async {
            self.reach(Step::Putting).await;
            let put = self.store.put(entry).await;
            self.reach(Step::Put).await;
            put
        })
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
        Box::pin(async {
            let claims = self.store.claim(claim).await;
            if claims.as_ref().is_ok_and(|claims| !claims.entries.is_empty()) {
                self.reach(Step::Claimed).await;
            }
            claims
        })
    }

    fn renew(&self, token: ClaimToken, lease: Duration, now: Timestamp) -> StoreFuture<'_, Option<Timestamp>> {
        self.store.renew(token, lease, now)
    }

    fn complete(&self, token: ClaimToken, result: Option<String>, now: Timestamp) -> StoreFuture<'_, Option<Summary>> {
        Box::pin(async move {
            self.reach(Step::Completing).await;
            let completed = self.store.complete(token, result, now).await;
            self.reach(Step::Completed).await;
            completed
        })
    }

    fn fail(&self, token: ClaimToken, failure: Failure, now: Timestamp) -> StoreFuture<'_, Option<Summary>> {
        self.store.fail(token, failure, now)
    }

    fn postpone(&self, token: ClaimToken, until: Timestamp, now: Timestamp) -> StoreFuture<'_, Option<Summary>> {
        self.store.postpone(token, until, now)
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

    fn start_of_machine<'a>(&'a self, run: &'a str, estimate: Timestamp) -> StoreFuture<'a, Timestamp> {
        self.store.start_of_machine(run, estimate)
    }

    fn recover<'a>(&'a self, server: &'a str, now: Timestamp) -> StoreFuture<'a, u64> {
        self.store.recover(server, now)
    }

    fn sweep<'a>(&'a self, server: &'a str, now: Timestamp) -> StoreFuture<'a, Swept> {
        self.store.sweep(server, now)
    }

    fn check(&self) -> StoreFuture<'_, ()> {
        self.store.check()
    }
}
