//! What operators see of a deferred write, from its acceptance to its delivery, and of a dead letter.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::data::ScopeMetrics;
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use resilient_runtime::deferred::{DeferredStore, Filter};
use resilient_runtime::export::prometheus;
use resilient_runtime::health::{CheckStatus, Health};
use resilient_runtime::http::Admin;
use resilient_runtime::testing::deferred::MemoryStore;
use resilient_runtime::{Resilience, otel, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::failure::Failure;
use resilient_tests::faults::PRIVATE;
use resilient_tests::in_process::{call, connect};
use resilient_tests::logs::{Events, listen};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;
use tower::ServiceExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

const TOKEN: &str = "only-operators-know-it";

/// A shop whose service is down until it is up. Its clones share the service.
#[derive(Debug, Clone, Default)]
struct Shop {
    is_up: Arc<AtomicBool>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Order {
    text: String,
}

#[resilient(timeout = "2s")]
#[tool_router]
impl Shop {
    /// Orders an article.
    #[resilient(
        idempotent,
        fallback = deferred,
        deferred(tries = 2, base = "10s", cap = "20s", ttl = "1h", on_exhausted = notify)
    )]
    #[tool]
    async fn observed_order(&self, Parameters(order): Parameters<Order>) -> Result<String, Failure> {
        if self.is_up.load(Ordering::Relaxed) { Ok(order.text) } else { Err(Failure::Down) }
    }
}

#[resilient]
#[tool_handler(name = "observed-shop")]
impl ServerHandler for Shop {}

async fn send(router: &Router, request: http::request::Builder, body: &Value) -> (StatusCode, Value) {
    let request = request.header("host", "localhost").header("authorization", format!("Bearer {TOKEN}"));
    let request = request.header("content-type", "application/json").body(Body::from(body.to_string()));
    let response = router.clone().oneshot(request.expect("a request")).await.expect("an answer");
    let status = response.status();
    let bytes = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
    let text = String::from_utf8(bytes.to_vec()).expect("text");
    assert!(!text.contains(PRIVATE), "{text}");
    (status, serde_json::from_str(&text).unwrap_or_default())
}

/// The series of deferred writes, without those that are 0.
fn series() -> Vec<String> {
    let text = prometheus::global_text();
    let all = text.lines().filter(|line| line.starts_with("resilient_deferred_") && !line.ends_with(" 0"));
    all.map(|line| line.trim_start_matches("resilient_deferred_").replace("tool=\"observed_order\",", "")).collect()
}

/// The events of deferred writes: level, name and code.
fn events(events: &Events) -> Vec<String> {
    let seen = events.seen();
    assert!(!seen.iter().any(|line| line.contains("event=\"deferred.") && line.contains(PRIVATE)), "{seen:?}");
    let named = seen.iter().filter_map(|line| {
        let (level, rest) = line.split_once(" event=\"deferred.")?;
        let (name, fields) = rest.split_once('"')?;
        let code = fields.split_once("code=\"").and_then(|(_, rest)| rest.split_once('"')).map(|(code, _)| code);
        Some(format!("{level} {name} {}", code.unwrap_or_default()).trim_end().to_owned())
    });
    named.collect()
}

