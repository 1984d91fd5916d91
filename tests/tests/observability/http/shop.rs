//! A server that clients have called: operators read the same results as the clients.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use openmetrics_parser::OpenMetricsValue;
use openmetrics_parser::openmetrics::parse_openmetrics;
use resilient_runtime::health::Health;
use resilient_runtime::http::Admin;
use resilient_runtime::{Registry, export, http, resilient};
use resilient_tests::failure::ShopError;
use resilient_tests::in_process::{self, Client};
use resilient_tests::loopback;
use resilient_tests::wire::ERROR;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServiceExt, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{PRIVATE, get, json_of, serve};

const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
const TOKEN: &str = "token-0815-must-never-be-seen";

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Ask {
    what: String,
}

#[derive(Clone)]
struct Shop;

#[resilient(breaker(name = "http_shop", failures = 50))]
#[tool_router(server_handler)]
impl Shop {
    /// Ends as its argument says.
    #[tool]
    async fn http_ask(&self, Parameters(Ask { what }): Parameters<Ask>) -> Result<String, ShopError> {
        match what.as_str() {
            "ok" => Ok(what),
            "missing" => Err(ShopError::Missing("such thing".into())),
            "panic" => panic!("{PRIVATE}"),
            _ => Err(ShopError::Down(PRIVATE.into())),
        }
    }

    /// Fails.
    #[tool]
    async fn http_critical(&self) -> Result<String, ShopError> {
        Err(ShopError::Down(PRIVATE.into()))
    }
}

/// Serves MCP with health and metrics on one address, and the routes for operators on another.
async fn shop(health: Arc<Health>) -> (String, String) {
    let config = StreamableHttpServerConfig::default().with_json_response(true);
    let mcp = StreamableHttpService::new(|| Ok(Shop), Arc::new(LocalSessionManager::default()), config);
    let app = Router::new().route_service("/mcp", mcp).merge(http::router(Arc::clone(&health)));
    (serve(app).await, serve(Admin::new(health).router()).await)
}

async fn connect(origin: &str) -> Client {
    let config = StreamableHttpClientTransportConfig::with_uri(format!("{origin}/mcp")).auth_header(TOKEN);
    let http = loopback::client().build().expect("a client");
    ().serve(StreamableHttpClientTransport::with_client(http, config)).await.expect("a server")
}

async fn call(client: &Client, tool: &'static str, what: &str) -> (bool, Value) {
    let answer = in_process::call(client, tool, &json!({ "what": what })).await;
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

    let client = loopback::client().build().expect("a client");
    let metrics =
        client.get(format!("{origin}/metrics")).header("accept", OPEN_METRICS).send().await.expect("an answer");
    assert_eq!(metrics.headers()["content-type"], export::prometheus::CONTENT_TYPE);
    let metrics = metrics.text().await.expect("a text");
    for (outcome, count) in [("ok", 4.0), ("error", 5.0), ("panic", 1.0), ("timeout", 0.0), ("rejected", 0.0)] {
        let calls = counted(&metrics, "resilient_calls", &[("tool", "http_ask"), ("outcome", outcome)]);
        assert_eq!(calls, count, "{outcome}");
    }
    for (code, count) in [("SHOP_MISSING", 3.0), ("SHOP_DOWN", 2.0)] {
        assert_eq!(counted(&metrics, "resilient_errors", &[("tool", "http_ask"), ("code", code)]), count, "{code}");
    }

    // A critical tool that keeps failing.
    let (status, ready) = json_of(&origin, "/readyz").await;
    assert_eq!((status, &ready["failing_tools"]), (503, &json!(["http_critical"])));
    let (status, report) = json_of(&origin, "/healthz").await;
    assert_eq!((status, &report["status"]), (503, &json!("unhealthy")));

    let (status, errors) = json_of(&admin, "/errors?tool=http_critical").await;
    assert_eq!((status, errors["errors"].as_array().map(Vec::len)), (200, Some(3)));
    let newest = &errors["errors"][0];
    let told = &last["_meta"][ERROR];
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
    let trends = errors["trends"].as_array().expect("trends");
    let hours: Vec<u64> = (0..24).map(|hour| if hour == 23 { 3 } else { 0 }).collect();
    let trend = json!({
        "tool": "http_critical", "code": "SHOP_DOWN", "kind": "unavailable", "trend": "steady",
        "last_hour": 3, "hour_before": 0, "last_24_hours": 3, "hours": hours,
    });
    assert_eq!(*trends, [trend]);
    let (_, limited) = json_of(&admin, "/errors?tool=http_critical&limit=1").await;
    assert_eq!(limited["errors"], json!([newest]));
    let (_, all) = json_of(&admin, "/errors").await;
    assert!(all["errors"].as_array().is_some_and(|all| all.len() >= 9));
    let (_, none) = json_of(&admin, "/errors?tool=unknown").await;
    assert_eq!(none, json!({ "errors": [], "groups": [], "trends": [] }));

    // The server knows the principal of the calls, and shows it in no response.
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
