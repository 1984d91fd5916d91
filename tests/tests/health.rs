//! Health: what a check's end means, that reports are shared and age, and what is built in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::health::{CheckResult, CheckStatus, Health, HealthCheck, HealthReport, HealthStatus};
use resilient_runtime::{BreakerSettings, BreakerUse, Guard, McpError, Policy, Registry, ResilienceError, resilient};
use resilient_tests::in_process::{self, Client};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::CallToolRequestParams;
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error, McpError)]
enum Failure {
    #[error("down")]
    #[mcp(kind = unavailable)]
    Down,
    #[error("missing")]
    #[mcp(kind = not_found)]
    Missing,
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

fn of(report: &HealthReport, name: &str) -> (CheckStatus, String) {
    let check = report.checks.iter().find(|check| check.name == name).expect("a check of that name");
    (check.status, check.message.clone())
}

/// A health of nothing but these checks.
fn health(registry: &Arc<Registry>) -> Health {
    Health::of(registry)
}

#[tokio::test(start_paused = true)]
async fn without_anything_a_server_is_healthy() {
    let report = health(&Arc::default()).report().await;
    assert_eq!(report.status, HealthStatus::Healthy);
    assert_eq!(of(&report, "breakers").0, CheckStatus::Pass);
    assert_eq!(of(&report, "error_rate").0, CheckStatus::Pass);
    assert!(report.tools.is_empty() && report.breakers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_check_passes_warns_or_fails_and_only_a_critical_failure_is_the_end() {
    for (result, critical, expected) in [
        (CheckResult::pass("fine") as CheckResult, true, HealthStatus::Healthy),
        (CheckResult::warn("slow"), true, HealthStatus::Degraded),
        (CheckResult::fail("gone"), false, HealthStatus::Degraded),
        (CheckResult::fail("gone"), true, HealthStatus::Unhealthy),
    ] {
        let returned = result.clone();
        let check = HealthCheck::new("it", move || {
            let result = returned.clone();
            async move { result }
        });
        let check = if critical { check.critical() } else { check };
        let report = health(&Arc::default()).check(check).report().await;
        assert_eq!(report.status, expected, "{result:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_panics_or_takes_too_long_has_failed() {
    let started = tokio::time::Instant::now();
    let health = health(&Arc::default())
        .check(HealthCheck::new("panics at once", || -> std::future::Ready<CheckResult> { panic!("on purpose") }))
        .check(HealthCheck::new("panics later", || async {
            tokio::task::yield_now().await;
            panic!("on purpose")
        }))
        .check(HealthCheck::new("hangs", std::future::pending))
        .check(HealthCheck::new("hangs for long", std::future::pending).timeout(2 * SECOND));
    let report = health.report().await;
    assert_eq!(of(&report, "panics at once"), (CheckStatus::Fail, "the check panicked".into()));
    assert_eq!(of(&report, "panics later"), (CheckStatus::Fail, "the check panicked".into()));
    assert_eq!(of(&report, "hangs"), (CheckStatus::Fail, "no answer within 5s".into()));
    assert_eq!(of(&report, "hangs for long"), (CheckStatus::Fail, "no answer within 2s".into()));
    // All at a time.
    assert_eq!(started.elapsed(), 5 * SECOND);
}

/// A check that counts how often it is asked, and fails when told.
fn counted(asked: &Arc<AtomicU32>, fails: &Arc<AtomicU32>) -> HealthCheck {
    let (asked, fails) = (Arc::clone(asked), Arc::clone(fails));
    HealthCheck::new("counted", move || {
        let (asked, fails) = (Arc::clone(&asked), Arc::clone(&fails));
        async move {
            asked.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(SECOND).await;
            if fails.load(Ordering::Relaxed) > 0 { CheckResult::fail("told to") } else { CheckResult::pass("") }
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_report_is_shared_by_who_asks_meanwhile_and_kept_for_half_a_minute() {
    let (asked, fails) = (Arc::new(AtomicU32::new(0)), Arc::default());
    let health = Arc::new(health(&Arc::default()).check(counted(&asked, &fails)));
    let all = (0..10).map(|_| {
        let health = Arc::clone(&health);
        tokio::spawn(async move { health.report().await })
    });
    for report in all.collect::<Vec<_>>() {
        assert_eq!(report.await.expect("no panic").status, HealthStatus::Healthy);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    tokio::time::sleep(20 * SECOND).await;
    // It began a second before it was there.
    assert_eq!(health.report().await.age, 21 * SECOND);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(health.report_now().await.age, Duration::ZERO);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    tokio::time::sleep(31 * SECOND).await;
    health.report().await;
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_leaves_the_run_to_the_next() {
    let (asked, fails) = (Arc::new(AtomicU32::new(0)), Arc::default());
    let health = health(&Arc::default()).check(counted(&asked, &fails));
    tokio::time::timeout(SECOND / 2, health.report()).await.expect_err("it takes a second");
    assert_eq!(health.report().await.status, HealthStatus::Healthy);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn failures_are_counted_and_the_last_success_is_remembered() {
    let (asked, fails) = (Arc::default(), Arc::new(AtomicU32::new(0)));
    let health = health(&Arc::default()).check(counted(&asked, &fails));
    let seen = async || {
        let report = health.report_now().await;
        let check = report.checks.into_iter().find(|check| check.name == "counted").expect("the check");
        (check.consecutive_failures, check.last_success.is_some())
    };
    fails.store(1, Ordering::Relaxed);
    assert_eq!((seen().await, seen().await), ((1, false), (2, false)));
    fails.store(0, Ordering::Relaxed);
    assert_eq!(seen().await, (0, true));
    fails.store(1, Ordering::Relaxed);
    assert_eq!(seen().await, (1, true));
}

#[tokio::test(start_paused = true)]
async fn watching_makes_a_report_every_half_minute_until_it_is_dropped() {
    let (asked, fails) = (Arc::new(AtomicU32::new(0)), Arc::default());
    let health = Arc::new(health(&Arc::default()).check(counted(&asked, &fails)));
    let watching = tokio::spawn({
        let health = Arc::clone(&health);
        async move { health.watch().await }
    });
    tokio::time::sleep(100 * SECOND).await;
    watching.abort();
    assert_eq!(asked.load(Ordering::Relaxed), 4);
}

static DOWN: Guard =
    Guard::new("down", Policy::new().breaker(BreakerUse::with("down", BreakerSettings::new().failures(2))));

#[tokio::test(start_paused = true)]
async fn an_open_breaker_is_a_warning() {
    let registry = Arc::new(Registry::new());
    let fail = async || {
        let failing = || async { Err::<(), _>(Failure::Down) };
        let _ = registry.clone().scope(async { DOWN.call(failing).await }).await;
    };
    let health = health(&registry);
    fail().await;
    let report = health.report_now().await;
    assert_eq!((report.status, report.breakers[0].status), (HealthStatus::Healthy, HealthStatus::Degraded));
    fail().await;
    let report = health.report_now().await;
    assert_eq!(of(&report, "breakers"), (CheckStatus::Warn, "open: down".into()));
    assert_eq!((report.status, report.breakers[0].status), (HealthStatus::Degraded, HealthStatus::Unhealthy));
    assert_eq!(report.breakers[0].retry_after, Some(60 * SECOND));
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Ask {
    what: String,
}

struct Shop;

#[resilient]
#[tool_router(server_handler)]
impl Shop {
    /// Does what it is told.
    #[resilient(name = "health_ask")]
    #[tool(name = "health_ask")]
    async fn ask(&self, Parameters(Ask { what }): Parameters<Ask>) -> Result<String, Failure> {
        match what.as_str() {
            "ok" => Ok(what),
            "missing" => Err(Failure::Missing),
            _ => Err(Failure::Down),
        }
    }

    /// Has a substitute.
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
    let arguments = json!({ "what": what }).as_object().expect("an object").clone();
    client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await.expect("an answer");
}

#[tokio::test(start_paused = true)]
async fn tools_are_as_healthy_as_their_last_calls_and_the_rate_of_errors_is_that_of_all() {
    let client = in_process::connect(Shop).await;
    let health = Health::new().critical_tool("health_ask");
    let tool = |report: &HealthReport, name: &str| {
        let tool = report.tools.iter().find(|tool| tool.tool == name).expect("a known tool");
        (tool.status, tool.consecutive_failures)
    };
    // A first report, from which on the rate is taken.
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

    // 3 of 10 have failed so far, too few to say anything.
    assert_eq!(of(&health.report_now().await, "error_rate").0, CheckStatus::Pass);
    for _ in 0..10 {
        call(&client, "health_ask", "missing").await;
    }
    // 3 of 20: what callers get wrong is counted as a call, and not as a failure.
    assert_eq!(of(&health.report_now().await, "error_rate"), (CheckStatus::Warn, "3 of 20 calls failed lately".into()));
    for _ in 0..4 {
        call(&client, "health_ask", "down").await;
    }
    assert_eq!(of(&health.report_now().await, "error_rate"), (CheckStatus::Fail, "7 of 24 calls failed lately".into()));
    for _ in 0..20 {
        tokio::time::sleep(30 * SECOND).await;
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

    /// Fails by its caller's fault, and has a substitute for that.
    #[resilient(fallback = value(String::from("instead")))]
    #[tool]
    async fn health_missing(&self) -> Result<String, Substituted> {
        Err(Substituted::Missing)
    }

    /// Is asked too often.
    #[resilient(rate_limit(rate = "1/1h", burst = 1))]
    #[tool]
    async fn health_limited(&self) -> Result<String, Failure> {
        Ok(String::new())
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

#[tokio::test(start_paused = true)]
async fn the_rate_is_that_of_the_last_five_minutes_whenever_somebody_looks() {
    let registry = Arc::new(Registry::new());
    let fail = async |times: u32| {
        for _ in 0..times {
            let _ = registry.clone().scope(async { Direct.health_fails().await }).await;
        }
    };
    let health = health(&registry);
    fail(40).await;
    // The first report knows what has been since the health is there, and the next ones still do.
    for _ in 0..9 {
        let report = health.report_now().await;
        assert_eq!(of(&report, "error_rate"), (CheckStatus::Fail, "40 of 40 calls failed lately".into()));
        assert_eq!(report.status, HealthStatus::Unhealthy);
        tokio::time::sleep(30 * SECOND).await;
    }
    tokio::time::sleep(61 * SECOND).await;
    assert_eq!(of(&health.report_now().await, "error_rate").1, "0 calls lately, too few to say anything");
    // What was counted while nobody looked is of no known time.
    fail(40).await;
    tokio::time::sleep(3_600 * SECOND).await;
    let report = health.report_now().await;
    let (status, message) = of(&report, "error_rate");
    assert!(status == CheckStatus::Pass && message.starts_with("nobody has looked for so long"), "{message}");
    fail(20).await;
    assert_eq!(of(&health.report_now().await, "error_rate").1, "20 of 20 calls failed lately");
}

#[tokio::test(start_paused = true)]
async fn what_callers_do_wrong_or_too_often_makes_nobody_unhealthy_and_hides_no_failure() {
    let registry = Arc::new(Registry::new());
    let health = health(&registry);
    for _ in 0..40 {
        let _ = registry.clone().scope(async { Direct.health_limited().await }).await;
    }
    let report = health.report_now().await;
    assert_eq!(of(&report, "error_rate"), (CheckStatus::Pass, "0 of 40 calls failed lately".into()));
    assert_eq!(report.tools[0].consecutive_failures, 0);
    for _ in 0..30 {
        assert!(registry.clone().scope(async { Direct.health_missing().await }).await.is_ok());
        let _ = registry.clone().scope(async { Direct.health_fails().await }).await;
    }
    assert_eq!(of(&health.report_now().await, "error_rate").1, "30 of 100 calls failed lately");
}

#[tokio::test(start_paused = true)]
async fn a_check_takes_the_place_of_one_of_the_same_name_a_built_in_one_too() {
    let own = |message: &'static str| HealthCheck::new("breakers", move || async move { CheckResult::fail(message) });
    let report = health(&Arc::default()).check(own("first")).check(own("second")).report().await;
    let named: Vec<_> = report.checks.iter().filter(|check| check.name == "breakers").collect();
    assert_eq!((named.len(), &*named[0].message), (1, "second"));
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("on purpose");
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_that_cannot_even_be_dropped_harms_nobody() {
    let check = HealthCheck::new("bomb", || async {
        let _bomb = Bomb;
        std::future::pending::<CheckResult>().await
    });
    let health = health(&Arc::default()).check(check);
    tokio::time::timeout(SECOND, health.report()).await.expect_err("it takes five");
    assert_eq!(of(&health.report().await, "bomb"), (CheckStatus::Fail, "no answer within 5s".into()));
}

#[tokio::test]
async fn a_check_that_keeps_its_thread_for_too_long_has_failed() {
    let limit = Duration::from_millis(5);
    let check = HealthCheck::new("blocks", move || async move {
        let started = std::time::Instant::now();
        while started.elapsed() < 4 * limit {
            std::hint::spin_loop();
        }
        CheckResult::pass("at last")
    });
    let report = health(&Arc::default()).check(check.timeout(limit)).report().await;
    assert_eq!(of(&report, "blocks"), (CheckStatus::Fail, "no answer within 5ms".into()));
}

#[tokio::test(start_paused = true)]
async fn details_are_masked_and_can_be_left_out() {
    let check = HealthCheck::new("secrets", || async {
        CheckResult::warn("password=hunter2").details(json!({ "token": "abcdef", "queue": 7 }))
    });
    let report = health(&Arc::default()).check(check).report().await;
    let shown = serde_json::to_value(&report).expect("JSON");
    assert_eq!(shown["checks"][0]["message"], "password=***");
    assert_eq!(shown["checks"][0]["details"], json!({ "token": "***", "queue": 7 }));
    let shown = serde_json::to_value(report.without_details()).expect("JSON");
    assert_eq!(shown["checks"][0]["details"], json!(null));
}
