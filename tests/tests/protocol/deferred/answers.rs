//! The text and `_meta` of a receipt.

use std::sync::Arc;

use resilient_runtime::testing;
use resilient_runtime::testing::deferred::{MemoryStore, defer_to};
use resilient_tests::in_process::call;
use resilient_tests::logs::{JsonLines, listen};
use resilient_tests::wire::{CALL, ERROR, meta, text};
use serde_json::json;
use tracing_subscriber::layer::SubscriberExt as _;

use super::server::{Down, Via, serve};

const HTTP: Via = Via::Http(None, Some("user"));

#[test]
fn a_receipt_says_that_nothing_is_done_yet_when_it_is_tried_and_how_often() {
    testing::run(async |lab| {
        let (client, _) = serve(lab, Down::new(HTTP)).await;
        let answer = call(&client, "write_text", &json!({ "request_id": "1" })).await;
        let facts = meta(&answer, CALL);
        let receipt = facts["deferred"]["receipt"].as_str().expect("a receipt");
        let seconds = facts["deferred"]["next_attempt_ms"].as_u64().expect("a number").div_ceil(1_000);
        let id = facts["correlation_id"].as_str().expect("an id");
        assert_eq!(
            text(&answer),
            format!(
                "ACCEPTED_FOR_LATER {receipt}: not done yet; do not send it again; this server tries it in {seconds}s, \
                 up to 8 times within 24h. (correlation id {id})"
            )
        );
        assert_eq!(meta(&answer, ERROR), json!(null));
    });
}

#[test]
fn over_stdio_a_receipt_says_that_the_server_has_to_run() {
    testing::run(async |lab| {
        let (client, _) = serve(lab, Down::new(Via::Stdio)).await;
        let answer = text(&call(&client, "write_text", &json!({ "request_id": "1" })).await);
        assert!(answer.contains("; while this server runs, it is tried in "), "{answer}");
    });
}

#[test]
fn the_receipt_of_a_tool_with_an_output_schema_is_an_error_because_it_has_no_structured_content() {
    testing::run(async |lab| {
        let (client, _) = serve(lab, Down::new(HTTP)).await;
        let answer = call(&client, "write_typed", &json!({ "request_id": "1" })).await;
        assert_eq!((answer.is_error, answer.structured_content.as_ref()), (Some(true), None));
        assert!(text(&answer).contains(", once within 24h."), "{}", text(&answer));
        assert_eq!(meta(&answer, CALL)["deferred"]["tries_left"], 1);
        let answer = call(&client, "write_text", &json!({ "request_id": "1" })).await;
        assert_eq!(answer.is_error, Some(false));
    });
}

#[test]
fn a_receipt_names_the_status_tool_only_if_the_router_has_it() {
    testing::run(async |lab| {
        let (client, _) = serve(lab, Down::with_status_tool(HTTP)).await;
        let answer = text(&call(&client, "write_text", &json!({ "request_id": "1" })).await);
        assert!(answer.contains(" `deferred_status` with this receipt shows whether it is done."), "{answer}");
    });
    testing::run(async |lab| {
        let (client, _) = serve(lab, Down::new(HTTP)).await;
        let answer = text(&call(&client, "write_text", &json!({ "request_id": "1" })).await);
        assert!(!answer.contains("deferred_status"), "{answer}");
    });
}

/// Counts the lines of the log that say that a tool stores nothing.
async fn lines_about_tools_that_store_nothing(run: impl AsyncFnOnce()) -> usize {
    let lines = JsonLines::default();
    let writer = {
        let lines = lines.clone();
        move || lines.clone()
    };
    let layer = tracing_subscriber::fmt::layer().json().with_writer(writer);
    let _listening = listen(tracing_subscriber::registry().with(layer));
    run().await;
    let said = |line: &serde_json::Value| line["fields"]["message"].to_string().contains("stores nothing");
    lines.take().iter().filter(|line| said(line)).count()
}

#[test]
fn a_tool_without_the_hook_says_once_in_the_log_that_it_stores_nothing() {
    testing::run(async |lab| {
        defer_to(lab.registry(), Arc::new(MemoryStore::default()), "down");
        let server = Down::new(Via::Stdio);
        let said = lines_about_tools_that_store_nothing(async || {
            for _ in 0..3 {
                assert!(server.direct().await.is_err());
            }
        });
        assert_eq!(said.await, 1);
    });
}

#[test]
fn a_function_that_another_tool_calls_says_once_in_the_log_that_it_stores_nothing() {
    testing::run(async |lab| {
        let (client, _) = serve(lab, Down::with_other_tool(HTTP)).await;
        let said = lines_about_tools_that_store_nothing(async || {
            for _ in 0..3 {
                let answer = call(&client, "write", &json!({ "request_id": "1" })).await;
                assert!(!text(&answer).contains("ACCEPTED_FOR_LATER"), "{}", text(&answer));
            }
        });
        assert_eq!(said.await, 1);
    });
}
