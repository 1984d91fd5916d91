//! Removal of a breaker, and the switch that disables all rejections, retries and timeouts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::policy::BreakerSettings;
use resilient_runtime::{Breaker, Guard, Policy, Registry, resilient};
use resilient_tests::failure::Failure;

use super::{SECOND, policy, problems, start, variables};

#[test]
fn a_breaker_can_be_taken_out() {
    let (started, registry) = start(&[("RESILIENT__BREAKER__MAKE_EU__ENABLED", "false")]);
    started.expect("nothing is wrong");
    assert_eq!(policy(&registry, "run.scenario").policy.breaker, None);
    assert!(registry.breakers().is_empty());
}

#[test]
fn the_switch_leaves_what_can_neither_reject_repeat_nor_cut_off() {
    let (started, registry) = start(&[("RESILIENT_DISABLED", "1")]);
    started.expect("nothing is wrong");
    let Policy { timeout, attempt_timeout, retry, breaker, bulkhead, rate_limit, .. } =
        policy(&registry, "list_scenarios").policy;
    assert_eq!((timeout, attempt_timeout, retry, breaker), (Duration::MAX, None, None, None));
    assert_eq!((bulkhead, rate_limit), (None, None));
    assert_eq!(
        problems(&[("RESILIENT_DISABLED", "maybe")]),
        ["RESILIENT_DISABLED: expected `true` or `false`, `1` or `0`, `yes` or `no`, `on` or `off`, found `maybe`"]
    );
}

#[test]
fn a_switch_is_read_in_any_of_the_usual_words_and_in_any_case() {
    for (yes, no) in [("1", "0"), ("true", "False"), ("YES", "no"), ("on", "Off"), (" True ", "")] {
        let timeout = |value| {
            let (started, registry) = start(&[("RESILIENT_DISABLED", value)]);
            started.expect("nothing is wrong");
            policy(&registry, "list_scenarios").policy.timeout
        };
        assert_eq!((timeout(yes), timeout(no)), (Duration::MAX, 20 * SECOND), "{yes} {no}");
        let breaker = |value| {
            let (started, registry) = start(&[("RESILIENT__BREAKER__MAKE_EU__ENABLED", value)]);
            started.expect("nothing is wrong");
            policy(&registry, "run.scenario").policy.breaker.is_some()
        };
        assert!(breaker(yes), "{yes}");
        assert!(no.is_empty() || !breaker(no), "{no}");
    }
}

static CALLED: AtomicU32 = AtomicU32::new(0);

#[resilient(timeout = "4s", retry = 2, read_only, breaker(name = "flaky", failures = 4), fallback = substitute)]
async fn flaky() -> Result<&'static str, Failure> {
    CALLED.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(10 * SECOND).await;
    Err(Failure::Down)
}

#[allow(clippy::unused_async, reason = "a fallback has to be an async function")]
async fn substitute(_: &Failure) -> Result<&'static str, Failure> {
    Ok("instead")
}

#[tokio::test(start_paused = true)]
async fn with_the_switch_a_call_takes_its_time_and_a_fallback_still_answers() {
    let registry = Arc::new(Registry::new());
    let resilience = variables(&[("RESILIENT_DISABLED", "1"), ("RESILIENT__BREAKER__FLAKY__ENABLED", "false")]);
    resilience.breaker("flaky").start_with(&registry).expect("nothing is wrong");
    let started = tokio::time::Instant::now();
    let answer = registry.clone().scope(async { flaky().await }).await;
    assert_eq!(answer.expect("a substitute"), "instead");
    assert_eq!((started.elapsed(), CALLED.load(Ordering::Relaxed)), (10 * SECOND, 1));
    assert!(registry.breakers().is_empty());
}

#[test]
fn a_static_breaker_is_taken_away_like_any_other() {
    static MINE: Breaker = Breaker::new("mine", BreakerSettings::new());
    static GUARDED: Guard = Guard::new("guarded_by_mine", Policy::new()).with_breaker(&MINE);
    let registry = Arc::new(Registry::new());
    let pairs = [("RESILIENT__DEFAULT__BREAKER", "none")];
    variables(&pairs).guard(&GUARDED).start_with(&registry).expect("nothing is wrong");
    assert!(registry.breakers().is_empty());
}
