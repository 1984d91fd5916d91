//! Reads within reads: no run of a body waits for itself, directly or through others.

use std::sync::Arc;

use futures_util::future::join_all;
use resilient_runtime::{Registry, resilient};
use tokio::time::{Instant, sleep};

use super::upstream::{Does, TAKES, Upstream, answer};
use crate::error::Error;

#[resilient(cache(fresh = "10s", key = 1), timeout = "30s", name = "waits.itself")]
async fn itself(upstream: &Upstream, depth: u32) -> Result<String, Error> {
    let own = upstream.request(depth).await?;
    if depth == 0 { Ok(own) } else { Box::pin(itself(upstream, depth - 1)).await }
}

#[resilient(cache(fresh = "10s", key = 1), timeout = "30s", name = "waits.ping")]
async fn ping(upstream: &Upstream, depth: u32) -> Result<String, Error> {
    sleep(TAKES).await;
    if depth == 0 { upstream.request(0).await } else { Box::pin(pong(upstream, depth - 1)).await }
}

#[resilient(cache(fresh = "10s", key = 1), timeout = "30s", name = "waits.pong")]
async fn pong(upstream: &Upstream, depth: u32) -> Result<String, Error> {
    sleep(TAKES).await;
    if depth == 0 { upstream.request(1).await } else { Box::pin(ping(upstream, depth - 1)).await }
}

/// Calls a read of many callers at a time.
#[resilient(cache(fresh = "10s", key = number), timeout = "30s", name = "waits.outer")]
async fn outer(upstream: &Upstream, number: u32) -> Result<String, Error> {
    let _ = number;
    inner(upstream).await
}

#[resilient(cache(fresh = "10s", key = 1), timeout = "30s", name = "waits.inner")]
async fn inner(upstream: &Upstream) -> Result<String, Error> {
    upstream.request(1).await
}

#[tokio::test(start_paused = true)]
async fn a_read_that_calls_itself_with_its_own_key_runs_the_body() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    let started = Instant::now();
    assert_eq!(registry.scope(itself(&upstream, 3)).await, Ok(answer(0, 4)));
    assert_eq!(started.elapsed(), 4 * TAKES);
}

#[tokio::test(start_paused = true)]
async fn two_reads_that_call_each_other_do_not_wait_for_each_other() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    let started = Instant::now();
    let calls = async { tokio::join!(ping(&upstream, 1), pong(&upstream, 1)) };
    let answers = registry.clone().scope(calls).await;
    assert!(answers.0.is_ok() && answers.1.is_ok(), "{answers:?}");
    assert!(started.elapsed() <= 6 * TAKES, "{:?}", started.elapsed());
    for name in ["waits.ping", "waits.pong"] {
        assert_eq!(registry.function(name).expect("bound").in_flight, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn reads_with_different_keys_share_the_read_within_them() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    let started = Instant::now();
    let answers = registry.scope(join_all((0..20).map(|call| outer(&upstream, call % 5)))).await;
    assert_eq!(answers, vec![Ok(answer(1, 1)); 20]);
    assert_eq!((upstream.requests(), started.elapsed()), (1, TAKES));
}

/// A probe with two calls of one read inside it.
#[resilient(breaker(name = "waits.shop", failures = 1, open = "1s", probes = 1), timeout = "30s", name = "waits.probe")]
async fn probe(upstream: &Upstream) -> Result<String, Error> {
    let late = async {
        sleep(TAKES / 200).await;
        of_shop(upstream).await
    };
    let (sibling, late) = tokio::join!(sibling(upstream), late);
    sibling.and(late)
}

#[resilient(
    breaker(name = "waits.shop", failures = 1, open = "1s", probes = 1),
    timeout = "30s",
    name = "waits.sibling"
)]
async fn sibling(upstream: &Upstream) -> Result<String, Error> {
    sleep(TAKES / 100).await;
    of_shop(upstream).await
}

#[resilient(
    cache(fresh = "10s", key = 1),
    breaker(name = "waits.shop", failures = 1, open = "1s", probes = 1),
    timeout = "30s",
    name = "waits.of_shop"
)]
async fn of_shop(upstream: &Upstream) -> Result<String, Error> {
    upstream.request(1).await
}

#[tokio::test(start_paused = true)]
async fn a_read_inside_an_attempt_with_the_permit_of_a_probe_waits_for_no_other_read() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    upstream.does(Does::Fail(Error::Down));
    assert_eq!(registry.clone().scope(of_shop(&upstream)).await, Err(Error::Down));
    upstream.does(Does::Answer);
    sleep(2 * TAKES).await;
    let started = Instant::now();
    assert!(registry.scope(probe(&upstream)).await.is_ok());
    assert!(started.elapsed() < 5 * TAKES, "{:?}", started.elapsed());
}
