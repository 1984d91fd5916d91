//! The series that ordinary calls do not change: each counts its own events only.

#![allow(clippy::float_cmp, reason = "counts are whole numbers")]

use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use resilient_runtime::export::prometheus;
use resilient_runtime::{Registry, resilient};
use resilient_tests::failure::Failure;
use resilient_tests::scrape::scrape;
use tokio::time::sleep;

#[resilient(name = "breaks", breaker(name = "broken", failures = 1, open = "1h"), timeout = "30s")]
async fn breaks(after: Duration) -> Result<(), Failure> {
    sleep(after).await;
    Err(Failure::Down)
}

#[resilient(name = "crowded", bulkhead(max = 1, queue = 1), timeout = "30s")]
async fn crowded() -> Result<(), Failure> {
    sleep(Duration::from_secs(1)).await;
    Ok(())
}

#[resilient(name = "rare", rate_limit = "1/1h")]
async fn rare() -> Result<(), Failure> {
    Ok(())
}

#[resilient(name = "late", retry(max = 1, base = "3s", jitter = off), timeout = "5s", read_only)]
async fn too_late_for_a_retry() -> Result<(), Failure> {
    sleep(Duration::from_secs(4)).await;
    Err(Failure::Down)
}

#[resilient(name = "spent", retry(max = 1, base = "1ms", jitter = off, budget = "0%"), read_only)]
async fn without_a_budget() -> Result<(), Failure> {
    Err(Failure::Down)
}

#[resilient(name = "given-up", timeout = "30s")]
async fn given_up() -> Result<(), Failure> {
    pending().await
}

/// The series of a registry.
struct Counted(BTreeMap<String, f64>);

impl Counted {
    async fn during(registry: &Arc<Registry>, run: impl Future<Output = ()>) -> Self {
        registry.clone().scope(run).await;
        Self::now(registry)
    }

    fn now(registry: &Arc<Registry>) -> Self {
        Self(scrape(&prometheus::text(registry)))
    }

    fn of(&self, series: &str) -> f64 {
        self.0.get(series).copied().unwrap_or_else(|| panic!("{series} in {:#?}", self.0))
    }

