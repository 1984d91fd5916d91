//! The breaker: which results it counts, when it rejects, and how it probes.

use std::time::Duration;

use resilient_runtime::breaker::BreakerState;
use resilient_runtime::policy::BreakerSettings;
use resilient_runtime::{Breaker, Registry, ResilienceError, resilient};
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
    // The inner call ends at its shortened deadline, at which this call ends too.
    hangs_behind_a_breaker().await
}

#[tokio::test(start_paused = true)]
async fn an_attempt_cut_off_after_its_full_limit_is_a_failure_and_a_shortened_one_is_not() {
    assert!(has_its_full_limit().await.is_err());
    assert_eq!(CUT.state(), BreakerState::Open);
    assert!(gives_it_one_second().await.is_err());
    assert_eq!((SHORTENED.state(), SHORTENED.snapshot().neutral), (BreakerState::Closed, 1));
}

static OPENS_BETWEEN: Breaker = Breaker::new("opens-between", BreakerSettings::new().failures(2));

#[resilient(breaker = OPENS_BETWEEN, retry(max = 3, jitter = off), read_only)]
async fn fails_until_the_breaker_opens() -> Result<(), Error> {
    Err(Error::Down)
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_opens_between_attempts_ends_them_with_the_last_error() {
    assert_eq!(fails_until_the_breaker_opens().await, Err(Error::Down));
    let snapshot = OPENS_BETWEEN.snapshot();
    assert_eq!((snapshot.failures, snapshot.rejected), (2, 0));
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

static GIVES_UP: Breaker = Breaker::new("gives-up", BreakerSettings::new().failures(2));

#[resilient(breaker = GIVES_UP, retry(max = 3, jitter = off), read_only)]
async fn opens_its_own_breaker() -> Result<(), Error> {
    Err(Error::Down)
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_retry_that_the_breaker_is_sure_to_reject() {
    let started = tokio::time::Instant::now();
    assert_eq!(opens_its_own_breaker().await, Err(Error::Down));
    assert_eq!(started.elapsed(), Duration::from_secs(1), "the delay before the second attempt and none after it");
}

static PROBED_LATE: Breaker =
    Breaker::new("probed-late", BreakerSettings::new().failures(1).open(Duration::from_millis(500)));

#[resilient(breaker = PROBED_LATE, timeout = "60s", attempt_timeout = "50ms")]
async fn never_answers() -> Result<(), Error> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn the_timeout_of_a_probe_is_heard_before_anybody_takes_its_place() {
    let callers: Vec<_> = (0..8)
        .map(|_| {
            tokio::spawn(async {
                let started = tokio::time::Instant::now();
                while started.elapsed() < Duration::from_secs(4) {
                    assert!(never_answers().await.is_err());
                    sleep(Duration::from_millis(1)).await;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("no panic");
    }
    let seen = PROBED_LATE.snapshot();
    // The first eight run together: one opens the breaker, seven arrive too late. Every 550 ms one probe fails.
    assert_eq!(seen.stale, 7, "{seen:?}");
    assert_eq!(seen.failures - seen.stale, 8, "{seen:?}");
}

struct Hosts {
    prefix: &'static str,
}

impl Hosts {
    #[resilient(
        breaker(name = "by-host", failures = 3, key = format!("{}{host}", self.prefix)),
        retry(max = 1, base = "1ms"),
        read_only
    )]
    async fn ask(&self, host: String, answer: Result<(), Error>) -> Result<(), Error> {
        drop(host);
        answer
    }
}

#[tokio::test(start_paused = true)]
async fn each_value_of_a_key_has_a_breaker_of_its_own() {
    let hosts = Hosts { prefix: "api." };
    for _ in 0..2 {
        assert_eq!(hosts.ask("one".into(), Err(Error::Down)).await, Err(Error::Down));
    }
    let answer = hosts.ask("one".into(), Ok(())).await;
    assert!(matches!(answer, Err(Error::Resilience(ResilienceError::CircuitOpen { .. }))), "{answer:?}");
    assert_eq!(hosts.ask("two".into(), Ok(())).await, Ok(()));
}
