//! Connections to other servers, where operators and orchestrators look.

use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::health::{Health, HealthStatus};
use resilient_runtime::http::{self, Admin};
use resilient_runtime::policy::{BreakerSettings, BreakerUse};
use resilient_runtime::{Guard, Policy, Registry, export};
use resilient_tests::failure::Failure;
use serde_json::{Value, json};

use super::{json_of, serve};

#[tokio::test]
async fn readiness_follows_a_connection_at_once_and_not_with_the_next_report() {
    let registry = Arc::new(Registry::new());
    let files = registry.add_connection("files");
    let search = registry.add_connection("search");
    let routes = serve(http::router(Arc::new(Health::of(&registry)))).await;
    files.up();
    search.up();
    assert_eq!(json_of(&routes, "/readyz").await.0, 200);
    files.down("the process has ended");
    search.down("refused");
    let (status, body) = json_of(&routes, "/readyz").await;
    assert_eq!((status, &body["failing_connections"]), (503, &json!(["files", "search"])));
    files.up();
    search.up();
    let (status, body) = json_of(&routes, "/readyz").await;
    assert_eq!((status, &body["failing_connections"]), (200, &json!([])));
    drop((files, search));
    assert_eq!(json_of(&routes, "/readyz").await.1.get("failing_connections"), None);
}

#[tokio::test]
async fn the_failed_check_of_a_report_from_before_does_not_keep_a_server_unready() {
    let registry = Arc::new(Registry::new());
    let files = registry.add_connection("files");
    let routes = serve(http::router(Arc::new(Health::of(&registry)))).await;
    files.down("the process has ended");
    let (status, body) = json_of(&routes, "/readyz").await;
    assert_eq!((status, &body["failing_checks"]), (503, &json!([])));
    files.up();
    assert_eq!(json_of(&routes, "/readyz").await.0, 200);
    // The health is still that of the report.
    assert_eq!(json_of(&routes, "/healthz").await.0, 503);
}

#[tokio::test]
async fn the_open_breaker_of_a_connection_makes_a_server_unready() {
    let registry = Arc::new(Registry::new());
    let files = registry.add_connection("files");
    files.up();
    let settings = BreakerSettings::new().failures(1).open(Duration::from_secs(60));
    let breaker = BreakerUse::with("files.connection", settings);
    let connect = Guard::checked("connect", Policy::new().breaker(breaker)).expect("a policy that can work");
    let _ = registry.clone().scope(connect.call(|| async { Err::<(), _>(Failure::Down) })).await;
    let routes = serve(http::router(Arc::new(Health::of(&registry)))).await;
    let (status, body) = json_of(&routes, "/readyz").await;
    assert_eq!((status, &body["failing_connections"]), (503, &json!(["files"])));
    registry.breaker("files.connection").expect("bound").close();
    assert_eq!(json_of(&routes, "/readyz").await.0, 200);
}

#[tokio::test]
async fn the_health_is_degraded_while_one_is_down_and_unhealthy_while_all_are() {
    let registry = Arc::new(Registry::new());
    let check = || async {
        let report = Health::of(&registry).report().await;
        let of_connections = report.checks.iter().find(|check| check.name == "connections").cloned();
        of_connections.map(|check| (report.status, check.message))
    };
    assert_eq!(check().await, None);
    let (files, search) = (registry.add_connection("files"), registry.add_connection("search"));
    assert_eq!(check().await.expect("the check").1, "no connection is down");
    files.down("gone");
    let (status, message) = check().await.expect("the check");
    assert_eq!(message, "cannot be reached: files");
    assert_ne!(status, HealthStatus::Healthy);
    search.down("gone");
    assert_eq!(check().await, Some((HealthStatus::Unhealthy, "cannot be reached: files, search".to_owned())));
}

#[tokio::test]
async fn metrics_and_the_state_for_operators_show_each_connection_while_it_exists() {
    let registry = Arc::new(Registry::new());
    let admin = serve(Admin::new(Arc::new(Health::of(&registry))).router()).await;
    let text = || export::prometheus::Format::Text.text(&registry);
    assert!(!text().contains("resilient_connection"));
    assert_eq!(json_of(&admin, "/status").await.1.get("connections"), None);
    let files = registry.add_connection("files");
    files.connecting();
    files.up();
    files.junk();
    files.down("token=abcdefgh12345678 <b>");
    files.connecting();
    files.up();
    for line in [
        "resilient_connection_up{server=\"files\"} 1",
        "resilient_connection_restarts_total{server=\"files\"} 1",
        "resilient_connection_junk_lines_total{server=\"files\"} 1",
    ] {
        assert!(text().contains(line), "{}", text());
    }
    let (status, body) = json_of(&admin, "/status").await;
    let connection: &Value = &body["connections"][0];
    assert_eq!(status, 200);
    assert_eq!(
        *connection,
        json!({
            "server": "files", "state": "up", "since_unix_ms": connection["since_unix_ms"], "restarts": 1,
            "junk_lines": 1,
            "errors": [{ "at_unix_ms": connection["errors"][0]["at_unix_ms"], "text": "token=*** <b>" }],
        })
    );
    assert_eq!(body["level"], "normal");
    drop(files);
    assert!(!text().contains("resilient_connection"));
}
