//! Errors and panics of a body that several calls wait for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use resilient_runtime::{Classify, ErrorKind, McpError, Outcome, Registry, ResilienceError, ToolError, resilient};
use tokio::time::{Instant, sleep};

use super::upstream::{Does, TAKES, Upstream, answer};
use crate::error::Error;

#[resilient(cache(fresh = "10s", key = 1), name = "errors.cloned")]
async fn cloned(upstream: &Upstream) -> Result<String, Error> {
    upstream.request(1).await
}

/// Has everything that a client sees of an error, and is not `Clone`.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "STOCK")]
enum Detailed {
    #[error("private {secret}")]
    #[mcp(kind = rate_limited, hint = "Order {item} elsewhere.", severity = critical, retryable = false)]
    TooFast {
        #[mcp(detail)]
        item: u32,
        #[mcp(retry_after)]
        wait: Duration,
        secret: String,
    },
    #[error("no item {0}")]
    #[mcp(kind = not_found)]
    Missing(u32),
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

#[resilient(cache(fresh = "10s", key = number), name = "errors.detailed")]
async fn detailed(runs: &AtomicU32, number: u32) -> Result<String, Detailed> {
    runs.fetch_add(1, Ordering::Relaxed);
    sleep(TAKES).await;
    Err(match number {
        0 => Detailed::Missing(0),
        _ => Detailed::TooFast { item: number, wait: Duration::from_secs(7), secret: "of the log".into() },
    })
}

async fn substitute(_: &Upstream, caller: u32, _: &Error) -> Result<String, Error> {
    Ok(format!("instead for {caller}"))
}

#[resilient(cache(fresh = "10s", key = 1), fallback = substitute, name = "errors.substituted")]
async fn substituted(upstream: &Upstream, caller: u32) -> Result<String, Error> {
    let _ = caller;
    upstream.request(1).await
}

/// Panics when it is cloned, if that is set.
#[derive(Debug)]
struct Touchy(Arc<AtomicBool>);

impl Clone for Touchy {
    fn clone(&self) -> Self {
        assert!(!self.0.load(Ordering::Relaxed), "in a clone");
        Self(Arc::clone(&self.0))
    }
}

#[resilient(cache(fresh = "10s", key = 1), timeout = "30s", name = "errors.touchy")]
async fn touchy(panics: Arc<AtomicBool>) -> Result<Touchy, Error> {
    sleep(TAKES).await;
    Ok(Touchy(panics))
}

#[resilient(cache(fresh = "10s", key = panicking_key(*number)), timeout = "30s", name = "errors.panicking_key")]
async fn with_a_panicking_key(number: u32) -> Result<u32, Error> {
    sleep(TAKES).await;
    Ok(number)
}

fn panicking_key(number: u32) -> u32 {
    panic!("in the key of {number}")
}

#[tokio::test(start_paused = true)]
async fn an_error_is_shared_once_and_not_kept() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    upstream.does(Does::Fail(Error::SlowDown { wait: Some(TAKES) }));
    let started = Instant::now();
    let results = registry.clone().scope(join_all((0..200).map(|_| cloned(&upstream)))).await;
    assert_eq!(results, vec![Err(Error::SlowDown { wait: Some(TAKES) }); 200], "as it is");
    assert_eq!((upstream.requests(), started.elapsed()), (1, TAKES));
    let read = registry.function("errors.cloned").expect("bound");
    assert_eq!((read.outcome(Outcome::Error), read.attempts, read.in_flight), (200, 1, 0));
    upstream.does(Does::Answer);
    assert_eq!(registry.scope(cloned(&upstream)).await, Ok(answer(1, 2)), "the next call runs the body");
}

