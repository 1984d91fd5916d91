//! Health: how the end of a check affects the report, that reports are shared and expire, and the built-in checks.

mod breakers;
mod reports;
mod tools;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::Registry;
use resilient_runtime::health::{CheckResult, CheckStatus, Health, HealthCheck, HealthReport, HealthStatus};
use resilient_tests::failure::Failure;
use serde_json::{Value, json};

const SECOND: Duration = Duration::from_secs(1);

fn of(report: &HealthReport, name: &str) -> (CheckStatus, String) {
    let check = report.checks.iter().find(|check| check.name == name).expect("a check of that name");
    (check.status, check.message.clone())
}

/// Creates a health with only these checks.
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
    // The checks run concurrently.
    assert_eq!(started.elapsed(), 5 * SECOND);
}

/// Creates a check that counts its runs, and fails while `fails` is above 0.
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
    for _ in 0..2 {
        assert_eq!(of(&health.report_now().await, "bomb"), (CheckStatus::Fail, "no answer within 5s".into()));
    }
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

#[tokio::test(start_paused = true)]
async fn what_hides_a_secret_is_gone_and_what_is_long_is_cut() {
    let long = "x ".repeat(500_000);
    let details = json!({
        "pass\u{200b}word": "hunter2", "note": "pass\u{202e}word=hunter2", "long": long, "list": [{ "\u{feff}token": 7 }],
    });
    let many: Vec<_> = (0..100).map(|_| "é".repeat(1_000)).collect();
    let report = health(&Arc::default())
        .check(HealthCheck::new("secrets", move || {
            std::future::ready(CheckResult::pass(&*long).details(details.clone()))
        }))
        .check(HealthCheck::new("many", move || std::future::ready(CheckResult::pass("").details(json!(many)))))
        .report()
        .await;
    let cut = format!("{}…", "x ".repeat(500));
    assert_eq!(report.checks[0].message, cut);
    let shown = json!({ "password": "***", "note": "password=***", "long": cut, "list": [{ "token": "***" }] });
    assert_eq!(report.checks[0].details, Some(shown));
    let many = report.checks[1].details.as_ref().map(Value::to_string);
    assert_eq!(many.as_deref(), Some(r#"{"left_out":"200301 bytes, more than the 16384 that are shown"}"#));
}

#[tokio::test(start_paused = true)]
async fn a_report_says_when_it_was_made_by_which_version_and_how_many_checks_found_what() {
    let before = std::time::SystemTime::now();
    let check = |name, result: fn(&'static str) -> CheckResult| {
        HealthCheck::new(name, move || std::future::ready(result(name)))
    };
    let health = health(&Arc::default())
        .check(check("memory", |_| CheckResult::fail("")))
        .check(check("breakers", |_| CheckResult::warn("")))
        .check(check("cpu", |_| CheckResult::pass("")))
        .check(check("disk", |_| CheckResult::pass("")))
        .version("1.2.3");
    let report = health.report().await;
    assert!((before..=std::time::SystemTime::now()).contains(&report.at));
    let shown = serde_json::to_value(&report).expect("JSON");
    assert!(shown["at_unix_ms"].is_u64());
    assert_eq!(shown["version"], "1.2.3");
    // The check of the error rate has passed.
    assert_eq!(shown["summary"], json!({ "total": 5, "passed": 3, "warned": 1, "failed": 1 }));
}