#[tokio::test(start_paused = true)]
async fn a_deferred_write_is_counted_logged_and_shown_and_a_dead_letter_is_delivered_by_hand() {
    // The server defers to the store of the process.
    if ran_in_a_child() {
        return;
    }
    let log = Events::default();
    let _log = listen(tracing_subscriber::registry().with(log.clone()));
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder().with_reader(PeriodicReader::builder(exporter.clone()).build()).build();
    otel::install(&provider.meter("test"));
    let (shop, store) = (Shop::default(), MemoryStore::default());
    let served = shop.clone();
    let settings =
        Resilience::from_variables([]).tools(Shop::tool_router).deferred(store.clone(), move || served.clone());
    let _settings = settings.start().expect("valid settings");
    let health = Arc::new(Health::new());
    let operators: Router = Admin::new(Arc::clone(&health)).token(TOKEN).expect("a token").router();
    let check = async || {
        let report = health.report_now().await;
        report.checks.into_iter().find(|check| check.name == "deferred").expect("the check")
    };

    let client = connect(shop.clone()).await;
    let answer = call(&client, "observed_order", &json!({ "text": PRIVATE })).await;
    assert_ne!(answer.is_error, Some(true), "{answer:?}");
    let receipt = store.list(&Filter::default()).await.expect("entries")[0].receipt;
    // A count of the store follows within seconds, and before the first try.
    sleep(Duration::from_millis(4_900)).await;
    assert_eq!(events(&log), ["INFO accepted"]);
    sleep(Duration::from_secs(1)).await;
    let text = series();
    for line in ["total{result=\"accepted\"} 1", "entries{state=\"waiting\"} 1"] {
        assert!(text.contains(&line.to_owned()), "{line}: {text:?}");
    }
    let found = check().await;
    assert_eq!((found.status, &*found.message), (CheckStatus::Pass, "1 to deliver, 0 dead letters"));
    let calls = prometheus::global_text();
    assert!(calls.contains("resilient_calls_total{tool=\"observed_order\",outcome=\"deferred\"} 1"), "{calls}");

    // Two tries fail.
    sleep(Duration::from_secs(60)).await;
    let failed = ["INFO accepted", "WARN attempted DOWN", "WARN attempted DOWN", "ERROR dead DOWN"];
    assert_eq!(events(&log), failed);
    let text = series();
    for line in ["total{result=\"retried\"} 1", "total{result=\"dead\"} 1", "entries{state=\"dead\"} 1"] {
        assert!(text.contains(&line.to_owned()), "{line}: {text:?}");
    }
    let found = check().await;
    assert_eq!(found.status, CheckStatus::Warn, "{found:?}");
    let shown = send(&operators, Request::get("/deferred?state=dead"), &Value::Null).await.1;
    let entry = &shown["entries"][0];
    assert_eq!((&entry["id"], &entry["tool"]), (&json!(receipt.short()), &json!("observed_order")));
    assert_eq!(
        (&entry["tries"], &entry["tries_left"], shown["entries"].as_array().map(Vec::len)),
        (&json!(2), &json!(0), Some(1))
    );

    // An operator delivers it.
    shop.is_up.store(true, Ordering::Relaxed);
    let path = format!("/deferred/{}", receipt.short());
    let (status, entry) = send(&operators, Request::post(&path), &json!({ "action": "retry", "by": "ann" })).await;
    assert_eq!((status, &entry["state"]), (StatusCode::OK, &json!("waiting")));
    sleep(Duration::from_secs(6)).await;
    let seen = events(&log);
    assert_eq!(seen[4..], ["INFO attempted", "INFO done"]);
    let changed = format!(
        "WARN event=\"admin.changed\" what=\"deferred {}\" from=\"dead\" to=\"waiting\" by=\"ann\" ",
        receipt.short()
    );
    let all = log.seen();
    assert_eq!(all.iter().filter(|line| line.contains("admin.changed")).collect::<Vec<_>>(), [&changed]);
    // rmcp logs whole responses at debug level.
    let mut ours = all.iter().filter(|line| line.contains(" event=\""));
    assert!(!ours.any(|line| line.contains(&receipt.to_string())), "a whole receipt in the log: {all:?}");
    let text = series();
    for line in ["total{result=\"done\"} 1", "entries{state=\"done\"} 1"] {
        assert!(text.contains(&line.to_owned()), "{line}: {text:?}");
    }
    assert_eq!(check().await.status, CheckStatus::Pass);

    provider.force_flush().expect("flushed");
    let finished = exporter.get_finished_metrics().expect("metrics");
    let names: Vec<_> = finished
        .iter()
        .flat_map(|all| all.scope_metrics().flat_map(ScopeMetrics::metrics))
        .map(opentelemetry_sdk::metrics::data::Metric::name)
        .filter(|name| name.starts_with("resilient_deferred"))
        .collect();
    for name in ["", "_entries", "_oldest_seconds", "_counted_seconds", "_interrupted_tries"] {
        assert!(names.contains(&&*format!("resilient_deferred{name}")), "{name}: {names:?}");
    }
}
