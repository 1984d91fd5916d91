//! Pairs of layers: which of two is outside the other. Each pair of neighbours has a test in which both layers would
//! act, so that the response shows which one acts first.
//!
//! hook → cancellation → fallback → rate limit → timeout → retry → breaker → bulkhead → attempt timeout → panic
//! barrier → body
//!
//! The pairs with the hook, the request's cancellation and the rate limit are in `order_optional`: they need features
//! of the runtime.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::breaker::BreakerState;
use resilient_runtime::error::TimeoutScope;
use resilient_runtime::policy::BreakerSettings;
use resilient_runtime::{Breaker, Outcome, Registry, ResilienceError, resilient};
use tokio::time::{Instant, advance};

use super::error::Error;

static ATTEMPTS: AtomicU32 = AtomicU32::new(0);

async fn counts_the_attempts(_: &Error) -> Result<u32, Error> {
    Ok(100 + ATTEMPTS.load(Ordering::Relaxed))
}

#[resilient(retry(max = 2, jitter = off), read_only, fallback = counts_the_attempts)]
async fn fails_three_times() -> Result<u32, Error> {
    ATTEMPTS.fetch_add(1, Ordering::Relaxed);
    Err(Error::Down)
}

#[tokio::test(start_paused = true)]
async fn the_fallback_is_outside_retry_and_sees_the_last_error_once() {
    assert_eq!(fails_three_times().await, Ok(103));
}

async fn is_asked_after(_: &Error) -> Result<u32, Error> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(1)
}

#[resilient(timeout = "2s", fallback = is_asked_after)]
async fn hangs_for_two_seconds() -> Result<u32, Error> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn the_fallback_is_outside_the_timeout() {
    let started = Instant::now();
    assert_eq!(hangs_for_two_seconds().await, Ok(1));
    assert_eq!(started.elapsed(), Duration::from_secs(3));
}

static OUTER: Breaker = Breaker::new("order-outer", BreakerSettings::new().failures(3));

#[resilient(retry(max = 1, jitter = off), read_only, breaker = OUTER)]
async fn fails_twice() -> Result<u32, Error> {
    Err(Error::Down)
}

#[tokio::test(start_paused = true)]
async fn retry_is_outside_the_breaker_which_sees_every_attempt() {
    assert!(fails_twice().await.is_err());
    assert_eq!(OUTER.snapshot().consecutive_failures, 2);
}

static TIMED: Breaker = Breaker::new("order-timed", BreakerSettings::new().failures(1));

#[resilient(timeout = "10s", attempt_timeout = "1s", breaker = TIMED)]
async fn hangs_in_its_attempt() -> Result<u32, Error> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn the_breaker_is_outside_the_attempt_timeout_and_sees_it() {
    assert!(hangs_in_its_attempt().await.is_err());
    assert_eq!(TIMED.state(), BreakerState::Open);
}

static TRIED: AtomicU32 = AtomicU32::new(0);

#[resilient(timeout = "3s", attempt_timeout = "1s", retry(max = 4, base = "100ms", jitter = off), read_only)]
async fn hangs_each_time() -> Result<u32, Error> {
    TRIED.fetch_add(1, Ordering::Relaxed);
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn the_timeout_is_outside_retry_and_cuts_the_third_of_five_attempts_off() {
    let started = Instant::now();
    let ended = hangs_each_time().await;
    // 1 s, 0.1 s, 1 s, 0.2 s, and the remaining 0.7 s: a timeout of each attempt would leave time for all five.
    assert_eq!((started.elapsed(), TRIED.load(Ordering::Relaxed)), (Duration::from_secs(3), 3));
    let Err(Error::Resilience(ResilienceError::Timeout { scope, limit, .. })) = ended else { panic!("{ended:?}") };
    assert_eq!((scope, limit), (TimeoutScope::Call, Duration::from_secs(3)));
}

static FALLBACKS: AtomicU32 = AtomicU32::new(0);

async fn must_not_run(_: &Error) -> Result<u32, Error> {
    FALLBACKS.fetch_add(1, Ordering::Relaxed);
    Ok(1)
}

#[resilient(fallback = must_not_run, retry = 3, read_only)]
async fn is_dropped() -> Result<u32, Error> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn cancellation_is_outside_fallback_and_retry() {
    let call = tokio::spawn(is_dropped());
    advance(Duration::from_secs(1)).await;
    call.abort();
    assert!(call.await.is_err_and(|error| error.is_cancelled()));
    advance(Duration::from_secs(600)).await;
    let read = Registry::global().function(concat!(module_path!(), "::is_dropped")).expect("bound");
    assert_eq!((read.attempts, read.outcome(Outcome::Cancelled), FALLBACKS.load(Ordering::Relaxed)), (1, 1, 0));
}

static FULL: Breaker = Breaker::new("order-full", BreakerSettings::new());

#[resilient(breaker = FULL, bulkhead = 1)]
async fn holds_the_only_slot() -> Result<u32, Error> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn the_breaker_is_outside_the_bulkhead_and_rejects_first_where_both_would() {
    let running = tokio::spawn(holds_the_only_slot());
    tokio::task::yield_now().await;
    let full = holds_the_only_slot().await;
    assert!(matches!(full, Err(Error::Resilience(ResilienceError::Overloaded { .. }))), "{full:?}");
    FULL.open();
    let open = holds_the_only_slot().await;
    assert!(matches!(open, Err(Error::Resilience(ResilienceError::CircuitOpen { .. }))), "{open:?}");
    running.abort();
}

#[resilient(timeout = "20s", attempt_timeout = "2s", bulkhead(max = 1, queue = 1))]
async fn takes_one_and_a_half_seconds() -> Result<u32, Error> {
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    Ok(1)
}

#[tokio::test(start_paused = true)]
async fn the_bulkhead_is_outside_the_attempt_timeout_which_does_not_count_the_time_in_the_queue() {
    let started = Instant::now();
    let both = tokio::join!(takes_one_and_a_half_seconds(), takes_one_and_a_half_seconds());
    assert_eq!((both, started.elapsed()), ((Ok(1), Ok(1)), Duration::from_secs(3)));
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("on purpose, when the attempt is cut off");
    }
}

#[resilient(timeout = "20s", attempt_timeout = "2s")]
async fn panics_when_it_is_cut_off() -> Result<u32, Error> {
    let _bomb = PanicsWhenDropped;
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn the_attempt_timeout_is_outside_the_panic_barrier_and_is_the_answer_where_dropping_the_body_panics() {
    let ended = panics_when_it_is_cut_off().await;
    let Err(Error::Resilience(ResilienceError::Timeout { scope, .. })) = ended else { panic!("{ended:?}") };
    assert_eq!(scope, TimeoutScope::Attempt);
}

#[resilient]
async fn panics_after_a_second() -> Result<u32, Error> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    panic!("on purpose, in the body")
}

#[tokio::test(start_paused = true)]
async fn the_panic_barrier_is_outside_the_body_and_makes_an_error_of_its_panic() {
    assert_eq!(panics_after_a_second().await, Err(Error::Resilience(ResilienceError::Panicked)));
}
