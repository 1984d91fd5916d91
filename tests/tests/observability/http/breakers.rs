//! The route that shows the state of each breaker and its transitions.

use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::health::Health;
use resilient_runtime::http::Admin;
use resilient_runtime::{Registry, resilient};
use resilient_tests::failure::ShopError;
use serde_json::{Value, json};

use super::{PRIVATE, json_of, serve};

#[tokio::test]
async fn breakers_tell_where_they_stand_since_when_and_why() {
    #[resilient(name = "http_open", breaker(name = "http_open", failures = 2, open = "1h"))]
    async fn open() -> Result<(), ShopError> {
        Err(ShopError::Down(PRIVATE.into()))
    }
    #[resilient(name = "http_keyed", breaker(name = "http_keyed", failures = 1, open = "1h", key = user))]
    async fn keyed(user: &str) -> Result<(), ShopError> {
        if user.is_empty() { Ok(()) } else { Err(ShopError::Down(PRIVATE.into())) }
    }
    let registry = Arc::new(Registry::new());
    registry
        .clone()
        .scope(async {
            for _ in 0..3 {
                let _ = open().await;
            }
            let _ = keyed(PRIVATE).await;
        })
        .await;
    let admin = serve(Admin::new(Arc::new(Health::of(&registry))).router()).await;
    let (status, body) = json_of(&admin, "/breakers").await;
    assert_eq!(status, 200);
    assert!(!body.to_string().contains(PRIVATE));
    let all = body["breakers"].as_array().expect("breakers");
    let keyed = |breaker: &&Value| breaker["breaker"] == "http_keyed" && breaker["state"] == "open";
    assert_eq!(all.iter().filter(keyed).count(), 1, "{body:#}");
    assert_eq!(all.len(), 2, "{body:#}");
    let open = all.iter().find(|breaker| breaker["breaker"] == "http_open").expect("the breaker");
    let remaining = open["retry_after_ms"].as_u64().expect("a number");
    assert!((3_000_000..=3_600_000).contains(&remaining), "{open:#}");
    let (since, failed) = (&open["since_unix_ms"], &open["last_failure_unix_ms"]);
    assert!(since.is_u64() && failed.is_u64());
    let expected = json!({
        "breaker": "http_open", "state": "open", "since_unix_ms": since, "retry_after_ms": remaining,
        "consecutive_failures": 0, "armed": false, "probes": 0, "successes": 0, "failures": 2, "neutral": 0, "rejected": 1,
        "stale": 0, "last_failure_unix_ms": failed,
        "transitions": [{ "from": "closed", "to": "open", "at_unix_ms": since, "reason": "failures" }],
    });
    assert_eq!(*open, expected);
}

#[tokio::test]
async fn the_breakers_of_a_thousand_keys_are_one_entry() {
    #[resilient(name = "http_keys", breaker(name = "http_keys", failures = 1, open = "60s", key = user))]
    async fn keys(user: u32) -> Result<(), ShopError> {
        if user.is_multiple_of(10) { Ok(()) } else { Err(ShopError::Down(PRIVATE.into())) }
    }
    let registry = Arc::new(Registry::new());
    let call = async |user: u32| {
        let _ = registry.clone().scope(async { keys(user).await }).await;
    };
    for user in 0..1_000 {
        call(user).await;
    }
    // All breakers may probe again, and one has.
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(60)).await;
    tokio::time::resume();
    call(1).await;
    let admin = serve(Admin::new(Arc::new(Health::of(&registry))).router()).await;
    let (_, body) = json_of(&admin, "/breakers").await;
    assert!(body.to_string().len() < 4_000, "{body}");
    assert_eq!(body["breakers"].as_array().map(Vec::len), Some(1));
    let shown = &body["breakers"][0];
    assert_eq!(shown["keys"], json!({ "closed": 100, "half_open": 899, "open": 1, "isolated": 0 }));
    assert_eq!(shown["state"], "open");
    assert!(shown["retry_after_ms"].as_u64().is_some_and(|left| (30_000..=60_000).contains(&left)), "{shown}");
    assert_eq!((&shown["successes"], &shown["failures"]), (&json!(100), &json!(901)));
    let moves = shown["transitions"].as_array().expect("transitions");
    assert_eq!(moves.len(), 20);
    assert_eq!((&moves[0]["from"], &moves[0]["to"]), (&json!("half_open"), &json!("open")));
    assert_eq!((&moves[1]["from"], &moves[1]["to"]), (&json!("open"), &json!("half_open")));
}

#[tokio::test]
async fn the_last_transitions_are_told_newest_first() {
    #[resilient(name = "http_moved", breaker = "http_moved")]
    async fn moved() -> Result<(), ShopError> {
        Ok(())
    }
    let registry = Arc::new(Registry::new());
    registry.clone().scope(moved()).await.expect("it works");
    let breaker = registry.breaker("http_moved").expect("the breaker");
    for _ in 0..30 {
        breaker.open();
        breaker.close();
    }
    let admin = serve(Admin::new(Arc::new(Health::of(&registry))).router()).await;
    let (_, body) = json_of(&admin, "/breakers").await;
    let moves = body["breakers"][0]["transitions"].as_array().expect("transitions");
    assert_eq!(moves.len(), 20);
    assert_eq!((&moves[0]["to"], &moves[0]["reason"]), (&json!("closed"), &json!("closed_by_hand")));
    assert_eq!((&moves[1]["to"], &moves[1]["reason"]), (&json!("open"), &json!("opened_by_hand")));
    assert_eq!(body["breakers"][0]["since_unix_ms"], moves[0]["at_unix_ms"]);
    assert!(body["breakers"][0].get("retry_after_ms").is_none());
}
