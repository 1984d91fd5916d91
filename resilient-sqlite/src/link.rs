//! A connection, and how work is run on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use resilient_runtime::deferred::{StoreError, StoreErrorKind};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::error::{Class, Fault, classify};
use crate::turn::Turnstile;

/// How long work waits for other processes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// A connection with its turnstile. It runs one piece of work at a time, in the order of arrival.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) connection: Connection,
    pub(crate) turnstile: Turnstile,
    pub(crate) pages: Pages,
}

/// The maximum number of pages of the file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pages {
    /// For new entries.
    pub(crate) most: u64,
    /// For everything else, so that a full store can still end what it has.
    pub(crate) with_reserve: u64,
}

/// The pages that a transaction may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    /// Those for new entries.
    New,
    /// Those and the reserve.
    Reserve,
}

/// A link that tasks share.
pub(crate) type Shared = Arc<Mutex<Link>>;

/// Set when the future that waits for some work is dropped. Work that has not begun to write then stops.
#[derive(Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Sets [`Stop`] when it is dropped.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs work on a link, on a thread that may block.
pub(crate) async fn run<T: Send + 'static>(
    link: &Shared,
    work: impl FnOnce(&Link, &Stop) -> Result<T, Fault> + Send + 'static,
) -> Result<T, StoreError> {
    run_on(Arc::clone(link).lock_owned().await, work).await
}

/// Runs work on a link that is already locked, and unlocks it at the end of the work, even if the future is dropped.
pub(crate) async fn run_on<T: Send + 'static>(
    link: OwnedMutexGuard<Link>,
    work: impl FnOnce(&Link, &Stop) -> Result<T, Fault> + Send + 'static,
) -> Result<T, StoreError> {
    let flag = Arc::new(AtomicBool::new(false));
    let stop = Stop(Arc::clone(&flag));
    let stop_on_drop = StopOnDrop(flag);
    let done = tokio::task::spawn_blocking(move || work(&link, &stop)).await;
    drop(stop_on_drop);
    match done {
        Ok(result) => result.map_err(StoreError::from),
        Err(error) => {
            let message = "the runtime stopped, or the store panicked";
            Err(StoreError::new(StoreErrorKind::Unavailable, message).caused_by(error))
        }
    }
}

impl Link {
    /// Runs work in a transaction that may write, and commits it if the work succeeds.
    pub(crate) fn write<T>(
        &self,
        space: Space,
        stop: &Stop,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let started = Instant::now();
        let _reserve = match space {
            Space::New => None,
            Space::Reserve => Some(Reserve::open(self)?),
        };
        let turn = wait(started, stop, || self.turnstile.pass())?;
        let begin = || match Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate) {
            Ok(transaction) => Ok(Some(transaction)),
            Err(error) if classify(&error) == Class::Busy => Ok(None),
            Err(error) => Err(error.into()),
        };
        let transaction = wait(started, stop, begin)?;
        drop(turn);
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }

    /// Limits the pages that the next transactions may use.
    pub(crate) fn limit(&self, pages: u64) -> Result<(), Fault> {
        let sql = format!("PRAGMA max_page_count = {pages}");
        let _: i64 = self.connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))?;
        Ok(())
    }

    /// Runs work that only reads, and that sees one state of the store.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Deferred)?;
        work(&transaction)
    }

    /// Runs a statement that takes locks for a moment, such as a change of the journal's mode, until it succeeds.
    pub(crate) fn until_free<T>(
        &self,
        mut work: impl FnMut(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, Fault> {
        wait(Instant::now(), &Stop::default(), || match work(&self.connection) {
            Ok(result) => Ok(Some(result)),
            Err(error) if classify(&error) == Class::Busy => Ok(None),
            Err(error) => Err(error.into()),
        })
    }
}

/// Opens the reserve for one transaction.
struct Reserve<'a>(&'a Link);

impl<'a> Reserve<'a> {
    fn open(link: &'a Link) -> Result<Self, Fault> {
        let reserve = Self(link);
        link.limit(link.pages.with_reserve)?;
        Ok(reserve)
    }
}

impl Drop for Reserve<'_> {
    fn drop(&mut self) {
        // If it fails, the file may be larger until the next time.
        let _ = self.0.limit(self.0.pages.most);
    }
}

/// Tries until there is a result.
///
/// SQLite's own busy handler waits longer and longer, and cannot be stopped.
fn wait<T>(started: Instant, stop: &Stop, mut attempt: impl FnMut() -> Result<Option<T>, Fault>) -> Result<T, Fault> {
    loop {
        if stop.is_set() {
            return Err(Fault::Stopped);
        }
        if let Some(result) = attempt()? {
            return Ok(result);
        }
        if started.elapsed() > PATIENCE {
            return Err(Fault::Busy);
        }
        // Random, so that several waiting processes do not look in step.
        sleep(Duration::from_micros(fastrand::u64(300..1_200)));
    }
}
