//! The statistics of a call, for every outcome.

use std::time::Duration;

use resilient_runtime::{Outcome, Registry, resilient};

use super::error::Error;

#[resilient(name = "counted", timeout = "1s", retry(max = 1, base = "1ms", jitter = off), read_only)]
async fn counted(what: u32) -> Result<(), Error> {
    match what {
        0 => Ok(()),
        1 => Err(Error::NotFound(1)),
        2 => panic!("on purpose"),
        3 => std::future::pending().await,
        _ => Err(Error::Down),
    }
}

#[tokio::test(start_paused = true)]
async fn every_call_has_one_outcome_and_its_duration_is_counted() {
    for what in [0, 0, 0, 1, 2, 3, 4] {
        let _ = counted(what).await;
    }
    drop(counted(0));
    let read = Registry::global().function("counted").expect("bound");
    let outcomes = [Outcome::Ok, Outcome::Error, Outcome::Panic, Outcome::Timeout].map(|outcome| read.outcome(outcome));
    assert_eq!(outcomes, [3, 2, 1, 1]);
    assert_eq!((read.calls(), read.in_flight), (7, 0), "a call that was never polled is none");
    assert_eq!(read.durations().count(), 7);
    // Two attempts each of the call that hangs and of the call that fails.
    assert_eq!((read.attempts, read.retries), (9, 2));
    assert!(read.durations().sum >= Duration::from_secs(1));
}
