//! Every example waits for the `Retry-After` of a 503, as for that of a 429.

use std::{
    process::Stdio,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use crate::common::{call, command, connect};
use axum::{
    Json, Router,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use resilient_tests::loopback;
use rmcp::{
    RoleClient, ServiceExt,
    model::CallToolResult,
    service::RunningService,
    transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
};

type Client = RunningService<RoleClient, ()>;

const MAKE: &str = "make-server";
const HTTP: &str = "http-server";
const QUICKSTART: &str = "quickstart";
const SEARCH: &str = "search-server";
const WIKI: &str = "wiki-issues";
const API: &str = "api-debugger";

/// An upstream that responds to its first request with 503 and `Retry-After`, and to all others with success.
struct Upstream {
    embedded: loopback::Upstream,
    /// Where the servers store deferred writes.
    folder: TempDir,
    arrivals: Arc<Mutex<Vec<Instant>>>,
}

impl Upstream {
    async fn start(wait: u64) -> Self {
        let arrivals = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&arrivals);
        let answer = async move || {
            let first = {
                let mut seen = seen.lock().unwrap();
                seen.push(Instant::now());
                seen.len() == 1
            };
            if first {
                let pause = [(header::RETRY_AFTER, wait.to_string())];
                (StatusCode::SERVICE_UNAVAILABLE, pause, "not now").into_response()
            } else {
                // Valid for Make, Jira and both search engines.
                Json(json!({ "scenarios": [], "transitions": [], "results": [] })).into_response()
            }
        };
        // The health check of `http-server`, which is independent of its tools.
        let health = get(async || Json(json!({ "organizations": [] })));
        let embedded =
            loopback::Upstream::start(Router::new().route("/organizations", health).fallback(answer)).await.unwrap();
        Self { embedded, folder: tempfile::tempdir().unwrap(), arrivals }
    }

    fn origin(&self) -> String {
        self.embedded.origin()
    }

    /// The environment of `make-server` and `http-server`.
    fn make(&self) -> [(&'static str, String); 3] {
        let deferred = self.folder.path().join("deferred.db").display().to_string();
        [("MAKE_API_TOKEN", "t".to_owned()), ("MAKE_BASE_URL", self.origin()), ("RESILIENT_DEFERRED_PATH", deferred)]
    }

    /// The time between the first request and the second. There must be no third.
    fn pause(&self) -> Duration {
        let arrivals = self.arrivals.lock().unwrap();
        assert_eq!(arrivals.len(), 2, "requests");
        arrivals[1] - arrivals[0]
    }

    fn requests(&self) -> usize {
        self.arrivals.lock().unwrap().len()
    }
}

async fn make(upstream: &Upstream) -> Client {
    let env = upstream.make();
    connect(MAKE, &[], &env.each_ref().map(|(name, value)| (*name, value.as_str()))).await
}

/// The same tools over HTTP. Dropping the second value kills the process.
async fn http(upstream: &Upstream) -> (Client, Child) {
    let mut command = tokio::process::Command::from(command(HTTP));
    command.args(["--bind", "127.0.0.1:0"]).envs(upstream.make());
    let mut process = command.stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
    let origin = loop {
        let line = log.next_line().await.unwrap().expect("it runs");
        if let Some(address) = serde_json::from_str::<Value>(&line).unwrap()["address"].as_str() {
            break address.to_owned();
        }
    };
    tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    let config = StreamableHttpClientTransportConfig::with_uri(format!("{origin}/mcp"));
    let transport = StreamableHttpClientTransport::with_client(loopback::client().build().unwrap(), config);
    (().serve(transport).await.unwrap(), process)
}

async fn wiki(upstream: &Upstream) -> Client {
    let origin = upstream.origin();
    let env = [("ATLASSIAN_BASE_URL", origin.as_str()), ("ATLASSIAN_EMAIL", "a@b.example"), ("ATLASSIAN_TOKEN", "t")];
    connect(WIKI, &[], &env).await
}

fn text(result: &CallToolResult) -> &str {
    &result.content[0].as_text().unwrap().text
}

fn meta<'a>(result: &'a CallToolResult, of: &str) -> &'a Value {
    &result.meta.as_ref().unwrap().0[&format!("io.crates.resilient-runtime/{of}")]
}

/// Asserts that the second attempt succeeded.
fn assert_second_attempt(result: &CallToolResult) {
    assert_ne!(result.is_error, Some(true), "{result:?}");
    assert_eq!(meta(result, "call")["attempts"], 2, "{result:?}");
}

