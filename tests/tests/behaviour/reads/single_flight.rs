//! Concurrent calls of one read are one request to the service behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use resilient_runtime::{Outcome, Registry, resilient};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use super::upstream::{Does, TAKES, Upstream, answer, settle, spawn, until};
use crate::error::Error;

/// The number of the caller whose body runs.
static LEADER: AtomicU32 = AtomicU32::new(0);

#[resilient(cache(fresh = "10s", key = number), name = "flight.slow")]
async fn slow(upstream: &Upstream, number: u32) -> Result<String, Error> {
    upstream.request(number).await
}

/// Records which caller leads.
#[resilient(cache(fresh = "10s", key = 1), name = "flight.led")]
async fn led(upstream: Arc<Upstream>, caller: u32) -> Result<String, Error> {
    LEADER.store(caller, Ordering::Relaxed);
    upstream.request(caller).await
}

#[resilient(
    cache(fresh = "10s", key = number),
    retry(max = 2, base = "100ms", jitter = off, budget = none),
    name = "flight.retried"
)]
async fn retried(upstream: &Upstream, number: u32) -> Result<String, Error> {
    upstream.request(number).await
}

/// Its key is its arguments.
#[resilient(cache(fresh = "10s"), name = "flight.by_arguments")]
async fn by_arguments(number: u32, text: String) -> Result<String, Error> {
    RUNS_BY_ARGUMENTS.fetch_add(1, Ordering::Relaxed);
    sleep(TAKES).await;
    Ok(format!("{number}{text}"))
}

static RUNS_BY_ARGUMENTS: AtomicU32 = AtomicU32::new(0);

/// Waits until a test lets it end.
#[resilient(cache(fresh = "1h", key = 1), name = "flight.gated")]
async fn gated(gate: Arc<Semaphore>, runs: Arc<AtomicU32>) -> Result<u32, Error> {
    let run = runs.fetch_add(1, Ordering::Relaxed) + 1;
    gate.acquire().await.expect("open").forget();
    Ok(run)
}

#[tokio::test(start_paused = true)]
async fn two_hundred_concurrent_calls_of_a_slow_read_are_one_request() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    let started = Instant::now();
    let answers = registry.clone().scope(join_all((0..200).map(|_| slow(&upstream, 7)))).await;
    assert_eq!(answers, vec![Ok(answer(7, 1)); 200]);
    assert_eq!((upstream.requests(), started.elapsed()), (1, TAKES));
    let read = registry.function("flight.slow").expect("bound");
    assert_eq!((read.outcome(Outcome::Ok), read.calls(), read.attempts, read.in_flight), (200, 200, 1, 0));
}

#[test]
fn two_hundred_calls_on_four_threads_are_one_request() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build();
    runtime.expect("a runtime").block_on(async {
        let registry = Arc::new(Registry::new());
        let (gate, runs) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicU32::new(0)));
        let call = |_| spawn(&registry, gated(Arc::clone(&gate), Arc::clone(&runs)));
        let calls: Vec<_> = (0..200).map(call).collect();
        until(|| registry.function("flight.gated").is_some_and(|read| read.in_flight == 200)).await;
        gate.add_permits(200);
        for call in calls {
            assert_eq!(call.await.expect("no panic"), Ok(1));
        }
        assert_eq!(runs.load(Ordering::Relaxed), 1);
    });
}

#[tokio::test(start_paused = true)]
async fn calls_with_other_keys_or_in_another_registry_are_separate_requests() {
    let upstream = Upstream::default();
    let both = |registry: Arc<Registry>| {
        let calls = [slow(&upstream, 1), slow(&upstream, 2), slow(&upstream, 1)];
        registry.scope(join_all(calls))
    };
    let (one, other) = tokio::join!(both(Arc::new(Registry::new())), both(Arc::new(Registry::new())));
    assert_eq!(one, [Ok(answer(1, 1)), Ok(answer(2, 2)), Ok(answer(1, 1))]);
    assert_eq!(other, [Ok(answer(1, 3)), Ok(answer(2, 4)), Ok(answer(1, 3))]);
    assert_eq!((upstream.requests(), upstream.most_at_once()), (4, 4));
}

