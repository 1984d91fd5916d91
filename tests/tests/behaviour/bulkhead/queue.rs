//! The queue: its order, its limit, and the timeouts that it counts towards.

use std::sync::Mutex;
use std::time::Duration;

use resilient_runtime::error::TimeoutScope;
use resilient_runtime::statistics::Rejected;
use resilient_runtime::{Outcome, resilient};
use tokio::task::yield_now;
use tokio::time::{Instant, advance, sleep};

use super::{assert_empty, begin, counted, is_full, s, timed_out};
use crate::error::Error;

static ORDER: Mutex<Vec<u32>> = Mutex::new(Vec::new());

#[resilient(bulkhead(max = 1, queue = 4), name = "in-line")]
async fn in_line(number: u32) -> Result<(), Error> {
    ORDER.lock().expect("no panic").push(number);
    sleep(s(1)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_comes_first_runs_first_and_a_full_queue_rejects_at_once() {
    let mut tasks = Vec::new();
    for number in 0..5 {
        tasks.push(begin(in_line(number)).await);
    }
    let read = counted("in-line");
    assert_eq!((read.waiting, read.in_flight, read.attempts), (4, 5, 1));
    let started = Instant::now();
    assert!(is_full(&in_line(5).await));
    assert_eq!(started.elapsed(), Duration::ZERO);
    advance(s(1)).await;
    yield_now().await;
    tasks.push(begin(in_line(6)).await);
    for task in tasks {
        assert_eq!(task.await.expect("no panic"), Ok(()));
    }
    assert_eq!(*ORDER.lock().expect("no panic"), [0, 1, 2, 3, 4, 6]);
    assert_eq!(started.elapsed(), s(6));
    assert_empty("in-line");
}

#[resilient(bulkhead(max = 1, queue = 1), name = "place-of-the-next")]
async fn place_of_the_next(time: Duration) -> Result<(), Error> {
    sleep(time).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_was_given_a_slot_no_longer_takes_a_place_in_the_queue() {
    let first = begin(place_of_the_next(s(1))).await;
    let second = begin(place_of_the_next(s(1))).await;
    first.abort();
    assert!(first.await.is_err());
    // Before the second call has been polled again.
    let third = begin(place_of_the_next(s(1))).await;
    assert_eq!(second.await.expect("no panic"), Ok(()));
    assert_eq!(third.await.expect("no panic"), Ok(()));
}

#[resilient(bulkhead(max = 1, queue = 1, wait = "1s"), name = "waits-a-second")]
async fn waits_a_second(time: Duration) -> Result<(), Error> {
    sleep(time).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_has_waited_long_enough_is_rejected() {
    let running = begin(waits_a_second(s(5))).await;
    let started = Instant::now();
    assert!(is_full(&waits_a_second(s(1)).await));
    assert_eq!(started.elapsed(), s(1));
    running.abort();
    assert!(running.await.is_err());
    assert_empty("waits-a-second");
    assert_eq!(counted("waits-a-second").rejected(Rejected::Bulkhead), 1);
}

#[resilient(bulkhead(max = 1, queue = 1), timeout = "3s", name = "waits-to-the-end")]
async fn waits_to_the_end() -> Result<(), Error> {
    sleep(s(60)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn without_a_wait_one_waits_as_long_as_the_call_has_time() {
    let running = begin(waits_to_the_end()).await;
    advance(s(1)).await;
    let started = Instant::now();
    let waiting = begin(waits_to_the_end()).await;
    assert_eq!(timed_out(&running.await.expect("no panic")), Some(TimeoutScope::Call));
    // The permit arrived two seconds after the call had begun to wait, with one second left.
    assert_eq!(timed_out(&waiting.await.expect("no panic")), Some(TimeoutScope::Call));
    assert_eq!(started.elapsed(), s(3));
    assert_eq!((counted("waits-to-the-end").attempts, counted("waits-to-the-end").outcome(Outcome::Timeout)), (2, 2));
}

#[resilient(bulkhead(max = 1, queue = 1, name = "never-free"), timeout = "60s")]
async fn never_lets_go() -> Result<(), Error> {
    std::future::pending().await
}

#[resilient(bulkhead(max = 1, queue = 1, name = "never-free"), timeout = "3s", name = "never-begins")]
async fn never_begins() -> Result<(), Error> {
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_deadline_in_the_queue_is_a_timeout_of_a_call_that_never_ran() {
    let running = begin(never_lets_go()).await;
    let started = Instant::now();
    assert_eq!(timed_out(&never_begins().await), Some(TimeoutScope::Call));
    assert_eq!(started.elapsed(), s(3));
    let read = counted("never-begins");
    assert_eq!((read.attempts, read.outcome(Outcome::Timeout), read.rejected(Rejected::Bulkhead)), (0, 1, 0));
    assert_empty("never-begins");
    running.abort();
}

#[resilient(bulkhead(max = 1, queue = 1), name = "left")]
async fn left(time: Duration) -> Result<(), Error> {
    sleep(time).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_waiter_leaves_the_queue_and_its_place_is_used() {
    let running = begin(left(s(2))).await;
    let gives_up = begin(left(s(1))).await;
    assert!(is_full(&left(s(1)).await));
    gives_up.abort();
    assert!(gives_up.await.is_err());
    assert_eq!(counted("left").waiting, 0);
    let started = Instant::now();
    let in_its_place = begin(left(s(1))).await;
    assert_eq!(counted("left").waiting, 1);
    assert_eq!(in_its_place.await.expect("no panic"), Ok(()));
    assert_eq!(started.elapsed(), s(3), "nobody is in line before it any more");
    assert_eq!(running.await.expect("no panic"), Ok(()));
    assert_empty("left");
}

#[resilient(bulkhead(max = 1, queue = 1, name = "first-the-other"), timeout = "60s")]
async fn runs_for(time: Duration) -> Result<(), Error> {
    sleep(time).await;
    Ok(())
}

#[resilient(bulkhead(max = 1, queue = 1, name = "first-the-other"), timeout = "5s", attempt_timeout = "2s")]
async fn hangs_after_queueing() -> Result<(), Error> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn queueing_counts_for_the_timeout_and_not_for_the_attempts_own_limit() {
    for (queueing, scope, total) in [(s(2), TimeoutScope::Attempt, s(4)), (s(4), TimeoutScope::Call, s(5))] {
        let running = begin(runs_for(queueing)).await;
        let started = Instant::now();
        let answer = hangs_after_queueing().await;
        assert_eq!((timed_out(&answer), started.elapsed()), (Some(scope), total));
        assert_eq!(running.await.expect("no panic"), Ok(()));
    }
}