/// Asserts that the call ended with its first attempt, and that its response says to retry after 120 s.
fn assert_come_back(result: &CallToolResult) {
    assert_eq!(result.is_error, Some(true), "{result:?}");
    assert!(text(result).contains("Do not retry before 2m."), "{}", text(result));
    let error = meta(result, "error");
    assert_eq!((&error["attempts"], &error["retry_after_ms"]), (&json!(1), &json!(120_000)), "{error}");
}

/// Asserts that the upstream received no request during its `Retry-After` of 3 s.
fn assert_pause(pause: Duration) {
    assert!(pause >= Duration::from_secs(3), "{pause:?}");
}

#[tokio::test]
async fn make_server_leaves_a_service_alone_for_as_long_as_its_503_asks() {
    let (short, long) = (Upstream::start(3).await, Upstream::start(120).await);
    let result = call(&make(&short).await, "list_scenarios", json!({ "team_id": 1 })).await;
    assert_second_attempt(&result);
    assert_pause(short.pause());
    let result = call(&make(&long).await, "list_scenarios", json!({ "team_id": 1 })).await;
    assert_come_back(&result);
    assert_eq!(long.requests(), 1);
}

#[tokio::test]
async fn http_server_leaves_a_service_alone_for_as_long_as_its_503_asks() {
    let (short, long) = (Upstream::start(3).await, Upstream::start(120).await);
    let (client, _process) = http(&short).await;
    assert_second_attempt(&call(&client, "list_scenarios", json!({ "team_id": 1 })).await);
    assert_pause(short.pause());
    let (client, _process) = http(&long).await;
    assert_come_back(&call(&client, "list_scenarios", json!({ "team_id": 1 })).await);
    assert_eq!(long.requests(), 1);
}

#[tokio::test]
async fn wiki_issues_leaves_a_service_alone_for_as_long_as_its_503_asks() {
    let (short, long) = (Upstream::start(3).await, Upstream::start(120).await);
    let result = call(&wiki(&short).await, "get_transitions", json!({ "key": "DEMO-1" })).await;
    assert_second_attempt(&result);
    assert_pause(short.pause());
    let result = call(&wiki(&long).await, "get_transitions", json!({ "key": "DEMO-1" })).await;
    // Its fallback returns the steps by hand, and when the tool may be called again.
    assert_eq!(meta(&result, "call")["attempts"], 1, "{result:?}");
    assert_eq!(result.structured_content.as_ref().unwrap()["by_hand"]["retry_after_seconds"], 120, "{result:?}");
    assert_eq!(long.requests(), 1);
}

#[tokio::test]
async fn quickstart_leaves_the_shop_alone_for_as_long_as_its_503_asks() {
    let shop = connect(QUICKSTART, &[], &[]).await;
    let begun = Instant::now();
    let result = call(&shop, "order", json!({ "id": 4 })).await;
    assert_second_attempt(&result);
    assert_pause(begun.elapsed());
    assert_come_back(&call(&shop, "order", json!({ "id": 5 })).await);
}

#[tokio::test]
async fn search_server_says_how_long_both_engines_ask_to_be_left_alone() {
    // Each engine receives one request, and the error is that of the first.
    let (first, second) = (Upstream::start(120).await, Upstream::start(3).await);
    let (tavily, searxng) = (first.origin(), second.origin());
    let env = [("TAVILY_API_KEY", "k"), ("TAVILY_BASE_URL", tavily.as_str()), ("SEARXNG_BASE_URL", searxng.as_str())];
    let result = call(&connect(SEARCH, &[], &env).await, "search", json!({ "query": "tea" })).await;
    assert_come_back(&result);
    assert_eq!((first.requests(), second.requests()), (1, 1));
}

#[tokio::test]
async fn api_debugger_shows_a_503_with_its_header_and_asks_once() {
    let client = connect(API, &["--demo"], &[]).await;
    let result = call(&client, "test_api", json!({ "url": "http://api.test/busy" })).await;
    let answer = result.structured_content.as_ref().unwrap();
    assert_eq!((&answer["status"], &answer["headers"]["retry-after"]), (&json!(503), &json!(["120"])), "{answer}");
    assert_eq!(answer["body"]["text"], "request 1");
    assert_eq!(meta(&result, "call")["attempts"], 1);
}
