//! The routers for axum, over real HTTP: what each route says of each state, that the metrics are what the
//! clients saw, and that nothing private leaves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use axum::Router;
use openmetrics_parser::OpenMetricsValue;
use openmetrics_parser::openmetrics::parse_openmetrics;
use resilient_examples::http::loopback_client;
use resilient_runtime::health::{CheckResult, Health, HealthCheck};
use resilient_runtime::{McpError, Registry, ResilienceError, export, http, resilient};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::CallToolRequestParams;
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServiceExt, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const TOKEN: &str = "token-0815-must-never-be-seen";
const PRIVATE: &str = "private-7d1c-must-never-be-seen";

/// Serves on a loopback port.
async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(axum::serve(listener, app).into_future());
    origin
}

async fn get(origin: &str, path: &str) -> (u16, String) {
    let client = loopback_client().timeout(Duration::from_secs(20)).build().expect("a client");
    let answer = client.get(format!("{origin}{path}")).send().await.expect("an answer");
    let status = answer.status().as_u16();
    // Those two are axum's own.
    assert!(matches!(status, 404 | 405) || answer.headers()["cache-control"] == "no-store", "{path}");
    (status, answer.text().await.expect("a text"))
}

async fn json_of(origin: &str, path: &str) -> (u16, Value) {
    let (status, text) = get(origin, path).await;
    (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}")))
}

/// A check that finds this, and counts how often it was asked.
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
    let client = loopback_client().build().expect("a client");
    let own = client.get(format!("{origin}/own")).send().await.expect("an answer");
    assert_eq!(own.text().await.expect("a text"), "ours");
    assert_eq!(get(&origin, "/livez").await.0, 200);
    let admin = serve(http::admin_router(health)).await;
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

#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "SHOP")]
enum Failure {
    #[error("down: {PRIVATE}")]
    #[mcp(kind = unavailable)]
    Down,
    #[error("no such thing")]
    #[mcp(kind = not_found)]
    Missing,
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Ask {
    what: String,
}

#[derive(Clone)]
struct Shop;

#[resilient(breaker(name = "http_shop", failures = 50))]
#[tool_router(server_handler)]
impl Shop {
    /// Does what it is told.
    #[tool]
    async fn http_ask(&self, Parameters(Ask { what }): Parameters<Ask>) -> Result<String, Failure> {
        match what.as_str() {
            "ok" => Ok(what),
            "missing" => Err(Failure::Missing),
            "panic" => panic!("{PRIVATE}"),
            _ => Err(Failure::Down),
        }
    }

