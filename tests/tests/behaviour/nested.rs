//! Guarded functions inside guarded functions: which permits they share, and which results count once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::breaker::BreakerState;
use resilient_runtime::policy::{BreakerSettings, BulkheadSettings, BulkheadUse, Retry};
use resilient_runtime::statistics::Suppressed;
use resilient_runtime::{Breaker, CallContext, Guard, Policy, Registry, ResilienceError, resilient};
use resilient_tests::failure::Failure;
use resilient_tests::in_process::{call, connect};
use resilient_tests::wire::{ERROR, meta, text};
use rmcp::{tool, tool_router};
use serde_json::json;
use tokio::time::{advance, sleep};

use super::error::Error;

const NAMES: [&str; 3] = ["level-1", "level-2", "level-3"];

/// Which breakers or bulkheads the levels have.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Which {
    None,
    Same,
    Different,
}

#[derive(Debug, Clone, Copy)]
struct Case {
    levels: usize,
    probes: u32,
    breakers: Which,
    bulkheads: Which,
    joined: bool,
}

fn cases() -> impl Iterator<Item = Case> {
    let of = |levels, probes, breakers, bulkheads, joined| Case { levels, probes, breakers, bulkheads, joined };
    (1..=3).flat_map(move |levels| {
        [1, 3].into_iter().flat_map(move |probes| {
            [Which::Same, Which::Different].into_iter().flat_map(move |breakers| {
                [Which::None, Which::Same, Which::Different].into_iter().flat_map(move |bulkheads| {
                    [false, true].into_iter().map(move |joined| of(levels, probes, breakers, bulkheads, joined))
                })
            })
        })
    })
}

/// Nested guards: each level makes two calls of the next one, and the last level calls the upstream.
struct Tower {
    case: Case,
    guards: Vec<Guard>,
    breakers: Vec<&'static Breaker>,
    is_down: AtomicBool,
    requests: AtomicU32,
}

impl Tower {
    fn new(case: Case) -> Self {
        let settings = BreakerSettings::new().failures(5).probes(case.probes).successes(2);
        let fresh = || -> &'static Breaker { Box::leak(Box::new(Breaker::new("tower", settings))) };
        let mut breakers = vec![fresh()];
        if case.breakers == Which::Different {
            breakers = (0..case.levels).map(|_| fresh()).collect();
        }
        let guards = (0..case.levels).map(|level| {
            let mut policy = Policy::new().timeout(Duration::from_secs(5));
            let slots = BulkheadSettings::new(1).queue(8);
            policy.bulkhead = match case.bulkheads {
                Which::None => None,
                Which::Same => Some(BulkheadUse::new(slots).named("shared")),
                Which::Different => Some(BulkheadUse::new(slots).named(NAMES[level])),
            };
            Guard::new(NAMES[level], policy).with_breaker(breakers[level.min(breakers.len() - 1)])
        });
        Self {
            case,
            guards: guards.collect(),
            breakers: breakers.clone(),
            is_down: AtomicBool::new(false),
            requests: AtomicU32::new(0),
        }
    }

    fn run(&self, level: usize) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send + '_>> {
        Box::pin(self.guards[level].call(move || async move {
            if level + 1 == self.case.levels {
                self.requests.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_millis(10)).await;
                return if self.is_down.load(Ordering::Relaxed) { Err(Error::Down) } else { Ok(()) };
            }
            let (first, second) = if self.case.joined {
                tokio::join!(self.run(level + 1), self.run(level + 1))
            } else {
                (self.run(level + 1).await, self.run(level + 1).await)
            };
            first.and(second)
        }))
    }
}

#[tokio::test(start_paused = true)]
async fn each_failing_request_is_counted_once_and_the_breaker_closes_again_after_recovery() {
    for case in cases() {
        Arc::new(Registry::new()).scope(outage(case)).await;
    }
}

