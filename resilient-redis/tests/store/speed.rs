//! How long calls take.

use std::time::{Duration, Instant};

use resilient_runtime::deferred::{Bounds, DeferredStore, StoreErrorKind};
use tokio::task::JoinSet;

use crate::{RedisServer, accept, claim, now, store, write};

const ENTRIES: usize = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_entries_are_accepted_and_delivered_in_seconds() {
    let server = RedisServer::start(&[]);
    let store = store(&server);
    let began = Instant::now();
    let mut writers = JoinSet::new();
    for _ in 0..20 {
        let store = store.clone();
        writers.spawn(async move {
            for _ in 0..ENTRIES / 20 {
                accept(&store, write()).await;
            }
        });
    }
    writers.join_all().await;
    let put = began.elapsed();
    let error = store.put(write()).await.expect_err("there are as many as there may be");
    assert_eq!((error.kind(), Bounds::default().entries), (StoreErrorKind::Full, ENTRIES as u64));
    let used: String = server.command(&["INFO", "memory"]);
    let used: u64 = used.lines().find_map(|line| line.strip_prefix("used_memory:")?.parse().ok()).expect("a size");
    let began = Instant::now();
    assert_eq!(store.recover("server", now()).await.expect("the store works"), 0);
    let recover = began.elapsed();
    let began = Instant::now();
    let mut delivered = 0;
    loop {
        let entries = claim(&store, 16).await;
        if entries.is_empty() {
            break;
        }
        delivered += entries.len();
        let ends = entries.iter().map(|entry| store.complete(entry.token(), Some("{}".into()), now()));
        let mut ends: Vec<_> = ends.collect();
        for end in &mut ends {
            end.await.expect("the store works").expect("the latest token");
        }
    }
    let deliver = began.elapsed();
    assert_eq!(delivered, ENTRIES);
    eprintln!(
        "{ENTRIES} entries: put {put:?}, recover {recover:?}, claim and complete {deliver:?}, {} bytes each",
        used / ENTRIES as u64
    );
    assert!(put + deliver + recover < Duration::from_secs(90), "{put:?} {recover:?} {deliver:?}");
    // What an entry counts is about what it uses.
    assert!((1_500..4_500).contains(&(used / ENTRIES as u64)), "{used}");
}

#[tokio::test]
async fn a_look_for_a_key_is_one_command() {
    let server = RedisServer::start(&[]);
    let store = store(&server);
    let new = write();
    accept(&store, new.clone()).await;
    store.find(&new.scope, &new.arguments, now()).await.expect("the store works");
    server.command::<()>(&["CONFIG", "RESETSTAT"]);
    let began = Instant::now();
    for _ in 0..100 {
        assert!(store.find(&new.scope, &new.arguments, now()).await.expect("the store works").is_some());
    }
    eprintln!("{:?} for each find", began.elapsed() / 100);
    let stats: String = server.command(&["INFO", "commandstats"]);
    let calls = |command: &str| -> u64 {
        let prefix = format!("cmdstat_{command}:calls=");
        let line = stats.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap_or("0,");
        line.split(',').next().and_then(|calls| calls.parse().ok()).expect("a number")
    };
    assert_eq!((calls("evalsha"), calls("eval"), calls("script|load")), (100, 0, 0), "{stats}");
}
