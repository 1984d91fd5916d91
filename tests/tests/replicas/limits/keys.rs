//! Limits per key: all replicas give a key the same hash.

use std::time::Duration;

use resilient_runtime::policy::{RateLimitSettings, RateLimitUse};
use resilient_runtime::{Guard, Policy, testing};
use resilient_tests::alone::ran_in_a_child;

use super::store::{Behaviour, Memory};
use super::{Answer, Replica, limited, ms, retry_after};

const RATE: RateLimitSettings = RateLimitSettings::new(1, Duration::from_secs(1)).max_keys(4);

static BY_TENANT: Guard = Guard::new("distributed-by-tenant", limited("by-tenant", RATE));

impl Replica {
    async fn call_for(&self, tenant: &str) -> Answer {
        let call = self.guard.with().rate_limit_key(tenant).call(|| async { Ok(()) });
        self.registry.clone().scope(call).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_has_one_limit_in_all_replicas_and_each_key_its_own() {
    let store = Memory::default();
    let replicas = [(); 3].map(|()| Replica::start(&store, &BY_TENANT, &[]));
    for tenant in ["a", "b", "c", "d", "e", "f"] {
        assert_eq!(replicas[0].call_for(tenant).await, Ok(()), "{tenant}");
        for replica in &replicas[1..] {
            assert_eq!(retry_after(&replica.call_for(tenant).await), ms(1_000), "{tenant}");
        }
    }
    assert_eq!(replicas[1].call().await, Ok(()), "calls without a key have a limit too");
    retry_after(&replicas[2].call().await);
    let keys: Vec<_> = store.requests().iter().map(|request| request.key).collect();
    assert_eq!((keys[0], keys[0].is_some()), (keys[1], true));
    assert_ne!(keys[0], keys[3]);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_one_key_does_not_reach_the_store_and_does_not_reject_the_others() {
    let store = Memory::default();
    let replica = Replica::start(&store, &BY_TENANT, &[]);
    assert_eq!(replica.call_for("flood").await, Ok(()));
    for _ in 0..10_000 {
        assert_eq!(retry_after(&replica.call_for("flood").await), ms(1_000));
    }
    assert_eq!(store.asked(), 2, "the permit, and one rejection");
    assert_eq!(replica.call_for("other").await, Ok(()));
    // There is room for four keys. The rejections of others are the store's.
    for tenant in ["a", "b", "c", "d", "e"] {
        assert_eq!(replica.call_for(tenant).await, Ok(()));
        for _ in 0..10 {
            retry_after(&replica.call_for(tenant).await);
        }
    }
    assert_eq!(store.asked(), 3 + 3 * 2 + 2 * 11);
}

#[tokio::test(start_paused = true)]
async fn a_replica_alone_gives_each_key_its_share() {
    let store = Memory::default();
    let replica = Replica::start(&store, &BY_TENANT, &[("RESILIENT_REPLICAS", "2")]);
    store.behaves(Behaviour::Fails);
    for tenant in ["a", "b"] {
        assert_eq!(replica.call_for(tenant).await, Ok(()));
        assert_eq!(retry_after(&replica.call_for(tenant).await), ms(2_000));
    }
}

#[tokio::test(start_paused = true)]
async fn the_hash_of_a_key_is_the_same_in_each_process_that_knows_the_secret() {
    // Another test may have started without the secret.
    if ran_in_a_child() {
        return;
    }
    let store = Memory::default();
    let replica = Replica::start(&store, &BY_TENANT, &[]);
    assert_eq!(replica.call_for("tenant 7").await, Ok(()));
    assert_eq!(store.requests()[0].key, Some(104_903_782_065_522_242_950_155_715_938_558_323_363));
}

static BY_CALLER: Guard = Guard::new(
    "distributed-by-caller",
    Policy::new().rate_limit(RateLimitUse::new(RATE).named("by-caller").by_caller().distributed()),
);

#[test]
fn a_caller_has_one_limit_in_all_replicas_and_each_caller_its_own() {
    testing::run(async |lab| {
        let store = Memory::default();
        let replicas = [(); 2].map(|()| Replica::start(&store, &BY_CALLER, &[]));
        for name in ["alice", "bob"] {
            let caller = lab.caller().principal(name);
            assert_eq!(caller.call(replicas[0].call()).await, Ok(()), "{name}");
            assert_eq!(retry_after(&caller.call(replicas[1].call()).await), ms(1_000), "{name}");
        }
    });
}
