//! `search-server` as a child process, with the demo's engines, which fail by the words of the query.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{Json, Router, routing::post};
use resilient_tests::loopback::Upstream;
use rmcp::{RoleClient, model::CallToolResult, service::RunningService};
use search_server::demo::{DEMO_KEY, WAIT, routes};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver},
    time::timeout,
};

use crate::common::{call, command, connect};

const SERVER: &str = "search-server";

async fn demo() -> RunningService<RoleClient, ()> {
    connect(SERVER, &["--demo"], &[]).await
}

async fn search(service: &RunningService<RoleClient, ()>, query: &str) -> CallToolResult {
    let result = call(service, "search", json!({ "query": query })).await;
    let text = serde_json::to_string(&result).unwrap();
    assert!(!text.contains("must-never-be-seen"), "{text}");
    result
}

fn meta<'a>(result: &'a CallToolResult, key: &str) -> &'a Value {
    &result.meta.as_ref().unwrap().0[&format!("io.crates.resilient-runtime/{key}")]
}

fn text(result: &CallToolResult) -> String {
    result.content.iter().filter_map(|block| block.as_text()).map(|text| text.text.as_str()).collect()
}

#[tokio::test]
async fn the_first_engine_answers_and_is_named() {
    let service = demo().await;
    let result = search(&service, "retry").await;
    let found = result.structured_content.as_ref().unwrap();
    assert_eq!(found["engine"], "tavily");
    assert_eq!(found["results"][0]["url"], "https://library.example/retries");
    assert!(found["results"][0]["snippet"].as_str().unwrap().starts_with("A retry helps"));
    let told = meta(&result, "call");
    assert_eq!((&told["degraded"], &told["warnings"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn the_limit_holds_for_both_engines() {
    let service = demo().await;
    for query in ["a", "a tavily:503"] {
        let result = call(&service, "search", json!({ "query": query, "limit": 2 })).await;
        assert_eq!(result.structured_content.unwrap()["results"].as_array().unwrap().len(), 2, "{query}");
    }
}

#[tokio::test]
async fn with_the_first_engine_down_the_second_serves_and_the_answer_says_so() {
    let service = demo().await;
    for (order, reason) in [("503", "unavailable"), ("429", "rate_limited"), ("432", "quota_exceeded")] {
        let result = search(&service, &format!("retry tavily:{order}")).await;
        let found = result.structured_content.as_ref().unwrap();
        assert_eq!(found["engine"], "searxng");
        assert_eq!(found["results"][0]["url"], "https://library.example/retries");
        let told = meta(&result, "call");
        assert_eq!((&told["degraded"], &told["source"]), (&json!(true), &json!("function")));
        assert_eq!(told["reason"], reason);
        assert!(text(&result).contains("substitute answer"), "{}", text(&result));
    }
}

#[tokio::test]
async fn a_first_engine_that_never_answers_is_waited_for_no_longer_than_its_timeout() {
    let service = connect(SERVER, &["--demo"], &[("RESILIENT__TOOL__SEARCH__TIMEOUT", "1s")]).await;
    let result = search(&service, "retry tavily:hang").await;
    assert_eq!(result.structured_content.as_ref().unwrap()["engine"], "searxng");
    assert_eq!(meta(&result, "call")["reason"], "timeout");
}

#[tokio::test]
async fn a_first_engine_that_fails_often_is_no_longer_asked() {
    let service = demo().await;
    for _ in 0..5 {
        search(&service, "retry tavily:503").await;
    }
    let result = search(&service, "retry").await;
    assert_eq!(result.structured_content.as_ref().unwrap()["engine"], "searxng");
    assert_eq!(meta(&result, "call")["reason"], "circuit_open");
}

#[tokio::test]
async fn an_operator_can_tune_the_breakers_of_both_engines() {
    let env = [("RESILIENT__BREAKER__TAVILY__FAILURES", "1"), ("RESILIENT__BREAKER__SEARXNG__FAILURES", "1")];
    let service = connect(SERVER, &["--demo"], &env).await;
    search(&service, "retry tavily:503 searxng:503").await;
    let result = search(&service, "retry").await;
    let error = meta(&result, "error");
    assert_eq!((&error["kind"], &error["details"]["breaker"]), (&json!("circuit_open"), &json!("tavily")));
    assert!(error["details"]["fallback_error"].as_str().unwrap().starts_with("CIRCUIT_OPEN"), "{error}");
}

#[tokio::test]
async fn with_both_engines_down_the_error_is_the_first_ones_with_a_hint() {
    let service = demo().await;
    let result = search(&service, "retry tavily:503 searxng:500").await;
    assert_eq!(result.is_error, Some(true));
    let error = meta(&result, "error");
    assert_eq!((&error["code"], &error["kind"]), (&json!("SEARCH_DOWN"), &json!("unavailable")));
    assert_eq!((&error["details"]["status"], &error["retryable"]), (&json!(503), &json!(true)));
    assert!(error["details"]["fallback_error"].as_str().unwrap().contains("500"), "{error}");
    assert!(text(&result).contains("answer from what you know"), "{}", text(&result));
}

#[tokio::test]
async fn a_rate_limit_tells_how_long_to_wait() {
    let service = demo().await;
    let result = search(&service, "retry tavily:429 searxng:503").await;
    let error = meta(&result, "error");
    assert_eq!((&error["code"], &error["retry_after_ms"]), (&json!("SEARCH_RATE_LIMITED"), &json!(WAIT * 1_000)));
    assert!(text(&result).contains(&format!("Do not retry before {WAIT}s.")), "{}", text(&result));
}

#[tokio::test]
async fn an_empty_result_has_a_warning_whichever_engine_gave_it() {
    let service = demo().await;
    for (query, engine) in [("zeppelin", "tavily"), ("zeppelin tavily:503", "searxng")] {
        let result = search(&service, query).await;
        let found = result.structured_content.as_ref().unwrap();
        assert_eq!((&found["engine"], &found["results"]), (&json!(engine), &json!([])));
        let warnings = meta(&result, "call")["warnings"].as_array().unwrap();
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].as_str().unwrap().starts_with("Nothing was found"), "{warnings:?}");
    }
    // The first engine's empty result is cached with its warning.
    let result = search(&service, "zeppelin").await;
    let told = meta(&result, "call");
    assert_eq!((&told["source"], told["warnings"].as_array().map(Vec::len)), (&json!("cache"), Some(1)), "{told}");
}

#[tokio::test]
async fn a_query_that_is_none_is_the_callers_mistake() {
    let service = demo().await;
    for query in [" ", &"long ".repeat(100)] {
        let result = search(&service, query).await;
        assert_eq!(meta(&result, "error")["kind"], "invalid_input", "{query}");
        assert!(text(&result).contains("expected 1 to 400"), "{}", text(&result));
    }
}

#[tokio::test]
async fn a_wrong_key_is_the_operators_concern_and_is_shown_to_nobody() {
    let upstream = Upstream::start(routes()).await.unwrap();
    let (tavily, searxng) = (format!("{}/tavily", upstream.origin()), format!("{}/searxng", upstream.origin()));
    let env = |key: &'static str| {
        [("TAVILY_API_KEY", key), ("TAVILY_BASE_URL", tavily.as_str()), ("SEARXNG_BASE_URL", searxng.as_str())]
    };
    let service = connect(SERVER, &[], &env("wrong-key-must-never-be-seen")).await;
    // The engine repeats the key in its response; `search` checks that the result does not contain it.
    let result = search(&service, "retry").await;
    assert_eq!(meta(&result, "error")["code"], "SEARCH_KEY_REFUSED");
    assert_eq!(meta(&result, "error")["retryable"], false);
    assert!(text(&result).contains("Tell the operator to check TAVILY_API_KEY"), "{}", text(&result));

    // With a proxy that does not exist: requests to this machine must bypass it.
    let [key, first, second] = env(DEMO_KEY);
    let nowhere = "http://127.0.0.1:9";
    let service = connect(SERVER, &[], &[key, first, second, ("HTTP_PROXY", nowhere), ("http_proxy", nowhere)]).await;
    for (query, engine) in [("retry", "tavily"), ("retry tavily:503", "searxng")] {
        assert_eq!(search(&service, query).await.structured_content.unwrap()["engine"], engine);
    }
}

/// A first engine whose n-th response has one result with the title `n`. A request waits until it is taken from the
/// receiver, and its response until the sender in it is dropped.
struct Numbered {
    upstream: Upstream,
    arrivals: UnboundedReceiver<mpsc::Sender<()>>,
}

impl Numbered {
    async fn start() -> Self {
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let number = Arc::new(AtomicU64::new(0));
        let answer = post(move || async move {
            let number = number.fetch_add(1, Ordering::Relaxed) + 1;
            let (held, mut released) = mpsc::channel(1);
            arrived.send(held).unwrap();
            released.recv().await;
            let title = number.to_string();
            Json(json!({ "results": [{ "title": title, "url": "https://library.example/", "content": "" }] }))
        });
        Self { upstream: Upstream::start(Router::new().route("/search", answer)).await.unwrap(), arrivals }
    }

    async fn connect(&self, env: &[(&str, &str)]) -> RunningService<RoleClient, ()> {
        let origin = self.upstream.origin();
        let mut all =
            vec![("TAVILY_API_KEY", "k"), ("TAVILY_BASE_URL", origin.as_str()), ("SEARXNG_BASE_URL", origin.as_str())];
        all.extend(env);
        connect(SERVER, &[], &all).await
    }

    /// Waits for the next request. Dropping the value sends the response.
    async fn request(&mut self) -> mpsc::Sender<()> {
        timeout(Duration::from_secs(20), self.arrivals.recv()).await.expect("a request").unwrap()
    }

    /// The number of requests that have arrived and were not taken.
    fn waiting(&self) -> usize {
        self.arrivals.len()
    }
}

/// The title of the first result.
fn title(result: &CallToolResult) -> &str {
    assert_ne!(result.is_error, Some(true), "{result:?}");
    result.structured_content.as_ref().unwrap()["results"][0]["title"].as_str().unwrap()
}

#[tokio::test]
async fn the_second_identical_search_makes_no_request_and_says_so() {
    let mut engine = Numbered::start().await;
    let service = engine.connect(&[]).await;
    let (first, ()) = tokio::join!(search(&service, "green tea"), async { drop(engine.request().await) });
    assert_eq!((title(&first), &meta(&first, "call")["source"]), ("1", &Value::Null));

    // Spaces and capitals make no difference.
    for query in ["green tea", " Green  Tea "] {
        let result = search(&service, query).await;
        let told = meta(&result, "call");
        assert_eq!((title(&result), &told["source"], &told["attempts"]), ("1", &json!("cache"), &json!(0)));
        assert!(told["age_ms"].is_u64() && told["degraded"].is_null(), "{told}");
        assert_eq!(result.content.len(), first.content.len(), "a fresh answer has no note: {result:?}");
    }
    assert_eq!(engine.waiting(), 0);

    // Another limit is another search.
    let other = call(&service, "search", json!({ "query": "green tea", "limit": 6 }));
    let (other, ()) = tokio::join!(other, async { drop(engine.request().await) });
    assert_eq!(title(&other), "2");
}

#[tokio::test]
async fn an_old_result_is_returned_while_one_request_in_the_background_replaces_it() {
    let mut engine = Numbered::start().await;
    let service = engine.connect(&[("RESILIENT__TOOL__SEARCH__CACHE__FRESH", "50ms")]).await;
    let (first, ()) = tokio::join!(search(&service, "tea"), async { drop(engine.request().await) });
    assert_eq!(title(&first), "1");

    // Once the result is old, a search starts the refresh, and is answered without it.
    let refresh = loop {
        let result = search(&service, "tea").await;
        assert_eq!((title(&result), &meta(&result, "call")["source"]), ("1", &json!("cache")));
        if engine.waiting() > 0 {
            break engine.request().await;
        }
    };
    for _ in 0..3 {
        assert_eq!(title(&search(&service, "tea").await), "1");
    }
    assert_eq!(engine.waiting(), 0, "one refresh at a time");

    drop(refresh);
    while title(&search(&service, "tea").await) != "2" {}
}

#[tokio::test]
async fn equal_searches_at_the_same_time_share_one_request() {
    let mut engine = Numbered::start().await;
    let service = engine.connect(&[]).await;
    let searches = async { tokio::join!(search(&service, "tea"), search(&service, "tea"), search(&service, "tea")) };
    let engine = async {
        drop(engine.request().await);
        engine
    };
    let ((a, b, c), engine) = tokio::join!(searches, engine);
    assert_eq!((title(&a), title(&b), title(&c)), ("1", "1", "1"));
    assert_eq!(engine.waiting(), 0);
}

#[test]
fn without_settings_it_says_what_to_do() {
    let output = command(SERVER).env_remove("TAVILY_API_KEY").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("TAVILY_API_KEY is not set"));
}
