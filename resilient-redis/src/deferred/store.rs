//! The store.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use resilient_runtime::deferred::{
    Bounds, Cancellation, Claim, ClaimToken, Claims, Counts, DeferredStore, Entry, Failure, Filter, Found, NewEntry,
    Put, Receipt, Retried, Scope, StoreError, StoreErrorKind, StoreFuture, Summary, Swept, Timestamp, Viewer,
};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, oneshot};
use tokio::time::timeout;

use super::client::{Client, PATIENCE, attempt};
use super::error::Fault;
use super::read::{by_key, by_receipt, counts, found, list, may_see};
use super::stored::Fields;
use super::withdrawals::Withdrawals;
use super::{claim, durability, put, start, transitions};
use crate::Redis;

/// A store of deferred writes in Redis, for the replicas of a server on several machines. A clone shares its
/// connection.
///
/// # Durability
///
/// Redis keeps what it has accepted as it is configured. So that no accepted write is lost, set `appendonly yes`,
/// `appendfsync always` and `maxmemory-policy noeviction`. The store reads these settings when the server starts to
/// deliver, and emits the event `deferred.store_not_durable` (warn) with the field `problem` for each that may lose
/// writes or that cannot be read.
///
/// A replica of Redis receives changes after they were acknowledged: if it takes over, the last ones may be missing.
/// Then, as after a restored backup, the last writes may be lost, and writes that had ended or were withdrawn may be
/// there again and be delivered again. The end of a try that began before has no effect on a later one.
///
/// The rights that a user needs for it, beside those in the description of this crate, are these. The last two are for
/// the check of the settings, which says what it could not read without them.
///
/// ```text
/// ACL SETUSER app +exists +del +hget +hmget +hset +hsetnx +hdel +hincrby +zadd +zrem +zrange +zcard
///     +sadd +smembers +lpush +llen +rpop +expire +hstrlen +info +config|get
/// ```
///
/// Arguments, principals and results are stored in clear text, as in every store.
///
/// # Calls
///
/// - Nothing is connected before the first call, so that a server starts while Redis is away. Then nothing is accepted.
/// - A call ends after 5 s at the latest. No call locks the data of another: if two change one entry at the same time,
///   one of them reads it again.
/// - If the response to a call is lost, the call returns an error although its change may have happened. An entry whose
///   [`put`](DeferredStore::put) ended in such a way is withdrawn as soon as Redis can be reached again, and refused if
///   it arrives up to an hour later, and so is one whose [`withdraw`](DeferredStore::withdraw) failed; a try whose end
///   was reported in such a way may be repeated.
/// - If Redis is out of memory ([`Full`](StoreErrorKind::Full)), it accepts no new entries. What it has can still be
///   delivered; results are not kept then.
/// - An entry that cannot be read delays no other one. It is read again each hour, and the event
///   `deferred.store_failed` names it.
/// - If the database is emptied or replaced, all processes continue with the new one.
///
/// All methods need a tokio runtime. Redis Cluster is not supported.
#[derive(Clone)]
pub struct RedisDeferredStore {
    bounds: Bounds,
    client: Arc<Client>,
    withdrawals: Arc<Withdrawals>,
    /// The id of the store whose durability was checked.
    checked: Arc<Mutex<Option<String>>>,
}

impl fmt::Debug for RedisDeferredStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bounds, client, .. } = self;
        f.debug_struct("RedisDeferredStore").field("client", client).field("bounds", bounds).finish_non_exhaustive()
    }
}

impl Redis {
    /// Returns the store of deferred writes in this Redis, with the default [`Bounds`]. It is not connected before its
    /// first use.
    #[must_use]
    pub fn deferred_store(&self) -> RedisDeferredStore {
        RedisDeferredStore {
            bounds: Bounds::default(),
            client: Arc::new(Client::new(self.clone())),
            withdrawals: Arc::default(),
            checked: Arc::default(),
        }
    }
}

impl RedisDeferredStore {
    /// Sets the bounds. They are not in Redis; give all processes the same. [`Bounds::bytes`] limits the sum of
    /// arguments, principals and results, with 2 KiB for each entry; to end what it has, the store may exceed it by an
    /// eighth and 256 KiB.
    #[must_use]
    pub fn bounds(self, bounds: Bounds) -> Self {
        Self { bounds, ..self }
    }

