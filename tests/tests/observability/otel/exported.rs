//! The data that `init()` exports by OTLP.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use resilient_tests::child::Server;
use resilient_tests::faults::PRIVATE;
use resilient_tests::in_process::{request, with_meta};
use resilient_tests::receiver::{Received, Receiver};
use resilient_tests::wire::{CALL, meta};
use serde_json::{Value, json};

use super::{DURATION, PARENT, TRACE};

const SERVER: &str = env!("CARGO_BIN_EXE_server-under-test");

/// The variables that point a child at a collector.
fn exporting(endpoint: &str) -> [(&str, &str); 2] {
    [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), ("OTEL_SERVICE_NAME", "the-shop-under-test")]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_has_the_spans_and_metrics_when_the_process_ends() {
    let collector = Receiver::start().await.expect("a port");
    let endpoint = collector.url();
    let server = Server::start_with(SERVER, &["faults"], &exporting(&endpoint)).await.expect("the server starts");
    let asked = with_meta(request("well", &json!({ "id": 7 })), &[("traceparent", PARENT)]);
    server.client().call_tool(asked).await.expect("an answer");
    server.call("fail", json!({})).await.expect("an answer");
    let _ = server.call("password=hunter2", json!({})).await;
    let answer = server.call("log", json!({})).await.expect("an answer");
    let id = meta(&answer, CALL)["correlation_id"].clone();
    let started = Instant::now();
    let stdout = server.stdout();
    let process = server.hang_up().await.expect("the end");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    for line in stdout {
        assert_eq!(serde_json::from_str::<Value>(&line).expect("JSON")["jsonrpc"], "2.0");
    }
    let received = collector.received();
    let at = |path: &str| received.iter().filter(|it| it.path == path).cloned().collect::<Vec<_>>();
    let (traces, metrics) = (at("/v1/traces"), at("/v1/metrics"));
    let shown = |texts: &[&str], all: &[Received]| {
        for text in texts {
            assert!(all.iter().any(|it| it.holds(text)), "{text} in {:#?}", process.log());
        }
    };
    shown(&["the-shop-under-test", "tools/call well", "tools/call fail", "gen_ai.tool.name", "pipe"], &traces);
    let (trace, parent) = (u128::from_str_radix(TRACE, 16), u64::from_str_radix("00f067aa0ba902b7", 16));
    let (trace, parent) = (trace.expect("hex").to_be_bytes(), parent.expect("hex").to_be_bytes());
    assert!(traces.iter().any(|it| it.holds(trace) && it.holds(parent)));
    shown(&["the-shop-under-test", DURATION, "resilient_calls", "resilient_breaker_state"], &metrics);
    for all in [&traces, &metrics] {
        assert!(!all.is_empty());
        for it in all {
            assert_eq!(it.header("content-type"), Some("application/x-protobuf"));
            assert!(!it.holds(PRIVATE) && !it.holds("hunter2"));
        }
    }
    // The correlation ID of the response leads to the line that the tool logged.
    let id = id.as_str().expect("an id");
    let log = process.log();
    assert!(log.iter().any(|line| line.contains("hello from the tool") && line.contains(id)), "{log:#?}");
    for line in log {
        assert!(serde_json::from_str::<Value>(&line).is_ok_and(|line| line.is_object()), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_the_process_still_ends_promptly() {
    // A closed port, and a listener that never answers.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let kept: Arc<Mutex<Vec<std::net::TcpStream>>> = Arc::default();
    let (listener, keep) = (silent.try_clone().expect("a listener"), Arc::clone(&kept));
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            keep.lock().expect("no panic").push(stream);
        }
    });
    for address in [closed, silent.local_addr().expect("an address")] {
        let endpoint = format!("http://{address}");
        let server = Server::start_with(SERVER, &["faults"], &exporting(&endpoint)).await.expect("the server starts");
        assert_eq!(server.call("well", json!({ "id": 7 })).await.expect("an answer").is_error, Some(false));
        let started = Instant::now();
        server.hang_up().await.expect("the end");
        assert!(started.elapsed() < Duration::from_secs(6), "{address} {:?}", started.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_sdk_exports_nothing() {
    let collector = Receiver::start().await.expect("a port");
    let endpoint = collector.url();
    let variables = [&exporting(&endpoint)[..], &[("OTEL_SDK_DISABLED", "true")]].concat();
    let server = Server::start_with(SERVER, &["faults"], &variables).await.expect("the server starts");
    server.call("well", json!({ "id": 7 })).await.expect("an answer");
    server.hang_up().await.expect("the end");
    assert_eq!(collector.received().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn make_server_exports_although_its_http_client_has_no_tls_provider_at_first() {
    let collector = Receiver::start().await.expect("a port");
    let endpoint = collector.url();
    let server =
        Server::start_with(SERVER, &["make", "--demo"], &exporting(&endpoint)).await.expect("the server starts");
    server.call("list_scenarios", json!({ "team_id": 1 })).await.expect("an answer");
    let process = server.hang_up().await.expect("the end");
    for line in process.log() {
        assert!(serde_json::from_str::<Value>(&line).is_ok_and(|line| line.is_object()), "{line}");
    }
    let received = collector.received();
    for (path, text) in [("/v1/traces", "tools/call list_scenarios"), ("/v1/metrics", "resilient_calls")] {
        assert!(received.iter().any(|it| it.path == path && it.holds(text)), "{text} in {:#?}", process.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_tools_are_exported_each_for_itself() {
    let collector = Receiver::start().await.expect("a port");
    let endpoint = collector.url();
    let server = Server::start_with(SERVER, &["many"], &exporting(&endpoint)).await.expect("the server starts");
    server.call("well", json!({ "id": 7 })).await.expect("an answer");
    server.hang_up().await.expect("the end");
    let metrics: Vec<_> = collector.received().into_iter().filter(|it| it.path == "/v1/metrics").collect();
    assert!(metrics.iter().any(|it| it.holds("resilient_calls") && it.holds("one of many 299")));
    assert!(!metrics.iter().any(|it| it.holds("otel.metric.overflow")));
}
