//! A store that hangs, fails or panics: each replica decides alone about its share, and no call waits longer than 50 ms.

use std::time::Duration;

use futures_util::future::join_all;
use resilient_runtime::policy::RateLimitSettings;
use resilient_runtime::{Guard, RateLimit, ResilienceError};
use resilient_tests::logs::{Events, listen};
use tokio::time::advance;
use tracing_subscriber::layer::SubscriberExt as _;

use super::store::{Behaviour, Memory};
use super::{Replica, limited, ms, retry_after, variables};

const SECOND: Duration = Duration::from_secs(1);
const RATE: RateLimitSettings = RateLimitSettings::new(100, SECOND);

static SEARCH: Guard = Guard::new("degraded-search", limited("search", RATE));

#[tokio::test(start_paused = true)]
async fn no_call_waits_longer_than_50_ms_and_after_three_none_waits_until_a_second_is_over() {
    let store = Memory::default();
    let replica = Replica::start(&store, &SEARCH, &[]);
    store.behaves(Behaviour::Hangs);
    for round in 0..3 {
        // The first of a later round finds out that the store still hangs.
        let waiting = if round == 0 { 3 } else { 1 };
        for _ in 0..waiting {
            assert_eq!(replica.timed().await, (Ok(()), ms(50)));
        }
        let asked = store.asked();
        for _ in 0..9 {
            advance(ms(110)).await;
            assert_eq!(replica.timed().await, (Ok(()), ms(0)), "round {round}");
        }
        assert_eq!(store.asked(), asked);
        advance(ms(10)).await;
    }
    assert_eq!(replica.degraded("rate_limit"), Some(3 + 1 + 1 + 27), "each decision is counted");
    store.behaves(Behaviour::Answers);
    let asked = store.asked();
    for call in 1..=5 {
        assert_eq!(replica.timed().await, (Ok(()), ms(0)));
        assert_eq!(store.asked(), asked + call, "it is asked for each call again");
    }
    assert_eq!((replica.degraded("rate_limit"), replica.degraded("breaker")), (Some(32), Some(0)));
}

static SHORT: Guard = Guard::new("degraded-short", limited("short-search", RATE).timeout(ms(10)));

#[tokio::test(start_paused = true)]
async fn a_store_that_is_too_slow_for_calls_with_a_short_deadline_still_decides_about_the_others() {
    let log = Events::default();
    let _listening = listen(tracing_subscriber::registry().with(log.clone()));
    let events = |word: &str| log.seen().iter().filter(|line| line.contains(word)).count();
    let (slow, registry) = (Memory::default(), std::sync::Arc::default());
    let start = variables(&[]).shared(slow.clone()).guard(&SHORT).guard(&SEARCH).start_with(&registry);
    let handle = start.expect("nothing is wrong");
    let short = Replica { registry: registry.clone(), guard: &SHORT, handle: handle.clone() };
    let patient = Replica { registry, guard: &SEARCH, handle };
    slow.behaves(Behaviour::AnswersAfter(ms(15)));
    for _ in 0..3 {
        assert!(matches!(short.timed().await, (Err(ResilienceError::Timeout { .. }), took) if took == ms(10)));
    }
    for call in 1..=5 {
        assert_eq!(patient.timed().await, (Ok(()), ms(15)), "the store answers in time");
        assert_eq!(short.timed().await, (Ok(()), ms(0)), "this one decides alone");
        assert_eq!((slow.asked(), patient.degraded("rate_limit")), (3 + call, Some(call as u64)));
    }
    assert_eq!((events("distributed.degraded"), events("distributed.recovered")), (1, 0), "{:?}", log.seen());
    // There are no more calls with a short deadline.
    advance(62 * SECOND).await;
    assert_eq!(patient.timed().await, (Ok(()), ms(15)));
    assert_eq!((events("distributed.degraded"), events("distributed.recovered")), (1, 1), "{:?}", log.seen());
}