async fn outage(case: Case) {
    let tower = Tower::new(case);
    tower.is_down.store(true, Ordering::Relaxed);
    for _ in 0..10 {
        assert!(tower.run(0).await.is_err(), "{case:?}");
    }
    let (first, requests) = (tower.breakers[0], u64::from(tower.requests.load(Ordering::Relaxed)));
    assert_ne!(tower.breakers[tower.breakers.len() - 1].state(), BreakerState::Closed, "{case:?}");
    if case.breakers == Which::Same {
        assert_eq!(first.snapshot().failures, requests, "{case:?}");
    }
    tower.is_down.store(false, Ordering::Relaxed);
    let mut good = 0;
    for _ in 0..5 {
        advance(Duration::from_secs(61)).await;
        good += u32::from(tower.run(0).await.is_ok());
    }
    if case.breakers == Which::Same {
        assert_eq!(good, 5, "the call that probes answers too: {case:?}");
    }
    for _ in 0..20 {
        assert_eq!(tower.run(0).await, Ok(()), "{case:?}");
    }
    for breaker in &tower.breakers {
        assert_eq!(breaker.state(), BreakerState::Closed, "{case:?}");
    }
}

static PERMITS: Breaker =
    Breaker::new("permits", BreakerSettings::new().failures(1).open(Duration::from_secs(5)).probes(1).successes(2));
static AT_ONCE: AtomicU32 = AtomicU32::new(0);
static MOST_AT_ONCE: AtomicU32 = AtomicU32::new(0);

#[resilient(breaker = PERMITS, timeout = "10s")]
async fn request(answer: Result<(), Error>) -> Result<(), Error> {
    let now = AT_ONCE.fetch_add(1, Ordering::Relaxed) + 1;
    MOST_AT_ONCE.fetch_max(now, Ordering::Relaxed);
    sleep(Duration::from_millis(100)).await;
    AT_ONCE.fetch_sub(1, Ordering::Relaxed);
    answer
}

#[resilient(breaker = PERMITS, timeout = "10s")]
async fn three_requests() -> Result<(), Error> {
    let (a, b, c) = tokio::join!(request(Ok(())), request(Ok(())), request(Ok(())));
    a.and(b).and(c)
}

#[tokio::test(start_paused = true)]
async fn a_probes_permit_is_lent_to_one_inner_call_at_a_time_and_each_counts() {
    assert!(request(Err(Error::Down)).await.is_err());
    advance(Duration::from_secs(5)).await;
    MOST_AT_ONCE.store(0, Ordering::Relaxed);
    assert_eq!(three_requests().await, Ok(()));
    assert_eq!(MOST_AT_ONCE.load(Ordering::Relaxed), 1, "two prove that it is well, the third finds it closed");
    assert_eq!(PERMITS.state(), BreakerState::Closed);
    let seen = PERMITS.snapshot();
    assert_eq!((seen.successes, seen.failures, seen.neutral), (3, 1, 1), "{seen:?}");
}

static UPSTREAM: AtomicU32 = AtomicU32::new(0);

#[resilient(name = "retries-inside", breaker(name = "twice", failures = 50), retry(max = 2, base = "1ms"), read_only)]
async fn retries_inside() -> Result<(), Error> {
    UPSTREAM.fetch_add(1, Ordering::Relaxed);
    Err(Error::Down)
}

#[resilient(name = "retries-outside", breaker = "twice", retry(max = 2, base = "1ms"), read_only)]
async fn retries_outside() -> Result<(), Error> {
    retries_inside().await
}

#[resilient(name = "retries-around", breaker = "twice", retry(max = 2, base = "1ms"), read_only)]
async fn retries_around() -> Result<(), Error> {
    retries_outside().await
}

