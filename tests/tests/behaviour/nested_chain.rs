//! The chain of attempts around a call: which of them count, and how long the chain may be.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::{CallContext, Registry, resilient};
use tokio::time::{Instant, sleep};

use super::error::Error;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

#[resilient(bulkhead(max = 1, queue = 5, name = "over-an-end"), timeout = "5s")]
async fn last_of_three() -> Result<(), Error> {
    Ok(())
}

/// Ends at once. Its task continues within its attempt.
#[resilient(bulkhead(max = 1, queue = 5, name = "over-an-end"), timeout = "5s")]
async fn leaves_the_last() -> Result<tokio::task::JoinHandle<Result<(), Error>>, Error> {
    let context = CallContext::current().expect("it is guarded");
    Ok(tokio::spawn(context.instrument(async {
        sleep(Duration::from_secs(1)).await;
        last_of_three().await
    })))
}

#[resilient(bulkhead(max = 1, queue = 5, name = "over-an-end"), timeout = "5s")]
async fn waits_for_the_last() -> Result<(), Error> {
    let task = leaves_the_last().await?;
    task.await.expect("no panic")
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_has_ended_hides_none_of_those_around_it() {
    assert_eq!(Arc::new(Registry::new()).scope(waits_for_the_last()).await, Ok(()));
}

#[resilient(bulkhead(max = 1, queue = 5, name = "deep"), timeout = "5s")]
async fn calls_itself(deeper: u32) -> Result<u32, Error> {
    if deeper == 0 {
        return Ok(0);
    }
    Ok(boxed_call(deeper - 1).await? + 1)
}

fn boxed_call(deeper: u32) -> Boxed<Result<u32, Error>> {
    Box::pin(calls_itself(deeper))
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_lent_however_deep_the_calls_are() {
    let started = Instant::now();
    assert_eq!(Arc::new(Registry::new()).scope(calls_itself(100)).await, Ok(100));
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[resilient(bulkhead(max = 1, queue = 5, name = "generations"), timeout = "5s")]
async fn spawns_the_next(left: u32, done: tokio::sync::mpsc::Sender<()>) -> Result<(), Error> {
    if left > 0 {
        let context = CallContext::current().expect("it is guarded");
        tokio::spawn(context.instrument(boxed_next(left - 1, done)));
    }
    Ok(())
}

fn boxed_next(left: u32, done: tokio::sync::mpsc::Sender<()>) -> Boxed<Result<(), Error>> {
    Box::pin(spawns_the_next(left, done))
}

#[tokio::test(start_paused = true)]
async fn tasks_that_keep_spawning_tasks_end_one_after_the_other() {
    let (done, mut all) = tokio::sync::mpsc::channel(1);
    Arc::new(Registry::new()).scope(spawns_the_next(20_000, done)).await.expect("the first");
    assert_eq!(all.recv().await, None, "the last of them has dropped its end");
}

#[resilient(timeout = "10s", fallback = reads_its_deadline)]
async fn fails_at_once() -> Result<Duration, Error> {
    Err(Error::Down)
}

async fn reads_its_deadline(_: &Error) -> Result<Duration, Error> {
    let deadline = CallContext::current().and_then(|context| context.deadline());
    Ok(deadline.expect("a fallback has one").duration_since(Instant::now()))
}

#[resilient(timeout = "2s")]
async fn has_two_seconds() -> Result<Duration, Error> {
    sleep(Duration::from_secs(1)).await;
    fails_at_once().await
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_fallback_is_never_after_that_of_the_attempt_around_its_call() {
    assert_eq!(has_two_seconds().await, Ok(Duration::from_secs(1)));
    assert_eq!(fails_at_once().await, Ok(Duration::from_secs(5)), "what all fallbacks of a call have together");
}
