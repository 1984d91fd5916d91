//! A request that concurrent calls share is one request for the calls around them too.

use std::sync::Arc;

use futures_util::future::join_all;
use resilient_runtime::breaker::BreakerState;
use resilient_runtime::{Registry, resilient};

use super::upstream::{Does, Upstream};
use crate::error::Error;

#[resilient(cache(fresh = "10s", key = 1), breaker(name = "shared.shop", failures = 5), name = "shared.inner")]
async fn inner(upstream: &Upstream) -> Result<String, Error> {
    upstream.request(1).await
}

#[resilient(breaker(name = "shared.shop", failures = 5), name = "shared.outer")]
async fn outer(upstream: &Upstream) -> Result<String, Error> {
    inner(upstream).await
}

/// Has the breaker in a call within it.
#[resilient(cache(fresh = "10s", key = 1), name = "shared.wrapped")]
async fn wrapped(upstream: &Upstream) -> Result<String, Error> {
    requests(upstream).await
}

#[resilient(breaker(name = "shared.deep", failures = 5), name = "shared.requests")]
async fn requests(upstream: &Upstream) -> Result<String, Error> {
    upstream.request(1).await
}

#[resilient(breaker(name = "shared.deep", failures = 5), name = "shared.around")]
async fn around(upstream: &Upstream) -> Result<String, Error> {
    wrapped(upstream).await
}

#[resilient(
    cache(fresh = "10s", key = 1),
    retry(max = 2, base = "100ms", jitter = off, budget = none),
    name = "shared.retried"
)]
async fn retried(upstream: &Upstream) -> Result<String, Error> {
    upstream.request(1).await
}

#[resilient(retry(max = 2, base = "100ms", jitter = off, budget = none), read_only, name = "shared.retries")]
async fn retries(upstream: &Upstream) -> Result<String, Error> {
    retried(upstream).await
}

#[tokio::test(start_paused = true)]
async fn a_shared_failure_counts_once_at_the_breaker_of_the_calls_around_it() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    upstream.does(Does::Fail(Error::Down));
    registry.clone().scope(join_all((0..10).map(|_| outer(&upstream)))).await;
    registry.clone().scope(join_all((0..10).map(|_| around(&upstream)))).await;
    assert_eq!(upstream.requests(), 2);
    for name in ["shared.shop", "shared.deep"] {
        let breaker = registry.breaker(name).expect("known").snapshot();
        assert_eq!((breaker.state, breaker.failures_in_a_row), (BreakerState::Closed, 1), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shared_failure_that_was_retried_is_not_retried_by_the_calls_around_it() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    upstream.does(Does::Fail(Error::Down));
    let answers = registry.scope(join_all((0..10).map(|_| retries(&upstream)))).await;
    assert_eq!(answers, vec![Err(Error::Down); 10]);
    assert_eq!(upstream.requests(), 3, "one attempt and two retries");
}