    /// Changes the entry of a token, if the token is the latest.
    fn fenced<'a>(
        &'a self,
        token: ClaimToken,
        transition: impl Fn(&mut Entry) -> bool + Send + Sync + 'a,
    ) -> StoreFuture<'a, Option<Summary>> {
        attempt!(self.client, |client, identity| {
            transitions::fenced(client, identity, self.bounds, token, &transition).await
        })
    }

    /// Checks once whether Redis keeps what it accepts, and again if the store is another one.
    async fn check_durability(&self) {
        // If another call checks it, this one need not.
        let Ok(mut checked) = self.checked.try_lock() else { return };
        let check = async {
            let id = self.client.identity().await.ok()?.id.clone();
            (checked.as_ref() == Some(&id) || durability::check(&self.client).await).then_some(id)
        };
        if let Ok(Some(id)) = timeout(PATIENCE, check).await {
            *checked = Some(id);
        }
    }

    /// Accepts a write, to the end. If the outcome is not known, or if nothing receives it, the entry is withdrawn.
    async fn put_to_end(self, new: NewEntry, runtime: Handle, answer: oneshot::Sender<Answer>) {
        if answer.is_closed() {
            return;
        }
        let receipt = new.receipt;
        let put = match timeout(PATIENCE, put::put(&self.client, self.bounds, &new, Instant::now())).await {
            Ok(put) => put,
            Err(_) => Err(Fault::Late),
        };
        if put.as_ref().is_err_and(Fault::is_uncertain) {
            self.withdrawals.add(&self.client, &runtime, receipt);
        }
        let withdrawal =
            matches!(put, Ok(Put::Accepted(_))).then(|| Withdrawal { store: Some(self), runtime, receipt });
        let _ = answer.send(Answer { put: put.map_err(StoreError::from), withdrawal });
    }
}

/// The result of a put, on its way to the caller.
struct Answer {
    put: Result<Put, StoreError>,
    withdrawal: Option<Withdrawal>,
}

/// Withdraws an entry when it is dropped.
struct Withdrawal {
    store: Option<RedisDeferredStore>,
    runtime: Handle,
    receipt: Receipt,
}

impl Drop for Withdrawal {
    fn drop(&mut self) {
        if let Some(store) = self.store.take() {
            store.withdrawals.add(&store.client, &self.runtime, self.receipt);
        }
    }
}

