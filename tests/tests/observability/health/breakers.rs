//! Breakers: the worst state of all keys, and open periods that are over.

use resilient_runtime::breaker::BreakerState;
use resilient_runtime::policy::{BreakerSettings, BreakerUse, Window};
use resilient_runtime::{Guard, Policy, resilient};
use tokio::time::sleep;

use super::*;

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

    // The open period is over: the next call would probe.
    sleep(60 * SECOND).await;
    let report = health.report_now().await;
    assert_eq!(of(&report, "breakers"), (CheckStatus::Pass, "no breaker is open".into()));
    let breaker = &report.breakers[0];
    assert_eq!((breaker.status, &*breaker.state, breaker.retry_after), (HealthStatus::Degraded, "open", None));
}

#[resilient(name = "health_keyed", breaker(name = "health_keyed", failures = 1, open = "60s", key = user))]
async fn keyed(user: &str) -> Result<(), Failure> {
    if user.is_empty() { Ok(()) } else { Err(Failure::Down) }
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_period_is_over_hides_none_that_rejects_and_worries_nobody() {
    let registry = Arc::new(Registry::new());
    let fail = async |user: &'static str| {
        let _ = registry.clone().scope(async { keyed(user).await }).await;
    };
    let health = health(&registry);
    let status = async || {
        let report = health.report_now().await;
        assert_eq!(report.breakers.len(), 1);
        (report.breakers[0].status, report.breakers[0].retry_after, of(&report, "breakers").0)
    };
    let state = || registry.breaker_series()["health_keyed"].state;
    fail("ann").await;
    assert_eq!(status().await, (HealthStatus::Unhealthy, Some(60 * SECOND), CheckStatus::Warn));
    sleep(50 * SECOND).await;
    fail("bob").await;
    sleep(20 * SECOND).await;
    assert_eq!(status().await, (HealthStatus::Unhealthy, Some(40 * SECOND), CheckStatus::Warn));
    assert_eq!(state(), BreakerState::Open);
    sleep(40 * SECOND).await;
    assert_eq!(status().await, (HealthStatus::Healthy, None, CheckStatus::Pass));
    assert_eq!(state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn three_failures_in_a_row_are_unhealthy_whatever_a_breaker_decides_by() {
    const BY_RATE: BreakerSettings = BreakerSettings::new().rate(0.9).window(Window::Count(100)).min_calls(50);
    static IN_A_ROW: Guard =
        Guard::new("row", Policy::new().breaker(BreakerUse::with("row", BreakerSettings::new().failures(5))));
    static OF_ALL: Guard = Guard::new("rate", Policy::new().breaker(BreakerUse::with("rate", BY_RATE)));
    for (guard, name) in [(&IN_A_ROW, "row"), (&OF_ALL, "rate")] {
        let registry = Arc::new(Registry::new());
        let health = health(&registry);
        let call = async |good: bool| {
            let body = || async { if good { Ok(()) } else { Err(Failure::Down) } };
            let _ = registry.clone().scope(async { guard.call(body).await }).await;
            let report = health.report_now().await;
            // The breaker admits calls.
            assert_eq!(of(&report, "breakers").0, CheckStatus::Pass, "{name}");
            (report.breakers[0].status, report.breakers[0].consecutive_failures)
        };
        assert_eq!(call(true).await, (HealthStatus::Healthy, 0), "{name}");
        assert_eq!(call(false).await, (HealthStatus::Degraded, 1), "{name}");
        assert_eq!(call(false).await, (HealthStatus::Degraded, 2), "{name}");
        assert_eq!(call(false).await, (HealthStatus::Unhealthy, 3), "{name}");
        assert_eq!(call(true).await, (HealthStatus::Healthy, 0), "{name}");
        for _ in 0..3 {
            call(false).await;
        }
        // Isolated first, because closing a closed breaker has no effect.
        let breaker = registry.breaker(name).expect("it is there");
        breaker.isolate();
        breaker.close();
        let report = health.report_now().await;
        assert_eq!(report.breakers[0].status, HealthStatus::Healthy, "{name}");
    }
}
