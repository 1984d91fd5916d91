//! How many answers are kept, and how many bytes of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use resilient_runtime::export::prometheus;
use resilient_runtime::{Registry, resilient};
use resilient_tests::scrape::scrape;
use serde::{Serialize, Serializer};

use super::upstream::{Does, Upstream};
use crate::error::Error;

#[resilient(cache(fresh = "1h", max = 4, key = number), name = "bounds.count")]
async fn four(upstream: &Upstream, number: u32) -> Result<String, Error> {
    upstream.request(number).await
}

#[resilient(cache(fresh = "1h", max_bytes = "2KiB", key = number), name = "bounds.bytes")]
async fn two_kib(upstream: &Upstream, number: u32, length: usize) -> Result<String, Error> {
    upstream.request(number).await.map(|_| "x".repeat(length))
}

/// Has no known size.
#[derive(Debug, Clone, PartialEq)]
struct Opaque(String);

#[resilient(cache(fresh = "1h", max_bytes = "2KiB", key = number), name = "bounds.opaque")]
async fn opaque(upstream: &Upstream, number: u32) -> Result<Opaque, Error> {
    upstream.request(number).await.map(Opaque)
}

/// Cannot be serialized: not at all, or with a panic.
#[derive(Debug, Clone, PartialEq)]
struct Broken(bool);

impl Serialize for Broken {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        assert!(!self.0, "in a serializer");
        Err(serde::ser::Error::custom("no"))
    }
}

#[resilient(cache(fresh = "1h", key = 1), name = "bounds.broken")]
async fn broken(upstream: &Upstream, panics: bool) -> Result<Broken, Error> {
    upstream.request(1).await.map(|_| Broken(panics))
}

/// Has keys that JSON does not have.
#[resilient(cache(fresh = "1h", max_bytes = "2KiB", key = 1), name = "bounds.keys")]
async fn odd_keys(upstream: &Upstream) -> Result<BTreeMap<Vec<u8>, String>, Error> {
    upstream.request(1).await.map(|text| BTreeMap::from([(vec![1, 2], text)]))
}

fn bytes(registry: &Arc<Registry>, name: &str) -> f64 {
    let series = format!("resilient_cache_bytes{{tool=fn {name}}}");
    let read = scrape(&prometheus::text(registry));
    read.get(&series).copied().unwrap_or_else(|| panic!("{series} in {read:#?}"))
}

/// The number of these keys whose answer is kept.
async fn kept(upstream: &Upstream, keys: std::ops::Range<u32>, mut read: impl AsyncFnMut(u32) -> bool) -> u32 {
    // What runs keeps nothing.
    upstream.does(Does::Fail(Error::Down));
    let mut kept = 0;
    for key in keys {
        kept += u32::from(read(key).await);
    }
    upstream.does(Does::Answer);
    kept
}

#[tokio::test(start_paused = true)]
async fn as_many_answers_are_kept_as_the_maximum_says() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    registry
        .scope(async {
            for number in 0..100 {
                four(&upstream, number).await.expect("an answer");
            }
            let kept = kept(&upstream, 0..100, async |number| four(&upstream, number).await.is_ok()).await;
            assert!((1..=4).contains(&kept), "{kept} of 4");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn as_many_bytes_are_kept_as_the_maximum_says_at_any_time() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    for number in 0..50 {
        registry.clone().scope(two_kib(&upstream, number, 500)).await.expect("an answer");
        let bytes = bytes(&registry, "bounds.bytes");
        assert!((500.0..=2_048.0).contains(&bytes), "{bytes} after {number}");
    }
    let read = async |number| registry.clone().scope(two_kib(&upstream, number, 500)).await.is_ok();
    let kept = kept(&upstream, 0..50, read).await;
    assert!((2..=4).contains(&kept), "{kept} of 4 answers of 500 bytes");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_fit_is_served_and_not_kept_and_displaces_no_other() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    registry
        .scope(async {
            two_kib(&upstream, 1, 100).await.expect("an answer");
            for requests in 2..5 {
                let answered = two_kib(&upstream, 2, 3_000).await.expect("an answer");
                assert_eq!((answered.len(), upstream.requests()), (3_000, requests), "the body runs each time");
            }
            assert_eq!(two_kib(&upstream, 1, 100).await.map(|text| text.len()), Ok(100));
            assert_eq!(upstream.requests(), 4, "the small one is kept");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_serialize_is_kept_by_its_size_in_memory() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    let first = registry.clone().scope(opaque(&upstream, 1)).await.expect("an answer");
    assert_eq!(registry.clone().scope(opaque(&upstream, 1)).await, Ok(first));
    assert_eq!(upstream.requests(), 1);
    let bytes = bytes(&registry, "bounds.opaque");
    assert!((1.0..=1_024.0).contains(&bytes), "{bytes}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_serialized_is_served() {
    for panics in [false, true] {
        let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
        for _ in 0..3 {
            assert_eq!(registry.clone().scope(broken(&upstream, panics)).await, Ok(Broken(panics)));
        }
        assert_eq!(registry.function("bounds.broken").expect("bound").in_flight, 0);
    }
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    for _ in 0..2 {
        let answered = registry.clone().scope(odd_keys(&upstream)).await.expect("an answer");
        assert!(answered.contains_key(&vec![1, 2]));
    }
}

#[resilient(cache(fresh = "1h", max_bytes = "2KiB", key = 1), name = "bounds.json")]
async fn json(upstream: &Upstream) -> Result<rmcp::Json<String>, Error> {
    upstream.request(1).await.map(|_| rmcp::Json("x".repeat(4_096)))
}

#[tokio::test(start_paused = true)]
async fn a_structured_answer_counts_with_what_it_owns() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    for requests in 1..4 {
        assert!(registry.clone().scope(json(&upstream)).await.is_ok());
        assert_eq!(upstream.requests(), requests, "4 KiB do not fit into 2 KiB");
    }
}