#[tokio::test(start_paused = true)]
async fn what_an_inner_call_has_retried_is_not_retried_outside() {
    let registry = Arc::new(Registry::new());
    registry.clone().scope(async { assert_eq!(retries_around().await, Err(Error::Down)) }).await;
    assert_eq!(UPSTREAM.load(Ordering::Relaxed), 3, "not 27");
    let breaker = registry.breaker("twice").expect("bound").snapshot();
    assert_eq!((breaker.failures, breaker.consecutive_failures), (3, 3));
    for name in ["retries-outside", "retries-around"] {
        let counted = registry.function(name).expect("called");
        assert_eq!((counted.attempts, counted.suppressed(Suppressed::RetriedInside)), (1, 1), "{name}");
    }
}

#[resilient(retry(max = 2, base = "1ms"), read_only)]
async fn also_retries_inside() -> Result<(), Error> {
    Err(Error::Down)
}

#[resilient(breaker = "other-kind", timeout = "1s", retry(max = 1, base = "1ms"), read_only)]
async fn fails_with_another_kind(runs: &AtomicU32) -> Result<(), Error> {
    runs.fetch_add(1, Ordering::Relaxed);
    let _ = also_retries_inside().await;
    Err(Error::SlowDown { wait: None })
}

#[tokio::test(start_paused = true)]
async fn an_error_of_another_kind_than_the_inner_calls_is_retried() {
    let runs = AtomicU32::new(0);
    let scope = Arc::new(Registry::new());
    scope.scope(async { assert!(fails_with_another_kind(&runs).await.is_err()) }).await;
    assert_eq!(runs.load(Ordering::Relaxed), 2);
}

#[resilient(bulkhead(max = 1, name = "narrow"), timeout = "10s")]
async fn in_the_narrow_part() -> Result<(), Error> {
    sleep(Duration::from_millis(100)).await;
    Ok(())
}

