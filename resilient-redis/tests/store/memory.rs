//! A server without memory, and one that only reads.

use resilient_runtime::deferred::{DeferredStore, Filter, NewEntry, Put, State, StoreErrorKind};

use crate::{RedisServer, accept, claim, get, now, store, until, write};

#[tokio::test]
async fn without_memory_nothing_is_accepted_and_what_is_there_is_delivered() {
    let server = RedisServer::start(&[]);
    let store = store(&server);
    let known = write();
    accept(&store, known.clone()).await;
    for _ in 0..3 {
        accept(&store, write()).await;
    }
    server.command::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let error = store.put(write()).await.expect_err("no memory");
    assert_eq!(error.kind(), StoreErrorKind::Full, "{error}");
    assert_eq!(store.check().await.expect_err("no memory").kind(), StoreErrorKind::Full);
    // It still answers for its keys, and ends what it has.
    let again = store.put(NewEntry { receipt: write().receipt, ..known.clone() }).await.expect("the store works");
    assert!(matches!(&again, Put::Existing(found) if found.entry.summary.receipt == known.receipt), "{again:?}");
    assert!(store.find(&known.scope, &known.arguments, now()).await.expect("the store works").is_some());
    for entry in claim(&store, 4).await {
        let done = store.complete(entry.token(), Some("1".into()), now()).await.expect("the store works");
        assert_eq!(done.expect("the latest token").state, State::Done);
        let kept = get(&store, entry.summary.receipt).await.expect("the entry");
        assert_eq!((kept.result, kept.arguments.as_str()), (None, ""), "there is no memory for results");
    }
    assert_eq!(store.list(&Filter::default()).await.expect("the store works").len(), 4);
    let swept = store.sweep("server", now().after(std::time::Duration::from_secs(86_400))).await;
    assert_eq!(swept.expect("the store works").removed, 4);
    server.command::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    accept(&store, write()).await;
    let entry = claim(&store, 1).await.remove(0);
    store.complete(entry.token(), Some("1".into()), now()).await.expect("the store works");
    assert_eq!(get(&store, entry.summary.receipt).await.and_then(|entry| entry.result).as_deref(), Some("1"));
}

#[tokio::test]
async fn a_server_that_only_reads_refuses_writes_until_it_writes_again() {
    let (server, other) = (RedisServer::start(&[]), RedisServer::start(&[]));
    let store = store(&server);
    let receipt = accept(&store, write()).await;
    let port = other.port().to_string();
    // A copy of a server that it cannot copy, so that it keeps its data.
    drop(other);
    server.command::<()>(&["REPLICAOF", "127.0.0.1", &port]);
    // The connection, once it has learned this, looks for another server.
    for error in [store.put(write()).await.map(drop), store.check().await].map(|it| it.expect_err("it only reads")) {
        assert!(matches!(error.kind(), StoreErrorKind::ReadOnly | StoreErrorKind::Unavailable), "{error}");
        let text = error.to_string();
        assert!(text.contains("READONLY") || text.contains("read-only"), "{text}");
    }
    server.command::<()>(&["REPLICAOF", "NO", "ONE"]);
    until(async || store.check().await.is_ok()).await;
    assert!(get(&store, receipt).await.is_some());
    assert_eq!(store.counts(None).await.expect("the store works").waiting, 1);
}
