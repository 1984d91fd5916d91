//! Tools and their error rate.

use resilient_runtime::{McpError, Outcome, ResilienceError, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::in_process::{self, Client};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::{sleep, timeout};

use super::*;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Ask {
    what: String,
}

struct Shop;

#[resilient]
#[tool_router(server_handler)]
impl Shop {
    /// Ends as its argument says.
    #[resilient(name = "health_ask")]
    #[tool(name = "health_ask")]
    async fn ask(&self, Parameters(Ask { what }): Parameters<Ask>) -> Result<String, Failure> {
        match what.as_str() {
            "ok" => Ok(what),
            "missing" => Err(Failure::Missing),
            _ => Err(Failure::Down),
        }
    }

    /// Has a fallback.
    #[resilient(fallback = value(String::from("instead")))]
    #[tool]
    async fn health_substituted(&self) -> Result<String, Failure> {
        Err(Failure::Down)
    }

    /// Is never called.
    #[tool]
    async fn health_idle(&self) -> Result<String, Failure> {
        Ok(String::new())
    }
}

async fn call(client: &Client, tool: &'static str, what: &str) {
    in_process::call(client, tool, &json!({ "what": what })).await;
}

/// In a separate process: the error rate is that of all calls of a process.
#[tokio::test(start_paused = true)]
async fn tools_are_as_healthy_as_their_last_calls_and_the_rate_of_errors_is_that_of_all() {
    if ran_in_a_child() {
        return;
    }
    let client = in_process::connect(Shop).await;
    let health = Health::new().critical_tool("health_ask");
    let tool = |report: &HealthReport, name: &str| {
        let tool = report.tools.iter().find(|tool| tool.tool == name).expect("a known tool");
        (tool.status, tool.consecutive_failures)
    };
    // The first report, from which on the rate is computed.
    health.report_now().await;
    for (what, expected) in [
        ("down", (HealthStatus::Degraded, 1)),
        ("missing", (HealthStatus::Degraded, 1)),
        ("down", (HealthStatus::Degraded, 2)),
        ("down", (HealthStatus::Unhealthy, 3)),
    ] {
        call(&client, "health_ask", what).await;
        assert_eq!(tool(&health.report_now().await, "health_ask"), expected, "{what}");
    }
    let report = health.report_now().await;
    assert_eq!(report.status, HealthStatus::Unhealthy);
    assert_eq!(tool(&report, "health_idle"), (HealthStatus::Healthy, 0));
    call(&client, "health_ask", "ok").await;
    let report = health.report_now().await;
    assert_eq!((report.status, tool(&report, "health_ask")), (HealthStatus::Healthy, (HealthStatus::Healthy, 0)));
    for _ in 0..5 {
        call(&client, "health_substituted", "").await;
    }
    assert_eq!(tool(&health.report_now().await, "health_substituted"), (HealthStatus::Degraded, 5));

    // 3 of 9 have failed so far, which are too few calls for a rate.
    assert_eq!(of(&health.report_now().await, "error_rate").0, CheckStatus::Pass);
    for _ in 0..10 {
        call(&client, "health_ask", "missing").await;
    }
    // Errors by the caller's fault do not count: 3 of 9, then of 20, and 5 of 22.
    assert_eq!(of(&health.report_now().await, "error_rate").0, CheckStatus::Pass);
    for (what, times, expected) in [
        ("ok", 11, (CheckStatus::Warn, "3 of 20 calls failed since the start")),
        ("down", 2, (CheckStatus::Fail, "5 of 22 calls failed since the start")),
    ] {
        for _ in 0..times {
            call(&client, "health_ask", what).await;
        }
        let (status, message) = of(&health.report_now().await, "error_rate");
        assert_eq!((status, &*message), expected);
    }
    for _ in 0..20 {
        sleep(30 * SECOND).await;
        health.report_now().await;
    }
    assert_eq!(of(&health.report_now().await, "error_rate").0, CheckStatus::Pass);
}

struct Direct;

#[resilient]
#[tool_router]
impl Direct {
    /// Fails.
    #[tool]
    async fn health_fails(&self) -> Result<String, Failure> {
        Err(Failure::Down)
    }

    /// Fails by its caller's fault, and has a fallback for that.
    #[resilient(fallback = value(String::from("instead")))]
    #[tool]
    async fn health_missing(&self) -> Result<String, Substituted> {
        Err(Substituted::Missing)
    }

    /// Is called too often.
    #[resilient(rate_limit(rate = "1/1h", burst = 1))]
    #[tool]
    async fn health_limited(&self) -> Result<String, Failure> {
        Ok(String::new())
    }

    /// Never answers.
    #[tool]
    async fn health_hangs(&self) -> Result<String, Failure> {
        std::future::pending().await
    }
}

#[derive(Debug, thiserror::Error, McpError)]
enum Substituted {
    #[error("missing")]
    #[mcp(kind = not_found, fallback = true)]
    Missing,
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

/// Makes a tool fail a number of times.
async fn fail(registry: &Arc<Registry>, times: u32) {
    for _ in 0..times {
        let _ = registry.clone().scope(async { Direct.health_fails().await }).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_rate_is_that_of_the_last_five_minutes_and_of_longer_where_nobody_looked() {
    let registry = Arc::new(Registry::new());
    // Before the health is created.
    fail(&registry, 40).await;
    let health = health(&registry);
    let rate = async || of(&health.report_now().await, "error_rate");
    for _ in 0..10 {
        assert_eq!(rate().await, (CheckStatus::Fail, "40 of 40 calls failed since the start".into()));
        sleep(30 * SECOND).await;
    }
    assert_eq!(rate().await, (CheckStatus::Pass, "0 calls in the last 5m, too few to say anything".into()));
    // All calls between two reports fail.
    fail(&registry, 40).await;
    sleep(600 * SECOND).await;
    assert_eq!(rate().await, (CheckStatus::Fail, "40 of 40 calls failed in the last 10m".into()));
    fail(&registry, 20).await;
    assert_eq!(rate().await.1, "60 of 60 calls failed in the last 10m");
    sleep(301 * SECOND).await;
    assert_eq!(rate().await.1, "20 of 20 calls failed in the last 301s");
}

#[tokio::test(start_paused = true)]
async fn a_critical_tool_that_nobody_calls_may_be_tried_again_a_minute_after_its_last_failure() {
    let registry = Arc::new(Registry::new());
    let health = health(&registry).critical_tool("health_fails");
    let status = async || {
        let report = health.report_now().await;
        assert_eq!(report.tools[0].tool, "health_fails");
        (report.status, report.tools[0].status)
    };
    let (unhealthy, degraded) = (HealthStatus::Unhealthy, HealthStatus::Degraded);
    fail(&registry, 3).await;
    sleep(60 * SECOND).await;
    assert_eq!(status().await, (unhealthy, unhealthy));
    sleep(SECOND).await;
    assert_eq!(status().await, (degraded, degraded));
    fail(&registry, 1).await;
    assert_eq!(status().await, (unhealthy, unhealthy));
}

#[tokio::test(start_paused = true)]
async fn a_critical_tool_that_is_not_there_is_a_warning_until_it_is() {
    let registry = Arc::new(Registry::new());
    let report = health(&registry).critical_tool("health_limited").report().await;
    assert_eq!(of(&report, "critical_tools").0, CheckStatus::Warn);
    assert_eq!(report.status, HealthStatus::Degraded);
    let _ = registry.clone().scope(async { Direct.health_limited().await }).await;
    let report = health(&registry).critical_tool("health_limited").report().await;
    assert_eq!(of(&report, "critical_tools"), (CheckStatus::Pass, "every critical tool is there".into()));
    let report = health(&registry).critical_tool("health_limitde").critical_tool("health_limited").report().await;
    let told = "no tool is called `health_limitde`; did you mean `health_limited`?";
    assert_eq!(of(&report, "critical_tools"), (CheckStatus::Warn, told.into()));
    assert!(health(&registry).report().await.checks.iter().all(|check| check.name != "critical_tools"));
}

#[tokio::test(start_paused = true)]
async fn a_tool_tells_its_last_error() {
    let registry = Arc::new(Registry::new());
    let last = async || {
        let report = health(&registry).report().await;
        serde_json::to_value(&report.tools[0]).expect("JSON")["last_error"].clone()
    };
    let ask = async |what: &str| {
        let what = Parameters(Ask { what: what.into() });
        let _ = registry.clone().scope(async { Shop.ask(what).await }).await;
    };
    ask("ok").await;
    assert_eq!(last().await, Value::Null);
    for (what, code) in [("down", "DOWN"), ("missing", "MISSING"), ("ok", "MISSING")] {
        ask(what).await;
        let last = last().await;
        assert_eq!((&last["code"], last["at_unix_ms"].is_u64()), (&json!(code), true), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_callers_do_wrong_or_too_often_makes_nobody_unhealthy_and_hides_no_failure() {
    let registry = Arc::new(Registry::new());
    let health = health(&registry);
    for _ in 0..40 {
        let _ = registry.clone().scope(async { Direct.health_limited().await }).await;
    }
    let report = health.report_now().await;
    assert_eq!(
        of(&report, "error_rate"),
        (CheckStatus::Pass, "1 calls since the start, too few to say anything".into())
    );
    assert_eq!(report.tools[0].consecutive_failures, 0);
    for _ in 0..30 {
        assert!(registry.clone().scope(async { Direct.health_missing().await }).await.is_ok());
        let _ = registry.clone().scope(async { Direct.health_fails().await }).await;
        let hangs = registry.clone().scope(async { Direct.health_hangs().await });
        timeout(SECOND, hangs).await.expect_err("it hangs");
    }
    // One call ran, 30 were answered by a fallback, 30 failed. 39 rejected and 30 cancelled calls do not count.
    assert_eq!(of(&health.report_now().await, "error_rate").1, "30 of 61 calls failed since the start");
}

#[tokio::test(start_paused = true)]
async fn calls_that_an_open_breaker_rejects_are_not_failures_of_the_rate_and_the_server_stays_ready() {
    let registry = Arc::new(Registry::new());
    let health = health(&registry);
    // The calls of a tenth of a second: 5 calls fail, the breaker rejects the other 20.
    for _ in 0..25 {
        let _ = registry.clone().scope(async { Broken.health_broken().await }).await;
    }
    let read = registry.tool("health_broken").expect("a known tool");
    assert_eq!((read.failures(), read.outcome(Outcome::Rejected), read.consecutive_failures), (5, 20, 5));
    for _ in 0..20 {
        let report = health.report_now().await;
        let (status, message) = of(&report, "error_rate");
        assert_eq!((status, report.status == HealthStatus::Unhealthy), (CheckStatus::Pass, false), "{message}");
        sleep(30 * SECOND).await;
    }
}

struct Broken;

#[resilient(breaker(name = "health_broken", failures = 5, open = "60s"))]
#[tool_router]
impl Broken {
    /// Fails until its breaker opens.
    #[tool]
    async fn health_broken(&self) -> Result<String, Failure> {
        Err(Failure::Down)
    }
}

#[tokio::test(start_paused = true)]
async fn a_high_rate_of_errors_degrades_the_server_and_makes_it_unhealthy_if_its_author_says_so() {
    let registry = Arc::new(Registry::new());
    fail(&registry, 25).await;
    for (health, critical, expected) in [
        (health(&registry), false, HealthStatus::Degraded),
        (health(&registry).critical_error_rate(), true, HealthStatus::Unhealthy),
    ] {
        let report = health.report_now().await;
        let check = report.checks.iter().find(|check| check.name == "error_rate").expect("the check");
        assert_eq!((check.status, check.critical), (CheckStatus::Fail, critical), "{}", check.message);
        assert_eq!(report.status, expected);
    }
}
