//! Each kind from end to end: the text for the model, `_meta`, and the log. The tables of the documentation have the
//! same content.

mod guide;
mod log;
mod server;

use std::fmt::{Display, Write as _};
use std::sync::atomic::Ordering;

use resilient_runtime::breaker::BreakerState;
use resilient_runtime::{ErrorKind, Outcome, Registry};
use resilient_tests::in_process::{self, Client, call, request};
use resilient_tests::wire::{ERROR, meta, text};
use rmcp::model::{CallToolResult, GetPromptRequestParams};
use rmcp::{ErrorData, ServiceError};
use serde_json::{Value, json};

use log::{Log, masked};
use server::Server;

async fn connect(server: &Server) -> Client {
    in_process::connect(server.clone()).await
}

/// All output of a failed call: text, `_meta`, log.
fn account(text: &str, meta: (&str, &Value), log: Vec<Value>) -> String {
    let mut account = String::new();
    let mut add = |title: &str, body: &dyn Display| {
        let gap = if account.is_empty() { "" } else { "\n\n" };
        write!(account, "{gap}{title}\n\n{body}").expect("a String");
    };
    add("What the model reads:", &text);
    add(&format!("{}:", meta.0), &format_args!("{:#}", meta.1));
    for line in log {
        add("The log:", &format_args!("{:#}", masked(line)));
    }
    let id = meta.1["correlation_id"].as_str().expect("a correlation id");
    account.replace(id, "[correlation id]")
}

fn account_of_tool(result: &CallToolResult, log: &Log) -> String {
    assert_eq!(result.is_error, Some(true));
    let account = account(&text(result), (&format!("_meta[\"{ERROR}\"]"), &meta(result, ERROR)), log.take());
    let (public, _) = account.split_once("The log:").expect("a log");
    assert!(!public.contains("for the log alone"), "{public}");
    account
}

fn account_of_protocol(error: ServiceError, log: &Log) -> String {
    let ServiceError::McpError(ErrorData { code, message, data, .. }) = error else { panic!("{error}") };
    let data = data.expect("data");
    let text = format!("(JSON-RPC error {}) {message}", code.0);
    account(&text, (&format!("data[\"{ERROR}\"]"), &data[ERROR]), log.take())
}

#[tokio::test(start_paused = true)]
async fn each_kind_from_end_to_end() {
    let log = Log::keep();
    let client = connect(&Server::default()).await;
    for kind in ErrorKind::ALL {
        log.take();
        let result = call(&client, "fails", &json!({ "kind": kind.as_str() })).await;
        assert_eq!(meta(&result, ERROR)["kind"], kind.as_str());
        insta::assert_snapshot!(kind.as_str(), account_of_tool(&result, &log));
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_pipeline_itself_answers_with_from_end_to_end() {
    let log = Log::keep();
    let client = connect(&Server::default()).await;
    // With a first call if the second one is to fail.
    for (tool, first) in [("hangs", false), ("panics", false), ("breaks", true), ("rarely", true)] {
        if first {
            call(&client, tool, &json!({})).await;
        }
        log.take();
        let result = call(&client, tool, &json!({})).await;
        insta::assert_snapshot!(format!("pipeline_{tool}"), account_of_tool(&result, &log));
    }
}

#[tokio::test(start_paused = true)]
async fn a_protocol_error_and_a_prompt_say_the_same_as_json_rpc_data() {
    let log = Log::keep();
    let client = connect(&Server::default()).await;
    let told = client.call_tool(request("protocol", &json!({}))).await.expect_err("a protocol error");
    insta::assert_snapshot!("protocol_tool", account_of_protocol(told, &log));
    let told = client.get_prompt(GetPromptRequestParams::new("summary")).await.expect_err("a protocol error");
    insta::assert_snapshot!("protocol_prompt", account_of_protocol(told, &log));
}

#[tokio::test(start_paused = true)]
async fn a_callers_mistake_ten_times_changes_nothing() {
    let server = Server::default();
    let client = connect(&server).await;
    let breaker = || Registry::global().breaker("kinds-mistakes").expect("bound").snapshot();
    let counted = || Registry::global().tool("mistakes").expect("a tool");
    let down = |down| server.down.store(down, Ordering::Relaxed);

    down(true);
    call(&client, "mistakes", &json!({ "kind": "none" })).await;
    let before = breaker();
    assert_eq!((before.state, before.consecutive_failures), (BreakerState::Closed, 2), "one call and its retry");

    down(false);
    let mistakes = ["invalid_input", "not_found", "conflict", "failed_precondition", "permission_denied"];
    for kind in mistakes.into_iter().cycle().take(10) {
        let result = call(&client, "mistakes", &json!({ "kind": kind })).await;
        assert_eq!(meta(&result, ERROR)["attempts"], 1, "{kind} is not retried");
        assert_eq!(meta(&result, ERROR)["retryable"], false, "{kind}");
    }
    let after = breaker();
    assert_eq!((after.state, after.consecutive_failures), (BreakerState::Closed, 2), "neither up nor reset");
    assert_eq!((after.failures, after.successes), (before.failures, before.successes));
    assert_eq!((after.neutral, after.rejected), (10, 0));
    assert!(after.transitions.is_empty(), "{:?}", after.transitions);
    assert_eq!(server.runs.load(Ordering::Relaxed), 2 + 10);
    assert_eq!((counted().attempts, counted().outcome(Outcome::Error)), (12, 11));

    // The server still works.
    let fresh = Server::default();
    let unharmed = call(&connect(&fresh).await, "mistakes", &json!({ "kind": "none" })).await;
    assert_eq!(text(&unharmed), "done");
    assert_eq!(breaker().consecutive_failures, 0, "what resets the count is a success");
}