#[tokio::test(start_paused = true)]
async fn without_a_key_the_arguments_are_the_key() {
    let registry = Arc::new(Registry::new());
    let call = |number, text: &str| by_arguments(number, text.to_owned());
    let calls = join_all([call(1, "a"), call(1, "a"), call(1, "b"), call(2, "a"), call(1, "a")]);
    let answers = registry.scope(calls).await;
    assert_eq!(answers, ["1a", "1a", "1b", "2a", "1a"].map(|text| Ok(text.to_owned())));
    assert_eq!(RUNS_BY_ARGUMENTS.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn each_leader_that_is_cancelled_costs_one_more_request_and_no_caller_its_answer() {
    let registry = Arc::new(Registry::new());
    let upstream = Arc::new(Upstream::default());
    let mut calls: Vec<_> = (0..200).map(|caller| Some(spawn(&registry, led(Arc::clone(&upstream), caller)))).collect();
    until(|| registry.function("flight.led").is_some_and(|read| read.in_flight == 200)).await;
    for cancelled in 1..=3 {
        until(|| upstream.requests() == cancelled).await;
        sleep(TAKES / 2).await;
        assert_eq!((upstream.requests(), upstream.running()), (cancelled, 1), "one leader at a time");
        let leader = usize::try_from(LEADER.load(Ordering::Relaxed)).expect("small");
        let call = calls[leader].take().expect("a call that still runs");
        call.abort();
        assert!(call.await.is_err_and(|error| error.is_cancelled()));
    }
    until(|| upstream.requests() == 4).await;
    let started = Instant::now();
    let expected = Ok(answer(LEADER.load(Ordering::Relaxed), 4));
    for call in calls.into_iter().flatten() {
        assert_eq!(call.await.expect("no panic"), expected);
    }
    assert_eq!((started.elapsed(), upstream.requests(), upstream.most_at_once()), (TAKES, 4, 1));
    let read = registry.function("flight.led").expect("bound");
    assert_eq!((read.outcome(Outcome::Cancelled), read.outcome(Outcome::Ok), read.in_flight), (3, 197, 0));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_follower_changes_nothing_for_the_others() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    let (first, second, last) = registry
        .clone()
        .scope(async {
            let first = slow(&upstream, 1);
            let second = tokio::time::timeout(TAKES / 2, slow(&upstream, 1));
            tokio::join!(first, second, slow(&upstream, 1))
        })
        .await;
    assert_eq!((first, second.is_err(), last), (Ok(answer(1, 1)), true, Ok(answer(1, 1))));
    assert_eq!(upstream.requests(), 1);
    let read = registry.function("flight.slow").expect("bound");
    assert_eq!((read.outcome(Outcome::Ok), read.outcome(Outcome::Cancelled), read.in_flight), (2, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cancelled_with_all_of_its_followers_leaves_no_flight_behind() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    let calls = registry.clone().scope(join_all((0..20).map(|_| slow(&upstream, 1))));
    assert!(tokio::time::timeout(TAKES / 2, calls).await.is_err());
    assert_eq!(upstream.running(), 0, "nothing runs for callers that have left");
    let started = Instant::now();
    assert_eq!(registry.clone().scope(slow(&upstream, 1)).await, Ok(answer(1, 2)));
    assert_eq!(started.elapsed(), TAKES);
    assert_eq!(registry.function("flight.slow").expect("bound").in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn the_retries_of_a_leader_are_not_those_of_its_followers() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    upstream.does(Does::Fail(Error::Down));
    let answers = registry.clone().scope(join_all((0..50).map(|_| retried(&upstream, 1)))).await;
    assert_eq!(answers, vec![Err(Error::Down); 50]);
    assert_eq!(upstream.requests(), 3, "one attempt and two retries");
    let read = registry.function("flight.retried").expect("bound");
    assert_eq!((read.attempts, read.retries, read.outcome(Outcome::Error)), (3, 2, 50));
}

#[tokio::test(start_paused = true)]
async fn a_follower_gets_the_answer_of_a_retry_that_succeeds() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    upstream.does(Does::Fail(Error::Down));
    let recovers = async {
        sleep(TAKES + Duration::from_millis(50)).await;
        upstream.does(Does::Answer);
    };
    let calls = async { tokio::join!(join_all((0..50).map(|_| retried(&upstream, 1))), recovers).0 };
    assert_eq!(registry.scope(calls).await, vec![Ok(answer(1, 2)); 50]);
    assert_eq!(upstream.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_comes_last_of_all_gets_the_same_answer_as_a_hit_after_it() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    let late = async {
        sleep(TAKES.saturating_sub(Duration::from_millis(1))).await;
        slow(&upstream, 1).await
    };
    let started = Instant::now();
    let (first, late) = registry.clone().scope(async { tokio::join!(slow(&upstream, 1), late) }).await;
    assert_eq!((first, late, started.elapsed()), (Ok(answer(1, 1)), Ok(answer(1, 1)), TAKES));
    settle().await;
    let started = Instant::now();
    assert_eq!(registry.scope(slow(&upstream, 1)).await, Ok(answer(1, 1)));
    assert_eq!((started.elapsed(), upstream.requests()), (Duration::ZERO, 1));
}
