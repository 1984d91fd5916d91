//! What the start refuses, and what it warns of.

use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::policy::{BreakerSettings, BreakerUse, RateLimitSettings, RateLimitUse};
use resilient_runtime::replicas::{Opening, OpeningId, PermitRequest, SharedFuture, SharedState, Taken};
use resilient_runtime::{Guard, Policy, Registry, ResilienceError};
use resilient_tests::logs::{Events, listen};
use tracing_subscriber::layer::SubscriberExt as _;

use super::store::{Behaviour, Memory};
use super::{Replica, limited, problems, variables};

const RATE: RateLimitSettings = RateLimitSettings::new(1, Duration::from_secs(1));

static BOTH: Guard = Guard::new(
    "shares-both",
    limited("both", RATE).breaker(BreakerUse::with("both", BreakerSettings::new()).distributed()),
);

static ALONE: Guard = Guard::new("shares-nothing", Policy::new());

#[tokio::test(start_paused = true)]
async fn a_function_with_distributed_needs_a_store_or_to_be_the_only_replica() {
    let start = |pairs: &[(&str, &str)], guard| variables(pairs).guard(guard).start_with(&Arc::new(Registry::new()));
    let lines = problems(start(&[], &BOTH));
    assert_eq!(lines.len(), 2, "{lines:?}");
    for (line, part) in lines.iter().zip(["rate_limit", "breaker"]) {
        assert!(line.contains("start.rs:") && line.contains(&format!("`shares-both` has `{part}(")), "{line}");
        for way in [".redis(url)", "`RESILIENT_REDIS_URL`", "`RESILIENT_REPLICAS=1`"] {
            assert!(line.contains(way), "{way}: {line}");
        }
    }
    assert_eq!(problems(start(&[("RESILIENT_REPLICAS", "2")], &BOTH)), lines);
    assert_eq!(problems(start(&[("RESILIENT_REDIS_URL", "redis://localhost")], &BOTH)), lines, "the URL alone");
    start(&[("RESILIENT_REPLICAS", "1")], &BOTH).expect("nothing is shared");
    let declared =
        |pairs: &[(&str, &str)]| variables(pairs).single_replica().guard(&BOTH).start_with(&Arc::new(Registry::new()));
    declared(&[]).expect("it says that it is alone");
    assert_eq!(problems(declared(&[("RESILIENT_REPLICAS", "2")])), lines, "the variable says otherwise");
    start(&[("RESILIENT_DISABLED", "1")], &BOTH).expect("nothing is limited");
    start(&[], &ALONE).expect("nothing is distributed");
    drop(Replica::start(&Memory::default(), &BOTH, &[]));
}

