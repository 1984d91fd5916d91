//! One limit for all replicas.

use std::time::Duration;

use resilient_runtime::policy::RateLimitSettings;
use resilient_runtime::statistics::Rejected;
use resilient_runtime::{Guard, Outcome, RateLimit};
use tokio::time::advance;

use super::store::{Behaviour, Memory};
use super::{Replica, limited, ms, retry_after};

const RATE: RateLimitSettings = RateLimitSettings::new(10, Duration::from_secs(1)).burst(4);

static SEARCH: Guard = Guard::new("distributed-search", limited("search", RATE));

#[tokio::test(start_paused = true)]
async fn three_replicas_allow_together_exactly_what_one_server_alone_allows() {
    let store = Memory::default();
    let replicas = [(); 3].map(|()| Replica::start(&store, &SEARCH, &[("RESILIENT_REPLICAS", "3")]));
    let alone = RateLimit::with(RATE);
    let mut admitted = 0;
    for step in 0_usize..1_000 {
        for replica in [step % 3, (step + 1) % 3] {
            let answer = replicas[replica].call().await;
            assert_eq!(answer, alone.check(), "step {step}");
            admitted += u32::from(answer.is_ok());
        }
        // There are pauses in which the burst comes back.
        advance(ms(if step % 100 == 0 { 700 } else { 7 })).await;
    }
    assert!(admitted > 100, "{admitted}");
    for replica in &replicas {
        assert_eq!(replica.degraded("rate_limit"), Some(0));
    }
}

#[tokio::test(start_paused = true)]
async fn calls_at_once_in_all_replicas_get_one_burst() {
    let store = Memory::default();
    store.behaves(Behaviour::AnswersAfter(ms(3)));
    let replicas = [(); 3].map(|()| Replica::start(&store, &SEARCH, &[]));
    let calls = (0..30).map(|call| replicas[call % 3].call());
    let answers = futures_util::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_rejection_is_the_error_of_a_local_limit_and_is_counted_as_one() {
    let store = Memory::default();
    let replica = Replica::start(&store, &SEARCH, &[]);
    for _ in 0..4 {
        assert_eq!(replica.call().await, Ok(()));
    }
    assert_eq!(retry_after(&replica.call().await), ms(100));
    let read = replica.registry.function("distributed-search").expect("bound");
    assert_eq!((read.outcome(Outcome::Ok), read.outcome(Outcome::Rejected), read.in_flight), (4, 1, 0));
    assert_eq!((read.rejected(Rejected::RateLimit), read.attempts), (1, 4));
}

#[tokio::test(start_paused = true)]
async fn until_a_rejection_is_over_the_store_is_not_asked_again() {
    let store = Memory::default();
    let replica = Replica::start(&store, &SEARCH, &[]);
    while replica.call().await.is_ok() {}
    let asked = store.asked();
    for left in [100, 60, 20] {
        for _ in 0..1_000 {
            assert_eq!(retry_after(&replica.call().await), ms(left));
        }
        advance(ms(40)).await;
    }
    assert_eq!(store.asked(), asked, "the time is not over before the last step");
    assert_eq!(replica.call().await, Ok(()));
    assert_eq!(store.asked(), asked + 1);
}

#[tokio::test(start_paused = true)]
async fn an_absurd_time_of_the_store_is_cut_to_that_in_which_the_burst_comes_back() {
    let store = Memory::default();
    let replica = Replica::start(&store, &SEARCH, &[]);
    store.behaves(Behaviour::Rejects(Duration::MAX));
    assert_eq!(retry_after(&replica.call().await), ms(400));
    store.behaves(Behaviour::Rejects(Duration::ZERO));
    advance(ms(400)).await;
    for asked in 2..4 {
        assert_eq!(retry_after(&replica.call().await), ms(0));
        assert_eq!(store.asked(), asked, "there is nothing to remember");
    }
}

static RETRIED: Guard = Guard::new(
    "distributed-retried",
    limited("retried", RATE)
        .retry(resilient_runtime::policy::Retry::new(2))
        .effect(resilient_runtime::policy::Effect::ReadOnly),
);

#[tokio::test(start_paused = true)]
async fn a_call_takes_one_permit_and_not_one_for_each_attempt() {
    let store = Memory::default();
    let replica = Replica::start(&store, &RETRIED, &[]);
    let failing = RETRIED.call(|| async { Err::<(), _>(resilient_tests::failure::Failure::Down) });
    assert!(replica.registry.clone().scope(failing).await.is_err());
    assert_eq!(replica.registry.function("distributed-retried").expect("bound").attempts, 3);
    assert_eq!(store.asked(), 1);
}
