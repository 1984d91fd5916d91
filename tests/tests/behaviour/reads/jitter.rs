//! The freshness of each answer differs a little, so that answers that were kept at one moment do not expire at one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use resilient_runtime::{Registry, resilient};
use tokio::time::sleep;

use super::upstream::Upstream;
use crate::error::Error;

const KEYS: u32 = 200;

#[resilient(cache(fresh = "100s", key = number), name = "jitter.read")]
async fn read(upstream: &Upstream, number: u32) -> Result<String, Error> {
    upstream.request(number).await
}

#[tokio::test(start_paused = true)]
async fn answers_of_one_moment_expire_within_a_tenth_of_their_freshness_and_not_together() {
    let (registry, upstream) = (Arc::new(Registry::new()), Upstream::default());
    upstream.takes(Duration::ZERO);
    registry
        .scope(async {
            join_all((0..KEYS).map(|number| read(&upstream, number))).await;
            let mut kept: Vec<_> = (0..KEYS).collect();
            let mut expired: BTreeMap<u32, usize> = BTreeMap::new();
            sleep(Duration::from_millis(89_900)).await;
            for percent in 90..=111 {
                let before = kept.len();
                let mut still = Vec::new();
                for number in kept {
                    let requests = upstream.requests();
                    read(&upstream, number).await.expect("an answer");
                    if upstream.requests() == requests {
                        still.push(number);
                    }
                }
                kept = still;
                expired.insert(percent, before - kept.len());
                sleep(Duration::from_secs(1)).await;
            }
            assert_eq!((expired[&90], kept.len()), (0, 0), "from 90 s to 110 s: {expired:?}");
            let steps = expired.values().filter(|count| **count > 0).count();
            let most = expired.values().max().expect("some");
            assert!(steps >= 8, "in {steps} steps of 1 s: {expired:?}");
            assert!(*most <= KEYS as usize / 4, "not together: {expired:?}");
        })
        .await;
}
