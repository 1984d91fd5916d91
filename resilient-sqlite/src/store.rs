//! The store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{env, fmt};

use resilient_runtime::deferred::{
    Bounds, Cancellation, Claim, ClaimToken, Claims, Counts, DeferredStore, Entry, Failure, Filter, Found, NewEntry,
    Put, Receipt, Retried, Scope, StoreFuture, StoreSecret, Summary, Swept, Timestamp, Viewer,
};
use tokio::sync::Mutex;

use crate::error::{Class, Fault, OpenError, OpenProblem};
use crate::link::{Link, Shared, Space, Stop, run};
use crate::open::{Opened, open};
use crate::put::{check_space, put};
use crate::queries::{
    by_key, by_receipt, change, claim, counts, first_start, found, is_dusty, list, may_see, next, recover, retry,
    share, started, sweep, touch, withdraw,
};

/// The variable with the path of the file.
const PATH: &str = "RESILIENT_DEFERRED_PATH";

/// A store of deferred writes in an SQLite file. A clone shares its connections.
///
/// All methods of [`DeferredStore`] run on tokio's threads for blocking work, one for reading and one for writing at
/// most. They need a tokio runtime.
#[derive(Clone)]
pub struct SqliteStore {
    path: Arc<PathBuf>,
    bounds: Bounds,
    secret: StoreSecret,
    writer: Shared,
    reader: Shared,
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the file at this path with the default [`Bounds`], and creates it if it is missing. Call it when the
    /// server starts: it blocks the thread, for up to a few seconds if other processes open the file at the same time.
    ///
    /// # Errors
    /// If the file cannot be used; see [`OpenProblem`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::with_bounds(path, Bounds::default())
    }

    /// Opens the file whose path is in the variable `RESILIENT_DEFERRED_PATH`. There is no default path.
    ///
    /// # Errors
    /// If the variable is not set, or as in [`open`](Self::open).
    pub fn from_env() -> Result<Self, OpenError> {
        match env::var_os(PATH) {
            Some(path) if !path.is_empty() => Self::open(Path::new(&path)),
            _ => Err(OpenError::new(Path::new(PATH), OpenProblem::NoPath)),
        }
    }

    /// Opens the file at this path with these bounds. They are not in the file; give all processes the same.
    /// [`Bounds::bytes`] limits the file; to end what it has, the store may exceed it by an eighth and 256 KiB.
    ///
    /// # Errors
    /// As in [`open`](Self::open).
    pub fn with_bounds(path: impl AsRef<Path>, bounds: Bounds) -> Result<Self, OpenError> {
        let Opened { path, writer, reader, secret } = open(path.as_ref(), bounds, None)?;
        let share = |link| Arc::new(Mutex::new(link));
        Ok(Self { path: Arc::new(path), bounds, secret, writer: share(writer), reader: share(reader) })
    }

    /// The path of the file, without links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs work that writes, in one transaction.
    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> Result<T, Fault> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        Box::pin(run(&self.writer, move |link, stop| link.write(Space::Reserve, stop, |it| work(it))))
    }

    /// Runs work that reads one state of the store.
    fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> Result<T, Fault> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        Box::pin(run(&self.reader, move |link, _| link.read(work)))
    }

    /// Changes the entry of a token, if the token is the latest.
    fn fenced(
        &self,
        token: ClaimToken,
        transition: impl FnOnce(&mut Entry) -> bool + Send + 'static,
    ) -> StoreFuture<'_, Option<Summary>> {
        self.write(move |it| {
            let changed = change(it, token.receipt, |entry| transition(entry).then_some(()))?;
            Ok(changed.map(|((), summary)| summary))
        })
    }

    /// Like [`fenced`](Self::fenced), for a transition that keeps a result. If there is no space for the result, the
    /// entry ends without it: a try that ended must not be repeated because of that.
    fn fenced_with_result(
        &self,
        token: ClaimToken,
        result: Option<String>,
        transition: impl Fn(&mut Entry, Option<String>) -> bool + Send + 'static,
    ) -> StoreFuture<'_, Option<Summary>> {
        let attempt = move |link: &Link, stop: &Stop, result: Option<String>| {
            link.write(Space::Reserve, stop, |it| {
                let changed = change(it, token.receipt, |entry| transition(entry, result).then_some(()))?;
                Ok(changed.map(|((), summary)| summary))
            })
        };
        Box::pin(run(&self.writer, move |link, stop| match attempt(link, stop, result.clone()) {
            Err(fault) if result.is_some() && fault.class() == Class::Full => attempt(link, stop, None),
            ended => ended,
        }))
    }
}

