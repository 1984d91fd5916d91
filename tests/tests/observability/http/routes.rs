//! The response of each route in each state, and paths and methods without a route.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use resilient_runtime::health::{CheckResult, Health, HealthCheck};
use resilient_runtime::http::Admin;
use resilient_runtime::{Registry, http, resilient};
use resilient_tests::failure::ShopError;
use resilient_tests::loopback;
use rmcp::{tool, tool_router};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{PRIVATE, get, json_of, serve};

/// Creates a check that returns this result, and counts its runs.
fn finds(result: &CheckResult, asked: &Arc<AtomicU32>) -> HealthCheck {
    let (result, asked) = (result.clone(), Arc::clone(asked));
    HealthCheck::new("database", move || {
        asked.fetch_add(1, Ordering::Relaxed);
        std::future::ready(result.clone())
    })
}

#[tokio::test]
async fn every_route_says_what_the_health_is() {
    let pass = CheckResult::pass("fine");
    let fail = CheckResult::fail(format!("gone, password={PRIVATE}")).details(json!({ "node": PRIVATE }));
    for (result, critical, draining, readyz, healthz, status) in [
        (&pass, true, false, 200, 200, "healthy"),
        (&CheckResult::warn("slow"), true, false, 200, 200, "degraded"),
        (&fail, false, false, 200, 200, "degraded"),
        (&fail, true, false, 503, 503, "unhealthy"),
        (&pass, true, true, 503, 200, "healthy"),
        (&fail, true, true, 503, 503, "unhealthy"),
    ] {
        let check = finds(result, &Arc::default());
        let check = if critical { check.critical() } else { check };
        let health = Arc::new(Health::of(&Arc::default()).check(check));
        let origin = serve(http::router(Arc::clone(&health))).await;
        if draining {
            health.drain();
        }
        let case = format!("{result:?}, critical: {critical}, draining: {draining}");

        assert_eq!(json_of(&origin, "/livez").await, (200, json!({ "alive": true })), "{case}");
        let failing: &[&str] = if readyz == 503 && !draining { &["database"] } else { &[] };
        let expected = json!({
            "ready": readyz == 200, "draining": draining, "failing_checks": failing, "failing_tools": [],
        });
        assert_eq!(json_of(&origin, "/readyz").await, (readyz, expected), "{case}");
        let (answered, report) = json_of(&origin, "/healthz").await;
        assert_eq!((answered, &report["status"]), (healthz, &json!(status)), "{case}");
        let check = &report["checks"][0];
        assert_eq!((&check["name"], &check["critical"]), (&json!("database"), &json!(critical)), "{case}");
        assert!(report["uptime_ms"].is_u64() && check["took_ms"].is_u64() && check["details"].is_null(), "{case}");
        let (answered, metrics) = get(&origin, "/metrics").await;
        assert_eq!(answered, 200, "{case}");
        let number = ["pass", "warn", "fail"].iter().position(|word| check["status"] == *word).expect("a status");
        let told = format!("resilient_health_status{{check=\"database\"}} {number}\n");
        assert!(metrics.contains(&told), "{case}: {metrics}");
        assert!(!format!("{report} {metrics}").contains(PRIVATE), "{case}");
    }
}

