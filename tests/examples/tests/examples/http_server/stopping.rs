//! Shutdown: what it waits for, what it abandons, and what a collector has received afterwards.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, http::Uri, serve::ListenerExt};
use make_server::upstream::phase::Phase;
use resilient_tests::loopback::no_delay;
use rmcp::{ServiceError, model::CallToolResult};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{
    IN_FLIGHT,
    server::{Era, Server, call},
};

/// Long enough to send commands while the first attempts hang.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT", "20s"),
    ("RESILIENT__TOOL__LIST_SCENARIOS__ATTEMPT_TIMEOUT", "2s"),
    ("RESILIENT__BREAKER__MAKE__ENABLED", "false"),
    ("RUST_LOG", "info,resilient_runtime=debug"),
];

fn events(log: &[String]) -> Vec<Value> {
    log.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("a line of JSON: {line}"))).collect()
}

/// A server that received SIGTERM, and the running call that it waits for.
async fn told_to_stop(environment: &[(&str, &str)]) -> (Server, JoinHandle<Result<CallToolResult, ServiceError>>) {
    let server = Server::start_with(&[], environment).await;
    let client = server.client(Era::Stateless, None).await;
    server.enter(Phase::Hanging).await;
    let waiting = tokio::spawn(async move { call(&client, "list_scenarios", json!({ "team_id": 1 })).await });
    server.until(IN_FLIGHT, 1).await;
    server.signal("TERM");
    server.logged("patience_ms").await;
    (server, waiting)
}

#[tokio::test]
async fn a_call_whose_client_lost_the_connection_but_has_a_session_is_not_cut_off() {
    let server = Server::start_with(&[], &ENVIRONMENT).await;
    let session = server.session().await;
    server.enter(Phase::Hanging).await;
    let asked = json!({ "name": "list_scenarios", "arguments": { "team_id": 1, "limit": 1 } });
    let going =
        tokio::spawn(server.post_in(&session, &json!({ "id": 1, "method": "tools/call", "params": asked })).send());
    server.until(IN_FLIGHT, 1).await;
    // Part of the response may have arrived.
    going.abort();
    drop(going);
    server.signal("TERM");
    assert_eq!(server.logged("patience_ms").await["calls"], 1);
    server.enter(Phase::Recovery).await;
    let (status, log, _) = server.ended().await;
    assert_eq!(status.code(), Some(0));
    let events = events(&log);
    let ended = events.iter().find(|line| line["event"] == "tool.ended");
    assert_eq!(ended.map(|line| &line["outcome"]), Some(&json!("ok")), "{events:#?}");
    assert!(!events.iter().any(|line| line["event"] == "server.abandoned"));
}

#[tokio::test]
async fn told_twice_it_ends_at_once() {
    let (server, waiting) = told_to_stop(&ENVIRONMENT).await;
    let told = Instant::now();
    server.signal("INT");
    let (status, log, _) = server.ended().await;
    // The call alone would take 20 s.
    assert!(told.elapsed() < Duration::from_secs(10), "{:?}", told.elapsed());
    assert_eq!(status.code(), Some(0));
    let events = events(&log);
    let last = events.iter().rfind(|line| line["event"].as_str().is_some_and(|event| event.starts_with("server.")));
    let last = last.unwrap();
    assert_eq!((&last["event"], &last["signal"]), (&json!("server.aborted"), &json!("SIGINT")));
    assert_eq!(last["calls"], 1);
    waiting.abort();
}

/// Accepts every request, and records its path and body.
async fn collector() -> (String, Arc<Mutex<Vec<(String, Bytes)>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let received: Arc<Mutex<Vec<_>>> = Arc::default();
    let keep = Arc::clone(&received);
    let app = Router::new().fallback(async move |uri: Uri, body: Bytes| {
        keep.lock().unwrap().push((uri.path().to_owned(), body));
    });
    tokio::spawn(axum::serve(listener.tap_io(no_delay), app).into_future());
    (url, received)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_has_the_span_of_the_last_call() {
    let (url, received) = collector().await;
    let environment = [&ENVIRONMENT[..], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &*url)]].concat();
    let (server, waiting) = told_to_stop(&environment).await;
    server.enter(Phase::Recovery).await;
    let answer = waiting.await.unwrap().unwrap();
    assert_ne!(answer.is_error, Some(true), "{answer:?}");
    let (status, log, stdout) = server.ended().await;
    assert_eq!((status.code(), &*stdout), (Some(0), ""));
    let events = events(&log);
    let received = received.lock().unwrap();
    for (path, text) in [("/v1/traces", "tools/call list_scenarios"), ("/v1/metrics", "resilient_calls")] {
        let holds = |body: &Bytes| body.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(received.iter().any(|(to, body)| to == path && holds(body)), "{text}: {events:#?}");
    }
}
