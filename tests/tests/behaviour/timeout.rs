//! The timeouts of a call and of an attempt.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::error::TimeoutScope;
use resilient_runtime::{CallContext, ResilienceError, resilient};
use tokio::time::{Instant, sleep};

use super::error::Error;

fn scope(error: &Error) -> Option<TimeoutScope> {
    match error {
        Error::Resilience(ResilienceError::Timeout { scope, .. }) => Some(*scope),
        _ => None,
    }
}

#[resilient(timeout = "3s")]
async fn hangs_for_three_seconds() -> Result<(), Error> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn a_function_that_hangs_is_answered_for_at_its_timeout() {
    let started = Instant::now();
    let error = hangs_for_three_seconds().await.expect_err("a timeout");
    assert_eq!((scope(&error), started.elapsed()), (Some(TimeoutScope::Call), Duration::from_secs(3)));
    assert_eq!(error.to_string(), "no answer within 3s");
}

#[resilient]
async fn has_no_keys() -> Result<(), Error> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn the_attribute_alone_means_thirty_seconds() {
    let started = Instant::now();
    assert!(has_no_keys().await.is_err());
    assert_eq!(started.elapsed(), Duration::from_secs(30));
}

static ATTEMPTS: AtomicU32 = AtomicU32::new(0);

#[resilient(timeout = "10s", attempt_timeout = "2s", retry(max = 2, jitter = off), read_only)]
async fn answers_at_the_third_attempt() -> Result<u32, Error> {
    let attempt = ATTEMPTS.fetch_add(1, Ordering::Relaxed) + 1;
    if attempt < 3 {
        std::future::pending::<()>().await;
    }
    Ok(attempt)
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_is_cut_off_and_followed_by_the_next() {
    let started = Instant::now();
    assert_eq!(answers_at_the_third_attempt().await, Ok(3));
    assert_eq!(started.elapsed(), Duration::from_secs(2 + 1 + 2 + 2));
}

#[resilient(timeout = "5s", attempt_timeout = "2s", retry(max = 3, base = "500ms", jitter = off), read_only)]
async fn hangs_in_every_attempt() -> Result<u32, Error> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn the_last_attempt_has_what_is_left_of_the_timeout() {
    let started = Instant::now();
    // 2 s, ½ s, 2 s. A delay of 1 s more would exceed the deadline.
    let error = hangs_in_every_attempt().await.expect_err("a timeout");
    assert_eq!((scope(&error), started.elapsed()), (Some(TimeoutScope::Attempt), Duration::from_millis(4_500)));
}

#[resilient(timeout = "4s")]
async fn outer() -> Result<Duration, Error> {
    sleep(Duration::from_secs(1)).await;
    let started = Instant::now();
    let _cut_off = inner().await;
    Ok(started.elapsed())
}

#[resilient(timeout = "60s")]
async fn inner() -> Result<(), Error> {
    let deadline = CallContext::current().and_then(|context| context.deadline()).expect("a deadline");
    assert_eq!(deadline - Instant::now(), Duration::from_secs(3));
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn a_nested_call_has_no_more_time_than_the_call_around_it() {
    let started = Instant::now();
    // Both end at the same moment; their order does not matter.
    let answered = outer().await;
    assert_eq!(started.elapsed(), Duration::from_secs(4));
    assert!(matches!(answered, Ok(took) if took == Duration::from_secs(3)) || answered.is_err(), "{answered:?}");
}

#[resilient(timeout = "2s")]
async fn is_ready_at_once(value: u32) -> Result<u32, Error> {
    Ok(value)
}

#[test]
fn a_function_that_never_waits_needs_no_timer() {
    // Without a runtime, arming a timer would panic.
    let answered = futures_util::FutureExt::now_or_never(is_ready_at_once(7));
    assert_eq!(answered, Some(Ok(7)));
}

#[resilient(timeout = "50ms")]
async fn never_rests() -> Result<(), Error> {
    loop {
        // Uses up the budget that tokio gives a task, over and over.
        tokio::task::consume_budget().await;
    }
}

#[tokio::test]
async fn a_body_that_leaves_its_timer_no_budget_is_cut_off_all_the_same() {
    let cut_off = tokio::time::timeout(Duration::from_secs(5), never_rests()).await;
    assert_eq!(scope(&cut_off.expect("in time").expect_err("a timeout")), Some(TimeoutScope::Call));
}

#[resilient(timeout = "60s", attempt_timeout = "1s")]
async fn has_one_second_for_its_attempt() -> Result<(), Error> {
    has_long_delays().await
}

#[resilient(timeout = "60s", retry(max = 1, base = "5s", jitter = off), read_only)]
async fn has_long_delays() -> Result<(), Error> {
    Err(Error::Down)
}

#[tokio::test(start_paused = true)]
async fn a_nested_call_does_not_begin_a_delay_that_its_callers_attempt_cannot_outlast() {
    let started = Instant::now();
    assert_eq!(has_one_second_for_its_attempt().await, Err(Error::Down));
    assert_eq!(started.elapsed(), Duration::ZERO);
}