/// What a client sees of an error.
fn seen(error: &Detailed) -> impl PartialEq + std::fmt::Debug {
    (
        (error.kind(), error.code().into_owned(), error.public_message().into_owned()),
        (error.hint().map(std::borrow::Cow::into_owned), error.retry_after(), error.retry_override()),
        (error.severity(), error.details(), error.trips_breaker(), error.falls_back()),
    )
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_not_clone_is_shared_with_all_that_a_client_sees_of_it() {
    for number in [0, 7] {
        let (registry, runs) = (Arc::new(Registry::new()), AtomicU32::new(0));
        let results = registry.clone().scope(join_all((0..200).map(|_| detailed(&runs, number)))).await;
        let errors: Vec<_> = results.into_iter().map(|result| result.expect_err("it fails")).collect();
        assert_eq!(runs.load(Ordering::Relaxed), 1);
        let (own, shared): (Vec<_>, Vec<_>) =
            errors.iter().partition(|error| !matches!(error, Detailed::Resilience(_)));
        assert_eq!((own.len(), shared.len()), (1, 199), "the leader has the error itself");
        for error in &shared {
            assert_eq!(seen(error), seen(own[0]));
            let is_shared = error.as_resilience().is_some_and(|error| matches!(error, ResilienceError::Shared { .. }));
            assert!(is_shared, "{error:?}");
            let shown = format!("{error} {error:?} {:?}", error.details());
            assert!(!shown.contains("of the log"), "{shown}");
        }
        let kind = if number == 0 { ErrorKind::NotFound } else { ErrorKind::RateLimited };
        assert_eq!(shared[0].kind(), kind);
        let read = registry.function("errors.detailed").expect("bound");
        assert_eq!((read.outcome(Outcome::Error), read.attempts, read.in_flight), (200, 1, 0));
        assert!(registry.scope(detailed(&runs, number)).await.is_err());
        assert_eq!(runs.load(Ordering::Relaxed), 2, "an error is not kept");
    }
}

#[tokio::test(start_paused = true)]
async fn each_caller_has_its_own_fallback() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    upstream.does(Does::Fail(Error::Down));
    let results = registry.clone().scope(join_all((0..50).map(|caller| substituted(&upstream, caller)))).await;
    for (caller, result) in results.into_iter().enumerate() {
        assert_eq!(result, Ok(format!("instead for {caller}")));
    }
    assert_eq!(upstream.requests(), 1);
    let read = registry.function("errors.substituted").expect("bound");
    assert_eq!((read.outcome(Outcome::Fallback), read.attempts), (50, 1));
    upstream.does(Does::Answer);
    let next = registry.scope(substituted(&upstream, 1)).await;
    assert_eq!(next, Ok(answer(1, 2)), "the answer of a fallback is not kept");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_panics_leaves_no_call_waiting() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    upstream.does(Does::Panic);
    let started = Instant::now();
    let results = registry.clone().scope(join_all((0..50).map(|_| cloned(&upstream)))).await;
    assert_eq!(results, vec![Err(Error::Resilience(ResilienceError::Panicked)); 50]);
    assert_eq!((upstream.requests(), started.elapsed()), (1, TAKES));
    let read = registry.function("errors.cloned").expect("bound");
    assert_eq!((read.outcome(Outcome::Panic), read.in_flight), (50, 0));
    upstream.does(Does::Answer);
    assert_eq!(registry.scope(cloned(&upstream)).await, Ok(answer(1, 2)));
}

#[tokio::test(start_paused = true)]
async fn a_value_that_panics_when_it_is_cloned_leaves_no_call_waiting() {
    let (registry, panics) = (Arc::new(Registry::new()), Arc::new(AtomicBool::new(true)));
    let started = Instant::now();
    let calls = join_all((0..10).map(|_| touchy(Arc::clone(&panics))));
    let results = registry.clone().scope(calls).await;
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    assert!(results.iter().any(Result::is_ok), "the leader needs no clone: {results:?}");
    assert_eq!(registry.function("errors.touchy").expect("bound").in_flight, 0);
    panics.store(false, Ordering::Relaxed);
    let results = registry.clone().scope(join_all((0..10).map(|_| touchy(Arc::clone(&panics))))).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    // What is kept may panic as well, and then the body runs.
    panics.store(true, Ordering::Relaxed);
    assert!(registry.scope(touchy(Arc::clone(&panics))).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_panics_is_no_key() {
    let registry = Arc::new(Registry::new());
    let started = Instant::now();
    let results = registry.clone().scope(join_all((0..10).map(with_a_panicking_key))).await;
    assert_eq!(results, (0..10).map(Ok).collect::<Vec<_>>(), "each call has its own answer");
    assert_eq!(started.elapsed(), TAKES);
    assert_eq!(registry.function("errors.panicking_key").expect("bound").in_flight, 0);
}
