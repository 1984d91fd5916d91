//! Calls while another process blocks the file, and calls whose callers leave.

use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use resilient_runtime::deferred::{DeferredStore, Put, Receipt, StoreErrorKind, Viewer};
use resilient_sqlite::SqliteStore;
use rusqlite::Connection;
use tokio::time::{sleep, timeout};

use crate::{now, write};

/// Takes the write lock, as an operator with SQLite's shell might.
fn block(file: &Path) -> Connection {
    let other = Connection::open(file).expect("the file");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    other
}

#[tokio::test]
async fn a_blocked_file_delays_no_question_and_an_error_says_that_nothing_was_accepted() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("deferred.db");
    let store = SqliteStore::open(&file).expect("a store");
    let known = write();
    assert!(matches!(store.put(known.clone()).await, Ok(Put::Accepted(_))));
    let other = block(&file);

    let put = write();
    let started = Instant::now();
    let error = store.put(put.clone()).await.expect_err("it is blocked");
    assert_eq!(error.kind(), StoreErrorKind::Busy);
    assert!(started.elapsed() < Duration::from_secs(7), "{:?}", started.elapsed());
    // A caller with a shorter limit leaves earlier. Questions are answered meanwhile.
    let left = write();
    let putting = timeout(Duration::from_millis(300), store.put(left.clone()));
    let asking = async {
        sleep(Duration::from_millis(50)).await;
        let limit = Duration::from_millis(200);
        let found = timeout(limit, store.find(&known.scope, &known.arguments, now())).await.expect("in time");
        assert!(found.expect("the store works").is_some());
        let counts = timeout(limit, store.counts(None)).await.expect("in time").expect("the store works");
        assert_eq!(counts.waiting, 1);
    };
    let (putting, ()) = tokio::join!(putting, asking);
    putting.expect_err("it is blocked");
    timeout(Duration::from_millis(300), store.check()).await.expect_err("health sees it");
    drop(other);
    store.check().await.expect("the file is free");
    for new in [put, left] {
        let entry = store.get(new.receipt, &Viewer::Operator).await.expect("the store works");
        assert_eq!(entry, None, "it was not accepted");
    }
}

#[tokio::test]
async fn a_write_waits_for_another_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("deferred.db");
    let store = SqliteStore::open(&file).expect("a store");
    let other = block(&file);
    let free = async {
        sleep(Duration::from_millis(400)).await;
        drop(other);
    };
    let started = Instant::now();
    let (put, ()) = tokio::join!(store.put(write()), free);
    assert!(matches!(put, Ok(Put::Accepted(_))), "{put:?}");
    assert!(started.elapsed() >= Duration::from_millis(400));
}

/// Polls a future at least once and drops it at an instant, more exactly than tokio's timer, which counts milliseconds.
async fn poll_until<F: Future>(end: Instant, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if Instant::now() >= end => Poll::Ready(None),
        Poll::Pending => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_caller_left_is_withdrawn() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(SqliteStore::open(folder.path().join("deferred.db")).expect("a store"));
    let mut accepted = Vec::new();
    // What a write takes on this disk, so that callers leave at every moment of it on a fast one and on a slow one.
    let started = Instant::now();
    for _ in 0..20 {
        let new = write();
        accepted.push(new.receipt);
        assert!(matches!(store.put(new).await, Ok(Put::Accepted(_))));
    }
    let write_takes = started.elapsed() / 20;
    let mut left: Vec<Receipt> = Vec::new();
    for round in 0..300 {
        let new = write();
        let receipt = new.receipt;
        // From the first poll to "after the commit".
        match poll_until(Instant::now() + write_takes * (round % 31) / 20, store.put(new)).await {
            Some(put) => {
                assert!(matches!(put, Ok(Put::Accepted(_))), "{put:?}");
                accepted.push(receipt);
            }
            None => left.push(receipt),
        }
    }
    assert!(!left.is_empty(), "some callers left");
    let expected = u64::try_from(accepted.len()).expect("a number");
    let settled = async {
        while store.counts(None).await.expect("the store works").waiting != expected {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(10), settled).await.expect("entries whose callers left are withdrawn");
    for receipt in accepted {
        let entry = store.get(receipt, &Viewer::Operator).await.expect("the store works");
        assert!(entry.is_some(), "what was acknowledged stays");
    }
}

/// While tokio's clock is paused, it must not jump over the work of the store.
#[tokio::test(start_paused = true)]
async fn a_paused_clock_stands_still_while_the_store_works() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(folder.path().join("deferred.db")).expect("a store");
    for _ in 0..20 {
        let put = timeout(Duration::from_millis(1), store.put(write())).await.expect("no time passes");
        assert!(matches!(put, Ok(Put::Accepted(_))), "{put:?}");
    }
}