impl DeferredStore for RedisDeferredStore {
    fn put(&self, entry: NewEntry) -> StoreFuture<'_, Put> {
        let store = self.clone();
        Box::pin(async move {
            let runtime = Handle::current();
            let (sender, receiver) = oneshot::channel();
            // In a task, so that its end is known even if this future is dropped.
            runtime.spawn(store.put_to_end(entry, runtime.clone(), sender));
            let Ok(Answer { put, withdrawal }) = receiver.await else {
                return Err(StoreError::new(StoreErrorKind::Unavailable, "the runtime stopped, or the store panicked"));
            };
            if let Some(mut withdrawal) = withdrawal {
                withdrawal.store = None;
            }
            put
        })
    }

    fn withdraw(&self, receipt: Receipt) -> StoreFuture<'_, bool> {
        let attempt: StoreFuture<'_, bool> =
            attempt!(self.client, |client, identity| transitions::withdraw(client, identity, receipt).await);
        Box::pin(async move {
            let withdrawn = attempt.await;
            if let (Err(_), Ok(runtime)) = (&withdrawn, Handle::try_current()) {
                // The caller does not try again.
                self.withdrawals.add(&self.client, &runtime, receipt);
            }
            withdrawn
        })
    }

    fn find<'a>(&'a self, scope: &'a Scope, arguments: &'a str, now: Timestamp) -> StoreFuture<'a, Option<Found>> {
        attempt!(self.client, |client, identity| {
            let holder = by_key(client, identity, identity.secret.key_hash(scope), Fields::All).await?;
            let entry = holder.and_then(|it| it.stored).map(|it| it.entry).filter(|it| it.holds_key(now));
            Ok(entry.map(|entry| found(entry, identity.secret.arguments_hash(arguments))))
        })
    }

    fn share<'a>(&'a self, scope: &'a Scope, arguments: &'a str, now: Timestamp) -> StoreFuture<'a, Option<Found>> {
        attempt!(self.client, |client, identity| {
            let hashes = (identity.secret.key_hash(scope), identity.secret.arguments_hash(arguments));
            put::find_shared(client, identity, hashes, now).await
        })
    }

    fn get<'a>(&'a self, receipt: Receipt, viewer: &'a Viewer) -> StoreFuture<'a, Option<Entry>> {
        attempt!(self.client, |client, identity| {
            let stored = by_receipt(client, identity, receipt, Fields::All).await?;
            Ok(stored.map(|stored| stored.entry).filter(|entry| may_see(viewer, identity.secret, entry)))
        })
    }

    fn claim<'a>(&'a self, wanted: &'a Claim) -> StoreFuture<'a, Claims> {
        Box::pin(async move {
            let (began, mut claims) = (Instant::now(), Claims::default());
            loop {
                let client = &*self.client;
                let attempt =
                    async { claim::claim_some(client, &*client.identity().await?, wanted, &mut claims).await };
                // The limit is in here, so that it does not take what is claimed already.
                let ended = timeout(PATIENCE.saturating_sub(began.elapsed()), attempt).await;
                match ended.unwrap_or(Err(Fault::Late)) {
                    Ok(true) => return Ok(claims),
                    Ok(false) => {}
                    Err(fault) => match client.again(began, fault).await {
                        // What is claimed already must reach the caller.
                        Err(_) if !claims.entries.is_empty() || !claims.ended.is_empty() => return Ok(claims),
                        again => again?,
                    },
                }
            }
        })
    }

    fn renew(&self, token: ClaimToken, lease: Duration, now: Timestamp) -> StoreFuture<'_, Option<Timestamp>> {
        let renewed = self.fenced(token, move |entry| entry.renew(token, lease, now));
        Box::pin(async move { Ok(renewed.await?.map(|summary| summary.due)) })
    }

    fn complete(&self, token: ClaimToken, result: Option<String>, now: Timestamp) -> StoreFuture<'_, Option<Summary>> {
        self.fenced(token, move |entry| entry.complete(token, result.clone(), now))
    }

    fn fail(&self, token: ClaimToken, failure: Failure, now: Timestamp) -> StoreFuture<'_, Option<Summary>> {
        self.fenced(token, move |entry| entry.fail(token, failure.clone(), now))
    }

    fn postpone(&self, token: ClaimToken, until: Timestamp, now: Timestamp) -> StoreFuture<'_, Option<Summary>> {
        self.fenced(token, move |entry| entry.postpone(token, until, now))
    }

    fn cancel<'a>(
        &'a self,
        receipt: Receipt,
        viewer: &'a Viewer,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Cancellation>> {
        attempt!(self.client, |client, identity| transitions::cancel(client, identity, receipt, viewer, now).await)
    }

    fn retry(&self, receipt: Receipt, now: Timestamp) -> StoreFuture<'_, Retried> {
        attempt!(self.client, |client, identity| transitions::retry(client, identity, receipt, now).await)
    }

    fn discard(&self, receipt: Receipt, now: Timestamp) -> StoreFuture<'_, bool> {
        attempt!(self.client, |client, identity| transitions::discard(client, identity, receipt, now).await)
    }

    fn list<'a>(&'a self, filter: &'a Filter) -> StoreFuture<'a, Vec<Summary>> {
        attempt!(self.client, |client, identity| list(client, identity, filter).await)
    }

    fn counts<'a>(&'a self, server: Option<&'a str>) -> StoreFuture<'a, Counts> {
        attempt!(self.client, |client, identity| counts(client, identity, server).await)
    }

    fn start_of_machine<'a>(&'a self, run: &'a str, estimate: Timestamp) -> StoreFuture<'a, Timestamp> {
        attempt!(self.client, |client, identity| {
            // The identity is not used, but a store of a newer format is refused.
            let _ = identity;
            start::start(client, run, estimate).await
        })
    }

    fn recover<'a>(&'a self, server: &'a str, now: Timestamp) -> StoreFuture<'a, u64> {
        Box::pin(async move {
            self.check_durability().await;
            let (mut changed, mut position, mut has_gaps) = (0, Some(String::new()), false);
            while let Some(after) = &position {
                let step: StoreFuture<'_, _> =
                    attempt!(self.client, |client, identity| claim::recover(client, identity, (server, now), after)
                        .await);
                let step = step.await?;
                changed += step.changed;
                has_gaps |= step.has_gaps;
                position = step.next;
            }
            if has_gaps {
                let count: StoreFuture<'_, _> =
                    attempt!(self.client, |client, identity| claim::count_again(client, identity).await);
                count.await?;
            }
            Ok(changed)
        })
    }

    fn sweep<'a>(&'a self, server: &'a str, now: Timestamp) -> StoreFuture<'a, Swept> {
        let attempt: StoreFuture<'_, Swept> =
            attempt!(self.client, |client, identity| claim::sweep(client, identity, server, now).await);
        Box::pin(async move {
            // The store may be another one than at the start.
            self.check_durability().await;
            attempt.await
        })
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn check(&self) -> StoreFuture<'_, ()> {
        attempt!(self.client, |client, identity| put::check(client, identity, self.bounds).await)
    }
}
