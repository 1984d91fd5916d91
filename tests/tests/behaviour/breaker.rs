use std::time::Duration;

use resilient_runtime::{Breaker, BreakerSettings, BreakerState, Registry, ResilienceError, resilient};
use tokio::time::{advance, sleep};

use super::error::Error;

fn is_rejected(answer: &Result<(), Error>) -> bool {
    matches!(answer, Err(Error::Resilience(ResilienceError::CircuitOpen { .. })))
}

static THREE: Breaker =
    Breaker::new("three", BreakerSettings::new().failures(3).open(Duration::from_secs(5)).probes(1).successes(2));

#[resilient(breaker = THREE, timeout = "10s")]
async fn guarded_by_three(answer: Result<(), Error>) -> Result<(), Error> {
    answer
}

#[tokio::test(start_paused = true)]
async fn a_breaker_opens_rejects_probes_and_closes() {
    use BreakerState::{Closed, HalfOpen, Open};

    for _ in 0..3 {
        assert_eq!(THREE.state(), BreakerState::Closed);
        assert_eq!(guarded_by_three(Err(Error::Down)).await, Err(Error::Down));
    }
    assert_eq!(THREE.state(), BreakerState::Open);
    advance(Duration::from_secs(2)).await;
    match guarded_by_three(Ok(())).await {
        Err(Error::Resilience(ResilienceError::CircuitOpen { breaker, retry_after, .. })) => {
            assert_eq!((breaker, retry_after), ("three", Some(Duration::from_secs(3))));
        }
        other => panic!("{other:?}"),
    }
    advance(Duration::from_secs(3)).await;
    assert_eq!(guarded_by_three(Ok(())).await, Ok(()));
    assert_eq!(THREE.state(), BreakerState::HalfOpen);
    assert_eq!(guarded_by_three(Err(Error::Down)).await, Err(Error::Down));
    assert_eq!(THREE.state(), BreakerState::Open, "one failure reopens");
    advance(Duration::from_secs(5)).await;
    assert_eq!(guarded_by_three(Ok(())).await, Ok(()));
    assert_eq!(guarded_by_three(Ok(())).await, Ok(()));
    assert_eq!(THREE.state(), BreakerState::Closed);
    let moves: Vec<_> = THREE.snapshot().transitions.iter().map(|moved| (moved.from, moved.to)).collect();
    assert_eq!(moves, [(Closed, Open), (Open, HalfOpen), (HalfOpen, Open), (Open, HalfOpen), (HalfOpen, Closed)]);
}

#[resilient(breaker(name = "mistakes", failures = 2), timeout = "10s")]
async fn makes_mistakes(answer: Result<(), Error>) -> Result<(), Error> {
    answer
}

#[tokio::test(start_paused = true)]
async fn a_callers_mistake_neither_counts_nor_resets_the_count() {
    assert_eq!(makes_mistakes(Err(Error::Down)).await, Err(Error::Down));
    for _ in 0..10 {
        assert_eq!(makes_mistakes(Err(Error::NotFound(1))).await, Err(Error::NotFound(1)));
    }
    let breaker = Registry::global().breaker("mistakes").expect("bound");
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.consecutive_failures, snapshot.neutral), (BreakerState::Closed, 1, 10));
    assert_eq!(makes_mistakes(Err(Error::Down)).await, Err(Error::Down));
    assert_eq!(breaker.state(), BreakerState::Open);
}

static PROBED: Breaker = Breaker::new("probed", BreakerSettings::new().failures(1).open(Duration::from_secs(5)));

#[resilient(breaker = PROBED, timeout = "60s", attempt_timeout = "2s")]
async fn probes(wait: Duration) -> Result<(), Error> {
    sleep(wait).await;
    Ok(())
}

#[resilient(breaker = PROBED)]
async fn breaks_it() -> Result<(), Error> {
    Err(Error::Down)
}

#[tokio::test(start_paused = true)]
async fn half_open_lets_one_probe_through_and_a_dropped_one_is_given_back() {
    assert!(breaks_it().await.is_err());
    advance(Duration::from_secs(5)).await;
    let first = tokio::spawn(probes(Duration::from_secs(1)));
    tokio::task::yield_now().await;
    assert!(is_rejected(&probes(Duration::ZERO).await), "the probe is running");
    first.abort();
    assert!(first.await.is_err());
    assert_eq!(PROBED.snapshot().probes, 0);
    assert_eq!(probes(Duration::ZERO).await, Ok(()), "its place is free again");
    assert_eq!(PROBED.state(), BreakerState::HalfOpen, "the dropped probe was no success");
}

static CUT: Breaker = Breaker::new("cut", BreakerSettings::new().failures(1));

#[resilient(breaker = CUT, timeout = "10s", attempt_timeout = "2s")]
async fn has_its_full_limit() -> Result<(), Error> {
    std::future::pending().await
}

static SHORTENED: Breaker = Breaker::new("shortened", BreakerSettings::new().failures(1));

#[resilient(breaker = SHORTENED, timeout = "30s")]
async fn hangs_behind_a_breaker() -> Result<(), Error> {
    std::future::pending().await
}

#[resilient(timeout = "1s")]
async fn gives_it_one_second() -> Result<(), Error> {
    // Keeps the inner call's own end: this one is over at the same moment.
    hangs_behind_a_breaker().await
}

#[tokio::test(start_paused = true)]
async fn an_attempt_cut_off_after_its_full_limit_is_a_failure_and_a_shortened_one_is_not() {
    assert!(has_its_full_limit().await.is_err());
    assert_eq!(CUT.state(), BreakerState::Open);
    assert!(gives_it_one_second().await.is_err());
    assert_eq!((SHORTENED.state(), SHORTENED.snapshot().neutral), (BreakerState::Closed, 1));
}

#[resilient(breaker(name = "opens-between", failures = 2), retry(max = 3, jitter = off), read_only)]
async fn fails_until_the_breaker_opens() -> Result<(), Error> {
    Err(Error::Down)
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_opens_between_attempts_ends_them_with_the_last_error() {
    assert_eq!(fails_until_the_breaker_opens().await, Err(Error::Down));
    let snapshot = Registry::global().breaker("opens-between").expect("bound").snapshot();
    assert_eq!((snapshot.failures, snapshot.rejected), (2, 1));
    assert!(is_rejected(&fails_until_the_breaker_opens().await));
}

#[test]
fn a_breaker_is_moved_by_hand() {
    let breaker = Breaker::new("by-hand", BreakerSettings::new());
    breaker.isolate();
    assert_eq!((breaker.state(), breaker.remaining()), (BreakerState::Isolated, None));
    breaker.open();
    assert_eq!(breaker.state(), BreakerState::Open);
    breaker.close();
    breaker.close();
    assert_eq!(breaker.state(), BreakerState::Closed);
    assert_eq!(breaker.snapshot().transitions.len(), 3, "nothing is told twice");
}
