//! What is said about the settings of a server, and the rights of a user.

use std::future::{Future, poll_fn};
use std::io;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use resilient_redis::Redis;
use resilient_runtime::deferred::DeferredStore;

use crate::proxy::Proxy;
use crate::{DURABLE, RedisServer, accept, claim, now, store, write};

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the events about durability while a client of this Redis starts to deliver, twice.
async fn events(redis: &Redis) -> Vec<String> {
    let store = redis.deferred_store();
    events_during(async {
        for _ in 0..2 {
            store.recover("server", now()).await.expect("the store works");
        }
    })
    .await
}

async fn events_during(calls: impl Future<Output = ()>) -> Vec<String> {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    // While there is a single subscriber, tracing asks that of the first thread that comes by.
    let _second = tracing::Dispatch::new(tracing_subscriber::fmt().with_writer(io::sink).finish());
    let guard = tracing::subscriber::set_default(subscriber);
    tracing::callsite::rebuild_interest_cache();
    calls.await;
    drop(guard);
    let text = String::from_utf8(log.0.lock().expect("no panic").clone()).expect("text");
    text.lines().filter(|line| line.contains("deferred.store_not_durable")).map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn each_setting_that_may_lose_writes_is_logged_once() {
    let server = RedisServer::start(&[]);
    let redis = Redis::new(&server.url());
    let seen = events(&redis).await;
    assert!(seen.len() == 1 && seen[0].contains("`appendonly` is off") && seen[0].contains("WARN"), "{seen:?}");
    let server = RedisServer::start(&["--appendonly", "yes", "--maxmemory-policy", "allkeys-lru"]);
    let seen = events(&Redis::new(&server.url())).await;
    assert!(seen.len() == 2 && seen[0].contains("appendfsync") && seen[1].contains("noeviction"), "{seen:?}");
    let server = RedisServer::start(&DURABLE);
    let seen = events(&Redis::new(&server.url())).await;
    assert!(seen.is_empty(), "{seen:?}");
}

#[tokio::test]
async fn the_settings_are_checked_after_a_start_that_was_interrupted_and_for_another_store() {
    let server = RedisServer::start(&[]);
    let store = store(&server);
    let seen = events_during(async {
        // Until the first answer.
        let mut recover = store.recover("server", now());
        let first = poll_fn(|context| Poll::Ready(recover.as_mut().poll(context))).await;
        assert!(first.is_pending());
    })
    .await;
    assert!(seen.is_empty(), "{seen:?}");
    let seen = events_during(async {
        store.recover("server", now()).await.expect("the store works");
    })
    .await;
    assert_eq!(seen.len(), 1, "{seen:?}");
    server.flush();
    let seen = events_during(async {
        for _ in 0..3 {
            store.sweep("server", now()).await.expect("the store works");
        }
    })
    .await;
    assert_eq!(seen.len(), 1, "{seen:?}");
}

#[tokio::test]
async fn a_user_with_the_documented_rights_can_use_the_store_and_without_config_that_is_logged() {
    let server = RedisServer::start(&DURABLE);
    let rule = |text: &'static str, index: usize| -> Vec<&str> {
        let rule = text.split("ACL SETUSER ").nth(index + 1).expect("a rule");
        let (rule, _) = rule.split_once("```").expect("its end");
        rule.split_whitespace().filter(|word| !word.starts_with("//")).collect()
    };
    let of_crate = include_str!("../../src/lib.rs");
    let of_deferred = rule(of_crate, 1);
    assert_eq!(rule(include_str!("../../src/deferred/store.rs"), 0), of_deferred);
    for rule in [rule(of_crate, 0), of_deferred] {
        let words: Vec<_> = ["ACL", "SETUSER"].into_iter().chain(rule).collect();
        server.command::<()>(&words);
    }
    let redis = Redis::new(&format!("redis://app:PASSWORD@127.0.0.1:{}", server.port()));
    let seen = events(&redis).await;
    assert!(seen.is_empty(), "{seen:?}");
    let store = redis.deferred_store();
    accept(&store, write()).await;
    let estimate = now();
    assert_eq!(store.start_of_machine("run", estimate).await.expect("the store works"), estimate);
    let entry = claim(&store, 1).await.remove(0);
    store.complete(entry.token(), Some("1".into()), now()).await.expect("the store works");
    store.check().await.expect("the store works");
    assert_eq!(store.counts(None).await.expect("the store works").done, 1);
    let later = now().after(Duration::from_secs(86_400));
    assert_eq!(store.sweep("server", later).await.expect("the store works").removed, 1);
    // An entry that something else removed is forgotten.
    let receipt = accept(&store, write()).await;
    let key = format!("resilient:deferred:entry:{}", receipt.to_string().trim_start_matches("rsl-"));
    server.command::<()>(&["DEL", &key]);
    store.recover("server", now()).await.expect("the store works");
    assert_eq!(store.counts(None).await.expect("the store works").waiting, 0);
    // What refuses an entry that arrives after its withdrawal.
    assert_eq!(server.command::<String>(&["ACL", "DRYRUN", "app", "EXPIRE", &key, "3600"]), "OK");
    assert_eq!(server.command::<Vec<redis::Value>>(&["ACL", "LOG"]), []);

    server.command::<()>(&["ACL", "SETUSER", "app", "-config|get", "-info"]);
    let seen = events(&redis).await;
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen.iter().all(|line| line.contains("could not be checked")), "{seen:?}");
}

#[tokio::test]
async fn a_start_is_kept_on_the_clock_of_redis() {
    let server = RedisServer::start(&[]);
    let (first, second) = (store(&server), store(&server));
    let estimate = now();
    assert_eq!(first.start_of_machine("run", estimate).await.expect("the store works"), estimate);
    let other = estimate.after(Duration::from_secs(9));
    assert_eq!(second.start_of_machine("run", other).await.expect("the store works"), estimate);
    // The clock of Redis is ahead of that of a third machine.
    let proxy = Proxy::start(&server).await;
    proxy.put_clock_forward(30);
    let third = proxy.redis().deferred_store();
    let started = third.start_of_machine("another run", estimate).await.expect("the store works");
    let (ahead, second) = (started.since(estimate), Duration::from_secs(1));
    assert!(ahead > second * 29 && ahead < second * 31, "{ahead:?}");
}
