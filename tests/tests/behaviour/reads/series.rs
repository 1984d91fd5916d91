//! The metrics of a cache count each call once, by what answered it.

#![allow(clippy::float_cmp, reason = "counts are whole numbers")]

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use resilient_runtime::export::prometheus;
use resilient_runtime::{Registry, resilient};
use resilient_tests::scrape::scrape;
use tokio::time::sleep;

use super::upstream::{Does, TAKES, Upstream};
use crate::error::Error;

#[resilient(
    cache(fresh = "10s", stale_while_revalidate = "60s", key = number),
    name = "series.read"
)]
async fn read(upstream: Arc<Upstream>, number: u32) -> Result<String, Error> {
    upstream.request(number).await
}

#[resilient(fallback = cached, name = "series.only_if_error")]
async fn only_if_error(number: u32) -> Result<u32, Error> {
    Ok(number)
}

/// The counts of hits, stale answers, misses and shared runs.
fn counts(registry: &Arc<Registry>, name: &str) -> [Option<f64>; 4] {
    let read = scrape(&prometheus::text(registry));
    let of = |result| read.get(&format!("resilient_cache{{result={result},tool=fn {name}}}")).copied();
    ["hit", "stale", "miss", "shared"].map(of)
}

#[tokio::test(start_paused = true)]
async fn a_call_is_a_hit_a_stale_answer_a_miss_or_shared() {
    let (registry, upstream) = (Arc::new(Registry::new()), Arc::new(Upstream::default()));
    let call = |number| registry.clone().scope(read(Arc::clone(&upstream), number));
    let expect = |hit: u32, stale: u32, miss: u32, shared: u32| {
        let expected = [hit, stale, miss, shared].map(|count| Some(f64::from(count)));
        assert_eq!(counts(&registry, "series.read"), expected);
    };
    join_all((0..10).map(|_| call(1))).await;
    expect(0, 0, 1, 9);
    join_all((0..5).map(|_| call(1))).await;
    expect(5, 0, 1, 9);
    call(2).await.expect("an answer");
    expect(5, 0, 2, 9);
    sleep(Duration::from_secs(20)).await;
    join_all((0..4).map(|_| call(1))).await;
    sleep(2 * TAKES).await;
    expect(5, 4, 2, 9);
    call(1).await.expect("an answer");
    expect(6, 4, 2, 9);
    upstream.does(Does::Fail(Error::Down));
    join_all((0..3).map(|_| call(3))).await;
    expect(6, 4, 3, 11);
}

#[tokio::test(start_paused = true)]
async fn a_follower_that_runs_the_body_itself_is_a_miss() {
    let (registry, upstream) = (Arc::new(Registry::new()), Arc::new(Upstream::default()));
    let call = || registry.clone().scope(read(Arc::clone(&upstream), 1));
    let (gave_up, answered) = tokio::join!(tokio::time::timeout(TAKES / 2, call()), call());
    assert!(gave_up.is_err() && answered.is_ok());
    assert_eq!(counts(&registry, "series.read"), [0.0, 0.0, 2.0, 0.0].map(Some));
}

#[tokio::test(start_paused = true)]
async fn the_series_are_there_with_a_zero_for_a_read_that_is_kept() {
    let registry = Arc::new(Registry::new());
    registry.clone().scope(only_if_error(1)).await.expect("an answer");
    let read = scrape(&prometheus::text(&registry));
    let bytes = read.get("resilient_cache_bytes{tool=fn series.only_if_error}").copied();
    assert!(bytes.is_some_and(|bytes| bytes > 0.0), "{bytes:?}");
}
