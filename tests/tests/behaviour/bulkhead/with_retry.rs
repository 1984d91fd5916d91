//! Bulkhead and retry, bulkhead and fallback.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::statistics::Rejected;
use resilient_runtime::{Outcome, resilient};
use tokio::task::yield_now;
use tokio::time::{Instant, advance, sleep};

use super::{assert_empty, begin, counted, s};
use crate::error::Error;

static RETRY_ORDER: Mutex<Vec<&str>> = Mutex::new(Vec::new());

#[resilient(bulkhead(max = 1, queue = 5), retry(max = 1, base = "1s", jitter = off), read_only, name = "re-enters")]
async fn re_enters(who: &'static str, failures: &'static AtomicU32, time: Duration) -> Result<(), Error> {
    RETRY_ORDER.lock().expect("no panic").push(who);
    sleep(time).await;
    let fails = failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
    if fails { Err(Error::Down) } else { Ok(()) }
}

#[tokio::test(start_paused = true)]
async fn no_slot_is_held_in_a_delay_and_a_retry_joins_the_back_of_the_queue() {
    static ONE: AtomicU32 = AtomicU32::new(1);
    static NONE: AtomicU32 = AtomicU32::new(0);
    let first = begin(re_enters("first", &ONE, s(1))).await;
    let second = begin(re_enters("second", &NONE, s(2))).await;
    let third = begin(re_enters("third", &NONE, s(1))).await;
    advance(s(1)).await;
    yield_now().await;
    assert_eq!(*RETRY_ORDER.lock().expect("no panic"), ["first", "second"], "while the first is in its delay");
    for task in [first, second, third] {
        assert_eq!(task.await.expect("no panic"), Ok(()));
    }
    assert_eq!(*RETRY_ORDER.lock().expect("no panic"), ["first", "second", "third", "first"]);
    assert_empty("re-enters");
}

#[resilient(
    bulkhead(max = 1, name = "taken-in-the-delay"),
    retry(max = 1, base = "1s", jitter = off),
    read_only,
    name = "rejected-at-its-retry"
)]
async fn rejected_at_its_retry() -> Result<(), Error> {
    Err(Error::Down)
}

#[resilient(bulkhead(max = 1, name = "taken-in-the-delay"))]
async fn takes_it() -> Result<(), Error> {
    sleep(s(5)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_gets_no_slot_ends_with_the_last_error() {
    let call = begin(rejected_at_its_retry()).await;
    let takes_it = begin(takes_it()).await;
    assert_eq!(call.await.expect("no panic"), Err(Error::Down));
    let read = counted("rejected-at-its-retry");
    assert_eq!((read.attempts, read.outcome(Outcome::Error), read.outcome(Outcome::Rejected)), (1, 1, 0));
    assert_eq!(read.rejected(Rejected::Bulkhead), 1);
    takes_it.abort();
}

#[resilient(
    bulkhead(max = 1, queue = 1, name = "held-past-the-deadline"),
    retry(max = 1, base = "1s", jitter = off),
    timeout = "4s",
    read_only
)]
async fn queues_at_its_retry() -> Result<(), Error> {
    Err(Error::Down)
}

#[resilient(bulkhead(max = 1, queue = 1, name = "held-past-the-deadline"))]
async fn holds_it() -> Result<(), Error> {
    sleep(s(20)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_deadline_in_the_queue_before_a_retry_ends_with_the_last_error() {
    let started = Instant::now();
    let call = begin(queues_at_its_retry()).await;
    let holds_it = begin(holds_it()).await;
    assert_eq!(call.await.expect("no panic"), Err(Error::Down));
    assert_eq!(started.elapsed(), s(4));
    holds_it.abort();
}

async fn never_asked(_error: &Error) -> Result<u32, Error> {
    panic!("a function only adds to the load")
}

#[resilient(bulkhead(max = 1), retry = 3, read_only, fallback = [never_asked, value(9)], name = "falls-back-when-full")]
async fn falls_back_when_full() -> Result<u32, Error> {
    sleep(s(1)).await;
    Ok(1)
}

#[tokio::test(start_paused = true)]
async fn a_full_bulkhead_is_not_retried_and_only_a_value_answers_for_it() {
    let running = begin(falls_back_when_full()).await;
    let started = Instant::now();
    assert_eq!(falls_back_when_full().await, Ok(9));
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(running.await.expect("no panic"), Ok(1));
    let read = counted("falls-back-when-full");
    assert_eq!((read.attempts, read.retries, read.outcome(Outcome::Fallback)), (1, 0, 1));
}
