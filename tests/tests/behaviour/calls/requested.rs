//! `timeout(max, from)`: the arguments request a limit.

use std::time::Duration;

use proptest::prelude::*;
use resilient_runtime::breaker::BreakerState::{Closed, Open};
use resilient_runtime::error::TimeoutScope;
use resilient_runtime::testing::{self, Lab};
use resilient_runtime::{Outcome, ResilienceError, resilient};
use tokio::time::sleep;

#[resilient(timeout(max = "120s", from = wait), name = "requested")]
async fn requested(wait: Option<Duration>, takes: Duration) -> Result<u32, ResilienceError> {
    let _ = wait;
    sleep(takes).await;
    Ok(7)
}

/// The limit of a call that hangs.
async fn limit(lab: &Lab, wait: Option<Duration>) -> Duration {
    let call = lab.timed(requested(wait, Duration::from_secs(9_999))).await;
    match call.answer {
        Err(ResilienceError::Timeout { scope: TimeoutScope::Call, limit, .. }) => {
            // A timer fires at the next whole millisecond.
            assert!(call.took.saturating_sub(limit) <= Duration::from_millis(1), "{:?} of {limit:?}", call.took);
            limit
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_limit_is_the_requested_time_and_a_tenth_of_it_at_most_five_seconds_and_never_above_max() {
    let s = Duration::from_secs_f64;
    testing::run(async |lab| {
        for (wait, expected) in [
            (None, s(120.0)),
            (Some(s(0.0)), s(0.001)),
            (Some(s(1.0)), s(1.1)),
            (Some(s(10.0)), s(11.0)),
            (Some(s(50.0)), s(55.0)),
            (Some(s(100.0)), s(105.0)),
            (Some(s(117.0)), s(120.0)),
            (Some(Duration::MAX), s(120.0)),
        ] {
            assert_eq!(limit(lab, wait).await, expected, "{wait:?}");
        }
        assert_eq!(requested(Some(s(10.0)), s(10.9)).await, Ok(7));
        lab.calls("requested").assert_outcomes([(Outcome::Timeout, 8), (Outcome::Ok, 1)]);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_request_exceeds_max(wait in 0_u64..200_000) {
        testing::run(async |lab| {
            let wait = Duration::from_millis(wait);
            let (limit, max) = (limit(lab, Some(wait)).await, Duration::from_secs(120));
            assert!(limit <= max && (limit > wait || limit == max), "{limit:?}");
        });
    }
}

#[resilient(timeout(max = "20s", from = Some(Duration::from_secs(limits[*at]))), name = "panics_in_from")]
async fn panics_in_from(limits: Vec<u64>, at: usize) -> Result<u32, ResilienceError> {
    let _ = (limits, at);
    sleep(Duration::from_secs(9_999)).await;
    Ok(7)
}

#[test]
fn an_expression_that_panics_requests_nothing() {
    testing::run(async |lab| {
        lab.timed(panics_in_from(vec![1], 0)).await.assert_took("1100ms");
        lab.timed(panics_in_from(vec![1], 1)).await.assert_took("20s");
        lab.calls("panics_in_from").assert_outcomes([(Outcome::Timeout, 2)]);
    });
}

#[resilient(
    timeout(max = "60s", from = wait),
    breaker(name = "requested-opens", failures = 1),
    name = "opens"
)]
async fn opens(wait: Option<Duration>) -> Result<u32, ResilienceError> {
    sleep(wait.map_or(Duration::ZERO, |wait| wait * 2)).await;
    Ok(7)
}

#[test]
fn a_limit_that_a_client_requests_says_nothing_about_the_service_and_max_does() {
    testing::run(async |lab| {
        for wait in [1, 10, 50] {
            let limit = Duration::from_secs(wait) + Duration::from_millis(100 * wait);
            let call = lab.timed(opens(Some(Duration::from_secs(wait)))).await;
            assert!(call.took.saturating_sub(limit) <= Duration::from_millis(1), "{:?} of {limit:?}", call.took);
            let breaker = lab.breaker("requested-opens");
            assert_eq!((breaker.state, breaker.failures), (Closed, 0), "{wait}");
        }
        lab.timed(opens(Some(Duration::from_secs(90)))).await.assert_took("60s");
        assert_eq!(lab.breaker("requested-opens").state, Open);
    });
}

#[resilient(timeout = "5s", name = "outer_of_requested")]
async fn outer() -> Result<u32, ResilienceError> {
    requested(Some(Duration::from_secs(60)), Duration::from_secs(9_999)).await
}

#[test]
fn the_deadline_of_the_caller_still_holds() {
    testing::run(async |lab| {
        lab.timed(outer()).await.assert_took("5s");
    });
}
