//! Calls that share one run of the body keep their own deadlines.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use resilient_runtime::error::TimeoutScope;
use resilient_runtime::{Outcome, Registry, ResilienceError, resilient};
use tokio::time::{Instant, sleep, sleep_until};

use super::upstream::{Does, Upstream, answer};
use crate::error::Error;

const S: Duration = Duration::from_secs(1);

#[resilient(cache(fresh = "10s", key = 1), timeout = "30s", name = "deadlines.read")]
async fn read(upstream: &Upstream) -> Result<String, Error> {
    upstream.request(1).await
}

/// A read whose attempts are limited.
#[resilient(cache(fresh = "10s", key = 1), attempt_timeout = "2s", timeout = "30s", name = "deadlines.attempt")]
async fn limited(upstream: &Upstream) -> Result<String, Error> {
    upstream.request(1).await
}

/// Its deadline is that of the read that it calls, if the latter is later.
#[resilient(timeout = "2s", name = "deadlines.hurried")]
async fn hurried(upstream: &Upstream) -> Result<String, Error> {
    read(upstream).await
}

/// A read with a breaker, without a limit for its attempts.
#[resilient(cache(fresh = "10s", key = 1), breaker(failures = 1), timeout = "30s", name = "deadlines.counted")]
async fn counted(upstream: &Upstream) -> Result<String, Error> {
    upstream.request(1).await
}

#[resilient(timeout = "20s", name = "deadlines.counted_in_hurry")]
async fn counted_in_hurry(upstream: &Upstream) -> Result<String, Error> {
    counted(upstream).await
}

#[resilient(
    cache(fresh = "10s", key = 1),
    retry(max = 1, base = "1s", jitter = off, budget = none),
    timeout = "3s",
    name = "deadlines.retried"
)]
async fn retried(upstream: &Upstream) -> Result<String, Error> {
    upstream.request(1).await
}

#[resilient(timeout = "1500ms", name = "deadlines.retried_in_hurry")]
async fn retried_in_hurry(upstream: &Upstream) -> Result<String, Error> {
    retried(upstream).await
}

/// Returns the result of a call that begins after this time, and when it ended, both from the start of the test.
async fn after<T>(delay: Duration, start: Instant, call: impl Future<Output = T>) -> (T, Duration) {
    sleep_until(start + delay).await;
    (call.await, start.elapsed())
}

