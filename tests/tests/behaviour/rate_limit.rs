//! The rate limit: which calls it counts for which caller, and when the next call is admitted.

use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::breaker::BreakerState;
use resilient_runtime::error::LimitKind;
use resilient_runtime::policy::{
    BreakerSettings, BreakerUse, BulkheadSettings, BulkheadUse, RateLimitSettings, RateLimitUse,
};
use resilient_runtime::statistics::{Rejected, ToolSnapshot};
use resilient_runtime::{
    Breaker, Guard, Outcome, Policy, RateLimit, Registry, ResilienceError, ToolError as _, resilient,
};
use tokio::time::{Instant, advance, sleep};

use super::error::Error;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Returns the time after which a rate limit admits the next call, from a rejection.
fn limited<T: std::fmt::Debug>(answer: &Result<T, Error>) -> Duration {
    match answer {
        Err(Error::Resilience(ResilienceError::Overloaded { limit: LimitKind::RateLimit, retry_after, .. })) => {
            retry_after.expect("a time")
        }
        other => panic!("{other:?}"),
    }
}

fn counted(name: &str) -> ToolSnapshot {
    Registry::global().function(name).expect("bound")
}

#[resilient(rate_limit(rate = "10/1s", burst = 2), name = "ten-a-second")]
async fn ten_a_second() -> Result<(), Error> {
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_let_through_and_then_one_for_each_interval() {
    for _ in 0..2 {
        assert_eq!(ten_a_second().await, Ok(()));
    }
    assert_eq!(limited(&ten_a_second().await), ms(100));
    advance(ms(99)).await;
    assert_eq!(limited(&ten_a_second().await), ms(1));
    advance(ms(1)).await;
    assert_eq!(ten_a_second().await, Ok(()));
    assert_eq!(limited(&ten_a_second().await), ms(100), "what was rejected took nothing");
    advance(ms(60_000)).await;
    for _ in 0..2 {
        assert_eq!(ten_a_second().await, Ok(()), "no more than the burst is saved up");
    }
    assert_eq!(limited(&ten_a_second().await), ms(100));
    let read = counted("ten-a-second");
    assert_eq!((read.attempts, read.outcome(Outcome::Rejected), read.rejected(Rejected::RateLimit)), (5, 4, 4));
}

#[resilient(rate_limit = "3/1m")]
async fn three_a_minute() -> Result<(), Error> {
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn without_a_burst_the_whole_rate_may_come_at_once() {
    for _ in 0..3 {
        assert_eq!(three_a_minute().await, Ok(()));
    }
    assert_eq!(limited(&three_a_minute().await), ms(20_000));
}

#[resilient(rate_limit = "2/1h", retry(max = 3, base = "10ms", jitter = off), read_only, name = "counts-calls")]
async fn counts_calls() -> Result<(), Error> {
    Err(Error::Down)
}

#[tokio::test(start_paused = true)]
async fn calls_are_counted_and_not_attempts() {
    for _ in 0..2 {
        assert_eq!(counts_calls().await, Err(Error::Down));
    }
    assert_eq!(counted("counts-calls").attempts, 8);
    let started = Instant::now();
    // Each of the two calls took 10 + 20 + 40 ms.
    assert_eq!(limited(&counts_calls().await), ms(1_800_000 - 140));
    assert_eq!(started.elapsed(), Duration::ZERO, "a rejection is not retried, and nothing waits");
    assert_eq!(counted("counts-calls").attempts, 8, "the body was not run");
}

static UNTOUCHED: Breaker = Breaker::new("behind-a-rate-limit", BreakerSettings::new().failures(1));

#[resilient(rate_limit = "2/1h", breaker = UNTOUCHED)]
async fn is_limited_first() -> Result<(), Error> {
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_rate_limit_is_asked_before_the_breaker() {
    UNTOUCHED.open();
    for _ in 0..2 {
        let answer = is_limited_first().await;
        assert!(matches!(answer, Err(Error::Resilience(ResilienceError::CircuitOpen { .. }))), "{answer:?}");
    }
    limited(&is_limited_first().await);
    let read = UNTOUCHED.snapshot();
    assert_eq!((read.state, read.rejected, read.neutral), (BreakerState::Open, 2, 0));
}

#[resilient(rate_limit = "1/1h", bulkhead = 1)]
async fn is_limited_before_it_queues() -> Result<(), Error> {
    sleep(ms(1_000)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_rate_limit_is_asked_before_the_bulkhead() {
    let running = tokio::spawn(is_limited_before_it_queues());
    tokio::task::yield_now().await;
    limited(&is_limited_before_it_queues().await);
    assert_eq!(running.await.expect("no panic"), Ok(()));
}

#[resilient(rate_limit(rate = "1/1h", name = "shared"))]
async fn shares() -> Result<(), Error> {
    Ok(())
}

#[resilient(rate_limit(rate = "1/1h", name = "shared"))]
async fn shares_it_too() -> Result<(), Error> {
    Ok(())
}

#[resilient(rate_limit = "1/1h")]
async fn has_its_own() -> Result<(), Error> {
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn functions_share_a_limit_by_name_and_have_their_own_without_one() {
    assert_eq!(shares().await, Ok(()));
    limited(&shares_it_too().await);
    assert_eq!(has_its_own().await, Ok(()));
}

#[derive(Clone)]
struct Tenant(&'static str, u64);

#[resilient(rate_limit(rate = "1/1h", key = (name, number % 2)), retry = 1, read_only)]
async fn by_tenant(Tenant(name, number): Tenant) -> Result<(), Error> {
    let _ = (name, number);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn each_value_of_a_key_has_a_limit_of_its_own() {
    assert_eq!(by_tenant(Tenant("a", 1)).await, Ok(()));
    assert_eq!(by_tenant(Tenant("a", 2)).await, Ok(()));
    assert_eq!(by_tenant(Tenant("b", 1)).await, Ok(()));
    limited(&by_tenant(Tenant("a", 3)).await);
}

#[resilient(rate_limit(rate = "1/1h", key = caller))]
async fn by_caller() -> Result<(), Error> {
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn without_a_known_caller_the_process_is_one() {
    assert_eq!(by_caller().await, Ok(()));
    limited(&by_caller().await);
}

#[resilient(rate_limit(rate = "1/1h", key = number))]
async fn by_number(number: u32) -> Result<(), Error> {
    let _ = number;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn beyond_a_bounded_number_of_keys_the_rest_shares_one_limit() {
    for number in 0..1_025 {
        assert_eq!(by_number(number).await, Ok(()), "{number}");
    }
    let full = by_number(1_025).await.expect_err("no room");
    let Error::Resilience(full) = full else { panic!("{full:?}") };
    assert!(matches!(full, ResilienceError::Overloaded { limit: LimitKind::RateLimitKeys, retry_after: Some(_), .. }));
    assert_eq!(full.public_message(), "the rate limit of this tool has no room for more callers at present");
    assert_eq!(full.details()["limit"], "rate_limit_keys");
    limited(&by_number(3).await);
    advance(Duration::from_secs(3 * 3_600)).await;
    for number in 2_000..2_100 {
        assert_eq!(by_number(number).await, Ok(()), "who has not called for long makes room");
    }
}

#[resilient(rate_limit(rate = "1/1h", key = number, max_keys = 2), name = "by_two_numbers")]
async fn by_two_numbers(number: u32) -> Result<(), Error> {
    let _ = number;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn how_many_keys_have_a_limit_of_their_own_can_be_set() {
    for number in [1, 2, 3] {
        assert_eq!(by_two_numbers(number).await, Ok(()), "{number}");
    }
    limited(&by_two_numbers(2).await);
    let Err(Error::Resilience(full)) = by_two_numbers(4).await else { panic!("the third limit is that of all others") };
    assert!(matches!(full, ResilienceError::Overloaded { limit: LimitKind::RateLimitKeys, .. }), "{full:?}");
    assert_eq!(counted("by_two_numbers").rejected(Rejected::RateLimit), 2);
}

fn panics(_number: u32) -> u32 {
    panic!("in a key")
}

#[resilient(rate_limit(rate = "1/1h", key = panics(*number)))]
async fn has_a_key_that_panics(number: u32) -> Result<u32, Error> {
    Ok(number)
}

#[tokio::test(start_paused = true)]
async fn a_key_that_panics_is_as_if_there_were_none() {
    assert_eq!(has_a_key_that_panics(1).await, Ok(1));
    limited(&has_a_key_that_panics(2).await);
}

async fn never_asked(_error: &Error) -> Result<u32, Error> {
    panic!("a function only adds to the load")
}

#[resilient(rate_limit = "1/1h", fallback = [never_asked, value(9)], name = "falls-back-when-limited")]
async fn falls_back_when_limited() -> Result<u32, Error> {
    Ok(1)
}

#[tokio::test(start_paused = true)]
async fn only_a_value_or_an_old_answer_serves_for_a_rejection() {
    assert_eq!((falls_back_when_limited().await, falls_back_when_limited().await), (Ok(1), Ok(9)));
    assert_eq!(counted("falls-back-when-limited").outcome(Outcome::Fallback), 1);
}

#[resilient(rate_limit = "1/1h")]
async fn is_alone_in_its_registry() -> Result<(), Error> {
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_registry_of_its_own_has_limits_of_its_own() {
    for _ in 0..3 {
        let registry = std::sync::Arc::new(Registry::new());
        assert_eq!(registry.scope(is_alone_in_its_registry()).await, Ok(()));
    }
}

#[tokio::test(start_paused = true)]
async fn in_plain_code_a_check_takes_one_permission() {
    static PLAIN: RateLimit = RateLimit::new(2, Duration::from_secs(1)).burst(1);
    assert_eq!(PLAIN.check(), Ok(()));
    match PLAIN.check() {
        Err(ResilienceError::Overloaded { limit: LimitKind::RateLimit, retry_after: Some(wait), .. }) => {
            assert_eq!(wait, ms(500));
            sleep(wait).await;
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(PLAIN.check(), Ok(()));
}

static BY_TENANT: Guard = Guard::new(
    "guarded-rate",
    Policy::new()
        .timeout(Duration::from_secs(20))
        .rate_limit(RateLimitUse::new(RateLimitSettings::new(2, Duration::from_secs(3_600)).max_keys(2))),
);

#[tokio::test(start_paused = true)]
async fn each_key_of_a_guard_has_a_rate_limit_for_itself() {
    let registry = Arc::new(Registry::new());
    let ask = |tenant: u32| BY_TENANT.with().rate_limit_key(&tenant).call(|| async { Ok::<_, Error>(()) });
    let limit = |answer| match answer {
        Err(Error::Resilience(ResilienceError::Overloaded { limit, .. })) => Some(limit),
        _ => None,
    };
    let asked = async {
        for tenant in [1, 1, 2, 2, 3, 4] {
            assert_eq!(ask(tenant).await, Ok(()), "{tenant}");
        }
        assert_eq!(limit(ask(1).await), Some(LimitKind::RateLimit), "it has used up its own");
        assert_eq!(limit(ask(5).await), Some(LimitKind::RateLimitKeys), "what is beyond two shares one");
    };
    registry.clone().scope(asked).await;
    assert_eq!(registry.function("guarded-rate").expect("bound").rejected(Rejected::RateLimit), 2);
}

#[test]
fn a_bound_on_keys_that_is_out_of_range_is_refused() {
    let policy = Policy::new()
        .breaker(BreakerUse::with("bounded", BreakerSettings::new().max_keys(0)))
        .bulkhead(BulkheadUse::new(BulkheadSettings::new(1).max_keys(100_001)))
        .rate_limit(RateLimitUse::new(RateLimitSettings::new(1, Duration::from_secs(1)).max_keys(0)));
    let refused = Guard::checked("bounded", policy).expect_err("three mistakes");
    let mut paths: Vec<_> = refused.problems().iter().map(|problem| problem.path).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["breaker.max_keys", "bulkhead.max_keys", "rate_limit.max_keys"]);
}
