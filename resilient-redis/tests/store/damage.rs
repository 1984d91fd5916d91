//! Data that were restored, removed or changed by something else than the store.

use std::time::Duration;

use resilient_runtime::deferred::{Bounds, DeferredStore, Filter, Receipt, StoreErrorKind, Viewer};

use crate::{RedisServer, accept, claim, get, now, store, write};

fn key_of(receipt: Receipt) -> String {
    format!("resilient:deferred:entry:{}", receipt.to_string().trim_start_matches("rsl-"))
}

#[tokio::test]
async fn the_end_of_a_try_from_before_a_backup_was_restored_has_no_effect_on_a_later_try() {
    let server = RedisServer::start(&[]);
    let (one, other) = (store(&server), store(&server));
    let receipt = accept(&one, write()).await;
    // The backup is in another database of the server.
    for key in server.command::<Vec<String>>(&["KEYS", "*"]) {
        server.command::<()>(&["COPY", &key, &key, "DB", "1"]);
    }
    let lost = claim(&one, 1).await.remove(0);
    server.command::<()>(&["SWAPDB", "0", "1"]);
    assert_eq!(get(&one, receipt).await.expect("the entry").summary.tries_used, 0, "it is restored");
    let latest = claim(&other, 1).await.remove(0);
    assert_eq!((lost.summary.receipt, latest.summary.receipt), (receipt, receipt));
    assert_ne!(lost.token(), latest.token());
    assert_eq!(one.complete(lost.token(), None, now()).await.expect("the store works"), None);
    assert!(other.complete(latest.token(), None, now()).await.expect("the store works").is_some());
}

#[tokio::test]
async fn entries_that_cannot_be_read_do_not_delay_the_others() {
    let server = RedisServer::start(&[]);
    let store = store(&server);
    let (no_json, no_hash) = (accept(&store, write()).await, accept(&store, write()).await);
    let sound = accept(&store, write()).await;
    server.command::<()>(&["HSET", &key_of(no_json), "row", "{"]);
    server.command::<()>(&["DEL", &key_of(no_hash)]);
    server.command::<()>(&["SET", &key_of(no_hash), "x"]);
    assert_eq!(store.recover("server", now()).await.expect("the store works"), 0);
    let claimed = claim(&store, 1).await;
    assert_eq!(claimed.iter().map(|entry| entry.summary.receipt).collect::<Vec<_>>(), [sound]);
    store.complete(claimed[0].token(), None, now()).await.expect("the store works").expect("the latest token");
    let later = now().after(Duration::from_secs(2 * 86_400));
    assert_eq!(store.sweep("server", later).await.expect("the store works").removed, 1);
    assert!(store.list(&Filter::default()).await.expect("the store works").is_empty());
    // They are kept for the operator.
    for receipt in [no_json, no_hash] {
        let error = store.get(receipt, &Viewer::Operator).await.expect_err("it is damaged");
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    }
    let due = server.command::<Vec<String>>(&["ZRANGE", "resilient:deferred:due:6:server:write", "0", "-1"]);
    assert_eq!(due.len(), 2, "{due:?}");
    // Nor does one that is to be withdrawn.
    store.withdraw(no_json).await.expect_err("it is damaged");
    let another = accept(&store, write()).await;
    assert!(store.withdraw(another).await.expect("the store works"));
}

#[tokio::test]
async fn entries_that_were_evicted_are_not_counted_after_a_start() {
    let server = RedisServer::start(&[]);
    let store = store(&server).bounds(Bounds { entries: 3, ..Bounds::default() });
    let receipts = [accept(&store, write()).await, accept(&store, write()).await, accept(&store, write()).await];
    for receipt in &receipts[..2] {
        server.command::<()>(&["DEL", &key_of(*receipt)]);
    }
    assert_eq!(store.put(write()).await.expect_err("they are counted").kind(), StoreErrorKind::Full);
    assert_eq!(store.recover("server", now()).await.expect("the store works"), 0);
    assert_eq!(store.counts(None).await.expect("the store works").waiting, 1);
    let bytes = || server.command::<u64>(&["HGET", "resilient:deferred:totals", "bytes"]);
    let one = bytes();
    for _ in 0..2 {
        accept(&store, write()).await;
    }
    assert_eq!(bytes(), 3 * one);
    assert_eq!(store.put(write()).await.expect_err("there are three").kind(), StoreErrorKind::Full);
    assert_eq!(claim(&store, 9).await.len(), 3);
}