#[resilient(bulkhead(max = 1, name = "narrow"), timeout = "10s")]
async fn ten_in_the_narrow_part() -> Result<(), Error> {
    let mut calls = tokio::task::JoinSet::new();
    let context = CallContext::current().expect("a call");
    for _ in 0..10 {
        calls.spawn(context.clone().instrument(in_the_narrow_part()));
    }
    calls.join_all().await.into_iter().collect()
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_lent_to_one_inner_call_at_a_time_and_the_others_wait_for_it() {
    Arc::new(Registry::new())
        .scope(async {
            let started = tokio::time::Instant::now();
            assert_eq!(ten_in_the_narrow_part().await, Ok(()));
            assert_eq!(started.elapsed(), Duration::from_secs(1), "one after another");
        })
        .await;
}

#[resilient(bulkhead(max = 1, name = "left-behind"), timeout = "10s")]
async fn leaves_a_task_behind() -> Result<(), Error> {
    let context = CallContext::current().expect("a call");
    tokio::spawn(context.instrument(outlives_its_caller()));
    sleep(Duration::from_millis(10)).await;
    Ok(())
}

#[resilient(bulkhead(max = 1, name = "left-behind"), timeout = "10s")]
async fn outlives_its_caller() -> Result<(), Error> {
    sleep(Duration::from_secs(1)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_a_spawned_task_has_borrowed_stays_taken_until_the_task_is_done() {
    Arc::new(Registry::new())
        .scope(async {
            assert_eq!(leaves_a_task_behind().await, Ok(()));
            let full = outlives_its_caller().await;
            assert!(matches!(full, Err(Error::Resilience(ResilienceError::Overloaded { .. }))), "{full:?}");
            sleep(Duration::from_secs(1)).await;
            assert_eq!(leaves_a_task_behind().await, Ok(()));
        })
        .await;
}

static WAITED: Breaker = Breaker::new("waited", BreakerSettings::new().failures(1));

#[resilient(bulkhead(max = 1, queue = 5, name = "busy"), timeout = "1h")]
async fn busy(length: Duration) -> Result<(), Error> {
    sleep(length).await;
    Ok(())
}

#[resilient(breaker = WAITED, timeout = "1s")]
async fn waits_inside() -> Result<(), Error> {
    busy(Duration::ZERO).await
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_cut_off_while_an_inner_call_queues_says_nothing_about_the_dependency() {
    Arc::new(Registry::new())
        .scope(async {
            let mut busy = Box::pin(busy(Duration::from_secs(60)));
            assert!(futures_util::poll!(&mut busy).is_pending());
            assert!(waits_inside().await.is_err());
            let seen = WAITED.snapshot();
            assert_eq!((seen.failures, seen.neutral, seen.state), (0, 1, BreakerState::Closed));
        })
        .await;
}

static BY_HAND: Breaker = Breaker::new("by-hand", BreakerSettings::new().failures(1).open(Duration::from_secs(5)));

#[resilient(breaker = BY_HAND, timeout = "10s")]
async fn asks_by_hand(answer: Result<(), Error>) -> Result<(), Error> {
    BY_HAND.call(async { answer }).await
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_is_called_by_hand_inside_a_guarded_function_shares_its_permit_too() {
    assert_eq!(asks_by_hand(Err(Error::Down)).await, Err(Error::Down));
    assert_eq!(BY_HAND.snapshot().failures, 1, "counted once");
    advance(Duration::from_secs(5)).await;
    assert_eq!(asks_by_hand(Ok(())).await, Ok(()));
    assert_eq!(asks_by_hand(Ok(())).await, Ok(()));
    assert_eq!(BY_HAND.state(), BreakerState::Closed);
}

#[derive(Clone, Default)]
struct Shop {
    is_down: Arc<AtomicBool>,
    requests: Arc<AtomicU32>,
}

impl Shop {
    #[resilient(breaker(name = "nested-shop", failures = 4), retry(max = 2, base = "1ms"), timeout = "5s", read_only)]
    async fn request(&self) -> Result<String, Failure> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if self.is_down.load(Ordering::Relaxed) { Err(Failure::Down) } else { Ok("well".into()) }
    }
}

#[resilient(breaker = "nested-shop", retry(max = 2, base = "1ms"))]
#[tool_router(server_handler)]
impl Shop {
    /// Shows it.
    #[tool(annotations(read_only_hint = true))]
    async fn show_nested(&self) -> Result<String, Failure> {
        self.request().await
    }
}

#[tokio::test(start_paused = true)]
async fn over_mcp_a_guarded_request_inside_a_guarded_tool_makes_as_many_requests_as_attempts_and_recovers() {
    let shop = Shop::default();
    let client = connect(shop.clone()).await;
    shop.is_down.store(true, Ordering::Relaxed);
    let answer = call(&client, "show_nested", &json!({})).await;
    assert_eq!(shop.requests.load(Ordering::Relaxed), 3, "{}", text(&answer));
    let error = meta(&answer, ERROR);
    assert_eq!((&error["attempts"], &error["reason"]), (&json!(1), &json!("retried_inside")), "{error}");
    let breaker = Registry::global().breaker("nested-shop").expect("bound");
    assert_eq!((breaker.snapshot().failures, breaker.state()), (3, BreakerState::Closed));
    call(&client, "show_nested", &json!({})).await;
    assert_eq!((shop.requests.load(Ordering::Relaxed), breaker.state()), (4, BreakerState::Open));

    shop.is_down.store(false, Ordering::Relaxed);
    for _ in 0..2 {
        advance(Duration::from_secs(61)).await;
        assert_eq!(text(&call(&client, "show_nested", &json!({})).await), "well");
    }
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn the_smaller_deadline_holds_however_deep_a_call_is() {
    let registry = Arc::new(Registry::new());
    let outer = Guard::new("outer", Policy::new().timeout(Duration::from_secs(1)));
    let inner = Guard::new("inner", Policy::new().timeout(Duration::from_secs(9)).retry(Retry::new(3)));
    let started = tokio::time::Instant::now();
    let answer: Result<(), Error> =
        registry.scope(outer.call(|| inner.call(std::future::pending::<Result<(), Error>>))).await;
    assert!(answer.is_err());
    assert_eq!(started.elapsed(), Duration::from_secs(1));
}
