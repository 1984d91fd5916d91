//! A kept answer is served before the rate limit, the breaker and the bulkhead are used.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use resilient_runtime::error::LimitKind;
use resilient_runtime::statistics::Rejected;
use resilient_runtime::{Outcome, Registry, ResilienceError, resilient};
use tokio::time::sleep;

use super::upstream::{Does, TAKES, Upstream, answer, spawn, until};
use crate::error::Error;

const EXPIRED: Duration = Duration::from_secs(12);

#[resilient(
    cache(fresh = "10s", key = number),
    rate_limit(rate = "1/1h", burst = 2),
    name = "order.limited"
)]
async fn limited(upstream: &Upstream, number: u32) -> Result<String, Error> {
    upstream.request(number).await
}

#[resilient(
    cache(fresh = "10s", key = number),
    breaker(name = "order.breaker", failures = 1, open = "1h"),
    name = "order.broken"
)]
async fn broken(upstream: &Upstream, number: u32) -> Result<String, Error> {
    upstream.request(number).await
}

#[resilient(cache(fresh = "10s", key = number), bulkhead(max = 1), name = "order.crowded")]
async fn crowded(upstream: Arc<Upstream>, number: u32) -> Result<String, Error> {
    upstream.request(number).await
}

#[tokio::test(start_paused = true)]
async fn a_hit_uses_up_nothing_of_the_rate_limit() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    registry
        .clone()
        .scope(async {
            for _ in 0..100 {
                assert_eq!(limited(&upstream, 1).await, Ok(answer(1, 1)));
            }
            assert_eq!(limited(&upstream, 2).await, Ok(answer(2, 2)), "the second token");
            let Err(Error::Resilience(error)) = limited(&upstream, 3).await else { panic!("no token is left") };
            assert!(matches!(error, ResilienceError::Overloaded { limit: LimitKind::RateLimit, .. }), "{error:?}");
            assert_eq!(limited(&upstream, 2).await, Ok(answer(2, 2)), "what is kept needs none");
            sleep(EXPIRED).await;
            assert!(limited(&upstream, 1).await.is_err());
        })
        .await;
    let read = registry.function("order.limited").expect("bound");
    assert_eq!((read.rejected(Rejected::RateLimit), read.attempts, read.outcome(Outcome::Ok)), (2, 2, 102));
}

#[tokio::test(start_paused = true)]
async fn a_hit_is_served_while_the_breaker_is_open_and_is_no_success_for_it() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    registry
        .clone()
        .scope(async {
            assert_eq!(broken(&upstream, 1).await, Ok(answer(1, 1)));
            upstream.does(Does::Fail(Error::Down));
            assert_eq!(broken(&upstream, 2).await, Err(Error::Down));
            for _ in 0..10 {
                assert_eq!(broken(&upstream, 1).await, Ok(answer(1, 1)));
            }
            let rejected = broken(&upstream, 2).await;
            assert!(matches!(rejected, Err(Error::Resilience(ResilienceError::CircuitOpen { .. }))), "{rejected:?}");
            sleep(EXPIRED).await;
            assert!(broken(&upstream, 1).await.is_err());
        })
        .await;
    let breaker = registry.breaker("order.breaker").expect("bound").snapshot();
    assert_eq!((breaker.successes, breaker.failures, breaker.rejected), (1, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn calls_that_the_breaker_rejects_share_nothing_and_end_at_once() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    upstream.does(Does::Fail(Error::Down));
    assert_eq!(registry.clone().scope(broken(&upstream, 1)).await, Err(Error::Down));
    let results = registry.clone().scope(join_all((0..20).map(|_| broken(&upstream, 1)))).await;
    for result in results {
        assert!(matches!(result, Err(Error::Resilience(ResilienceError::CircuitOpen { .. }))), "{result:?}");
    }
    let read = registry.function("order.broken").expect("bound");
    assert_eq!((read.outcome(Outcome::Rejected), read.in_flight, upstream.requests()), (20, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_follower_needs_no_permit_and_a_hit_none_either() {
    let (registry, upstream) = (Arc::new(Registry::new()), Arc::new(Upstream::default()));
    let call = |number| spawn(&registry, crowded(Arc::clone(&upstream), number));
    let mut calls: Vec<_> = (0..20).map(|_| call(1)).collect();
    until(|| registry.function("order.crowded").is_some_and(|read| read.in_flight == 20)).await;
    let other = call(2).await.expect("no panic");
    assert!(
        matches!(other, Err(Error::Resilience(ResilienceError::Overloaded { limit: LimitKind::Bulkhead, .. }))),
        "the leader has the only permit: {other:?}"
    );
    for call in calls.drain(..) {
        assert_eq!(call.await.expect("no panic"), Ok(answer(1, 1)));
    }
    let running = call(2);
    until(|| upstream.running() == 1).await;
    assert_eq!(call(1).await.expect("no panic"), Ok(answer(1, 1)), "while another key has the permit");
    sleep(2 * TAKES).await;
    assert_eq!(running.await.expect("no panic"), Ok(answer(2, 2)));
    let read = registry.function("order.crowded").expect("bound");
    assert_eq!((read.rejected(Rejected::Bulkhead), read.attempts), (1, 2));
}
