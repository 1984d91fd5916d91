//! A server that is killed, stopped or emptied, and callers that leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use resilient_redis::Redis;
use resilient_runtime::deferred::{DeferredStore, NewEntry, Put, Receipt, StoreErrorKind, Viewer};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::{DURABLE, RedisServer, accept, claim, get, now, store, until, write};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_that_was_accepted_is_lost_when_the_server_is_killed() {
    let mut server = RedisServer::start(&DURABLE);
    let (store, stop) = (store(&server), Arc::new(AtomicBool::new(false)));
    let mut writers = JoinSet::new();
    for _ in 0..8 {
        let (store, stop) = (store.clone(), Arc::clone(&stop));
        writers.spawn(async move {
            let (mut accepted, mut failed) = (Vec::new(), Vec::new());
            while !stop.load(Ordering::Relaxed) {
                let new = write();
                let receipt = new.receipt;
                match store.put(new).await {
                    Ok(put) => {
                        assert!(matches!(put, Put::Accepted(_)), "{put:?}");
                        accepted.push(receipt);
                    }
                    Err(_) => {
                        failed.push(receipt);
                        sleep(Duration::from_millis(20)).await;
                    }
                }
            }
            (accepted, failed)
        });
    }
    for _ in 0..3 {
        sleep(Duration::from_millis(600)).await;
        tokio::task::block_in_place(|| server.restart());
    }
    sleep(Duration::from_millis(1_500)).await;
    stop.store(true, Ordering::Relaxed);
    let (mut accepted, mut failed) = (Vec::new(), Vec::new());
    for (more, others) in writers.join_all().await {
        accepted.extend(more);
        failed.extend(others);
    }
    eprintln!("{} accepted, {} failed", accepted.len(), failed.len());
    assert!(accepted.len() > 500 && !failed.is_empty(), "{} {}", accepted.len(), failed.len());
    for receipt in &accepted {
        assert!(get(&store, *receipt).await.is_some(), "{receipt} is lost");
    }
    // What may have been stored although its caller received an error is withdrawn.
    let expected = accepted.len() as u64;
    until(async || store.counts(None).await.expect("the store works").waiting == expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_to_a_stopped_server_end_and_what_they_sent_is_withdrawn() {
    let server = RedisServer::start(&[]);
    let store = store(&server);
    accept(&store, write()).await;
    let token = claim(&store, 1).await.remove(0).token();
    server.stop_signal();
    let began = Instant::now();
    let new = write();
    let left = write();
    let leaving = async {
        let ended = timeout(Duration::from_millis(300), store.put(left.clone())).await;
        assert!(ended.is_err(), "{ended:?}");
    };
    let finding = async {
        let ended = timeout(Duration::from_millis(50), store.find(&new.scope, &new.arguments, now())).await;
        assert!(ended.is_err(), "{ended:?}");
    };
    let put = store.put(new.clone());
    let completing = store.complete(token, None, now());
    let (put, complete, check, (), ()) = tokio::join!(put, completing, store.check(), leaving, finding);
    let took = began.elapsed();
    assert!(took < Duration::from_secs(7), "{took:?}");
    for error in [put.map(drop), complete.map(drop), check].map(|result| result.expect_err("it is stopped")) {
        assert!(matches!(error.kind(), StoreErrorKind::Unavailable | StoreErrorKind::Busy), "{error}");
    }
    server.continue_signal();
    until(async || store.check().await.is_ok()).await;
    until(async || {
        let counts = store.counts(None).await.expect("the store works");
        counts.waiting == 0 && counts.running + counts.done == 1
    })
    .await;
    for receipt in [new.receipt, left.receipt] {
        assert_eq!(get(&store, receipt).await, None, "its caller received no receipt");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_caller_left_is_withdrawn() {
    let server = RedisServer::start(&[]);
    let store = store(&server);
    let (mut accepted, mut left) = (0_u64, 0);
    for round in 0..400_u64 {
        let limit = Duration::from_micros(round % 40 * 25);
        let began = Instant::now();
        let mut put = store.put(write());
        // More exactly than tokio's timer, which counts milliseconds.
        let ended = std::future::poll_fn(|context| match put.as_mut().poll(context) {
            std::task::Poll::Pending if began.elapsed() < limit => {
                context.waker().wake_by_ref();
                std::task::Poll::Pending
            }
            std::task::Poll::Pending => std::task::Poll::Ready(None),
            std::task::Poll::Ready(put) => std::task::Poll::Ready(Some(put)),
        })
        .await;
        drop(put);
        match ended {
            Some(put) => {
                assert!(matches!(put, Ok(Put::Accepted(_))), "{put:?}");
                accepted += 1;
            }
            None => left += 1,
        }
    }
    assert!(left > 0, "some callers left");
    eprintln!("{accepted} accepted, {left} left");
    until(async || store.counts(None).await.expect("the store works").waiting == accepted).await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(store.counts(None).await.expect("the store works").waiting, accepted, "what was acknowledged stays");
}

#[tokio::test]
async fn after_the_database_was_emptied_both_clients_continue_with_one_new_secret() {
    let server = RedisServer::start(&[]);
    let (first, second) = (store(&server), store(&server));
    let new = write();
    accept(&first, new.clone()).await;
    assert!(second.find(&new.scope, &new.arguments, now()).await.expect("the store works").is_some());
    let secret = || server.command::<String>(&["HGET", "resilient:deferred:store", "secret"]);
    let before = secret();
    server.flush();
    assert!(second.find(&new.scope, &new.arguments, now()).await.expect("the store works").is_none());
    assert_eq!(get(&first, new.receipt).await, None);
    let again = NewEntry { receipt: Receipt::random().expect("random bits"), ..new.clone() };
    accept(&first, again.clone()).await;
    assert_ne!(secret(), before);
    let found = second.find(&new.scope, &new.arguments, now()).await.expect("the store works").expect("the key");
    assert_eq!(found.entry.summary.receipt, again.receipt);
    let put = second.put(NewEntry { receipt: Receipt::random().expect("random bits"), ..new.clone() }).await;
    assert!(matches!(put, Ok(Put::Existing(found)) if found.same_arguments));
    let caller = Viewer::Caller { server: "server".into(), principal: "caller".into() };
    assert!(second.get(again.receipt, &caller).await.expect("the store works").is_some());
    assert_eq!(first.counts(None).await.expect("the store works").waiting, 1);
}

#[tokio::test]
async fn a_server_that_is_away_makes_every_call_an_error_until_it_is_there() {
    let mut server = RedisServer::start(&[]);
    server.kill();
    let store = store(&server);
    let began = Instant::now();
    let error = store.put(write()).await.expect_err("it is away");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert_eq!(store.check().await.expect_err("it is away").kind(), StoreErrorKind::Unavailable);
    assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
    server.restart();
    until(async || store.check().await.is_ok()).await;
    accept(&store, write()).await;
}

#[tokio::test]
async fn a_store_of_a_newer_format_is_refused() {
    let server = RedisServer::start(&[]);
    let store = Redis::new(&server.url()).prefix("shop").deferred_store();
    server.command::<()>(&["HSET", "shop:deferred:store", "format", "2", "id", "x", "secret", "0"]);
    let error = store.put(write()).await.expect_err("it is newer");
    assert!(error.to_string().contains("format 2; this version knows 1"), "{error}");
}

#[tokio::test]
async fn a_damaged_entry_is_an_error_that_names_no_content() {
    let server = RedisServer::start(&[]);
    let store = store(&server);
    let receipt = accept(&store, write()).await;
    let key = format!("resilient:deferred:entry:{}", receipt.to_string().trim_start_matches("rsl-"));
    server.command::<()>(&["HSET", &key, "row", "{secret"]);
    let error = store.get(receipt, &Viewer::Operator).await.expect_err("it is damaged");
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    // Something else than this crate removed another one: it is not read for ever.
    server.command::<()>(&["DEL", &key]);
    accept(&store, write()).await;
    until(async || claim(&store, 1).await.len() == 1).await;
}
