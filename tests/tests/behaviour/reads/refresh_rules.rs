//! When a stale answer is not refreshed, and what a refresh may remove.

use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::{Registry, resilient};
use tokio::time::sleep;

use super::upstream::{Does, TAKES, Upstream, answer, settle};
use crate::error::Error;

/// An age at which an answer is stale, but still served.
const STALE: Duration = Duration::from_secs(20);

#[resilient(
    cache(fresh = "10s", stale_while_revalidate = "1h", key = number),
    breaker(name = "refresh.breaker", failures = 2, open = "1m", successes = 1),
    name = "rules.guarded"
)]
async fn guarded(upstream: Arc<Upstream>, number: u32) -> Result<String, Error> {
    upstream.request(number).await
}

#[resilient(
    cache(fresh = "10s", stale_while_revalidate = "60s", stale_if_error = "1h", key = number),
    fallback = cached,
    name = "rules.gone"
)]
async fn gone(upstream: Arc<Upstream>, number: u32) -> Result<String, Error> {
    upstream.request(number).await
}

/// Has an item in its body with another `Self`.
#[resilient(cache(fresh = "10s", stale_while_revalidate = "1h", key = number), name = "rules.items")]
async fn with_items(number: u32) -> Result<u32, Error> {
    struct Sum(u32, Option<Box<Self>>);
    impl Sum {
        const fn of(number: u32) -> Self {
            Self(number, None)
        }
    }
    let Sum(sum, rest) = Sum::of(number);
    Ok(sum + rest.map_or(0, |rest| rest.0))
}

#[tokio::test(start_paused = true)]
async fn a_function_with_items_in_its_body_is_refreshed() {
    let registry = Arc::new(Registry::new());
    for _ in 0..3 {
        assert_eq!(registry.clone().scope(with_items(7)).await, Ok(7));
        sleep(STALE).await;
    }
}

/// Its refresh calls another read of the same service.
#[resilient(cache(fresh = "10s", stale_while_revalidate = "1h", key = number), name = "rules.outer")]
async fn outer(upstream: Arc<Upstream>, number: u32) -> Result<String, Error> {
    Ok(format!("outer {}", gone(upstream, number).await?))
}

#[tokio::test(start_paused = true)]
async fn no_refresh_runs_while_the_breaker_admits_none() {
    let (registry, upstream) = (Arc::new(Registry::new()), Arc::new(Upstream::default()));
    let call = || registry.clone().scope(guarded(Arc::clone(&upstream), 1));
    assert_eq!(call().await, Ok(answer(1, 1)));
    sleep(STALE).await;
    let breaker = registry.breaker("refresh.breaker").expect("bound");
    breaker.isolate();
    for _ in 0..5 {
        assert_eq!(call().await, Ok(answer(1, 1)), "the kept answer needs no breaker");
        sleep(TAKES).await;
    }
    assert_eq!((upstream.requests(), breaker.snapshot().rejected), (1, 0), "none was begun");
    breaker.close();
    assert_eq!(call().await, Ok(answer(1, 1)));
    sleep(2 * TAKES).await;
    assert_eq!((call().await, upstream.requests()), (Ok(answer(1, 2)), 2));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_is_an_attempt_for_the_breaker() {
    let (registry, upstream) = (Arc::new(Registry::new()), Arc::new(Upstream::default()));
    let call = || registry.clone().scope(guarded(Arc::clone(&upstream), 1));
    assert_eq!(call().await, Ok(answer(1, 1)));
    sleep(STALE).await;
    upstream.does(Does::Fail(Error::Down));
    for _ in 0..6 {
        assert_eq!(call().await, Ok(answer(1, 1)));
        sleep(2 * TAKES).await;
    }
    assert_eq!(upstream.requests(), 3, "the second failure opened the breaker");
    assert_eq!(registry.breaker("refresh.breaker").expect("bound").snapshot().state.as_str(), "open");
    sleep(Duration::from_secs(60)).await;
    upstream.does(Does::Answer);
    assert_eq!(call().await, Ok(answer(1, 1)));
    sleep(2 * TAKES).await;
    assert_eq!(call().await, Ok(answer(1, 4)), "the refresh was the probe");
    assert_eq!(registry.breaker("refresh.breaker").expect("bound").snapshot().state.as_str(), "closed");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_finds_nothing_removes_the_kept_answer() {
    let (registry, upstream) = (Arc::new(Registry::new()), Arc::new(Upstream::default()));
    let call = |number| registry.clone().scope(gone(Arc::clone(&upstream), number));
    assert_eq!((call(1).await, call(2).await), (Ok(answer(1, 1)), Ok(answer(2, 2))));
    sleep(STALE).await;
    upstream.does(Does::Fail(Error::NotFound(1)));
    assert_eq!(call(1).await, Ok(answer(1, 1)));
    sleep(2 * TAKES).await;
    upstream.does(Does::Fail(Error::Down));
    assert_eq!(call(1).await, Err(Error::Down), "neither as a stale answer nor after an error");
    assert_eq!(call(2).await, Ok(answer(2, 2)));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_does_not_begin_for_a_call_that_is_never_polled() {
    let (registry, upstream) = (Arc::new(Registry::new()), Arc::new(Upstream::default()));
    let call = || registry.clone().scope(guarded(Arc::clone(&upstream), 1));
    call().await.expect("an answer");
    sleep(STALE).await;
    drop(call());
    settle().await;
    assert_eq!(upstream.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn reads_within_a_refresh_have_their_own_caches() {
    let (registry, upstream) = (Arc::new(Registry::new()), Arc::new(Upstream::default()));
    let call = || registry.clone().scope(outer(Arc::clone(&upstream), 1));
    let outer = |request| Ok(format!("outer {}", answer(1, request)));
    assert_eq!(call().await, outer(1));
    sleep(STALE).await;
    // Both are stale: the refresh of the outer read gets the stale answer of the inner one, which is refreshed too.
    assert_eq!(call().await, outer(1));
    sleep(STALE).await;
    assert_eq!(upstream.requests(), 2);
    assert_eq!(call().await, outer(1));
    sleep(TAKES).await;
    assert_eq!(call().await, outer(2));
}