    /// Fails.
    #[tool]
    async fn http_critical(&self) -> Result<String, Failure> {
        Err(Failure::Down)
    }
}

/// MCP beside health and metrics, and what is for operators elsewhere.
async fn shop(health: Arc<Health>) -> (String, String) {
    let config = StreamableHttpServerConfig::default().with_json_response(true);
    let mcp = StreamableHttpService::new(|| Ok(Shop), Arc::new(LocalSessionManager::default()), config);
    let app = Router::new().route_service("/mcp", mcp).merge(http::router(Arc::clone(&health)));
    (serve(app).await, serve(http::admin_router(health)).await)
}

async fn connect(origin: &str) -> RunningService<RoleClient, ()> {
    let config = StreamableHttpClientTransportConfig::with_uri(format!("{origin}/mcp")).auth_header(TOKEN);
    let http = loopback_client().build().expect("a client");
    ().serve(StreamableHttpClientTransport::with_client(http, config)).await.expect("a server")
}

async fn call(client: &RunningService<RoleClient, ()>, tool: &'static str, what: &str) -> (bool, Value) {
    let arguments = json!({ "what": what }).as_object().expect("an object").clone();
    let asked = CallToolRequestParams::new(tool).with_arguments(arguments);
    let answer = client.call_tool(asked).await.expect("an answer");
    (answer.is_error == Some(true), serde_json::to_value(answer).expect("JSON"))
}

/// The value of the only sample of a counter that has these labels.
fn counted(text: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    let parsed = parse_openmetrics(text).unwrap_or_else(|error| panic!("{error:?}\n{text}"));
    let samples = parsed.families[name].iter_samples().filter(|sample| {
        let set = sample.get_labelset().expect("labels");
        labels.iter().all(|(label, value)| set.get_label_value(label) == Some(value))
    });
    let values: Vec<_> = samples
        .map(|sample| match &sample.value {
            OpenMetricsValue::Counter(counter) => counter.value.as_f64(),
            other => panic!("{name}: {other:?}"),
        })
        .collect();
    assert_eq!(values.len(), 1, "{name} {labels:?}");
    values[0]
}

#[tokio::test]
#[allow(clippy::float_cmp, reason = "counts are whole numbers")]
async fn what_is_told_is_what_the_clients_saw_and_nothing_that_is_not_theirs() {
    let before = SystemTime::now();
    let health = Arc::new(Health::new().critical_tool("http_critical"));
    let (origin, admin) = shop(health).await;
    let client = connect(&origin).await;
    for (what, times) in [("ok", 4), ("missing", 3), ("down", 2), ("panic", 1)] {
        for _ in 0..times {
            let (is_error, answer) = call(&client, "http_ask", what).await;
            assert_eq!(is_error, what != "ok", "{answer}");
        }
    }
    let mut last = Value::Null;
    for _ in 0..3 {
        last = call(&client, "http_critical", "").await.1;
    }

    let client = loopback_client().build().expect("a client");
    let metrics = client.get(format!("{origin}/metrics")).send().await.expect("an answer");
    assert_eq!(metrics.headers()["content-type"], export::prometheus::CONTENT_TYPE);
    let metrics = metrics.text().await.expect("a text");
    for (outcome, count) in [("ok", 4.0), ("error", 5.0), ("panic", 1.0), ("timeout", 0.0), ("rejected", 0.0)] {
        let calls = counted(&metrics, "resilient_calls", &[("tool", "http_ask"), ("outcome", outcome)]);
        assert_eq!(calls, count, "{outcome}");
    }
    for (code, count) in [("SHOP_MISSING", 3.0), ("SHOP_DOWN", 2.0)] {
        assert_eq!(counted(&metrics, "resilient_errors", &[("tool", "http_ask"), ("code", code)]), count, "{code}");
    }

    // A critical tool that fails again and again.
    let (status, ready) = json_of(&origin, "/readyz").await;
    assert_eq!((status, &ready["failing_tools"]), (503, &json!(["http_critical"])));
    let (status, report) = json_of(&origin, "/healthz").await;
    assert_eq!((status, &report["status"]), (503, &json!("unhealthy")));

    let (status, errors) = json_of(&admin, "/errors?tool=http_critical").await;
    assert_eq!((status, errors["errors"].as_array().map(Vec::len)), (200, Some(3)));
    let newest = &errors["errors"][0];
    let told = &last["_meta"]["io.crates.resilient-runtime/error"];
    assert_eq!(newest["correlation_id"], told["correlation_id"]);
    let now = SystemTime::now();
    let [before, now] = [before, now].map(|at| at.duration_since(SystemTime::UNIX_EPOCH).expect("later").as_millis());
    let at = u128::from(newest["at_unix_ms"].as_u64().expect("a number"));
    assert!((before..=now).contains(&at));
    let text = "the service behind this tool is unavailable at the moment";
    let shown = json!({
        "at_unix_ms": newest["at_unix_ms"], "correlation_id": newest["correlation_id"], "tool": "http_critical",
        "code": "SHOP_DOWN", "kind": "unavailable", "text": text, "attempts": 1,
    });
    assert_eq!(*newest, shown);
    let groups = errors["groups"].as_array().expect("groups");
    let last_unix_ms = &newest["at_unix_ms"];
    let first_unix_ms = &errors["errors"][2]["at_unix_ms"];
    let group = json!({
        "tool": "http_critical", "code": "SHOP_DOWN", "kind": "unavailable", "count": 3,
        "first_unix_ms": first_unix_ms, "last_unix_ms": last_unix_ms,
    });
    assert_eq!(*groups, [group]);
    let (_, limited) = json_of(&admin, "/errors?tool=http_critical&limit=1").await;
    assert_eq!(limited["errors"], json!([newest]));
    let (_, all) = json_of(&admin, "/errors").await;
    assert!(all["errors"].as_array().is_some_and(|all| all.len() >= 9));
    let (_, none) = json_of(&admin, "/errors?tool=unknown").await;
    assert_eq!(none, json!({ "errors": [], "groups": [] }));

    // Whose calls they were is known to the server, and told to nobody.
    let recent = Registry::global().recent_errors();
    let principal =
        recent.iter().find(|error| &*error.tool == "http_critical").and_then(|error| error.principal.clone());
    let principal = principal.expect("the client has a token");
    for (of, path) in [
        (&origin, "/livez"),
        (&origin, "/readyz"),
        (&origin, "/healthz"),
        (&origin, "/metrics"),
        (&admin, "/errors?limit=1000"),
        (&admin, "/breakers"),
    ] {
        let (_, body) = get(of, path).await;
        for private in [TOKEN, PRIVATE, principal.as_str()] {
            assert!(!body.contains(private), "{path}: {body}");
        }
    }
}

#[tokio::test]
async fn a_query_of_garbage_is_refused_with_a_sentence() {
    let admin = serve(http::admin_router(Arc::new(Health::of(&Arc::default())))).await;
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
async fn breakers_tell_where_they_stand_since_when_and_why() {
    #[resilient(name = "http_open", breaker(name = "http_open", failures = 2, open = "1h"))]
    async fn open() -> Result<(), Failure> {
        Err(Failure::Down)
    }
    #[resilient(name = "http_keyed", breaker(name = "http_keyed", failures = 1, open = "1h", key = user))]
    async fn keyed(user: &str) -> Result<(), Failure> {
        if user.is_empty() { Ok(()) } else { Err(Failure::Down) }
    }
    let registry = Arc::new(Registry::new());
    registry
        .clone()
        .scope(async {
            for _ in 0..3 {
                let _ = open().await;
            }
            let _ = keyed(PRIVATE).await;
        })
        .await;
    let admin = serve(http::admin_router(Arc::new(Health::of(&registry)))).await;
    let (status, body) = json_of(&admin, "/breakers").await;
    assert_eq!(status, 200);
    assert!(!body.to_string().contains(PRIVATE));
    let all = body["breakers"].as_array().expect("breakers");
    let keyed = |breaker: &&Value| breaker["breaker"] == "http_keyed" && breaker["state"] == "open";
    assert_eq!(all.iter().filter(keyed).count(), 1, "{body:#}");
    assert_eq!(all.len(), 2, "{body:#}");
    let open = all.iter().find(|breaker| breaker["breaker"] == "http_open").expect("the breaker");
    let remaining = open["retry_after_ms"].as_u64().expect("a number");
    assert!((3_000_000..=3_600_000).contains(&remaining), "{open:#}");
    let (since, failed) = (&open["since_unix_ms"], &open["last_failure_unix_ms"]);
    assert!(since.is_u64() && failed.is_u64());
    let expected = json!({
        "breaker": "http_open", "state": "open", "since_unix_ms": since, "retry_after_ms": remaining,
        "consecutive_failures": 0, "probes": 0, "successes": 0, "failures": 2, "neutral": 0, "rejected": 1,
        "stale": 0, "last_failure_unix_ms": failed,
        "transitions": [{ "from": "closed", "to": "open", "at_unix_ms": since, "reason": "failures" }],
    });
    assert_eq!(*open, expected);
}

#[tokio::test]
async fn the_breakers_of_a_thousand_keys_are_one_entry() {
    #[resilient(name = "http_keys", breaker(name = "http_keys", failures = 1, open = "60s", key = user))]
    async fn keys(user: u32) -> Result<(), Failure> {
        if user.is_multiple_of(10) { Ok(()) } else { Err(Failure::Down) }
    }
    let registry = Arc::new(Registry::new());
    let call = async |user: u32| {
        let _ = registry.clone().scope(async { keys(user).await }).await;
    };
    for user in 0..1_000 {
        call(user).await;
    }
    // All of them may probe again, and one has.
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(60)).await;
    tokio::time::resume();
    call(1).await;
    let admin = serve(http::admin_router(Arc::new(Health::of(&registry)))).await;
    let (_, body) = json_of(&admin, "/breakers").await;
    assert!(body.to_string().len() < 4_000, "{body}");
    assert_eq!(body["breakers"].as_array().map(Vec::len), Some(1));
    let shown = &body["breakers"][0];
    assert_eq!(shown["keys"], json!({ "closed": 100, "half_open": 899, "open": 1, "isolated": 0 }));
    assert_eq!(shown["state"], "open");
    assert!(shown["retry_after_ms"].as_u64().is_some_and(|left| (30_000..=60_000).contains(&left)), "{shown}");
    assert_eq!((&shown["successes"], &shown["failures"]), (&json!(100), &json!(901)));
    let moves = shown["transitions"].as_array().expect("transitions");
    assert_eq!(moves.len(), 20);
    assert_eq!((&moves[0]["from"], &moves[0]["to"]), (&json!("half_open"), &json!("open")));
    assert_eq!((&moves[1]["from"], &moves[1]["to"]), (&json!("open"), &json!("half_open")));
}

#[tokio::test]
async fn the_last_transitions_are_told_newest_first() {
    #[resilient(name = "http_moved", breaker = "http_moved")]
    async fn moved() -> Result<(), Failure> {
        Ok(())
    }
    let registry = Arc::new(Registry::new());
    registry.clone().scope(moved()).await.expect("it works");
    let breaker = registry.breaker("http_moved").expect("the breaker");
    for _ in 0..30 {
        breaker.open();
        breaker.close();
    }
    let admin = serve(http::admin_router(Arc::new(Health::of(&registry)))).await;
    let (_, body) = json_of(&admin, "/breakers").await;
    let moves = body["breakers"][0]["transitions"].as_array().expect("transitions");
    assert_eq!(moves.len(), 20);
    assert_eq!((&moves[0]["to"], &moves[0]["reason"]), (&json!("closed"), &json!("closed_by_hand")));
    assert_eq!((&moves[1]["to"], &moves[1]["reason"]), (&json!("open"), &json!("opened_by_hand")));
    assert_eq!(body["breakers"][0]["since_unix_ms"], moves[0]["at_unix_ms"]);
    assert!(body["breakers"][0].get("retry_after_ms").is_none());
}