fn timeout(result: &Result<String, Error>) -> Option<TimeoutScope> {
    match result {
        Err(Error::Resilience(ResilienceError::Timeout { scope, .. })) => Some(*scope),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_leader_is_not_that_of_its_followers() {
    let (registry, upstream, start) = (Arc::new(Registry::new()), Upstream::default(), Instant::now());
    upstream.takes(10 * S);
    let calls = async {
        tokio::join!(
            after(Duration::ZERO, start, hurried(&upstream)),
            after(S, start, read(&upstream)),
            after(S, start, read(&upstream)),
        )
    };
    let ((leader, gave_up), one, other) = registry.clone().scope(Box::pin(calls)).await;
    assert_eq!((timeout(&leader), gave_up), (Some(TimeoutScope::Call), 2 * S), "{leader:?}");
    for follower in [one, other] {
        assert_eq!(follower, (Ok(answer(1, 2)), 12 * S), "one follower runs the body once the leader has given up");
    }
    assert_eq!((upstream.requests(), upstream.most_at_once()), (2, 1));
    let counted = registry.function("deadlines.read").expect("bound");
    assert_eq!((counted.outcome(Outcome::Timeout), counted.outcome(Outcome::Ok), counted.attempts), (1, 2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_follower_waits_no_longer_than_its_own_deadline() {
    let (registry, upstream, start) = (Arc::new(Registry::new()), Upstream::default(), Instant::now());
    upstream.takes(10 * S);
    let calls = async {
        tokio::join!(
            after(Duration::ZERO, start, read(&upstream)),
            after(S, start, hurried(&upstream)),
            after(5 * S, start, read(&upstream)),
        )
    };
    let (leader, (hurried, gave_up), patient) = registry.clone().scope(Box::pin(calls)).await;
    assert_eq!((timeout(&hurried), gave_up), (Some(TimeoutScope::Call), 3 * S), "{hurried:?}");
    assert_eq!((&leader, &patient), (&(Ok(answer(1, 1)), 10 * S), &leader));
    assert_eq!(upstream.requests(), 1);
    let counted = registry.function("deadlines.read").expect("bound");
    assert_eq!((counted.outcome(Outcome::Timeout), counted.attempts, counted.in_flight), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_becomes_the_leader_has_the_rest_of_its_own_time() {
    let (registry, upstream, start) = (Arc::new(Registry::new()), Upstream::default(), Instant::now());
    upstream.does(Does::Hang);
    let calls = [0, 10, 20].map(|seconds| after(seconds * S, start, read(&upstream)));
    let ended = registry.clone().scope(join_all(calls)).await;
    for ((result, at), expected) in ended.iter().zip([30, 40, 50]) {
        assert_eq!((timeout(result), *at), (Some(TimeoutScope::Call), expected * S), "{result:?}");
    }
    assert_eq!((upstream.requests(), upstream.most_at_once(), upstream.running()), (3, 1, 0));
    let counted = registry.function("deadlines.read").expect("bound");
    assert_eq!((counted.outcome(Outcome::Timeout), counted.in_flight), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_attempt_is_an_error_of_the_service_and_is_shared() {
    let (registry, upstream, start) = (Arc::new(Registry::new()), Upstream::default(), Instant::now());
    upstream.does(Does::Hang);
    let late = async {
        sleep(S).await;
        limited(&upstream).await
    };
    let calls = async { tokio::join!(join_all((0..20).map(|_| limited(&upstream))), late) };
    let (mut results, late) = registry.scope(calls).await;
    results.push(late);
    for result in results {
        assert_eq!(timeout(&result), Some(TimeoutScope::Attempt), "{result:?}");
    }
    assert_eq!((start.elapsed(), upstream.requests()), (2 * S, 1));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_after_the_wait_for_a_leader_says_nothing_about_the_service() {
    let (registry, upstream, start) = (Arc::new(Registry::new()), Upstream::default(), Instant::now());
    upstream.does(Does::Hang);
    let calls = async {
        tokio::join!(after(Duration::ZERO, start, counted_in_hurry(&upstream)), after(S, start, counted(&upstream)))
    };
    let (_, (follower, ended)) = registry.clone().scope(Box::pin(calls)).await;
    assert_eq!((timeout(&follower), ended), (Some(TimeoutScope::Call), 31 * S), "11 s of 30 are left for the body");
    let failures = || registry.breaker("deadlines.counted").expect("bound").snapshot().failures;
    assert_eq!((upstream.requests(), failures()), (2, 0));
    assert!(registry.clone().scope(counted(&upstream)).await.is_err());
    assert_eq!((upstream.requests(), failures()), (3, 1), "a call with all of its time");
}

#[tokio::test(start_paused = true)]
async fn an_error_that_its_leader_had_no_time_to_retry_is_for_those_without_time_as_well() {
    let (registry, upstream, start) = (Arc::new(Registry::new()), Upstream::default(), Instant::now());
    upstream.does(Does::Fail(Error::Down));
    let recovers = async {
        sleep(S / 2).await;
        upstream.does(Does::Answer);
    };
    let calls = async {
        tokio::join!(
            after(Duration::ZERO, start, retried_in_hurry(&upstream)),
            after(S / 5, start, retried_in_hurry(&upstream)),
            after(S / 5, start, retried(&upstream)),
            recovers,
        )
    };
    let (leader, hurried, patient, ()) = registry.clone().scope(Box::pin(calls)).await;
    assert_eq!((&leader, &hurried), (&(Err(Error::Down), S), &leader));
    assert_eq!((patient, upstream.requests()), ((Ok(answer(1, 2)), 2 * S), 2));
}
