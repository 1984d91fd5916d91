//! Cancelled calls: the attempt, the backoff and the permits end when the caller drops the call.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::{Outcome, Registry, resilient};
use tokio::time::advance;

use super::error::Error;

static RUNS: AtomicU32 = AtomicU32::new(0);

#[resilient(retry(max = 3, jitter = off), read_only, breaker(name = "dropped"))]
async fn fails_slowly() -> Result<(), Error> {
    RUNS.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(100)).await;
    Err(Error::Down)
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_at_any_await_gives_everything_back() {
    // During the first attempt, during the delay after it, during the second attempt.
    for (millis, runs) in [(50, 1), (600, 1), (1_150, 2)] {
        RUNS.store(0, Ordering::Relaxed);
        let call = tokio::spawn(fails_slowly());
        tokio::task::yield_now().await;
        let mut left = millis;
        while left > 0 {
            advance(Duration::from_millis(left.min(50))).await;
            tokio::task::yield_now().await;
            left -= left.min(50);
        }
        call.abort();
        assert!(call.await.is_err_and(|error| error.is_cancelled()));
        assert_eq!(RUNS.load(Ordering::Relaxed), runs, "{millis}");
        advance(Duration::from_secs(60)).await;
        assert_eq!(RUNS.load(Ordering::Relaxed), runs, "nothing goes on");
    }
    let read = Registry::global().function(concat!(module_path!(), "::fails_slowly")).expect("bound");
    assert_eq!((read.outcome(Outcome::Cancelled), read.calls(), read.in_flight), (3, 3, 0));
    let breaker = Registry::global().breaker("dropped").expect("bound").snapshot();
    assert_eq!((breaker.neutral, breaker.probes), (2, 0), "a delay holds no permit");
}
