//! What ends the wait for the store, and what a call does after it.

use std::future::pending;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::breaker::BreakerState;
use resilient_runtime::error::TimeoutScope;
use resilient_runtime::policy::{BreakerSettings, BreakerUse, BulkheadSettings, BulkheadUse, RateLimitSettings};
use resilient_runtime::statistics::Rejected;
use resilient_runtime::{Guard, Outcome, ResilienceError, testing};
use tokio::time::{Instant, advance, sleep};
use tokio_util::sync::CancellationToken;

use super::store::{Behaviour, Memory};
use super::{Answer, Replica, limited, ms};

const RATE: RateLimitSettings = RateLimitSettings::new(1_000, Duration::from_secs(1));

/// The breaker opens at the first failure.
const ONE_FAILURE: BreakerSettings = BreakerSettings::new().failures(1).open(Duration::from_secs(60));

static SEARCH: Guard = Guard::new("waits-for-the-store", limited("waits", RATE));

fn assert_cancelled(replica: &Replica) {
    let read = replica.registry.function(replica.guard.name()).expect("bound");
    assert_eq!((read.outcome(Outcome::Cancelled), read.calls(), read.attempts), (1, 1, 0));
    assert_eq!((read.in_flight, read.rejected(Rejected::RateLimit)), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_while_it_waits_counts_as_cancelled_and_leaks_nothing() {
    let store = Memory::default();
    let replica = Replica::start(&store, &SEARCH, &[]);
    store.behaves(Behaviour::Hangs);
    assert!(tokio::time::timeout(ms(20), replica.call()).await.is_err());
    assert_cancelled(&replica);
    store.behaves(Behaviour::Answers);
    assert_eq!(replica.timed().await, (Ok(()), ms(0)));
}

#[tokio::test(start_paused = true)]
async fn a_token_ends_the_wait() {
    let store = Memory::default();
    let replica = Replica::start(&store, &SEARCH, &[]);
    store.behaves(Behaviour::Hangs);
    let (stop, started) = (CancellationToken::new(), Instant::now());
    let call = SEARCH.with().cancelled_by(stop.clone()).call(|| async { Ok(()) });
    let (answer, ()): (Answer, ()) = tokio::join!(replica.registry.clone().scope(call), async {
        sleep(ms(20)).await;
        stop.cancel();
    });
    assert_eq!((answer, started.elapsed()), (Err(ResilienceError::Cancelled), ms(20)));
    assert_cancelled(&replica);
}

#[test]
fn a_client_that_cancels_ends_the_wait() {
    testing::run(async |lab| {
        let store = Memory::default();
        let replica = Replica::start(&store, &SEARCH, &[]);
        store.behaves(Behaviour::Hangs);
        let (caller, started) = (lab.caller(), Instant::now());
        let (answer, ()) = tokio::join!(caller.call(replica.call()), async {
            sleep(ms(20)).await;
            caller.cancel();
        });
        assert_eq!((answer, started.elapsed()), (Err(ResilienceError::Cancelled), ms(20)));
        assert_cancelled(&replica);
    });
}

static SHORT: Guard = Guard::new("short-deadline", limited("short", RATE).timeout(ms(10)));

#[tokio::test(start_paused = true)]
async fn a_shorter_deadline_ends_the_wait_and_the_third_call_in_a_row_is_the_last_to_wait() {
    let store = Memory::default();
    let replica = Replica::start(&store, &SHORT, &[]);
    store.behaves(Behaviour::Hangs);
    for _ in 0..3 {
        let (answer, took) = replica.timed().await;
        match answer {
            Err(ResilienceError::Timeout { scope: TimeoutScope::Call, limit, .. }) => assert_eq!(limit, ms(10)),
            other => panic!("{other:?}"),
        }
        assert_eq!(took, ms(10));
    }
    let read = replica.registry.function("short-deadline").expect("bound");
    assert_eq!((read.outcome(Outcome::Timeout), read.attempts, read.in_flight), (3, 0, 0));
    assert_eq!(replica.degraded("rate_limit"), Some(0), "nothing was decided");
    assert_eq!(replica.timed().await, (Ok(()), ms(0)), "the replica decides alone");
    assert_eq!(replica.degraded("rate_limit"), Some(1));
}

static SWITCHED: Guard = Guard::new("switched-while-it-waits", limited("switched", RATE)).as_tool();

#[tokio::test(start_paused = true)]
async fn a_switch_that_is_set_during_the_wait_refuses_the_call() {
    let store = Memory::default();
    let replica = Replica::start(&store, &SWITCHED, &[]);
    store.behaves(Behaviour::AnswersAfter(ms(20)));
    let (answer, ()) = tokio::join!(replica.call(), async {
        sleep(ms(10)).await;
        replica.registry.gate().switch_tool("switched-while-it-waits", false).expect("known");
    });
    assert!(matches!(answer, Err(ResilienceError::Refused { .. })), "{answer:?}");
    let read = replica.registry.tool("switched-while-it-waits").expect("bound");
    assert_eq!((read.attempts, read.in_flight, read.rejected(Rejected::Disabled)), (0, 0, 1));
}

static BROKEN: Guard = Guard::new(
    "open-breaker-behind-the-store",
    limited("broken", RATE).breaker(BreakerUse::with("behind-the-store", ONE_FAILURE)),
);

#[tokio::test(start_paused = true)]
async fn a_breaker_that_opens_during_the_wait_rejects_the_call_after_it() {
    let store = Memory::default();
    let replica = Replica::start(&store, &BROKEN, &[]);
    store.behaves(Behaviour::AnswersAfter(ms(20)));
    let breaker = replica.registry.breaker("behind-the-store").expect("bound");
    let (answer, ()) = tokio::join!(replica.call(), async {
        sleep(ms(10)).await;
        breaker.open();
    });
    assert!(matches!(answer, Err(ResilienceError::CircuitOpen { .. })), "{answer:?}");
    let read = replica.registry.function("open-breaker-behind-the-store").expect("bound");
    assert_eq!((read.attempts, read.in_flight, read.rejected(Rejected::Breaker), store.asked()), (0, 0, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_rejects_a_call_before_it_takes_a_permit_of_other_replicas_or_waits() {
    let store = Memory::default();
    let replica = Replica::start(&store, &BROKEN, &[]);
    let breaker = replica.registry.breaker("behind-the-store").expect("bound");
    for behaviour in [Behaviour::Answers, Behaviour::Hangs] {
        store.behaves(behaviour);
        for forced in [true, false] {
            if forced {
                breaker.open();
            } else {
                breaker.isolate();
            }
            let (answer, took) = replica.timed().await;
            assert!(matches!(answer, Err(ResilienceError::CircuitOpen { .. })), "{behaviour:?}: {answer:?}");
            assert_eq!((took, store.asked()), (ms(0), 0), "{behaviour:?}");
        }
    }
    let read = replica.registry.function("open-breaker-behind-the-store").expect("bound");
    assert_eq!((read.calls(), read.attempts, read.in_flight, read.rejected(Rejected::Breaker)), (4, 0, 0, 4));
    assert_eq!(breaker.snapshot().rejected, 4, "each rejection is counted once");
    store.behaves(Behaviour::Answers);
    breaker.close();
    assert_eq!((replica.call().await, store.asked()), (Ok(()), 1));
}

static CROWDED: Guard = Guard::new(
    "bulkhead-behind-the-store",
    limited("crowded", RATE).bulkhead(BulkheadUse::new(BulkheadSettings::new(1).queue(1))),
);

#[tokio::test(start_paused = true)]
async fn a_call_queues_for_its_slot_after_the_store() {
    let store = Memory::default();
    let replica = Replica::start(&store, &CROWDED, &[]);
    store.behaves(Behaviour::AnswersAfter(ms(20)));
    let slow = || {
        replica.calls(async {
            sleep(ms(100)).await;
            Ok(())
        })
    };
    let started = Instant::now();
    let answers: [Answer; 3] = tokio::join!(slow(), slow(), slow()).into();
    assert_eq!(started.elapsed(), ms(220));
    let (admitted, rejected): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.is_ok());
    assert_eq!(admitted.len(), 2, "one at once and one from the queue");
    assert!(matches!(rejected[0], Err(ResilienceError::Overloaded { retry_after: None, .. })), "{rejected:?}");
    let read = replica.registry.function("bulkhead-behind-the-store").expect("bound");
    assert_eq!((read.in_flight, read.waiting, read.rejected(Rejected::Bulkhead)), (0, 0, 1));
}

static HANGING: Guard = Guard::new(
    "hangs-behind-the-store",
    limited("hanging", RATE).timeout(ms(100)).breaker(BreakerUse::with("hanging", ONE_FAILURE)),
);

#[tokio::test(start_paused = true)]
async fn a_timeout_after_a_short_wait_is_a_failure_and_one_after_a_long_wait_is_not() {
    for (wait, state) in [(10, BreakerState::Open), (40, BreakerState::Closed)] {
        let store = Memory::default();
        let replica = Replica::start(&store, &HANGING, &[]);
        store.behaves(Behaviour::AnswersAfter(ms(wait)));
        let started = Instant::now();
        let answer = replica.calls(pending()).await;
        assert!(matches!(answer, Err(ResilienceError::Timeout { .. })), "{answer:?}");
        assert_eq!(started.elapsed(), ms(100), "the wait is part of the call");
        let breaker = replica.registry.breaker("hanging").expect("bound");
        assert_eq!(breaker.state(), state, "after {wait} ms");
    }
}

static OUTER: Guard = Guard::new(
    "around-a-wait",
    resilient_runtime::Policy::new().timeout(ms(30)).breaker(BreakerUse::with("around-a-wait", ONE_FAILURE)),
);

#[tokio::test(start_paused = true)]
async fn a_call_around_one_that_waits_ends_at_its_deadline_and_its_breaker_records_nothing() {
    let store = Memory::default();
    let replica = Replica::start(&store, &SEARCH, &[]);
    store.behaves(Behaviour::Hangs);
    let started = Instant::now();
    let outer = OUTER.call(|| SEARCH.call(|| async { Ok(()) }));
    let answer: Answer = replica.registry.clone().scope(outer).await;
    assert!(matches!(answer, Err(ResilienceError::Timeout { .. })), "{answer:?}");
    assert_eq!(started.elapsed(), ms(30));
    let breaker = replica.registry.breaker("around-a-wait").expect("bound").snapshot();
    assert_eq!((breaker.state, breaker.failures), (BreakerState::Closed, 0));
    for name in ["around-a-wait", "waits-for-the-store"] {
        assert_eq!(replica.registry.function(name).expect("bound").in_flight, 0, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn many_calls_that_are_dropped_at_any_time_leave_nothing_behind() {
    static BODIES: AtomicU32 = AtomicU32::new(0);
    let store = Memory::default();
    let replica = Replica::start(&store, &CROWDED, &[]);
    for time in 0..80 {
        store.behaves(if time % 2 == 0 { Behaviour::Hangs } else { Behaviour::AnswersAfter(ms(30)) });
        let call = replica.calls(async {
            BODIES.fetch_add(1, Ordering::Relaxed);
            sleep(ms(10)).await;
            Ok(())
        });
        let _ = tokio::time::timeout(ms(time), call).await;
        advance(ms(1_000)).await;
    }
    assert!(BODIES.load(Ordering::Relaxed) > 10);
    let read = replica.registry.function("bulkhead-behind-the-store").expect("bound");
    assert_eq!((read.in_flight, read.waiting, read.calls()), (0, 0, 80));
    store.behaves(Behaviour::Answers);
    assert_eq!(replica.timed().await, (Ok(()), ms(0)), "the slot is free");
}