    /// The series of this name that are not zero, by their labels.
    fn moved(&self, name: &str) -> Vec<(&str, f64)> {
        let of_it = self.0.iter().filter_map(|(series, value)| Some((series.strip_prefix(name)?, *value)));
        of_it.filter(|(labels, value)| labels.starts_with('{') && *value != 0.0).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_counts_what_it_rejects_and_what_comes_too_late() {
    let registry = Arc::new(Registry::new());
    let read = Counted::during(&registry, async {
        let (slow, fast) = (breaks(Duration::from_secs(2)), breaks(Duration::ZERO));
        assert!(matches!(tokio::join!(slow, fast), (Err(Failure::Down), Err(Failure::Down))));
        for _ in 0..3 {
            assert!(matches!(breaks(Duration::ZERO).await, Err(Failure::Resilience(_))));
        }
    })
    .await;
    assert_eq!(read.moved("resilient_rejected"), [("{reason=breaker,tool=fn breaks}", 3.0)]);
    assert_eq!(read.of("resilient_breaker_rejected{breaker=broken}"), 3.0);
    assert_eq!(read.of("resilient_breaker_stale{breaker=broken}"), 1.0);
    assert_eq!(read.of("resilient_breaker_state{breaker=broken}"), 2.0);
    assert_eq!(read.moved("resilient_breaker_transitions"), [("{breaker=broken,from=closed,to=open}", 1.0)]);
    assert_eq!(read.of("resilient_calls{outcome=rejected,tool=fn breaks}"), 3.0);
    assert_eq!(read.of("resilient_calls{outcome=error,tool=fn breaks}"), 2.0);
    assert_eq!(read.of("resilient_attempt_duration_seconds_count{breaker=broken,outcome=error,tool=}"), 2.0);
    assert_eq!(read.moved("resilient_breaker_results"), [("{breaker=broken,result=failure}", 2.0)]);
    sleep(Duration::from_secs(3_601)).await;
    let later = Counted::now(&registry);
    assert_eq!(later.of("resilient_breaker_state{breaker=broken}"), 1.0, "the next call probes");
}

#[resilient(name = "mistaken", breaker = "neutral")]
async fn mistaken(failure: Failure) -> Result<(), Failure> {
    Err(failure)
}

#[tokio::test(start_paused = true)]
async fn the_mistakes_of_callers_are_counted_apart_and_are_neutral() {
    let registry = Arc::new(Registry::new());
    let read = Counted::during(&registry, async {
        for failure in [Failure::Missing, Failure::Missing, Failure::Down] {
            assert!(mistaken(failure).await.is_err());
        }
    })
    .await;
    assert_eq!(read.moved("resilient_calls"), [("{outcome=error,tool=fn mistaken}", 3.0)]);
    assert_eq!(read.of("resilient_excused{tool=fn mistaken}"), 2.0);
    let results = [("{breaker=neutral,result=failure}", 1.0), ("{breaker=neutral,result=neutral}", 2.0)];
    assert_eq!(read.moved("resilient_breaker_results"), results);
}

#[tokio::test(start_paused = true)]
async fn a_bulkhead_counts_who_waits_and_whom_it_rejects() {
    let registry = Arc::new(Registry::new());
    let seen = Counted::during(&registry, async {
        let mut calls = pin!(async { tokio::join!(crowded(), crowded(), crowded()) });
        let first = poll_fn(|cx| Poll::Ready(calls.as_mut().poll(cx))).await;
        assert!(first.is_pending());
        let read = Counted::now(&registry);
        assert_eq!(read.of("resilient_in_flight{tool=fn crowded}"), 2.0);
        assert_eq!(read.of("resilient_waiting{tool=fn crowded}"), 1.0);
        assert!(matches!(calls.await, (Ok(()), Ok(()), Err(_))));
    })
    .await;
    assert_eq!(seen.moved("resilient_rejected"), [("{reason=bulkhead,tool=fn crowded}", 1.0)]);
    assert_eq!((seen.moved("resilient_in_flight"), seen.moved("resilient_waiting")), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_counts_whom_it_rejects() {
    let registry = Arc::new(Registry::new());
    let read = Counted::during(&registry, async {
        assert!(rare().await.is_ok());
        assert!(rare().await.is_err() && rare().await.is_err());
    })
    .await;
    assert_eq!(read.moved("resilient_rejected"), [("{reason=rate_limit,tool=fn rare}", 2.0)]);
}

#[tokio::test(start_paused = true)]
async fn retries_that_were_not_made_are_counted_by_why() {
    let registry = Arc::new(Registry::new());
    let read = Counted::during(&registry, async {
        assert!(too_late_for_a_retry().await.is_err());
        // Ten seconds of the guaranteed retry per second.
        for _ in 0..13 {
            assert!(without_a_budget().await.is_err());
        }
    })
    .await;
    assert_eq!(
        read.moved("resilient_retries_suppressed"),
        [("{reason=budget,tool=fn spent}", 3.0), ("{reason=deadline,tool=fn late}", 1.0)]
    );
    assert_eq!(read.moved("resilient_retries"), [("{kind=unavailable,tool=fn spent}", 10.0)]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_is_counted_as_cancelled() {
    let registry = Arc::new(Registry::new());
    let read = Counted::during(&registry, async {
        let mut call = Box::pin(given_up());
        let first = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
        assert!(first.is_pending());
        assert_eq!(Counted::now(&registry).of("resilient_in_flight{tool=fn given-up}"), 1.0);
    })
    .await;
    assert_eq!(read.moved("resilient_calls"), [("{outcome=cancelled,tool=fn given-up}", 1.0)]);
    assert_eq!(read.of("resilient_attempt_duration_seconds_count{breaker=,outcome=cancelled,tool=fn given-up}"), 1.0);
    assert_eq!((read.moved("resilient_in_flight"), read.moved("resilient_errors")), (vec![], vec![]));
}
