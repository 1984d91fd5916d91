//! A store in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::deferred::{
    Bounds, Cancellation, Claim, ClaimToken, Claims, Counts, DeferredStore, Entry, Failure, Filter, Found, NewEntry,
    Put, Receipt, Retried, Scope, State, StoreError, StoreErrorKind, StoreFuture, StoreSecret, Summary, Swept,
    Timestamp, Viewer,
};

/// The maximum number of entries that one call ends or removes, beyond those that it claims.
const AT_ONCE: usize = 256;

/// A store of deferred writes in memory, for tests: nothing survives the process. A clone is another client of the same
/// store. Every method is ready at the first poll.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    bounds: Bounds,
    secret: StoreSecret,
    /// By the order of their acceptance.
    entries: Arc<Mutex<BTreeMap<u64, Entry>>>,
    /// When the machine started, by run of the operating system.
    starts: Arc<Mutex<BTreeMap<String, Timestamp>>>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(Bounds::default())
    }
}

impl MemoryStore {
    /// Creates an empty store. [`Bounds::bytes`] limits the sum of arguments and results.
    ///
    /// # Panics
    /// If the operating system has no random bits.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        let secret = StoreSecret::generate().unwrap_or_else(|error| panic!("{error}"));
        Self { bounds, secret, entries: Arc::default(), starts: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` at the first poll.
    fn run<'a, T: 'a>(
        &'a self,
        work: impl FnOnce(&Self, &mut BTreeMap<u64, Entry>) -> Result<T, StoreError> + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(async move { work(self, &mut self.lock()) })
    }

    /// Changes the entry of a receipt, if it is there.
    fn change<'a, T: 'a>(
        &'a self,
        receipt: Receipt,
        change: impl FnOnce(&mut Entry) -> T + Send + 'a,
    ) -> StoreFuture<'a, Option<T>> {
        self.run(move |_, entries| Ok(entries.values_mut().find(|it| it.summary.receipt == receipt).map(change)))
    }

    /// Changes the entry of a token, if the token is the latest.
    fn fenced<'a>(
        &'a self,
        token: ClaimToken,
        change: impl FnOnce(&mut Entry) -> bool + Send + 'a,
    ) -> StoreFuture<'a, Option<Summary>> {
        let changed = self.change(token.receipt, |entry| change(entry).then(|| entry.summary.clone()));
        Box::pin(async move { changed.await.map(Option::flatten) })
    }

    fn may_see(&self, viewer: &Viewer, entry: &Entry) -> bool {
        match viewer {
            Viewer::Caller { server, principal } => {
                entry.principal_hash == self.secret.principal_hash(server, principal)
            }
            Viewer::Operator => true,
        }
    }

    fn full(what: &str) -> StoreError {
        StoreError::new(StoreErrorKind::Full, format!("the store has {what}"))
    }
}

/// Returns the entry that holds a key, marked as shared.
fn holder(entries: &mut BTreeMap<u64, Entry>, key: u128, now: Timestamp) -> Option<&mut Entry> {
    let holder = entries.values_mut().find(|it| it.key_hash == key && it.holds_key(now))?;
    holder.control.shared |= holder.is_withdrawable();
    Some(holder)
}

fn found(entry: &Entry, arguments: u128) -> Found {
    Found { same_arguments: entry.arguments_hash == arguments, entry: entry.clone() }
}

impl DeferredStore for MemoryStore {
    fn put(&self, new: NewEntry) -> StoreFuture<'_, Put> {
        self.run(move |store, entries| {
            if new.arguments.len() > store.bounds.arguments {
                let message = format!("the arguments have more than {} bytes", store.bounds.arguments);
                return Err(StoreError::new(StoreErrorKind::TooLarge, message));
            }
            let now = new.now;
            let entry = store.secret.seal(new);
            if let Some(holder) = holder(entries, entry.key_hash, now) {
                return Ok(Put::Existing(found(holder, entry.arguments_hash)));
            }
            if entries.values().any(|it| it.summary.receipt == entry.summary.receipt) {
                return Err(StoreError::new(StoreErrorKind::Unavailable, "the receipt is not new"));
            }
            let live = entries.values().filter(|it| it.summary.state.is_live()).count();
            if live as u64 >= store.bounds.entries {
                return Err(Self::full("as many entries as it may have"));
            }
            let bytes: usize =
                entries.values().map(|it| it.arguments.len() + it.result.as_ref().map_or(0, String::len)).sum();
            if (bytes + entry.arguments.len()) as u64 > store.bounds.bytes {
                return Err(Self::full("as many bytes as it may have"));
            }
            for other in entries.values_mut().filter(|it| it.key_hash == entry.key_hash) {
                other.control.holds_key = false;
            }
            let summary = entry.summary.clone();
            let order = entries.last_key_value().map_or(0, |(last, _)| last + 1);
            entries.insert(order, entry);
            Ok(Put::Accepted(summary))
        })
    }

    fn withdraw(&self, receipt: Receipt) -> StoreFuture<'_, bool> {
        self.run(move |_, entries| {
            let before = entries.len();
            entries.retain(|_, it| it.summary.receipt != receipt || !it.is_withdrawable());
            Ok(entries.len() < before)
        })
    }

    fn find<'a>(&'a self, scope: &'a Scope, arguments: &'a str, now: Timestamp) -> StoreFuture<'a, Option<Found>> {
        self.run(move |store, entries| {
            let key = store.secret.key_hash(scope);
            let holder = entries.values().find(|it| it.key_hash == key && it.holds_key(now));
            Ok(holder.map(|entry| found(entry, store.secret.arguments_hash(arguments))))
        })
    }

    fn share<'a>(&'a self, scope: &'a Scope, arguments: &'a str, now: Timestamp) -> StoreFuture<'a, Option<Found>> {
        self.run(move |store, entries| {
            let holder = holder(entries, store.secret.key_hash(scope), now);
            Ok(holder.map(|entry| found(entry, store.secret.arguments_hash(arguments))))
        })
    }

    fn get<'a>(&'a self, receipt: Receipt, viewer: &'a Viewer) -> StoreFuture<'a, Option<Entry>> {
        self.run(move |store, entries| {
            let entry = entries.values().find(|it| it.summary.receipt == receipt);
            Ok(entry.filter(|entry| store.may_see(viewer, entry)).cloned())
        })
    }

    fn claim<'a>(&'a self, claim: &'a Claim) -> StoreFuture<'a, Claims> {
        self.run(move |_, entries| {
            let lease = |entry: &Entry| {
                let is_live = entry.summary.state.is_live() && entry.summary.server == claim.server;
                let tool = claim.tools.iter().find(|tool| is_live && tool.name == entry.summary.tool)?;
                Some(tool.lease)
            };
            let mut due: Vec<_> = entries
                .iter_mut()
                .filter(|(_, it)| it.summary.due <= claim.now)
                .filter_map(|(order, it)| lease(it).map(|lease| (*order, lease, it)))
                .collect();
            due.sort_by_key(|(order, _, entry)| (entry.summary.due, *order));
            let mut claims = Claims::default();
            for (_, lease, entry) in due.into_iter().take(claim.limit.saturating_add(AT_ONCE)) {
                if claims.entries.len() == claim.limit {
                    break;
                }
                entry.settle(claim.now);
                if entry.claim(lease, claim.now).is_some() {
                    claims.entries.push(entry.clone());
                } else if !entry.summary.state.is_live() {
                    claims.ended.push(entry.summary.clone());
                }
            }
            claims.next = entries.values().filter(|it| lease(it).is_some()).map(|it| it.summary.due).min();
            Ok(claims)
        })
    }

    fn renew(&self, token: ClaimToken, lease: Duration, now: Timestamp) -> StoreFuture<'_, Option<Timestamp>> {
        let renewed = self.fenced(token, move |entry| entry.renew(token, lease, now));
        Box::pin(async move { Ok(renewed.await?.map(|summary| summary.due)) })
    }

    fn complete(&self, token: ClaimToken, result: Option<String>, now: Timestamp) -> StoreFuture<'_, Option<Summary>> {
        self.fenced(token, move |entry| entry.complete(token, result, now))
    }

    fn fail(&self, token: ClaimToken, failure: Failure, now: Timestamp) -> StoreFuture<'_, Option<Summary>> {
        self.fenced(token, move |entry| entry.fail(token, failure, now))
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
        let cancelled = self.change(receipt, move |entry| self.may_see(viewer, entry).then(|| entry.cancel(now)));
        Box::pin(async move { cancelled.await.map(Option::flatten) })
    }

    fn retry(&self, receipt: Receipt, now: Timestamp) -> StoreFuture<'_, Retried> {
        self.run(move |_, entries| {
            let is_wanted = |it: &&Entry| it.summary.receipt == receipt && it.summary.state == State::Dead;
            let Some(dead) = entries.values().find(is_wanted) else {
                return Ok(Retried::NotDead);
            };
            let key = dead.key_hash;
            let others = entries.values_mut().filter(|it| it.key_hash == key && it.summary.receipt != receipt);
            let mut released = Vec::new();
            for other in others {
                if other.holds_key(now) {
                    return Ok(Retried::KeyTaken(other.summary.receipt));
                }
                released.push(other);
            }
            for other in released {
                other.control.holds_key = false;
            }
            let dead = entries.values_mut().find(|it| it.summary.receipt == receipt);
            let waits = dead.is_some_and(|dead| dead.retry(now));
            Ok(if waits { Retried::Waits } else { Retried::NotDead })
        })
    }

    fn discard(&self, receipt: Receipt, now: Timestamp) -> StoreFuture<'_, bool> {
        let discarded = self.change(receipt, move |entry| entry.discard(now));
        Box::pin(async move { discarded.await.map(Option::unwrap_or_default) })
    }

    fn list<'a>(&'a self, filter: &'a Filter) -> StoreFuture<'a, Vec<Summary>> {
        self.run(move |_, entries| {
            let after = match filter.after {
                Some(after) => entries.iter().find(|(_, it)| it.summary.receipt == after).map(|(order, _)| *order + 1),
                None => Some(0),
            };
            let Some(first) = after else { return Ok(Vec::new()) };
            let summaries = entries.range(first..).map(|(_, entry)| &entry.summary);
            let fits = summaries
                .filter(|it| filter.server.as_ref().is_none_or(|server| *server == it.server))
                .filter(|it| filter.state.is_none_or(|state| state == it.state));
            Ok(fits.take(filter.limit).cloned().collect())
        })
    }

    fn counts<'a>(&'a self, server: Option<&'a str>) -> StoreFuture<'a, Counts> {
        self.run(move |_, entries| {
            let mut counts = Counts::default();
            for Entry { summary, .. } in
                entries.values().filter(|it| server.is_none_or(|name| name == it.summary.server))
            {
                counts.add(summary.state, 1);
                counts.interrupted += u64::from(summary.interrupted);
                if summary.state.is_live() {
                    counts.oldest = Some(counts.oldest.map_or(summary.created, |oldest| oldest.min(summary.created)));
                }
            }
            Ok(counts)
        })
    }

    fn start_of_machine<'a>(&'a self, run: &'a str, estimate: Timestamp) -> StoreFuture<'a, Timestamp> {
        Box::pin(async move {
            let mut starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(*starts.entry(run.to_owned()).or_insert(estimate))
        })
    }

    fn recover<'a>(&'a self, server: &'a str, now: Timestamp) -> StoreFuture<'a, u64> {
        self.run(move |_, entries| {
            let of_server = entries.values_mut().filter(|it| it.summary.server == server);
            Ok(of_server.map(|entry| u64::from(entry.recover(now))).sum())
        })
    }

    fn sweep<'a>(&'a self, server: &'a str, now: Timestamp) -> StoreFuture<'a, Swept> {
        self.run(move |_, entries| {
            let mut swept = Swept::default();
            let changed = entries.values_mut().filter(|it| it.summary.server == server);
            for entry in changed.filter_map(|it| it.settle(now).then_some(it)).take(AT_ONCE) {
                if !entry.summary.state.is_live() {
                    swept.ended.push(entry.summary.clone());
                }
            }
            let mut removable: Vec<_> = entries
                .iter()
                .filter(|(_, it)| it.summary.server == server && it.is_removable(now))
                .map(|(order, it)| (it.summary.due, *order))
                .collect();
            removable.sort_unstable();
            for (_, order) in removable.into_iter().take(AT_ONCE) {
                entries.remove(&order);
                swept.removed += 1;
            }
            Ok(swept)
        })
    }

    fn check(&self) -> StoreFuture<'_, ()> {
        self.run(|store, entries| {
            let live = entries.values().filter(|it| it.summary.state.is_live()).count();
            if live as u64 >= store.bounds.entries { Err(Self::full("as many entries as it may have")) } else { Ok(()) }
        })
    }
}
