//! The guarantees of an instrumented server over stdio, with a real child process and a real client.

use std::time::{Duration, Instant};

use resilient_tests::child::{Raw, Server};
use resilient_tests::faults::PRIVATE;
use resilient_tests::in_process::{request, with_meta};
use resilient_tests::wire::{CALL, CORRELATION, ERROR, meta, text};
use rmcp::ServiceError;
use rmcp::model::{CallToolRequestParams, ClientRequest, Request};
use rmcp::service::PeerRequestOptions;
use serde_json::{Value, json};

const SERVER: &str = env!("CARGO_BIN_EXE_server-under-test");

async fn faults() -> Server {
    Server::start(SERVER, &["faults"]).await.expect("the server starts")
}

/// Asserts that every line is one JSON-RPC message, without private text.
fn assert_clean(server: &Server) {
    let lines = server.stdout();
    assert!(!lines.is_empty());
    for line in lines {
        let message: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        assert_eq!(message["jsonrpc"], "2.0", "{line}");
        assert!(!line.contains(PRIVATE), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_anywhere_is_answered_within_a_second_and_the_server_lives() {
    let server = faults().await;
    for tool in [
        "panic_in_body",
        "panic_after_await",
        "panic_in_arguments",
        "panic_in_display",
        "panic_in_sync",
        "panic_unguarded",
    ] {
        let started = Instant::now();
        let result = server.call(tool, json!({"text": "x"})).await.unwrap_or_else(|error| panic!("{tool}: {error}"));
        assert!(started.elapsed() < Duration::from_secs(1), "{tool}");
        assert_eq!(result.is_error, Some(true), "{tool}");
        assert_eq!(meta(&result, ERROR)["kind"], "internal", "{tool}");
        assert_eq!(meta(&result, ERROR)["retryable"], false, "{tool}");
    }
    let result = server.call("panic_in_task", json!({})).await.expect("an answer");
    assert_eq!(meta(&result, ERROR)["kind"], "unavailable");
    let result = server.call("well", json!({"id": 7})).await.expect("an answer");
    assert_eq!(result.structured_content, Some(json!({"text": "thing 7"})));
    assert_clean(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_the_log_is_json_and_no_secret_is_in_it() {
    let server = faults().await;
    for tool in ["log", "panic_in_body", "panic_in_arguments", "panic_in_display", "fail"] {
        server.call(tool, json!({"text": "x"})).await.expect("an answer");
    }
    let panicked = server.process().wait_for_log(|line| line.contains("\"event\":\"panic\"")).await.expect("a line");
    assert!(panicked.contains("faults.rs:"), "{panicked}");
    let hello = server.process().wait_for_log(|line| line.contains("hello from the tool")).await.expect("a line");
    let hello: Value = serde_json::from_str(&hello).expect("JSON");
    assert_eq!((&hello["api_key"], &hello["level"]), (&json!("***"), &json!("INFO")));
    let at = hello["timestamp"].as_str().expect("a time");
    assert!(at.ends_with('Z') && at.as_bytes().get(10) == Some(&b'T'), "{at}");
    for line in server.process().log() {
        assert!(serde_json::from_str::<Value>(&line).is_ok_and(|line| line.is_object()), "{line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_drop_at_the_timeout_leaves_the_timeouts_answer() {
    let server = faults().await;
    let started = Instant::now();
    let result = server.call("panic_in_drop", json!({})).await.expect("an answer");
    assert!(started.elapsed() < Duration::from_millis(1_500), "{:?}", started.elapsed());
    assert_eq!(result.is_error, Some(true));
    assert_eq!(meta(&result, ERROR)["kind"], "timeout");
    assert!(server.call("well", json!({"id": 1})).await.is_ok());
    assert_clean(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_tool_is_answered_within_its_time() {
    let server = faults().await;
    for tool in ["hang", "hang_write"] {
        let started = Instant::now();
        let result = server.call(tool, json!({})).await.expect("an answer");
        let took = started.elapsed();
        assert!((Duration::from_millis(500)..Duration::from_secs(1)).contains(&took), "{tool}: {took:?}");
        assert_eq!(meta(&result, ERROR)["details"], json!({"limit_ms": 500, "scope": "call"}), "{tool}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_timed_out_may_have_taken_effect_and_a_read_may_be_repeated() {
    let server = faults().await;
    let write = server.call("hang_write", json!({})).await.expect("an answer");
    assert!(text(&write).contains("It may have taken effect; check before repeating it."), "{}", text(&write));
    assert_eq!(meta(&write, ERROR)["retryable"], false);
    let read = server.call("hang", json!({})).await.expect("an answer");
    assert!(!text(&read).contains("taken effect"), "{}", text(&read));
    assert_eq!(meta(&read, ERROR)["retryable"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_breaker_answers_at_once_with_the_seconds_that_remain() {
    let server = faults().await;
    for _ in 0..2 {
        let failed = server.call("fail", json!({})).await.expect("an answer");
        assert_eq!(meta(&failed, ERROR)["code"], "FAULT_DOWN");
    }
    let started = Instant::now();
    let rejected = server.call("fail", json!({})).await.expect("an answer");
    assert!(started.elapsed() < Duration::from_millis(250), "{:?}", started.elapsed());
    let error = meta(&rejected, ERROR);
    assert_eq!((error["code"].as_str(), error["kind"].as_str()), (Some("CIRCUIT_OPEN"), Some("circuit_open")));
    let left = error["retry_after_ms"].as_u64().expect("milliseconds");
    assert!((20_000..=27_000).contains(&left), "{left}");
    assert_eq!(error["attempts"], 0);
    assert_eq!(error["details"], json!({"breaker": "faults", "state": "open", "performed": false}));
    let seconds = left.div_ceil(1_000);
    assert!(text(&rejected).contains(&format!("Do not retry before {seconds}s.")), "{}", text(&rejected));
    assert!(text(&rejected).contains("Nothing was changed."), "{}", text(&rejected));
    assert_clean(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_calls_at_once_are_all_answered() {
    let server = faults().await;
    let calls = (0..50).map(|number| {
        let server = &server;
        async move {
            match number % 5 {
                0 => server.call("hang", json!({})).await,
                1 => server.call("panic_after_await", json!({})).await,
                2 => server.call("panic_in_arguments", json!({"text": "x"})).await,
                _ => server.call("well", json!({"id": number})).await,
            }
        }
    });
    let answers = futures_util::future::join_all(calls).await;
    assert_eq!(answers.len(), 50);
    for (number, answer) in answers.into_iter().enumerate() {
        let answer = answer.unwrap_or_else(|error| panic!("{number}: {error}"));
        assert_eq!(answer.is_error == Some(true), number % 5 < 3, "{number}");
    }
    assert_clean(&server);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_correlation_id_that_its_log_lines_have() {
    let server = faults().await;
    let mut ids = Vec::new();
    for (tool, key) in [("log", CALL), ("panic_in_body", ERROR), ("fail", ERROR), ("hang", ERROR), ("own_error", CALL)]
    {
        let result = server.call(tool, json!({})).await.expect("an answer");
        let id = meta(&result, key)["correlation_id"].as_str().expect("an id").to_owned();
        assert_eq!(id.len(), 32, "{id}");
        if key == ERROR {
            assert!(text(&result).contains(&id), "{}", text(&result));
        }
        ids.push((tool, id));
    }
    for (tool, id) in ids.iter().filter(|(tool, _)| *tool != "own_error") {
        let line = server.process().wait_for_log(|line| line.contains(id.as_str())).await.expect("a log line");
        assert!(line.contains(tool), "{tool}: {line}");
    }
    let private = server.process().wait_for_log(|line| line.contains("tool.error") && line.contains(PRIVATE)).await;
    assert!(private.is_ok(), "the private text is in the log, under its id");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_correlation_id_is_in_every_line_of_a_call_whatever_is_filtered() {
    for (filter, tool, key, events) in [
        ("warn", "panic_in_body", ERROR, vec!["panic", "tool.panic", "tool.error"]),
        ("resilient_tests=debug", "log", CALL, vec!["hello from the tool"]),
    ] {
        let server = Server::start_with(SERVER, &["faults"], &[("RUST_LOG", filter)]).await.expect("it starts");
        let result = server.call(tool, json!({})).await.expect("an answer");
        for event in events {
            let line = server.process().wait_for_log(|line| line.contains(&format!("\"{event}\""))).await;
            let line: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
            assert_eq!(line["correlation_id"], meta(&result, key)["correlation_id"], "{line}");
            assert!(line["span"].is_null(), "{line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_trace_or_id_is_the_correlation_id() {
    let server = faults().await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    for (key, value, expected) in [
        ("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"), trace),
        (CORRELATION, "order-4711".into(), "order-4711"),
    ] {
        let request = with_meta(CallToolRequestParams::new("log"), &[(key, &value)]);
        let result = server.client().call_tool(request).await.expect("an answer");
        assert_eq!(meta(&result, CALL)["correlation_id"], expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn protocol_errors_stay_protocol_errors_and_carry_the_id() {
    let server = faults().await;
    match server.call("protocol_error", json!({})).await {
        Err(ServiceError::McpError(error)) => {
            assert_eq!((error.code.0, error.message.as_ref()), (-32600, "not today"));
            let id = error.data.expect("data")[ERROR]["correlation_id"].as_str().map(str::len);
            assert_eq!(id, Some(32));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callers_mistake_is_told_with_its_code_its_hint_and_its_detail() {
    let server = faults().await;
    let result = server.call("well", json!({"id": 0})).await.expect("an answer");
    let mut error = meta(&result, ERROR);
    error["correlation_id"] = json!("…");
    assert_eq!(
        error,
        json!({
            "code": "FAULT_NO_THING", "kind": "not_found", "retryable": false, "hint": "Use thing 1 instead of 0.",
            "attempts": 1, "correlation_id": "…", "details": {"id": 0},
        })
    );
    assert!(text(&result).starts_with("FAULT_NO_THING: no thing 0. Use thing 1 instead of 0. (correlation id "));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_gets_the_protocols_answers_and_the_server_lives() {
    let server = faults().await;
    for arguments in [json!({}), json!({"id": "seven"}), json!({"id": 1, "more": 2}), json!({"id": -1})] {
        let result = server.call("well", arguments.clone()).await.expect("an answer");
        assert_eq!(result.is_error, Some(true), "{arguments}");
        assert_eq!(meta(&result, ERROR)["code"], "INVALID_ARGUMENTS", "{arguments}");
        assert_eq!(meta(&result, ERROR)["kind"], "invalid_input", "{arguments}");
    }
    match server.call("no_such_tool", json!({})).await {
        Err(ServiceError::McpError(error)) => assert_eq!(error.code.0, -32602),
        other => panic!("{other:?}"),
    }
    assert!(server.call("well", json!({"id": 1})).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_request_does_not_end_the_server() {
    let mut server = Raw::start(SERVER, &["faults"]).await.expect("the server starts");
    for broken in [
        "this is no JSON",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"",
        "[]",
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":7}}"#,
        r#"{"jsonrpc":"2.0","id":3,"method":"no/such/method"}"#,
    ] {
        server.send(broken).await.expect("the server reads");
    }
    server
        .send(r#"{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"well","arguments":{"id":4}}}"#)
        .await
        .expect("the server reads");
    let mut answers = std::collections::BTreeMap::new();
    while answers.len() < 3 {
        let message = server.receive().await.expect("a message");
        assert_eq!(message["jsonrpc"], "2.0");
        match message["id"].as_u64() {
            Some(id) => drop(answers.insert(id, message)),
            // A message that cannot be parsed has no ID for the response.
            None => assert!(matches!(message["error"]["code"].as_i64(), Some(-32700 | -32600)), "{message}"),
        }
    }
    assert!(answers[&2]["error"]["code"].is_i64(), "{}", answers[&2]);
    assert_eq!(answers[&3]["error"]["code"], -32601);
    assert_eq!(answers[&4]["result"]["structuredContent"], json!({"text": "thing 4"}));
    let (status, rest) = server.hang_up().await.expect("the server ends");
    assert!(status.success(), "{status}");
    assert_eq!(rest, "");
}

fn a_scenario() -> u64 {
    make_server::upstream::data::scenario_ids(1).next().expect("a scenario")
}

/// The demo's upstream behind make-server, used through its control routes.
struct Upstream {
    address: String,
    http: reqwest::Client,
}

impl Upstream {
    async fn of(server: &Server) -> Self {
        let line = server.process().wait_for_log(|line| line.contains("\"upstream\"")).await.expect("the address");
        let line: Value = serde_json::from_str(&line).expect("JSON");
        let found = line["upstream"].as_str().or_else(|| line["fields"]["upstream"].as_str());
        Self {
            address: found.expect("the address").into(),
            http: resilient_tests::loopback::client().build().expect("a client"),
        }
    }

    async fn enter(&self, phase: &str) {
        let answer = self.http.post(format!("{}/demo/phase/{phase}", self.address)).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{phase}");
    }

    async fn stats(&self) -> make_server::upstream::stats::Stats {
        self.http.get(format!("{}/demo/stats", self.address)).send().await.expect("stats").json().await.expect("stats")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_call_stops_the_upstreams_work_within_100_ms() {
    let server = Server::start(SERVER, &["make", "--demo"]).await.expect("the server starts");
    let upstream = Upstream::of(&server).await;
    upstream.enter("hanging").await;
    let params = request("get_scenario", &json!({"id": a_scenario()}));
    let handle = server
        .client()
        .send_cancellable_request(
            ClientRequest::CallToolRequest(Request::new(params)),
            PeerRequestOptions::no_options(),
        )
        .await
        .expect("sent");
    while upstream.stats().await.in_flight == 0 {
        tokio::task::yield_now().await;
    }
    let cancelled = Instant::now();
    handle.cancel(Some("the user gave up".into())).await.expect("cancelled");
    while upstream.stats().await.in_flight > 0 {
        assert!(cancelled.elapsed() < Duration::from_secs(5), "the request is still running");
        tokio::task::yield_now().await;
    }
    let took = cancelled.elapsed();
    assert!(took < Duration::from_millis(100), "{took:?}");
    assert_eq!(upstream.stats().await.total.abandoned, 1);
    // The call is over, so no retry can follow.
    let over =
        server.process().wait_for_log(|line| line.contains("tool.cancelled") && line.contains("get_scenario")).await;
    assert!(over.is_ok(), "{over:?}");
    assert_eq!(upstream.stats().await.total.requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_upstreams_token_and_private_texts_are_in_no_answer() {
    use make_server::upstream::{DEMO_TOKEN, PANIC_TEXT, PRIVATE_TEXT};

    // A new server for each phase, so that no open breaker hides it.
    for (phase, expected) in [
        ("outage", "unavailable"),
        ("broken-json", "bad_response"),
        ("tool-panic", "internal"),
        ("dropped", "connection"),
        ("rate-limited", "rate_limited"),
    ] {
        let server = Server::start(SERVER, &["make", "--demo"]).await.expect("the server starts");
        Upstream::of(&server).await.enter(phase).await;
        let mut kinds = Vec::new();
        for _ in 0..8 {
            let answer = server.call("run_scenario", json!({"id": a_scenario()})).await.expect("an answer");
            if answer.is_error == Some(true) {
                kinds.push(meta(&answer, ERROR)["kind"].as_str().unwrap_or_default().to_owned());
            }
        }
        assert!(kinds.iter().any(|kind| kind == expected), "{phase}: {kinds:?}");
        for line in server.stdout() {
            for private in [DEMO_TOKEN, PRIVATE_TEXT, PANIC_TEXT, "must-never-be-seen"] {
                assert!(!line.contains(private), "{phase}: {line}");
            }
        }
        if phase == "tool-panic" {
            // Values in the form of a secret are masked in the log too.
            let masked = |line: &str| line.contains("tool.panic") && line.contains("password=***");
            server.process().wait_for_log(masked).await.expect("the panic is in the log");
        }
        let log = server.process().log();
        assert!(log.iter().all(|line| !line.contains("hunter2") && !line.contains(DEMO_TOKEN)), "{phase}: {log:#?}");
    }
}
