//! The retry budget: the number of retries for a number of calls.

use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::statistics::Suppressed;
use resilient_runtime::{Registry, resilient};
use tokio::time::{Instant, advance};

use super::error::Error;

#[resilient(retry(max = 1, base = "1ms", jitter = off), read_only, name = "budgeted")]
async fn fails() -> Result<(), Error> {
    Err(Error::Down)
}

#[resilient(retry(max = 1, base = "1ms", jitter = off, budget = none), read_only, name = "unbounded")]
async fn fails_without_a_budget() -> Result<(), Error> {
    Err(Error::Down)
}

#[resilient(retry(max = 1, base = "1ms", jitter = off, budget = "100%"), read_only, breaker = "budget-of-two", name = "first")]
async fn first() -> Result<(), Error> {
    Err(Error::SlowDown { wait: None })
}

#[resilient(retry(max = 1, base = "1ms", jitter = off, budget = "0%"), read_only, breaker = "budget-of-two", name = "second")]
async fn second() -> Result<(), Error> {
    Err(Error::SlowDown { wait: None })
}

#[tokio::test(start_paused = true)]
async fn one_retry_for_five_calls_and_one_a_second_are_what_there_is() {
    let registry = Arc::new(Registry::new());
    let inner = Arc::clone(&registry);
    registry
        .clone()
        .scope(async move {
            for _ in 0..100 {
                assert_eq!(fails().await, Err(Error::Down), "the original error");
            }
            let read = inner.function("budgeted").expect("bound");
            // The budget at the time of each request: 10, and one more with every fifth call.
            let expected = 30;
            assert_eq!((read.retries, read.suppressed(Suppressed::Budget)), (expected, 100 - expected));
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn without_a_budget_every_error_is_retried() {
    let registry = Arc::new(Registry::new());
    registry
        .clone()
        .scope(async {
            for _ in 0..100 {
                assert!(fails_without_a_budget().await.is_err());
            }
        })
        .await;
    assert_eq!(registry.function("unbounded").expect("bound").retries, 100);
}

#[tokio::test(start_paused = true)]
async fn functions_that_share_a_breaker_share_the_budget_of_its_dependency() {
    let registry = Arc::new(Registry::new());
    registry
        .clone()
        .scope(async {
            for _ in 0..50 {
                assert!(first().await.is_err());
            }
            let started = Instant::now();
            assert!(second().await.is_err());
            assert_eq!(started.elapsed(), Duration::ZERO, "the first has used the reserve up");
            advance(Duration::from_secs(11)).await;
            let started = Instant::now();
            assert!(second().await.is_err());
            assert_eq!(started.elapsed(), Duration::from_millis(1), "it is back");
        })
        .await;
    assert_eq!(registry.function("first").expect("bound").retries, 50);
}

#[resilient(retry(max = 1, base = "1ms", jitter = off), read_only, breaker = "budget-closed", name = "rejected")]
async fn is_rejected() -> Result<(), Error> {
    Err(Error::SlowDown { wait: None })
}

#[tokio::test(start_paused = true)]
async fn calls_that_never_asked_the_dependency_earn_no_retries_of_it() {
    let registry = Arc::new(Registry::new());
    let inner = Arc::clone(&registry);
    registry
        .clone()
        .scope(async move {
            assert!(is_rejected().await.is_err());
            let breaker = inner.breaker("budget-closed").expect("bound");
            breaker.isolate();
            for _ in 0..500 {
                assert!(is_rejected().await.is_err());
            }
            breaker.close();
            for _ in 0..50 {
                assert!(is_rejected().await.is_err());
            }
            // The reserve, and one for every five of the 51 calls that ran.
            assert_eq!(inner.function("rejected").expect("bound").retries, 20);
        })
        .await;
}

static SHARED: resilient_runtime::Breaker = resilient_runtime::Breaker::new(
    "shared-by-tests",
    resilient_runtime::policy::BreakerSettings::new().failures(1_000),
);

#[resilient(retry(max = 1, base = "1ms", jitter = off, on(rate_limited)), read_only, breaker = SHARED, name = "of-two-tests")]
async fn of_two_tests() -> Result<(), Error> {
    Err(Error::SlowDown { wait: None })
}

/// Two tests of one process that share a `static` breaker. The clock of the first was advanced.
#[test]
fn a_test_whose_clock_ran_ahead_leaves_the_next_one_its_share_of_retries() {
    let a_test = |ahead: u64| {
        let registry = Arc::new(Registry::new());
        let inner = Arc::clone(&registry);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(registry.scope(async move {
            advance(Duration::from_secs(ahead)).await;
            for _ in 0..50 {
                assert!(of_two_tests().await.is_err());
            }
            inner.function("of-two-tests").expect("bound").retries
        }))
    };
    assert_eq!((a_test(3_600), a_test(0)), (20, 20));
}

/// Two guards with one name and no breaker share one budget.
#[tokio::test(start_paused = true)]
async fn guards_that_are_counted_under_one_name_share_a_budget() {
    use resilient_runtime::policy::{Jitter, Retry};
    use resilient_runtime::{Guard, Policy};
    let retry = || Retry::new(1).base(Duration::from_millis(1)).jitter(Jitter::Off);
    let registry = Arc::new(Registry::new());
    registry
        .clone()
        .scope(async move {
            for _ in 0..3 {
                let guard = Guard::new("of-a-tenant", Policy::new().retry(retry()));
                for _ in 0..50 {
                    let _: Result<(), Error> = guard.call(|| async { Err(Error::SlowDown { wait: None }) }).await;
                }
            }
        })
        .await;
    let read = registry.function("of-a-tenant").expect("bound");
    assert_eq!(read.retries, 10 + 150 / 5);
}
