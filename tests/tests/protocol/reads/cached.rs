//! What the result of a kept answer says.

use std::sync::atomic::Ordering;
use std::time::Duration;

use resilient_runtime::Outcome;
use resilient_tests::in_process::{call, request, with_meta};
use resilient_tests::wire::{CALL, CORRELATION, error, meta, text};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::server::{Shop, TAKES};

/// Returns the text of an answer, and what `_meta` says of the call without its id.
fn answered(result: &rmcp::model::CallToolResult) -> (String, Value) {
    assert_ne!(result.is_error, Some(true), "{}", text(result));
    let mut call = meta(result, CALL);
    let id = call.as_object_mut().expect("an object").remove("correlation_id");
    assert!(id.is_some_and(|id| id.is_string()), "{result:?}");
    (text(result), call)
}

#[tokio::test(start_paused = true)]
async fn a_hit_says_its_source_and_age_and_the_model_reads_the_answer_alone() {
    let (shop, client) = Shop::connected().await;
    let ask = async || call(&client, "stock", &json!({ "key": 7 })).await;
    assert_eq!(answered(&ask().await), ("7 by run 1".into(), json!({ "attempts": 1 })));
    sleep(Duration::from_secs(3)).await;
    let started = Instant::now();
    let hit = ask().await;
    assert_eq!(answered(&hit), ("7 by run 1".into(), json!({ "attempts": 0, "source": "cache", "age_ms": 3_000 })));
    assert_eq!((hit.content.len(), started.elapsed(), shop.runs()), (1, Duration::ZERO, 1));
    // A stale answer is served in the same form, and is not a fallback either.
    sleep(Duration::from_secs(20)).await;
    let stale = ask().await;
    assert_eq!(answered(&stale), ("7 by run 1".into(), json!({ "attempts": 0, "source": "cache", "age_ms": 23_000 })));
    assert_eq!(stale.content.len(), 1);
    sleep(2 * TAKES).await;
    let refreshed = ask().await;
    assert_eq!(
        answered(&refreshed),
        ("7 by run 2".into(), json!({ "attempts": 0, "source": "cache", "age_ms": 1_000 }))
    );
    let read = shop.registry.tool("stock").expect("counted");
    assert_eq!((read.calls(), read.outcome(Outcome::Ok), read.outcome(Outcome::Fallback)), (4, 4, 0));
}

#[tokio::test(start_paused = true)]
async fn an_answer_after_an_error_is_disclosed_as_a_fallback() {
    let (shop, client) = Shop::connected().await;
    let ask = async || call(&client, "stock", &json!({ "key": 7 })).await;
    ask().await;
    sleep(Duration::from_secs(90)).await;
    shop.down.store(true, Ordering::Relaxed);
    let old = ask().await;
    let (text, call) = answered(&old);
    let note = "Note: this is the last good answer, 1m 31s old, not a fresh one (rate_limited).";
    assert!(text.starts_with("7 by run 1") && old.content.len() == 2, "{text}");
    assert!(text.contains("Note: this is the last good answer"), "{text} is not like {note}");
    assert_eq!(
        (&call["degraded"], &call["source"], &call["reason"], &call["attempts"]),
        (&json!(true), &json!("cache"), &json!("rate_limited"), &json!(1))
    );
    assert_eq!(call["age_ms"], 91_000);
}

#[tokio::test(start_paused = true)]
async fn each_call_has_its_own_correlation_id() {
    let (_shop, client) = Shop::connected().await;
    for id in ["first", "second", "third"] {
        let request = with_meta(request("stock", &json!({ "key": 7 })), &[(CORRELATION, id)]);
        let result = client.call_tool(request).await.expect("an answer");
        assert_eq!(meta(&result, CALL)["correlation_id"], id);
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_gets_no_kept_answer_of_another_one() {
    let (shop, client) = Shop::connected().await;
    let ask = async |user| {
        let request = with_meta(request("stock", &json!({ "key": 7 })), &[("user", user)]);
        text(&client.call_tool(request).await.expect("an answer"))
    };
    assert_eq!(ask("ann").await, "7 by run 1");
    assert_eq!(ask("ben").await, "7 by run 2");
    assert_eq!((ask("ann").await, ask("ben").await), ("7 by run 1".into(), "7 by run 2".into()));
    assert_eq!(shop.runs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_result_with_an_error_is_not_kept() {
    let (_shop, client) = Shop::connected().await;
    for run in 1..4 {
        let result = call(&client, "error_result", &json!({})).await;
        assert_eq!((result.is_error, text(&result)), (Some(true), format!("run {run}")));
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_names_the_attempt_and_the_next_call_runs_the_body() {
    let (shop, client) = Shop::connected().await;
    for runs in 1..3 {
        let failed = call(&client, "stock", &json!({ "key": 7, "fails": true })).await;
        assert_eq!((error(&failed)["attempts"].as_u64(), shop.runs()), (Some(1), runs));
    }
}

#[tokio::test(start_paused = true)]
async fn the_warnings_of_an_answer_are_those_of_its_fallback() {
    let (shop, client) = Shop::connected().await;
    for tool in ["warns_for_errors", "warns_for_all"] {
        shop.down.store(false, Ordering::Relaxed);
        assert_eq!(meta(&call(&client, tool, &json!({})).await, CALL)["warnings"], json!(["the list was cut"]));
        shop.down.store(true, Ordering::Relaxed);
        sleep(Duration::from_secs(20)).await;
        let (_, call) = answered(&call(&client, tool, &json!({})).await);
        assert_eq!((&call["degraded"], &call["warnings"]), (&json!(true), &json!(["the list was cut"])), "{tool}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_answers_what_was_asked_reads_no_kept_answer_and_leaves_none() {
    let (_shop, client) = Shop::connected().await;
    for tool in ["follows_up", "follows_up_by_key"] {
        for state in ["a", "b", "", "c", "", "a"] {
            let mut request = request(tool, &json!({}));
            request.request_state = Some(state).filter(|state| !state.is_empty()).map(Into::into);
            let result = client.call_tool(request).await.expect("an answer");
            assert_eq!(answered(&result).0, state, "{tool}");
        }
    }
}
