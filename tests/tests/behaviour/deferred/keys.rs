//! What a call receives whose key a stored call has.

use std::time::Duration;

use resilient_runtime::deferred::{
    Claim, ClaimedTool, DeferredStore as _, Entry, Failure as Failed, NextTry, Timestamp, Viewer,
};
use resilient_runtime::statistics::DeferredResult;
use resilient_runtime::testing::deferred::counted;
use resilient_runtime::{Outcome, testing};
use resilient_tests::in_process::{call, request};
use resilient_tests::wire::{CALL, error, meta, text};
use rmcp::model::ErrorCode;
use rmcp::{ErrorData, ServiceError};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::shop::{Fixture, Service, down};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Claims the only entry, as a worker does.
async fn claim(its: &Fixture) -> (Entry, Timestamp) {
    let due = its.store.entry().await.summary.due;
    let tools = ["order", "order_typed", "set"];
    let tool = |name: &str| ClaimedTool { name: name.to_owned(), lease: Duration::from_secs(20) };
    let tools = tools.into_iter().map(tool).collect();
    let claim = Claim { server: "shop".into(), tools, limit: 1, now: due };
    let claims = its.store.inner.claim(&claim).await.expect("a store in memory");
    (claims.entries.into_iter().next().expect("a due entry"), due)
}

#[test]
fn while_an_entry_waits_or_runs_a_call_with_its_key_never_runs() {
    testing::run(async |lab| {
        let its = down(lab).await;
        let first = call(&its.client, "order", &json!({ "key": "a", "article": 7 })).await;
        let receipt = &meta(&first, CALL)["deferred"]["receipt"];
        its.shop.turn(Service::Up);
        let ran = its.shop.ran();
        for _ in 0..3 {
            // Canonical arguments: their order does not matter.
            let again = call(&its.client, "order", &json!({ "article": 7, "key": "a" })).await;
            assert_eq!(meta(&again, CALL)["deferred"]["receipt"], *receipt);
            assert_eq!(again.is_error, Some(false));
        }
        let mut answers = request("order", &json!({ "key": "a", "article": 7 }));
        answers.request_state = Some("state".into());
        let answers = its.client.call_tool(answers).await.expect("an answer");
        assert_eq!(meta(&answers, CALL)["deferred"]["receipt"], *receipt, "no member of the request avoids the check");
        claim(&its).await;
        let during = call(&its.client, "order", &json!({ "key": "a", "article": 7 })).await;
        assert_eq!(meta(&during, CALL)["deferred"]["receipt"], *receipt);
        assert_eq!(meta(&during, CALL)["deferred"]["next_attempt_ms"], 0);
        let tried = "; it is being tried now, and if that fails, up to 7 times more within 24h.";
        assert!(text(&during).contains(tried), "{}", text(&during));
        assert_eq!(its.shop.ran(), ran);
        assert_eq!(counted(lab.registry(), "order"), [(DeferredResult::Accepted, 1), (DeferredResult::Existing, 5)]);
        lab.calls("order").assert_outcomes([(Outcome::Deferred, 6)]);
        let other = call(&its.client, "order", &json!({ "key": "b", "article": 7 })).await;
        assert_eq!(text(&other), format!("order {} of 7", ran + 1));
    });
}

#[test]
fn other_arguments_are_a_conflict_that_names_the_receipt() {
    testing::run(async |lab| {
        let its = down(lab).await;
        let first = call(&its.client, "order", &json!({ "key": "a", "article": 7 })).await;
        let receipt = meta(&first, CALL)["deferred"]["receipt"].as_str().expect("a receipt").to_owned();
        its.shop.turn(Service::Up);
        let ran = its.shop.ran();
        let other = call(&its.client, "order", &json!({ "key": "a", "article": 8 })).await;
        let facts = error(&other);
        assert_eq!((&facts["code"], &facts["kind"]), (&json!("KEY_CONFLICT"), &json!("conflict")));
        assert_eq!(facts["details"], json!({ "receipt": receipt, "performed": false }));
        assert_eq!(facts["retryable"], false);
        assert!(text(&other).contains(&receipt), "{}", text(&other));
        assert_eq!((its.shop.ran(), other.is_error), (ran, Some(true)));
        lab.calls("order").assert_outcomes([(Outcome::Deferred, 1), (Outcome::Error, 1)]);
        assert_eq!(lab.registry().tool("order").expect("a tool").failures(), 0, "the caller's mistake");
    });
}

#[test]
fn keys_are_those_of_one_tool_and_principal() {
    testing::run(async |lab| {
        let its = down(lab).await;
        let mut receipts = Vec::new();
        for (user, tool) in [("a", "order"), ("b", "order"), ("a", "order_typed")] {
            lab.set_principal(Some(user));
            let answer = call(&its.client, tool, &json!({ "key": "1" })).await;
            receipts.push(meta(&answer, CALL)["deferred"]["receipt"].as_str().expect("a receipt").to_owned());
        }
        receipts.sort();
        receipts.dedup();
        assert_eq!(receipts.len(), 3);
    });
}

