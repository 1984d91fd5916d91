//! Breakers of several replicas.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::redis::RedisServer;

use super::{Replica, assert_answered_in_time, load, three};

/// The number of failed calls in a row that open the breaker of a replica by itself.
const FAILURES: u32 = 5;

/// The time after which each replica knows that the breaker of another one has opened: they look once a second.
const NEWS: Duration = Duration::from_millis(1_200);

/// Lets the breaker of a replica open by its own failures.
async fn open(replica: &mut Replica) {
    replica.dependency("down").await;
    assert_eq!(replica.calls("make", FAILURES).await, json!({ "down": FAILURES }));
    assert_eq!(replica.breaker().await["state"], "open");
}

/// Asserts that the breaker never changed its state and never rejected a call.
async fn assert_untouched(replica: &mut Replica) {
    let breaker = replica.breaker().await;
    assert_eq!(breaker, json!({ "state": "closed", "rejected": 0, "transitions": [] }));
}

/// The reasons of the transitions from `closed` to `open`.
fn openings(breaker: &Value) -> Vec<&str> {
    let all = breaker["transitions"].as_array().unwrap_or_else(|| panic!("{breaker}"));
    let openings = all.iter().filter(|moved| moved["from"] == "closed" && moved["to"] == "open");
    openings.map(|moved| moved["reason"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn after_1200_ms_the_next_failed_call_opens_the_breaker_of_each_other_replica_unless_a_call_succeeds_before() {
    let redis = RedisServer::start(&[]);
    let [mut first, mut second, mut third] = three(&redis, &[]).await;
    for replica in [&mut first, &mut second, &mut third] {
        assert_eq!(replica.calls("make", 1).await, json!({ "ok": 1 }));
    }
    open(&mut first).await;
    sleep(NEWS).await;

    assert_untouched(&mut second).await;
    second.dependency("down").await;
    assert_eq!(second.calls("make", 1).await, json!({ "down": 1 }));
    let breaker = second.breaker().await;
    assert_eq!((breaker["state"].as_str(), &*openings(&breaker)), (Some("open"), &["peer"][..]), "{breaker}");
    assert_eq!(second.calls("make", 1).await, json!({ "circuit_open": 1 }));

    assert_untouched(&mut third).await;
    assert_eq!(third.calls("make", 1).await, json!({ "ok": 1 }));
    third.dependency("down").await;
    assert_eq!(third.calls("make", FAILURES - 1).await, json!({ "down": FAILURES - 1 }));
    assert_untouched(&mut third).await;
    assert_eq!(third.calls("make", 1).await, json!({ "down": 1 }));
    assert_eq!(openings(&third.breaker().await), ["failures"]);
}

#[tokio::test]
async fn healthy_replicas_reject_nothing_although_the_breaker_of_another_one_opens_again_and_again() {
    let redis = RedisServer::start(&[]);
    let [mut bad, second, third] = three(&redis, &[("RESILIENT__BREAKER__MAKE__OPEN", "2s")]).await;
    bad.dependency("flapping").await;
    let mut healthy = [second, third];
    let time = Duration::from_secs(12);
    let (of_bad, reports) = tokio::join!(bad.load("make", time, 50), load(&mut healthy, "make", time, 50));

    let breaker = bad.breaker().await;
    let reasons = openings(&breaker);
    assert!(reasons.len() >= 2 && reasons.iter().all(|reason| *reason == "failures"), "{of_bad:?}: {breaker}");
    for (replica, report) in healthy.iter_mut().zip(&reports) {
        assert_eq!(report.ended.get("ok"), Some(&report.offered), "{report:?}");
        assert_untouched(replica).await;
    }
    // They do hear of it: the next opening arms them.
    bad.dependency("up").await;
    // A success also ends a row of failures, if the load has ended in one.
    while bad.calls("make", 1).await != json!({ "ok": 1 }) || bad.breaker().await["state"] != "closed" {
        sleep(Duration::from_millis(20)).await;
    }
    open(&mut bad).await;
    sleep(NEWS).await;
    for replica in &mut healthy {
        replica.dependency("down").await;
        assert_eq!(replica.calls("make", 1).await, json!({ "down": 1 }));
        assert_eq!(openings(&replica.breaker().await), ["peer"]);
    }
}

#[tokio::test]
async fn while_redis_is_stopped_a_breaker_opens_by_its_own_failures_and_no_call_waits() {
    let redis = RedisServer::start(&[]);
    let mut replicas = three(&redis, &[]).await;
    for replica in &mut replicas {
        assert_eq!(replica.calls("make", 1).await, json!({ "ok": 1 }));
        replica.dependency("down").await;
    }
    redis.stop_signal();
    let reports = load(&mut replicas, "make", Duration::from_secs(3), 50).await;
    redis.continue_signal();
    assert_answered_in_time(&reports, 0.0);
    for (replica, report) in replicas.iter_mut().zip(&reports) {
        assert_eq!(report.ended.get("down"), Some(&u64::from(FAILURES)), "{report:?}");
        assert_eq!(openings(&replica.breaker().await), ["failures"]);
    }
}