#[tokio::test(start_paused = true)]
async fn calls_at_once_do_not_wait_for_each_other_and_one_of_them_finds_out_whether_the_store_works() {
    let store = Memory::default();
    let replica = Replica::start(&store, &SEARCH, &[]);
    store.behaves(Behaviour::Hangs);
    let first = join_all((0..20).map(|_| replica.timed())).await;
    assert!(first.iter().all(|timed| *timed == (Ok(()), ms(50))), "{first:?}");
    advance(SECOND).await;
    let asked = store.asked();
    let second = join_all((0..20).map(|_| replica.timed())).await;
    let waited: Vec<_> = second.iter().filter(|(_, took)| *took > ms(0)).collect();
    assert_eq!(waited, [&(Ok(()), ms(50))]);
    assert_eq!(store.asked(), asked + 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_answers_late_but_in_time_decides() {
    let store = Memory::default();
    let replica = Replica::start(&store, &SEARCH, &[]);
    store.behaves(Behaviour::AnswersAfter(ms(49)));
    for _ in 0..5 {
        assert_eq!(replica.timed().await, (Ok(()), ms(49)));
    }
    assert_eq!((store.asked(), replica.degraded("rate_limit")), (5, Some(0)));
}

#[tokio::test(start_paused = true)]
async fn errors_and_panics_of_the_store_are_failures_that_cost_no_time() {
    for behaviour in [Behaviour::Fails, Behaviour::Panics, Behaviour::PanicsLater] {
        let store = Memory::default();
        let replica = Replica::start(&store, &SEARCH, &[]);
        store.behaves(behaviour);
        for call in 1..=10 {
            assert_eq!(replica.timed().await, (Ok(()), ms(0)), "{behaviour:?}");
            assert_eq!((store.asked(), replica.degraded("rate_limit")), (call.min(3), Some(call as u64)));
        }
        store.behaves(Behaviour::Answers);
        advance(SECOND).await;
        assert_eq!(replica.call().await, Ok(()));
        assert_eq!((store.asked(), replica.degraded("rate_limit")), (4, Some(10)), "{behaviour:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_between_failures_keeps_the_store_in_use() {
    let store = Memory::default();
    let replica = Replica::start(&store, &SEARCH, &[]);
    for call in 0..30 {
        store.behaves(if call % 3 == 2 { Behaviour::Answers } else { Behaviour::Fails });
        assert_eq!(replica.call().await, Ok(()));
    }
    assert_eq!((store.asked(), replica.degraded("rate_limit")), (30, Some(20)));
}

/// Calls for three seconds while the store fails. Returns whether the decisions were those of this limit.
async fn decides_like(pairs: &[(&str, &str)], share: RateLimitSettings) {
    let store = Memory::default();
    let replica = Replica::start(&store, &SEARCH, pairs);
    store.behaves(Behaviour::Fails);
    let share = RateLimit::with(share);
    for step in 0..600 {
        assert_eq!(replica.call().await, share.check(), "{pairs:?}, step {step}");
        advance(ms(5)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_alone_allows_its_share_or_everything_if_the_number_is_unknown() {
    // 100 permits come back in three seconds: 33.3 in each.
    let third = RateLimitSettings::new(100, 3 * SECOND).burst(34);
    decides_like(&[("RESILIENT_REPLICAS", "3")], third).await;
    decides_like(&[("RESILIENT_REPLICAS", "1000")], RateLimitSettings::new(1, 10 * SECOND)).await;
    decides_like(&[("RESILIENT_REPLICAS", "1")], RATE).await;
    decides_like(&[], RATE).await;
}

#[tokio::test(start_paused = true)]
async fn permits_that_the_store_granted_are_missing_in_the_share_when_the_store_fails() {
    let store = Memory::default();
    let replica = Replica::start(&store, &SEARCH, &[("RESILIENT_REPLICAS", "10")]);
    for _ in 0..50 {
        assert_eq!(replica.call().await, Ok(()), "the store grants more than the share");
    }
    store.behaves(Behaviour::Fails);
    assert_eq!(retry_after(&replica.call().await), ms(100), "the share is used up");
    advance(ms(100)).await;
    assert_eq!(replica.call().await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_one_event_and_its_end_another() {
    let log = Events::default();
    let _listening = listen(tracing_subscriber::registry().with(log.clone()));
    let events = || -> Vec<String> {
        let seen = log.seen();
        seen.into_iter().filter(|line| line.contains(" event=\"distributed.")).collect()
    };
    let store = Memory::default();
    let replica = Replica::start(&store, &SEARCH, &[]);
    assert_eq!(replica.call().await, Ok(()));
    assert_eq!(events(), Vec::<String>::new());
    let degraded = |error| format!("WARN event=\"distributed.degraded\" part=\"rate_limit\" error=\"{error}\" ");
    let mut expected = Vec::new();
    for (behaviour, error) in [(Behaviour::Fails, "the connection is refused"), (Behaviour::Hangs, "no answer in time")]
    {
        store.behaves(behaviour);
        for _ in 0..10 {
            assert_eq!(replica.call().await, Ok(()));
        }
        expected.push(degraded(error));
        assert_eq!(events(), expected);
        store.behaves(Behaviour::Answers);
        advance(SECOND).await;
        for _ in 0..3 {
            assert_eq!(replica.call().await, Ok(()));
        }
        expected.push("INFO event=\"distributed.recovered\" part=\"rate_limit\" ".to_owned());
        assert_eq!(events(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_store_the_whole_limit_is_local_and_nothing_is_counted() {
    let replica = Replica::started(variables(&[("RESILIENT_REPLICAS", "1")]), &SEARCH);
    let local = RateLimit::with(RATE);
    for _ in 0..300 {
        assert_eq!(replica.call().await, local.check());
        advance(ms(3)).await;
    }
    assert_eq!((replica.degraded("rate_limit"), replica.degraded("breaker")), (None, None));
    let registry = std::sync::Arc::new(resilient_runtime::Registry::new());
    let unbound = registry.scope(SEARCH.call(|| async { Ok::<_, resilient_runtime::ResilienceError>(()) })).await;
    assert_eq!(unbound, Ok(()), "a function without a start");
}