#[tokio::test(start_paused = true)]
async fn the_problems_of_the_store_are_those_of_the_start() {
    let store = Memory::with_problems(&["the URL is none", "the prefix is empty"]);
    let registry = Arc::new(Registry::new());
    let refused = variables(&[]).shared(store).guard(&BOTH).start_with(&registry);
    assert_eq!(problems(refused), ["the URL is none", "the prefix is empty"]);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_succeeds_connects_to_the_store_and_one_that_is_refused_does_not() {
    let refused = Memory::with_problems(&["the URL is none"]);
    variables(&[]).shared(refused.clone()).guard(&BOTH).start_with(&Arc::new(Registry::new())).unwrap_err();
    assert_eq!(refused.connections(), 0);
    let store = Memory::default();
    drop(Replica::start(&store, &BOTH, &[]));
    assert_eq!(store.connections(), 1);
    store.behaves(Behaviour::Panics);
    drop(Replica::start(&store, &BOTH, &[]));
    assert_eq!(store.connections(), 2, "its panic does not end the start");
}

/// Panics, in its problems or in its secret.
#[derive(Debug)]
struct Panics {
    has_problems: bool,
}

impl SharedState for Panics {
    fn take<'a>(&'a self, _: &'a PermitRequest) -> SharedFuture<'a, Taken> {
        Box::pin(async { Ok(Taken::Granted) })
    }

    fn publish<'a>(&'a self, _: &'a Opening) -> SharedFuture<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn openings<'a>(&'a self, breakers: &'a [&'static str]) -> SharedFuture<'a, Vec<Option<OpeningId>>> {
        Box::pin(async { Ok(vec![None; breakers.len()]) })
    }

    fn secret(&self) -> [u8; 16] {
        panic!("as the test wants it")
    }

    fn problems(&self) -> Vec<String> {
        assert!(!self.has_problems, "as the test wants it");
        Vec::new()
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_refuses_the_start_and_does_not_end_it() {
    for has_problems in [true, false] {
        let registry = Arc::new(Registry::new());
        let refused = variables(&[]).shared(Panics { has_problems }).guard(&BOTH).start_with(&registry);
        assert_eq!(problems(refused), ["the shared state that `Resilience::shared` received panicked"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_store_is_refused() {
    let replica = Replica::start(&Memory::default(), &BOTH, &[]);
    let again = variables(&[]).shared(Memory::default()).guard(&BOTH).start_with(&replica.registry);
    assert_eq!(problems(again), ["the server already has a shared state; call `Resilience::start` once"]);
    variables(&[]).guard(&BOTH).start_with(&replica.registry).expect("the first one is still there");
}

#[tokio::test(start_paused = true)]
async fn a_url_that_nothing_reads_is_a_warning_that_does_not_show_it() {
    let log = Events::default();
    let _listening = listen(tracing_subscriber::registry().with(log.clone()));
    let url = ("RESILIENT_REDIS_URL", "redis://:secret@localhost");
    let registry = Arc::new(Registry::new());
    variables(&[url]).guard(&ALONE).start_with(&registry).expect("nothing is wrong");
    let warned = |log: &Events| log.seen().iter().filter(|line| line.contains("redis_from_env()")).count();
    assert_eq!(warned(&log), 1, "{:?}", log.seen());
    assert!(!log.seen().iter().any(|line| line.contains("secret")), "{:?}", log.seen());
    drop(Replica::start(&Memory::default(), &ALONE, &[url]));
    assert_eq!(warned(&log), 1, "there is a store");
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_distributed_in_all_places_or_in_none() {
    static LOCAL: Guard = Guard::new("local-place", Policy::new().rate_limit(RateLimitUse::new(RATE).named("places")));
    static SHARED: Guard = Guard::new("shared-place", limited("places", RATE));
    let registry = Arc::new(Registry::new());
    let refused = variables(&[]).shared(Memory::default()).guard(&LOCAL).guard(&SHARED).start_with(&registry);
    let lines = problems(refused);
    assert_eq!(lines.len(), 1, "{lines:?}");
    let differs = "the rate limit `places` has other settings";
    assert!(lines[0].contains(differs) && lines[0].contains("`distributed` only here"), "{lines:?}");
}

static LATER: Guard = Guard::new(
    "shares-later",
    limited("later", RATE).breaker(BreakerUse::with("later", BreakerSettings::new()).distributed()),
);

#[tokio::test(start_paused = true)]
async fn a_function_that_is_not_known_at_the_start_is_logged_once_if_it_needs_a_store() {
    for (replicas, is_bound_before, expected) in
        [("", false, 2), ("", true, 2), ("2", false, 2), ("1", false, 0), ("1", true, 0)]
    {
        let log = Events::default();
        let _listening = listen(tracing_subscriber::registry().with(log.clone()));
        let registry = Arc::new(Registry::new());
        let call = || registry.clone().scope(LATER.call(|| async { Ok::<_, ResilienceError>(()) }));
        if is_bound_before {
            assert_eq!(call().await, Ok(()));
        }
        let _handle = variables(&[("RESILIENT_REPLICAS", replicas)])
            .guard(&ALONE)
            .start_with(&registry)
            .expect("nothing is known to be wrong");
        for _ in 0..3 {
            let _ = call().await;
        }
        let logged: Vec<_> = log.seen().into_iter().filter(|line| line.contains("`shares-later` has `")).collect();
        assert_eq!(logged.len(), expected, "`{replicas}`: {logged:?}");
        assert!(logged.iter().all(|line| line.contains("config.invalid")), "{logged:?}");
    }
    let log = Events::default();
    let _listening = listen(tracing_subscriber::registry().with(log.clone()));
    let replica = Replica::start(&Memory::default(), &ALONE, &[]);
    let call = LATER.call(|| async { Ok::<_, ResilienceError>(()) });
    assert_eq!(replica.registry.clone().scope(call).await, Ok(()));
    assert!(!log.seen().iter().any(|line| line.contains("config.invalid")), "there is a store: {:?}", log.seen());
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_refused_does_not_set_the_store() {
    let (first, second, registry) = (Memory::default(), Memory::default(), Arc::new(Registry::new()));
    let wrong = variables(&[("RESILIENT__TOOL__NOBODY__TIMEOUT", "1s")]).shared(first.clone());
    assert!(!problems(wrong.guard(&BOTH).start_with(&registry)).is_empty());
    let handle = variables(&[]).shared(second.clone()).guard(&BOTH).start_with(&registry).expect("nothing is wrong");
    let replica = Replica { registry, guard: &BOTH, handle };
    assert_eq!(replica.call().await, Ok(()));
    assert_eq!((first.asked(), second.asked()), (0, 1));
}
