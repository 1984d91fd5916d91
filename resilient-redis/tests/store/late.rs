//! Requests and answers that arrive too late.

use std::future::{pending, poll_fn};
use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

use resilient_runtime::deferred::{Claim, ClaimedTool, DeferredStore, NewEntry, StoreErrorKind};
use tokio::time::sleep;

use crate::proxy::Proxy;
use crate::{DURABLE, PATIENCE, RedisServer, accept, get, now, store, until, write};

#[test]
fn a_runtime_in_which_callers_have_not_received_their_answers_ends() {
    let server = RedisServer::start(&[]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        for _ in 0..4 {
            let store = store(&server);
            tokio::spawn(async move {
                let mut put = store.put(write());
                let first = poll_fn(|context| Poll::Ready(put.as_mut().poll(context))).await;
                assert!(first.is_pending());
                pending::<()>().await;
            });
        }
        let other = store(&server);
        until(async || other.counts(None).await.expect("the store works").waiting == 4).await;
        // Until the answers are there.
        sleep(Duration::from_millis(200)).await;
    });
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || {
        drop(runtime);
        ended.send(())
    });
    assert!(end.recv_timeout(PATIENCE / 3).is_ok(), "the runtime waits for itself");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_arrives_after_its_withdrawal_is_refused() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::start(&server).await;
    let store = proxy.redis().deferred_store();
    let first = accept(&store, write()).await;
    proxy.hold();
    let late = write();
    let error = store.put(late.clone()).await.expect_err("no answer");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    // The client connects again, and asks whether the write was stored.
    let key = format!("resilient:deferred:entry:{}", late.receipt.to_string().trim_start_matches("rsl-"));
    until(async || server.command::<bool>(&["EXISTS", &key])).await;
    assert!((60..=3_600).contains(&server.command::<i64>(&["TTL", &key])), "it is not kept for ever");
    assert_eq!(get(&store, late.receipt).await, None);
    proxy.release();
    until(async || proxy.late_answers() > 0).await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(get(&store, late.receipt).await, None, "its caller received an error");
    assert!(get(&store, first).await.is_some());
    assert_eq!(store.counts(None).await.expect("the store works").waiting, 1);
    // The key is free.
    accept(&store, NewEntry { receipt: write().receipt, ..late }).await;
}

#[tokio::test]
async fn an_entry_whose_withdrawal_failed_is_withdrawn_later() {
    let mut server = RedisServer::start(&DURABLE);
    let store = store(&server);
    let receipt = accept(&store, write()).await;
    server.kill();
    store.withdraw(receipt).await.expect_err("the server is away");
    server.restart();
    until(async || store.check().await.is_ok()).await;
    until(async || get(&store, receipt).await.is_none()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_claim_has_claimed_reaches_its_caller_although_redis_then_hangs() {
    let server = RedisServer::start(&[]);
    let proxy = Proxy::start(&server).await;
    let store = proxy.redis().deferred_store();
    let at = |day: u32| now().after(Duration::from_secs(86_400) * day);
    let claim = async |now, limit| {
        let tools = vec![ClaimedTool { name: "write".into(), lease: Duration::from_secs(600) }];
        let claim = Claim { server: "server".into(), tools, limit, now };
        store.claim(&claim).await.expect("the store works")
    };
    // This one has no time left, so that the claim looks for another one in its place.
    accept(&store, write()).await;
    let token = claim(at(1), 1).await.entries.remove(0).token();
    store.postpone(token, at(1), at(1)).await.expect("the store works").expect("the latest token");
    let receipt = accept(&store, write()).await;
    // The second look does not end in time.
    proxy.delay_scripts([Duration::from_millis(1_500), Duration::ZERO, PATIENCE]);
    let claims = claim(at(3), 2).await;
    assert_eq!(claims.entries.iter().map(|entry| entry.summary.receipt).collect::<Vec<_>>(), [receipt]);
    assert_eq!(claims.ended.len(), 1, "{claims:?}");
}