impl DeferredStore for SqliteStore {
    fn put(&self, entry: NewEntry) -> StoreFuture<'_, Put> {
        Box::pin(put(&self.writer, self.secret, self.bounds, entry))
    }

    fn withdraw(&self, receipt: Receipt) -> StoreFuture<'_, bool> {
        self.write(move |it| withdraw(it, receipt))
    }

    fn find<'a>(&'a self, scope: &'a Scope, arguments: &'a str, now: Timestamp) -> StoreFuture<'a, Option<Found>> {
        let key = self.secret.key_hash(scope);
        Box::pin(async move {
            let holder = self.read(move |it| by_key(it, key)).await?.filter(|entry| entry.holds_key(now));
            Ok(holder.map(|entry| found(entry, self.secret.arguments_hash(arguments))))
        })
    }

    fn share<'a>(&'a self, scope: &'a Scope, arguments: &'a str, now: Timestamp) -> StoreFuture<'a, Option<Found>> {
        let key = self.secret.key_hash(scope);
        Box::pin(async move {
            let shared = self.write(move |it| {
                let mut holder = by_key(it, key)?.filter(|entry| entry.holds_key(now));
                holder.as_mut().map(|entry| share(it, entry)).transpose()?;
                Ok(holder)
            });
            Ok(shared.await?.map(|entry| found(entry, self.secret.arguments_hash(arguments))))
        })
    }

    fn get<'a>(&'a self, receipt: Receipt, viewer: &'a Viewer) -> StoreFuture<'a, Option<Entry>> {
        Box::pin(async move {
            let entry = self.read(move |it| by_receipt(it, receipt)).await?;
            Ok(entry.filter(|entry| may_see(viewer, self.secret, entry)))
        })
    }

    fn claim<'a>(&'a self, wanted: &'a Claim) -> StoreFuture<'a, Claims> {
        Box::pin(async move {
            // Most claims find nothing, and need not write.
            let looked = wanted.clone();
            let next = self.read(move |it| next(it, &looked)).await?;
            if wanted.limit == 0 || next.is_none_or(|next| next > wanted.now) {
                return Ok(Claims { next, ..Claims::default() });
            }
            let wanted = wanted.clone();
            self.write(move |it| claim(it, &wanted)).await
        })
    }

    fn renew(&self, token: ClaimToken, lease: Duration, now: Timestamp) -> StoreFuture<'_, Option<Timestamp>> {
        let renewed = self.fenced(token, move |entry| entry.renew(token, lease, now));
        Box::pin(async move { Ok(renewed.await?.map(|summary| summary.due)) })
    }

    fn complete(&self, token: ClaimToken, result: Option<String>, now: Timestamp) -> StoreFuture<'_, Option<Summary>> {
        self.fenced_with_result(token, result, move |entry, result| entry.complete(token, result, now))
    }

    fn fail(&self, token: ClaimToken, failure: Failure, now: Timestamp) -> StoreFuture<'_, Option<Summary>> {
        let Failure { code, result, next } = failure;
        self.fenced_with_result(token, result, move |entry, result| {
            entry.fail(token, Failure { code: code.clone(), result, next }, now)
        })
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
        let (viewer, secret) = (viewer.clone(), self.secret);
        self.write(move |it| {
            let cancelled = change(it, receipt, |entry| may_see(&viewer, secret, entry).then(|| entry.cancel(now)))?;
            Ok(cancelled.map(|(cancellation, _)| cancellation))
        })
    }

    fn retry(&self, receipt: Receipt, now: Timestamp) -> StoreFuture<'_, Retried> {
        self.write(move |it| retry(it, receipt, now))
    }

    fn discard(&self, receipt: Receipt, now: Timestamp) -> StoreFuture<'_, bool> {
        self.write(move |it| Ok(change(it, receipt, |entry| entry.discard(now).then_some(()))?.is_some()))
    }

    fn list<'a>(&'a self, filter: &'a Filter) -> StoreFuture<'a, Vec<Summary>> {
        let filter = filter.clone();
        self.read(move |it| list(it, &filter))
    }

    fn counts<'a>(&'a self, server: Option<&'a str>) -> StoreFuture<'a, Counts> {
        let server = server.map(ToOwned::to_owned);
        self.read(move |it| counts(it, server.as_deref()))
    }

    fn start_of_machine<'a>(&'a self, run: &'a str, estimate: Timestamp) -> StoreFuture<'a, Timestamp> {
        Box::pin(async move {
            let name = run.to_owned();
            if let Some(started) = self.read(move |it| started(it, &name)).await? {
                return Ok(started);
            }
            let name = run.to_owned();
            self.write(move |it| first_start(it, &name, estimate)).await
        })
    }

    fn recover<'a>(&'a self, server: &'a str, now: Timestamp) -> StoreFuture<'a, u64> {
        Box::pin(async move {
            let (mut changed, mut position) = (0, i64::MIN);
            loop {
                let name = server.to_owned();
                let (more, next) = self.write(move |it| recover(it, &name, now, position)).await?;
                changed += more;
                match next {
                    Some(next) => position = next,
                    None => return Ok(changed),
                }
            }
        })
    }

    fn sweep<'a>(&'a self, server: &'a str, now: Timestamp) -> StoreFuture<'a, Swept> {
        Box::pin(async move {
            let name = server.to_owned();
            if !self.read(move |it| is_dusty(it, &name, now)).await? {
                return Ok(Swept::default());
            }
            let name = server.to_owned();
            self.write(move |it| sweep(it, &name, now)).await
        })
    }

    fn check(&self) -> StoreFuture<'_, ()> {
        let bounds = self.bounds;
        self.write(move |it| {
            check_space(it, bounds)?;
            touch(it)
        })
    }
}
