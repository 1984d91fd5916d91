//! The suite that every store must pass, and random histories.

use std::sync::Arc;

use resilient_redis::Redis;
use resilient_runtime::deferred::{Bounds, Receipt};
use resilient_runtime::testing::deferred::{Clients, check_history, check_store};

use crate::RedisServer;

/// Opens two clients of a new store, with a connection each, as two processes would.
fn open(server: &RedisServer, bounds: Bounds) -> Clients {
    let prefix = Receipt::random().expect("random bits").to_string();
    let open = || Arc::new(Redis::new(&server.url()).prefix(&prefix).deferred_store().bounds(bounds));
    Clients { first: open(), second: open() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_keeps_every_promise() {
    let server = RedisServer::start(&[]);
    check_store(async |bounds| open(&server, bounds)).await;
}

#[tokio::test]
async fn the_same_calls_have_the_same_results_as_in_the_model() {
    let server = RedisServer::start(&[]);
    for seed in 0..24 {
        check_history(async |bounds| open(&server, bounds), seed, 400).await;
    }
    nothing_is_left_behind(&server);
}

/// The totals of each store are those of its entries.
fn nothing_is_left_behind(server: &RedisServer) {
    let number = |words: &[&str]| server.command::<Option<u64>>(words).unwrap_or_default();
    let mut stores = 0;
    for totals in server.command::<Vec<String>>(&["KEYS", "*:deferred:totals"]) {
        let prefix = totals.trim_end_matches("totals");
        let keys = server.command::<Vec<String>>(&["KEYS", &format!("{prefix}*")]);
        let entries: Vec<_> = keys.iter().filter(|key| key.starts_with(&format!("{prefix}entry:"))).collect();
        let in_sets = |kind: &str| -> u64 {
            let of_kind = keys.iter().filter(|key| key.starts_with(&format!("{prefix}{kind}:")));
            of_kind.map(|key| number(&["ZCARD", key])).sum()
        };
        let live = number(&["HGET", &totals, "live"]);
        assert_eq!(in_sets("list"), entries.len() as u64, "{prefix}");
        assert_eq!((in_sets("due"), in_sets("over"), in_sets("oldest")), (live, live, live), "{prefix}");
        assert_eq!(in_sets("ended") + live, entries.len() as u64, "{prefix}");
        let bytes: u64 = entries
            .iter()
            .map(|entry| {
                let length = |field: &str| number(&["HSTRLEN", entry, field]);
                2_048 + length("arguments") + length("principal") + length("result")
            })
            .sum();
        assert_eq!(number(&["HGET", &totals, "bytes"]), bytes, "{prefix}");
        let holders = server.command::<Vec<String>>(&["HVALS", &format!("{prefix}keys")]);
        assert!(holders.iter().all(|it| entries.contains(&&format!("{prefix}entry:{it}"))), "{prefix}");
        stores += 1;
    }
    assert_eq!(stores, 24);
}
