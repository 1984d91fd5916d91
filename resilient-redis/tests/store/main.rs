//! The Redis store against a `redis-server`: the suite that every store must pass, clients that race, a server that is
//! killed, stopped, emptied or full, and what is said about its settings.

#![forbid(unsafe_code)]
#![cfg(unix)]

mod conformance;
mod damage;
mod late;
mod memory;
mod outages;
mod proxy;
mod races;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../../../tests/engines/tests/engines/redis/server.rs"]
mod server;
mod settings;
mod speed;
#[path = "../../../resilient-sqlite/tests/store/writes.rs"]
mod writes;

use std::future::Future;
use std::time::{Duration, Instant, SystemTime};

use resilient_redis::{Redis, RedisDeferredStore};
use resilient_runtime::deferred::{
    Claim, ClaimedTool, DeferredSettings, DeferredStore, Entry, NewEntry, Put, Receipt, Scope, Timestamp, Viewer,
};
use server::RedisServer;
use writes::{now, write};

/// The maximum duration of what another program does.
const PATIENCE: Duration = Duration::from_secs(60);

/// The arguments of a server that loses nothing that it has acknowledged.
const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];

fn store(server: &RedisServer) -> RedisDeferredStore {
    Redis::new(&server.url()).deferred_store()
}

async fn accept(store: &RedisDeferredStore, new: NewEntry) -> Receipt {
    let receipt = new.receipt;
    let put = store.put(new).await.expect("the store works");
    assert!(matches!(put, Put::Accepted(_)), "{put:?}");
    receipt
}

async fn claim(store: &RedisDeferredStore, limit: usize) -> Vec<Entry> {
    let tools = vec![ClaimedTool { name: "write".into(), lease: Duration::from_secs(600) }];
    let claim = Claim { server: "server".into(), tools, limit, now: now() };
    store.claim(&claim).await.expect("the store works").entries
}

async fn get(store: &RedisDeferredStore, receipt: Receipt) -> Option<Entry> {
    store.get(receipt, &Viewer::Operator).await.expect("the store works")
}

/// Waits until a condition holds.
async fn until<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    let began = Instant::now();
    while !condition().await {
        assert!(began.elapsed() < Duration::from_secs(20), "it never holds");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
