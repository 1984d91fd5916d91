//! What the callers of one run of a body see.

use futures_util::future::join_all;
use resilient_runtime::Outcome;
use resilient_tests::in_process::{Client, call, request};
use resilient_tests::wire::{CALL, ERROR, error, meta, text};
use rmcp::ServiceError;
use rmcp::model::CallToolResult;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::server::{Shop, TAKES};

const CALLS: u32 = 50;

async fn at_once(client: &Client, tool: &'static str, arguments: &Value) -> Vec<CallToolResult> {
    join_all((0..CALLS).map(|_| call(client, tool, arguments))).await
}

/// Returns the number of attempts, the text and the error of a result, without its correlation id.
fn failed(result: &CallToolResult) -> (u64, String, Value) {
    let id = meta(result, ERROR)["correlation_id"].as_str().expect("an id").to_owned();
    let mut error = error(result);
    let attempts = error.as_object_mut().and_then(|error| error.remove("attempts"));
    let attempts = attempts.and_then(|attempts| attempts.as_u64()).expect("attempts");
    (attempts, text(result).replace(&id, "ID"), error)
}

/// Asserts that one caller ran the body, and that all see the same error, apart from the attempts. Returns the error.
fn the_same(results: &[CallToolResult], tool: &str) -> (String, Value) {
    let failed: Vec<_> = results.iter().map(failed).collect();
    let attempts: u64 = failed.iter().map(|failed| failed.0).sum();
    assert_eq!(attempts, 1, "{tool}: a follower has none");
    let leader = failed.iter().find(|failed| failed.0 == 1).expect("a leader");
    for follower in &failed {
        assert_eq!((&follower.1, &follower.2), (&leader.1, &leader.2), "{tool}");
    }
    let mut ids: Vec<_> = results.iter().map(|result| meta(result, ERROR)["correlation_id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), results.len(), "{tool}: each has its own id");
    (leader.1.clone(), leader.2.clone())
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_not_clone_looks_the_same_to_each_client() {
    let (shop, client) = Shop::connected().await;
    let started = Instant::now();
    let results = at_once(&client, "stock", &json!({ "key": 7, "fails": true })).await;
    assert_eq!((shop.runs(), started.elapsed()), (1, TAKES));
    let (text, error) = the_same(&results, "stock");
    assert_eq!(
        error,
        json!({
            "code": "SHOP_TOO_FAST", "kind": "rate_limited", "retryable": true, "retry_after_ms": 7_000,
            "hint": "Order 7 elsewhere.", "details": { "item": 7 },
        })
    );
    assert!(text.contains("Order 7 elsewhere.") && !text.contains("private"), "{text}");
    let read = shop.registry.tool("stock").expect("counted");
    assert_eq!((read.outcome(Outcome::Error), read.attempts, read.in_flight), (u64::from(CALLS), 1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_error_type_that_keeps_nothing_of_a_shared_error_looks_the_same_too() {
    let (shop, client) = Shop::connected().await;
    let results = at_once(&client, "lossy", &json!({ "key": 7, "fails": true })).await;
    assert_eq!(shop.runs(), 1);
    let (text, error) = the_same(&results, "lossy");
    assert_eq!((&error["code"], &error["kind"]), (&json!("OWN"), &json!("quota_exceeded")), "{text}");
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_clone_stays_what_it_is() {
    let (shop, client) = Shop::connected().await;
    let calls = (0..CALLS).map(|_| client.call_tool(request("plain", &json!({ "key": 7, "fails": true }))));
    for result in join_all(calls).await {
        let Err(ServiceError::McpError(error)) = result else { panic!("a protocol error: {result:?}") };
        assert_eq!((error.code.0, &*error.message), (-32_602, "mine"));
    }
    assert_eq!(shop.runs(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_another_call_has_no_attempts_and_its_warnings() {
    let (shop, client) = Shop::connected().await;
    let results = at_once(&client, "warns", &json!({ "key": 7 })).await;
    assert_eq!(shop.runs(), 1);
    let mut attempts = 0;
    for result in &results {
        assert_eq!((text(result).as_str(), result.content.len()), ("7 by run 1", 1));
        let call = meta(result, CALL);
        assert_eq!((&call["warnings"], &call["degraded"]), (&json!(["the list was cut"]), &Value::Null));
        attempts += call["attempts"].as_u64().expect("attempts");
    }
    assert_eq!(attempts, 1);
    let hit = call(&client, "warns", &json!({ "key": 7 })).await;
    let of_hit = meta(&hit, CALL);
    assert_eq!((&of_hit["source"], &of_hit["warnings"]), (&json!("cache"), &json!(["the list was cut"])));
    for expected in ["7 by run 1", "7 by run 2"] {
        sleep(20 * TAKES).await;
        let hit = call(&client, "warns", &json!({ "key": 7 })).await;
        assert_eq!((text(&hit).as_str(), &meta(&hit, CALL)["warnings"]), (expected, &json!(["the list was cut"])));
    }
}

#[tokio::test(start_paused = true)]
async fn two_hundred_calls_of_clients_are_one_request() {
    let (shop, client) = Shop::connected().await;
    let started = Instant::now();
    let arguments = json!({ "key": 7 });
    let results = join_all((0..200).map(|_| call(&client, "stock", &arguments))).await;
    assert!(results.iter().all(|result| text(result) == "7 by run 1"));
    assert_eq!((shop.runs(), started.elapsed()), (1, TAKES));
}
