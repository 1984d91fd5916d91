//! `quickstart` as a child process: the effect of each key of `#[resilient]` on the responses.

use std::process::Stdio;

use futures_util::future::join_all;
use rmcp::model::CallToolResult;
use serde_json::{Value, json};

use crate::common::{call, command, connect};

const SERVER: &str = "quickstart";

/// An entry of `_meta`.
fn account<'a>(result: &'a CallToolResult, of: &str) -> &'a Value {
    &result.meta.as_ref().unwrap().0[&format!("io.crates.resilient-runtime/{of}")]
}

fn code(result: &CallToolResult) -> &str {
    account(result, "error")["code"].as_str().unwrap()
}

fn content(result: &CallToolResult) -> &Value {
    result.structured_content.as_ref().unwrap_or_else(|| panic!("{result:?}"))
}

#[tokio::test]
async fn every_tool_answers_about_the_first_of_each() {
    let shop = connect(SERVER, &["--demo"], &[]).await;
    for (tool, arguments, answer) in [
        ("order", json!({ "id": 1 }), json!({ "id": 1, "state": "sent" })),
        ("price", json!({ "id": 1 }), json!({ "cents": 901 })),
        ("recommend", json!({ "id": 1 }), json!({ "titles": ["Walden", "Middlemarch"] })),
        ("search", json!({ "words": "ships" }), json!({ "titles": ["All about ships"] })),
        ("invoice", json!({ "id": 1 }), json!({ "text": "Invoice of order 1" })),
        ("set_address", json!({ "id": 1, "address": "Rome" }), json!({ "says": "changed" })),
        ("remind", json!({ "id": 1 }), json!({ "says": "reminded" })),
        ("opening_hours", json!({}), json!({ "says": "Monday to Saturday, 9 to 18" })),
    ] {
        let result = call(&shop, tool, arguments).await;
        assert_eq!(content(&result), &answer, "{tool}");
        // A tool with `skip` does not count attempts.
        let attempts = if tool == "opening_hours" { Value::Null } else { json!(1) };
        assert_eq!(account(&result, "call")["attempts"], attempts, "{tool}");
    }
    assert_eq!(shop.list_all_tools().await.unwrap().len(), 8);
    shop.cancel().await.unwrap();
}

#[tokio::test]
async fn what_fails_for_a_moment_is_repeated_where_the_tool_says_that_it_may_be() {
    let shop = connect(SERVER, &[], &[]).await;
    for (tool, arguments, attempts) in [
        ("order", json!({ "id": 2 }), 3),
        ("set_address", json!({ "id": 2, "address": "Rome" }), 2),
        ("remind", json!({ "id": 2 }), 2),
    ] {
        let result = call(&shop, tool, arguments).await;
        assert_ne!(result.is_error, Some(true), "{tool}: {result:?}");
        assert_eq!(account(&result, "call")["attempts"], attempts, "{tool}");
    }
}

#[tokio::test]
async fn each_fallback_says_that_it_is_one_and_where_it_is_from() {
    let shop = connect(SERVER, &[], &[]).await;
    assert_ne!(call(&shop, "order", json!({ "id": 3 })).await.is_error, Some(true));
    for (tool, id, answer, source) in [
        ("order", 3, json!({ "id": 3, "state": "sent" }), "cache"),
        ("price", 2, json!({ "cents": 1002 }), "function"),
        ("recommend", 2, json!({ "titles": [] }), "value"),
    ] {
        let result = call(&shop, tool, json!({ "id": id })).await;
        assert_eq!(content(&result), &answer, "{tool}");
        let account = account(&result, "call");
        assert_eq!((&account["degraded"], &account["source"]), (&json!(true), &json!(source)), "{tool}");
    }
}

#[tokio::test]
async fn five_failures_in_a_row_open_the_breaker_of_all_tools_but_those_that_refused_it() {
    let shop = connect(SERVER, &[], &[]).await;
    for _ in 0..5 {
        call(&shop, "recommend", json!({ "id": 2 })).await;
    }
    let result = call(&shop, "invoice", json!({ "id": 1 })).await;
    assert_eq!((code(&result), &account(&result, "error")["attempts"]), ("CIRCUIT_OPEN", &json!(0)));
    assert_ne!(call(&shop, "search", json!({ "words": "ships" })).await.is_error, Some(true));
    assert_ne!(call(&shop, "opening_hours", json!({})).await.is_error, Some(true));
}

