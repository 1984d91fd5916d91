//! What the keys `feature` and `critical` of a tool mean for a client and for the health of the server.

use std::sync::Arc;
use std::time::Duration;

use resilient_policy::GateSettings;
use resilient_runtime::gate::{GateError, Level};
use resilient_runtime::health::{Health, HealthStatus};
use resilient_runtime::{Registry, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::failure::Failure;
use resilient_tests::in_process::{Client, call, connect, request};
use resilient_tests::wire::error;
use rmcp::model::CallToolResult;
use rmcp::{tool, tool_router};
use serde_json::json;
use tokio::time::sleep;

#[derive(Debug, Clone, Copy)]
struct Archive;

#[resilient(feature = "files")]
#[tool_router(server_handler)]
impl Archive {
    /// Guarded.
    #[tool]
    async fn archive_list(&self) -> Result<String, Failure> {
        Ok("listed".into())
    }

    /// The return type carries no error.
    #[tool]
    async fn archive_text(&self) -> String {
        sleep(Duration::from_secs(5)).await;
        "text".into()
    }

    /// Not async.
    #[tool]
    fn archive_sync() -> String {
        "sync".into()
    }

    /// In two features, neither of which is that of the block.
    #[resilient(feature = ["exports", "slow"])]
    #[tool]
    async fn archive_export(&self) -> Result<String, Failure> {
        Ok("exported".into())
    }

    /// Not async, in one feature.
    #[resilient(feature = "exports")]
    #[tool]
    fn archive_export_sync() -> String {
        "exported".into()
    }

    /// In no feature, and critical under another name.
    #[resilient(feature = none, critical, name = "archive.status")]
    #[tool]
    async fn archive_status(&self) -> Result<String, Failure> {
        Err(Failure::Down)
    }

    /// Not async, and critical.
    #[resilient(feature = none, critical)]
    #[tool]
    fn archive_status_sync() -> String {
        "up".into()
    }
}

const TOOLS: [&str; 7] = [
    "archive_export",
    "archive_export_sync",
    "archive_list",
    "archive_status",
    "archive_status_sync",
    "archive_sync",
    "archive_text",
];

/// Connects to the server, whose tools are known once their router is built.
async fn connected() -> Client {
    assert_eq!(Archive::tool_router().map.len(), TOOLS.len());
    connect(Archive).await
}

/// Returns the tools that are off.
async fn off(client: &Client) -> Vec<&'static str> {
    let mut off = Vec::new();
    for tool in TOOLS {
        let answer = call(client, tool, &json!({})).await;
        if answer.is_error == Some(true) && error(&answer)["kind"] == "disabled" {
            off.push(tool);
        }
    }
    off
}

#[tokio::test(start_paused = true)]
async fn a_feature_that_is_off_takes_its_tools_with_it() {
    // The features of all tools of the process are known, and switched for all.
    if ran_in_a_child() {
        return;
    }
    let client = connected().await;
    let gate = Registry::global().gate();
    assert_eq!(gate.state().features, ["exports", "files", "slow"]);
    for (feature, expected) in [
        ("files", &["archive_list", "archive_sync", "archive_text"] as &[_]),
        ("exports", &["archive_export", "archive_export_sync"]),
        ("slow", &["archive_export"]),
    ] {
        gate.switch_feature(feature, false).expect("known");
        assert_eq!(off(&client).await, expected, "{feature}");
        gate.switch_feature(feature, true).expect("known");
    }
    assert_eq!(off(&client).await, [""; 0]);
    let Err(GateError::Unknown { suggestion, .. }) = gate.switch_feature("export", false) else { panic!("known") };
    assert_eq!(suggestion.as_deref(), Some("exports"));
}

#[tokio::test(start_paused = true)]
async fn a_critical_tool_uses_the_reserve() {
    if ran_in_a_child() {
        return;
    }
    let client = Arc::new(connected().await);
    let mut settings = GateSettings { level: Some(Level::Degraded), ..GateSettings::default() };
    settings.levels.effect_mut(Level::Degraded).concurrency = Some(2);
    Registry::global().gate().__start(settings);
    let running = {
        let client = Arc::clone(&client);
        tokio::spawn(async move { client.call_tool(request("archive_text", &json!({}))).await })
    };
    sleep(Duration::from_secs(1)).await;
    let reason = |answer: &CallToolResult| error(answer)["details"]["reason"].clone();
    for tool in ["archive_list", "archive_sync"] {
        assert_eq!(reason(&call(&client, tool, &json!({})).await), "concurrency", "{tool}");
    }
    assert_eq!(error(&call(&client, "archive_status", &json!({})).await)["kind"], "unavailable");
    assert_eq!(call(&client, "archive_status_sync", &json!({})).await.is_error, Some(false));
    assert_eq!(running.await.expect("no panic").expect("an answer").is_error, Some(false));
}

#[tokio::test(start_paused = true)]
async fn a_server_is_as_unhealthy_as_its_critical_tools() {
    if ran_in_a_child() {
        return;
    }
    let client = connected().await;
    let health = Health::new();
    for (calls, expected) in [(0, HealthStatus::Healthy), (1, HealthStatus::Degraded), (2, HealthStatus::Unhealthy)] {
        for _ in 0..calls {
            call(&client, "archive_status", &json!({})).await;
        }
        let report = health.report_now().await;
        assert_eq!(report.status, expected);
        let critical = report.tools.iter().filter(|tool| tool.critical).map(|tool| tool.tool.as_str());
        assert!(critical.eq(["archive.status", "archive_status_sync"]), "{:?}", report.tools);
        assert!(report.checks.iter().all(|check| check.name != "critical_tools"), "no name can be misspelled");
    }
}