#[test]
fn after_a_delivery_the_kept_result_is_the_answer_until_the_time_to_live_ends() {
    testing::run(async |lab| {
        let its = down(lab).await;
        call(&its.client, "order_typed", &json!({ "key": "a" })).await;
        let (entry, now) = claim(&its).await;
        let result = json!({
            "content": [{ "type": "text", "text": "{\"id\":9}" }],
            "structuredContent": { "id": 9 },
            "isError": false,
        });
        its.store.inner.complete(entry.token(), Some(result.to_string()), now).await.expect("a store in memory");
        let ran = its.shop.ran();
        let answer = call(&its.client, "order_typed", &json!({ "key": "a" })).await;
        assert_eq!(answer.structured_content, Some(json!({ "id": 9 })));
        assert_eq!(answer.is_error, Some(false));
        assert_eq!(meta(&answer, CALL)["deferred"]["state"], "done");
        let other = call(&its.client, "order_typed", &json!({ "key": "a", "article": 1 })).await;
        assert_eq!(error(&other)["kind"], "conflict");
        assert_eq!(its.shop.ran(), ran);
        sleep(DAY).await;
        its.shop.turn(Service::Up);
        let answer = call(&its.client, "order_typed", &json!({ "key": "a", "article": 1 })).await;
        assert_eq!(answer.structured_content, Some(json!({ "id": ran + 1 })));
    });
}

#[test]
fn a_result_that_was_not_kept_and_a_dead_letter_are_described() {
    testing::run(async |lab| {
        let its = down(lab).await;
        call(&its.client, "order", &json!({ "key": "a" })).await;
        let (entry, now) = claim(&its).await;
        its.store.inner.complete(entry.token(), None, now).await.expect("a store in memory");
        let answer = call(&its.client, "order", &json!({ "key": "a" })).await;
        assert!(text(&answer).starts_with(&format!("DONE {}: ", entry.summary.receipt)), "{}", text(&answer));
        assert_eq!((answer.is_error, &meta(&answer, CALL)["performed"]), (Some(false), &json!(true)));
    });
    let kept = json!({ "content": [{ "type": "text", "text": "SHOP_FULL" }], "isError": true });
    for result in [None, Some(kept.to_string())] {
        testing::run(async |lab| {
            let its = down(lab).await;
            call(&its.client, "order", &json!({ "key": "a" })).await;
            let (entry, now) = claim(&its).await;
            let is_kept = result.is_some();
            let failure = Failed { code: "SHOP_FULL".into(), result, next: NextTry::Never };
            its.store.inner.fail(entry.token(), failure, now).await.expect("a store in memory");
            let answer = call(&its.client, "order", &json!({ "key": "a" })).await;
            let begins = if is_kept { "SHOP_FULL".into() } else { format!("GIVEN_UP {}: ", entry.summary.receipt) };
            assert!(text(&answer).starts_with(&begins), "{}", text(&answer));
            assert!(
                text(&answer).contains("It may have taken effect: check before you repeat it"),
                "{}",
                text(&answer)
            );
            assert_eq!(answer.is_error, Some(true));
            let facts = meta(&answer, CALL);
            assert_eq!((&facts["deferred"]["state"], &facts["performed"]), (&json!("dead"), &json!(null)));
        });
    }
}

#[test]
fn the_json_rpc_error_of_a_dead_letter_is_the_answer_with_its_receipt_and_a_note() {
    for data in [None, Some(json!({ "shop": 7 })), Some(json!("shop 7"))] {
        testing::run(async |lab| {
            let its = down(lab).await;
            call(&its.client, "order", &json!({ "key": "a" })).await;
            let (entry, now) = claim(&its).await;
            let kept = ErrorData::new(ErrorCode(-33_001), "no such shop", data.clone());
            let result = Some(serde_json::to_string(&kept).expect("JSON"));
            let failure = Failed { code: "-33001".into(), result, next: NextTry::Never };
            its.store.inner.fail(entry.token(), failure, now).await.expect("a store in memory");
            let answer = its.client.call_tool(request("order", &json!({ "key": "a" }))).await;
            let Err(ServiceError::McpError(error)) = answer else { panic!("{answer:?}") };
            assert_eq!(error.code.0, -33_001);
            let receipt = entry.summary.receipt.to_string();
            let begins = format!("no such shop\nNote: this is how the last try of the call {receipt} ended");
            assert!(error.message.starts_with(&begins), "{}", error.message);
            assert!(error.message.contains("check before you repeat it"), "{}", error.message);
            let answered = error.data.expect("data");
            if data.as_ref().is_some_and(Value::is_string) {
                assert_eq!(Some(answered), data, "data of the tool that has no room for the facts");
                return;
            }
            assert_eq!(answered.get("shop"), data.as_ref().and_then(|data| data.get("shop")));
            let facts = &answered[CALL];
            assert_eq!(facts["deferred"], json!({ "receipt": receipt, "state": "dead" }));
            assert!(facts["correlation_id"].is_string() && facts["performed"].is_null(), "{facts}");
        });
    }
}

#[test]
fn a_cancelled_entry_frees_its_key() {
    testing::run(async |lab| {
        let its = down(lab).await;
        call(&its.client, "order", &json!({ "key": "a" })).await;
        let summary = its.store.entry().await.summary;
        its.store.inner.cancel(summary.receipt, &Viewer::Operator, summary.created).await.expect("a store in memory");
        its.shop.turn(Service::Up);
        let answer = call(&its.client, "order", &json!({ "key": "a" })).await;
        assert!(text(&answer).starts_with("order "), "{}", text(&answer));
    });
}
