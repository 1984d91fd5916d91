//! Pairs of layers: which of two is outside the other.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::{Breaker, BreakerSettings, BreakerState, Outcome, Registry, resilient};
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

#[resilient(timeout = "3s", attempt_timeout = "1s", retry(max = 4, base = "100ms", jitter = off), read_only)]
async fn hangs_each_time() -> Result<u32, Error> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn the_timeout_is_outside_retry() {
    let started = Instant::now();
    assert!(hangs_each_time().await.is_err());
    assert!(started.elapsed() <= Duration::from_secs(3), "{:?}", started.elapsed());
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