#[tokio::test]
async fn a_caller_who_is_wrong_is_told_and_opens_no_breaker() {
    let shop = connect(SERVER, &[], &[]).await;
    for _ in 0..6 {
        let result = call(&shop, "order", json!({ "id": 99 })).await;
        assert_eq!((code(&result), &account(&result, "error")["kind"]), ("SHOP_STATUS", &json!("not_found")));
    }
    assert_ne!(call(&shop, "order", json!({ "id": 1 })).await.is_error, Some(true));
}

#[tokio::test]
async fn who_searches_too_often_is_told_when_to_come_back() {
    let shop = connect(SERVER, &[], &[]).await;
    for _ in 0..3 {
        assert_ne!(call(&shop, "search", json!({ "words": "ships" })).await.is_error, Some(true));
    }
    let result = call(&shop, "search", json!({ "words": "ships" })).await;
    assert_eq!(code(&result), "OVERLOADED");
    let wait = account(&result, "error")["retry_after_ms"].as_u64().unwrap();
    assert!((1..=6_000).contains(&wait), "{wait}");
}

#[tokio::test]
async fn of_five_invoices_at_once_two_are_made_two_wait_and_one_is_rejected() {
    let settings = [("RESILIENT__TOOL__INVOICE__TIMEOUT", "2s"), ("RESILIENT__TOOL__INVOICE__BULKHEAD__WAIT", "100ms")];
    let shop = connect(SERVER, &[], &settings).await;
    let results = join_all((0..5).map(|_| call(&shop, "invoice", json!({ "id": 2 })))).await;
    let of = |attempts: u64, expected: &str| {
        let fits =
            |result: &&CallToolResult| code(result) == expected && account(result, "error")["attempts"] == attempts;
        results.iter().filter(fits).count()
    };
    // The two queued calls are rejected too, when their wait is over.
    assert_eq!((of(1, "TIMEOUT"), of(0, "OVERLOADED")), (2, 3), "{results:?}");
}

#[tokio::test]
async fn clients_are_told_the_policies_and_the_profile_is_among_them() {
    let shop = connect(SERVER, &[], &[]).await;
    let tools = shop.list_all_tools().await.unwrap();
    let policy = |name: &str| {
        let tool = tools.iter().find(|tool| tool.name == name).unwrap();
        tool.meta.as_ref().and_then(|meta| meta.0.get("io.crates.resilient-runtime/policy")).cloned()
    };
    assert_eq!(policy("invoice"), Some(json!({ "answers_within_ms": 20_000, "max_attempts": 1 })));
    assert_eq!(policy("order").unwrap()["max_attempts"], 3);
    // Its own five seconds, and those of the function.
    assert_eq!(policy("price").unwrap()["answers_within_ms"], 10_000);
    assert_eq!(policy("opening_hours"), None);
}

#[tokio::test]
async fn the_log_has_the_name_and_the_argument_that_the_code_gives_it_and_no_others() {
    let mut command = tokio::process::Command::from(command(SERVER));
    command.env("RUST_LOG", "info,rmcp=off,resilient_runtime=debug").kill_on_drop(true);
    let (transport, stderr) =
        rmcp::transport::TokioChildProcess::builder(command).stderr(Stdio::piped()).spawn().unwrap();
    let shop = rmcp::ServiceExt::serve((), transport).await.unwrap();
    call(&shop, "order", json!({ "id": 99 })).await;
    call(&shop, "remind", json!({ "id": 2 })).await;
    shop.cancel().await.unwrap();
    let mut log = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stderr.unwrap(), &mut log).await.unwrap();
    assert!(log.contains("id=99") && log.contains("\"remind-packers\"") && !log.contains("id=2"), "{log}");
}

#[test]
fn help_says_that_the_shop_is_always_embedded() {
    let output = command(SERVER).arg("--help").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("the shop is embedded"), "{text}");
}
