//! The bulkhead: how many calls run at a time, and that every permit is returned.

mod queue;
mod sharing;
mod with_breaker;
mod with_retry;

use std::time::Duration;

use resilient_runtime::error::{LimitKind, TimeoutScope};
use resilient_runtime::statistics::{Rejected, ToolSnapshot};
use resilient_runtime::{Bulkhead, Outcome, Registry, ResilienceError, resilient};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep};

use crate::error::Error;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Spawns a future and runs it until it waits.
async fn begin<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    let task = tokio::spawn(future);
    yield_now().await;
    task
}

fn is_full<T>(answer: &Result<T, Error>) -> bool {
    match answer {
        Err(Error::Resilience(ResilienceError::Overloaded { limit, retry_after, .. })) => {
            assert_eq!((*limit, *retry_after), (LimitKind::Bulkhead, None));
            true
        }
        _ => false,
    }
}

fn timed_out(answer: &Result<(), Error>) -> Option<TimeoutScope> {
    match answer {
        Err(Error::Resilience(ResilienceError::Timeout { scope, .. })) => Some(*scope),
        _ => None,
    }
}

fn counted(name: &str) -> ToolSnapshot {
    Registry::global().function(name).expect("bound")
}

/// Asserts that no call runs or waits.
fn assert_empty(name: &str) {
    let read = counted(name);
    assert_eq!((read.in_flight, read.waiting), (0, 0), "{name}");
}

#[resilient(bulkhead = 2, name = "two-at-a-time")]
async fn two_at_a_time(time: Duration) -> Result<(), Error> {
    sleep(time).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn at_most_max_run_at_a_time_and_without_a_queue_the_rest_is_rejected_at_once() {
    let running = [begin(two_at_a_time(s(1))).await, begin(two_at_a_time(s(1))).await];
    let started = Instant::now();
    assert!(is_full(&two_at_a_time(s(1)).await));
    assert_eq!(started.elapsed(), Duration::ZERO);
    for task in running {
        assert_eq!(task.await.expect("no panic"), Ok(()));
    }
    assert_eq!(two_at_a_time(s(1)).await, Ok(()), "the slots are free again");
    let read = counted("two-at-a-time");
    assert_eq!((read.attempts, read.outcome(Outcome::Rejected), read.rejected(Rejected::Bulkhead)), (3, 1, 1));
    assert_empty("two-at-a-time");
}

#[resilient(bulkhead = 1, timeout = "2s", name = "gives-back")]
async fn gives_back(what: &'static str) -> Result<(), Error> {
    match what {
        "panics" => panic!("on purpose"),
        "panics later" => {
            yield_now().await;
            panic!("on purpose")
        }
        "fails" => Err(Error::Down),
        "hangs" => std::future::pending().await,
        _ => Ok(()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_given_back_after_an_error_a_panic_a_timeout_and_a_dropped_call() {
    for what in ["fails", "panics", "panics later", "hangs"] {
        assert!(gives_back(what).await.is_err());
        assert_eq!(gives_back("is well").await, Ok(()), "after one that {what}");
    }
    let dropped = begin(gives_back("hangs")).await;
    assert!(is_full(&gives_back("is well").await));
    dropped.abort();
    assert!(dropped.await.is_err());
    assert_eq!(gives_back("is well").await, Ok(()), "after one that was dropped");
    assert_empty("gives-back");
}

#[tokio::test(start_paused = true)]
async fn in_plain_code_a_permit_is_a_slot_until_it_is_dropped() {
    static PLAIN: Bulkhead = Bulkhead::new(1).queue(1).wait(s(2));
    let permit = PLAIN.acquire().await.expect("a slot");
    let started = Instant::now();
    let waiting = begin(PLAIN.call(async { Ok::<_, ResilienceError>(7) })).await;
    assert_eq!((PLAIN.running(), PLAIN.waiting()), (1, 1));
    assert!(PLAIN.acquire().await.is_err_and(|error| error.to_string() == "the bulkhead is full"));
    assert_eq!(started.elapsed(), Duration::ZERO);
    drop(permit);
    assert_eq!(waiting.await.expect("no panic"), Ok(7));

    let permit = PLAIN.acquire().await.expect("a slot");
    let started = Instant::now();
    assert!(PLAIN.acquire().await.is_err());
    assert_eq!(started.elapsed(), s(2));
    let gives_up = begin(async { PLAIN.acquire().await.map(drop) }).await;
    assert_eq!(PLAIN.waiting(), 1);
    gives_up.abort();
    assert!(gives_up.await.is_err());
    assert_eq!(PLAIN.waiting(), 0);
    drop(permit);
    assert_eq!((PLAIN.running(), PLAIN.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn in_plain_code_a_panic_gives_the_slot_back() {
    static PLAIN: Bulkhead = Bulkhead::new(1);
    let panicked = begin(PLAIN.call(async { panic!("on purpose") as Result<(), ResilienceError> })).await;
    assert!(panicked.await.is_err_and(|error| error.is_panic()));
    assert_eq!(PLAIN.running(), 0);
}