#[tokio::test]
async fn liveness_asks_nothing_and_a_server_that_stops_is_not_asked() {
    let asked = Arc::default();
    let health = Health::of(&Arc::default()).check(finds(&CheckResult::pass(""), &asked));
    let health = Arc::new(health.check(HealthCheck::new("hangs", std::future::pending).critical()));
    let origin = serve(http::router(Arc::clone(&health))).await;
    assert_eq!(get(&origin, "/livez").await.0, 200);
    health.drain();
    let (status, body) = json_of(&origin, "/readyz").await;
    assert_eq!((status, &body["draining"]), (503, &json!(true)));
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn who_stops_while_its_checks_run_is_not_ready() {
    let (begun, may_end) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let check = HealthCheck::new("slow", {
        let (begun, may_end) = (Arc::clone(&begun), Arc::clone(&may_end));
        move || {
            let (begun, may_end) = (Arc::clone(&begun), Arc::clone(&may_end));
            async move {
                begun.notify_one();
                may_end.notified().await;
                CheckResult::pass("")
            }
        }
    });
    let health = Arc::new(Health::of(&Arc::default()).check(check));
    let origin = serve(http::router(Arc::clone(&health))).await;
    let asking = tokio::spawn(async move { json_of(&origin, "/readyz").await });
    begun.notified().await;
    health.drain();
    may_end.notify_one();
    let (status, body) = asking.await.expect("no panic");
    assert_eq!((status, &body["draining"]), (503, &json!(true)));
}

#[tokio::test]
async fn routers_go_into_applications_with_any_state_and_nothing_of_the_operators_is_public() {
    #[derive(Clone)]
    struct Own(&'static str);
    let health = Arc::new(Health::of(&Arc::default()));
    let own = axum::routing::get(async |axum::extract::State(Own(name)): axum::extract::State<Own>| name);
    let app = Router::new().route("/own", own).merge(http::router(Arc::clone(&health))).with_state(Own("ours"));
    let origin = serve(app).await;
    let client = loopback::client().build().expect("a client");
    let own = client.get(format!("{origin}/own")).send().await.expect("an answer");
    assert_eq!(own.text().await.expect("a text"), "ours");
    assert_eq!(get(&origin, "/livez").await.0, 200);
    let admin = serve(Admin::new(health).router()).await;
    for path in ["/errors", "/breakers"] {
        assert_eq!(get(&origin, path).await.0, 404, "{path}");
        assert_eq!(get(&admin, path).await.0, 200, "{path}");
    }
    for path in ["/livez", "/readyz", "/healthz", "/metrics"] {
        assert_eq!(get(&admin, path).await.0, 404, "{path}");
        let posted = client.post(format!("{origin}{path}")).body("x").send().await.expect("an answer");
        assert_eq!(posted.status().as_u16(), 405, "{path}");
    }
}

#[tokio::test]
async fn no_body_is_waited_for() {
    let origin = serve(http::router(Arc::new(Health::of(&Arc::default())))).await;
    let mut stream = TcpStream::connect(origin.trim_start_matches("http://")).await.expect("a connection");
    let head = "GET /readyz HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000000\r\n\r\nx";
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = [0; 15];
    stream.read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_query_of_garbage_is_refused_with_a_sentence() {
    let admin = serve(Admin::new(Arc::new(Health::of(&Arc::default()))).router()).await;
    let long = format!("limit={}", "9".repeat(2_000));
    for query in
        ["limit=0", "limit=1001", "limit=-1", "limit=x", "limit=", &long, "limit=1&limit=2", "page=2", "%zz=%ff", "&=&"]
    {
        let (status, body) = json_of(&admin, &format!("/errors?{query}")).await;
        let sentence = "expected `tool`, a tool's name, and `limit`, a number from 1 to 1000, or neither";
        assert_eq!((status, body), (400, json!({ "error": sentence })), "{query}");
    }
    for query in ["", "?", "?limit=1000", "?tool=%00%ff%2e%2e%2f"] {
        assert_eq!(json_of(&admin, &format!("/errors{query}")).await.0, 200, "{query}");
    }
}

#[tokio::test]
async fn a_dependency_that_is_down_leaves_the_server_ready_unless_its_author_says_otherwise() {
    #[resilient(name = "http_down")]
    async fn down() -> Result<(), ShopError> {
        Err(ShopError::Down(PRIVATE.into()))
    }
    struct Shop;
    #[resilient]
    #[tool_router]
    impl Shop {
        /// Calls a dependency that is down.
        #[tool]
        async fn http_dependent(&self) -> Result<String, ShopError> {
            down().await.map(|()| String::new())
        }
    }
    let registry = Arc::new(Registry::new());
    for _ in 0..25 {
        let _ = registry.clone().scope(async { Shop.http_dependent().await }).await;
    }
    for (health, readyz, failing, healthz, status) in [
        (Health::of(&registry), 200, json!([]), 200, "degraded"),
        (Health::of(&registry).critical_error_rate(), 503, json!(["error_rate"]), 503, "unhealthy"),
    ] {
        let origin = serve(http::router(Arc::new(health))).await;
        let (answered, body) = json_of(&origin, "/readyz").await;
        assert_eq!((answered, &body["failing_checks"]), (readyz, &failing));
        let (answered, report) = json_of(&origin, "/healthz").await;
        assert_eq!((answered, &report["status"]), (healthz, &json!(status)));
        let rate = report["checks"].as_array().expect("checks").iter().find(|check| check["name"] == "error_rate");
        assert_eq!(rate.map(|rate| &rate["status"]), Some(&json!("fail")));
    }
}

#[tokio::test]
async fn metrics_are_openmetrics_for_a_scraper_that_prefers_it_and_prometheus_text_for_every_other() {
    const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
    const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let origin = serve(http::router(Arc::new(Health::new()))).await;
    let client = loopback::client().build().expect("a client");
    for (accept, expected) in [
        (&[] as &[&str], TEXT),
        (&["*/*"], TEXT),
        (&["text/plain;version=0.0.4"], TEXT),
        (&["text/plain"], TEXT),
        (&["text/html, image/png"], TEXT),
        (&["application/openmetrics-text; version=1.0.0; charset=utf-8"], OPEN),
        (&["application/openmetrics-text"], OPEN),
        (&["Application/OpenMetrics-Text ; Version=\"1.0.0\" ; Q=1.000"], OPEN),
        (&["application/*"], OPEN),
        // Sent by Prometheus 2 and 3.
        (
            &[
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            ],
            OPEN,
        ),
        (
            &[
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            ],
            OPEN,
        ),
        (&["text/plain;version=0.0.4;q=0.9, application/openmetrics-text;q=0.8"], TEXT),
        (&["text/plain;version=0.0.4", "application/openmetrics-text"], OPEN),
        (&["application/openmetrics-text;q=0, */*"], TEXT),
        (&["text/plain;q=0, */*;q=0.1"], OPEN),
        (&["application/openmetrics-text;version=2.0.0, text/plain;q=0.1"], TEXT),
        (&["application/openmetrics-text;q=7, text/plain;q=0.1"], TEXT),
    ] {
        let asked = accept
            .iter()
            .fold(client.get(format!("{origin}/metrics")), |asked, accept| asked.header("accept", *accept));
        let answer = asked.send().await.expect("an answer");
        assert_eq!(answer.headers()["content-type"], expected, "{accept:?}");
        assert_eq!(answer.headers()["vary"], "accept");
        let body = answer.text().await.expect("a text");
        assert_eq!(body.ends_with("# EOF\n"), expected == OPEN, "{accept:?}");
    }
}

/// Returns the samples of an exposition in a fixed order: name, labels, value. One format writes 1 as `1.0`.
fn samples(text: &str) -> Vec<(String, Vec<String>, String)> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.starts_with("process_"));
    let read = lines.map(|line| {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let mut labels: Vec<_> =
            labels.trim_end_matches('}').split(',').map(|label| label.replace(".0\"", "\"")).collect();
        labels.sort_unstable();
        (name.to_owned(), labels, value.parse::<f64>().expect("a number").to_string())
    });
    let mut read: Vec<_> = read.collect();
    read.sort_unstable();
    read
}

#[tokio::test]
async fn both_formats_have_the_same_samples_and_every_metric_has_a_type_and_a_help_text() {
    use resilient_runtime::export::prometheus::Format;
    #[resilient(name = "http_formats", breaker = "http_formats")]
    async fn down() -> Result<(), ShopError> {
        Err(ShopError::Down(PRIVATE.into()))
    }
    let registry = Arc::new(Registry::new());
    registry.clone().scope(async { down().await }).await.expect_err("it is down");
    let (text, open) = (Format::Text.text(&registry), Format::OpenMetrics.text(&registry));
    assert!(samples(&text).len() > 50, "{text}");
    assert_eq!(samples(&text), samples(&open));
    for (name, ..) in samples(&text) {
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
        for comment in ["HELP", "TYPE"] {
            assert!(text.contains(&format!("# {comment} {base} ")), "no {comment} of {name} in {text}");
        }
    }
}
