//! Bulkhead and breaker: which calls queue, and the effect of queueing on a result or a probe.

use std::time::Duration;

use resilient_runtime::breaker::BreakerState;
use resilient_runtime::error::TimeoutScope;
use resilient_runtime::policy::BreakerSettings;
use resilient_runtime::statistics::Rejected;
use resilient_runtime::{Breaker, ResilienceError, resilient};
use tokio::time::{Instant, advance, sleep};

use super::{begin, counted, is_full, s, timed_out};
use crate::error::Error;

static CUT_SHORT: Breaker = Breaker::new("cut-short", BreakerSettings::new().failures(1));

#[resilient(bulkhead(max = 1, queue = 1, name = "cuts-short"), timeout = "60s")]
async fn makes_it_queue(time: Duration) -> Result<(), Error> {
    sleep(time).await;
    Ok(())
}

#[resilient(bulkhead(max = 1, queue = 1, name = "cuts-short"), breaker = CUT_SHORT, timeout = "3s")]
async fn has_no_limit_of_its_own() -> Result<(), Error> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_queueing_had_shortened_is_neutral_when_it_is_cut_off() {
    let running = begin(makes_it_queue(s(1))).await;
    assert_eq!(timed_out(&has_no_limit_of_its_own().await), Some(TimeoutScope::Call));
    assert_eq!((CUT_SHORT.state(), CUT_SHORT.snapshot().neutral), (BreakerState::Closed, 1));
    assert_eq!(running.await.expect("no panic"), Ok(()));
    assert_eq!(timed_out(&has_no_limit_of_its_own().await), Some(TimeoutScope::Call));
    assert_eq!(CUT_SHORT.state(), BreakerState::Open, "this one had all the time there was");
}

static BEFORE: Breaker = Breaker::new("before-the-bulkhead", BreakerSettings::new());

#[resilient(bulkhead(max = 1, queue = 1), breaker = BEFORE, name = "asks-the-breaker-first")]
async fn asks_the_breaker_first() -> Result<(), Error> {
    sleep(s(5)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_does_not_let_anybody_queue() {
    let running = begin(asks_the_breaker_first()).await;
    BEFORE.open();
    let started = Instant::now();
    let answer = asks_the_breaker_first().await;
    assert!(matches!(answer, Err(Error::Resilience(ResilienceError::CircuitOpen { .. }))), "{answer:?}");
    assert_eq!(started.elapsed(), Duration::ZERO);
    let read = counted("asks-the-breaker-first");
    assert_eq!((read.waiting, read.rejected(Rejected::Breaker), read.rejected(Rejected::Bulkhead)), (0, 1, 0));
    assert_eq!(running.await.expect("no panic"), Ok(()));
}

static PROBED: Breaker = Breaker::new("probed-in-line", BreakerSettings::new().failures(1).open(s(5)));

#[resilient(bulkhead(max = 1, name = "probed-in-line"))]
async fn is_in_the_way() -> Result<(), Error> {
    sleep(s(10)).await;
    Ok(())
}

#[resilient(bulkhead(max = 1, name = "probed-in-line"), breaker = PROBED)]
async fn is_probed(answer: Result<(), Error>) -> Result<(), Error> {
    answer
}

#[tokio::test(start_paused = true)]
async fn a_rejection_by_the_bulkhead_is_neutral_and_gives_a_probes_place_back() {
    assert_eq!(is_probed(Err(Error::Down)).await, Err(Error::Down));
    advance(s(5)).await;
    let in_the_way = begin(is_in_the_way()).await;
    for _ in 0..3 {
        assert!(is_full(&is_probed(Ok(())).await), "a probe is let through, and finds no slot");
    }
    let read = PROBED.snapshot();
    assert_eq!((read.state, read.probes, read.neutral, read.rejected), (BreakerState::HalfOpen, 0, 3, 0));
    in_the_way.abort();
    assert!(in_the_way.await.is_err());
    assert_eq!(is_probed(Ok(())).await, Ok(()));
}

static QUEUED_PROBE: Breaker = Breaker::new("queued-probe", BreakerSettings::new().failures(1).open(s(1)).successes(1));

#[resilient(bulkhead(max = 1, queue = 2, name = "queued-probe"), timeout = "60s")]
async fn keeps_the_probe_waiting() -> Result<(), Error> {
    sleep(s(20)).await;
    Ok(())
}

#[resilient(
    bulkhead(max = 1, queue = 2, name = "queued-probe"),
    breaker = QUEUED_PROBE,
    timeout = "60s",
    attempt_timeout = "2s"
)]
async fn probes_after_queueing(answer: Result<(), Error>) -> Result<(), Error> {
    sleep(s(1)).await;
    answer
}

#[tokio::test(start_paused = true)]
async fn a_probes_lease_begins_with_its_body_and_not_with_its_queueing() {
    assert_eq!(probes_after_queueing(Err(Error::Down)).await, Err(Error::Down));
    advance(s(1)).await;
    let in_the_way = begin(keeps_the_probe_waiting()).await;
    let probe = begin(probes_after_queueing(Ok(()))).await;
    advance(s(19)).await;
    let second = probes_after_queueing(Ok(())).await;
    assert!(matches!(second, Err(Error::Resilience(ResilienceError::CircuitOpen { .. }))), "one probe: {second:?}");
    assert_eq!(in_the_way.await.expect("no panic"), Ok(()));
    assert_eq!(probe.await.expect("no panic"), Ok(()));
    assert_eq!((QUEUED_PROBE.state(), QUEUED_PROBE.snapshot().stale), (BreakerState::Closed, 0));
}

static LEFT_PROBE: Breaker = Breaker::new("left-probe", BreakerSettings::new().failures(1).open(s(1)));

#[resilient(bulkhead(max = 1, queue = 1), breaker = LEFT_PROBE, timeout = "60s")]
async fn is_left_in_line(time: Duration) -> Result<(), Error> {
    sleep(time).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_cancelled_in_line_gives_its_place_back() {
    let running = begin(is_left_in_line(s(30))).await;
    LEFT_PROBE.open();
    advance(s(1)).await;
    let probe = begin(is_left_in_line(s(1))).await;
    assert_eq!(LEFT_PROBE.snapshot().probes, 1);
    probe.abort();
    assert!(probe.await.is_err());
    let read = LEFT_PROBE.snapshot();
    assert_eq!((read.state, read.probes), (BreakerState::HalfOpen, 0));
    running.abort();
}
