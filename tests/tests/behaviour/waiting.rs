//! Events that end a wait early, and the effect of a wait that took too long on the dependency's breaker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::breaker::BreakerState;
use resilient_runtime::policy::BreakerSettings;
use resilient_runtime::{Breaker, Registry, ResilienceError, resilient};
use resilient_tests::failure::Failure;
use resilient_tests::in_process::{call, connect};
use resilient_tests::wire::{ERROR, meta, text};
use rmcp::{tool, tool_router};
use serde_json::json;
use tokio::time::{Instant, advance, sleep};

use super::error::Error;

#[resilient(breaker(name = "slow-but-well", failures = 1, open = "5s"), timeout = "60s")]
async fn slow_but_well(answer: Result<(), Error>) -> Result<(), Error> {
    sleep(Duration::from_secs(8)).await;
    answer
}

#[tokio::test(start_paused = true)]
async fn a_probe_has_as_long_as_the_limit_that_ends_it() {
    let registry = Arc::new(Registry::new());
    registry
        .clone()
        .scope(async {
            assert!(slow_but_well(Err(Error::Down)).await.is_err());
            sleep(Duration::from_secs(5)).await;
            let mut probe = Box::pin(slow_but_well(Ok(())));
            assert!(futures_util::poll!(&mut probe).is_pending());
            advance(Duration::from_millis(6_900)).await;
            match slow_but_well(Ok(())).await {
                Err(Error::Resilience(ResilienceError::CircuitOpen { retry_after, .. })) => {
                    assert_eq!(retry_after, Some(Duration::from_millis(75_000 - 6_900)), "the timeout and a quarter");
                }
                other => panic!("{other:?}"),
            }
            assert_eq!(probe.await, Ok(()));
            assert_eq!(slow_but_well(Ok(())).await, Ok(()));
            assert_eq!(registry.breaker("slow-but-well").expect("bound").state(), BreakerState::Closed);
        })
        .await;
}

#[resilient(breaker(name = "queued-for", failures = 3), bulkhead(max = 1, queue = 30), timeout = "30s")]
async fn queued_for(runs: &AtomicU32) -> Result<(), Error> {
    runs.fetch_add(1, Ordering::Relaxed);
    sleep(Duration::from_millis(100)).await;
    Err(Error::Down)
}

#[tokio::test(start_paused = true)]
async fn calls_that_queue_for_a_slot_are_rejected_when_their_breaker_opens() {
    Arc::new(Registry::new())
        .scope(async {
            let (runs, started) = (AtomicU32::new(0), Instant::now());
            let answers = futures_util::future::join_all((0..20).map(|_| queued_for(&runs))).await;
            assert_eq!(runs.load(Ordering::Relaxed), 3);
            assert_eq!(started.elapsed(), Duration::from_millis(300));
            let rejected = answers.iter().filter(|answer| {
                matches!(answer, Err(Error::Resilience(ResilienceError::CircuitOpen { retry_after: Some(_), .. })))
            });
            assert_eq!(rejected.count(), 17);
        })
        .await;
}

#[resilient(breaker(name = "opens-briefly", failures = 1, open = "1s"), bulkhead(max = 1, queue = 5), timeout = "30s")]
async fn opens_briefly(runs: &AtomicU32) -> Result<(), Error> {
    runs.fetch_add(1, Ordering::Relaxed);
    sleep(Duration::from_millis(100)).await;
    Err(Error::Down)
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_slot_comes_after_its_breaker_opened_does_not_run() {
    Arc::new(Registry::new())
        .scope(async {
            let runs = AtomicU32::new(0);
            let answers = futures_util::future::join_all((0..5).map(|_| opens_briefly(&runs))).await;
            assert_eq!(runs.load(Ordering::Relaxed), 1, "{answers:?}");
        })
        .await;
}

static SLEPT: Breaker = Breaker::new("slept", BreakerSettings::new().failures(5));

#[resilient(breaker = SLEPT, retry(max = 1, base = "10s", jitter = off), timeout = "60s", read_only)]
async fn sleeps_a_backoff() -> Result<(), Error> {
    Err(Error::Down)
}

#[tokio::test(start_paused = true)]
async fn a_call_that_sleeps_a_backoff_wakes_when_its_breaker_opens_for_longer() {
    let started = Instant::now();
    let call = tokio::spawn(sleeps_a_backoff());
    sleep(Duration::from_secs(1)).await;
    SLEPT.open();
    assert_eq!(call.await.expect("no panic"), Err(Error::Down), "its last error is the answer");
    assert_eq!(started.elapsed(), Duration::from_secs(1));
}

#[resilient(retry(max = 1, base = "1s"), timeout = "60s", read_only)]
async fn asked_to_wait(runs: &AtomicU32) -> Result<(), Error> {
    match runs.fetch_add(1, Ordering::Relaxed) {
        0 => Err(Error::SlowDown { wait: Some(Duration::from_secs(5)) }),
        _ => Ok(()),
    }
}

#[tokio::test(start_paused = true)]
async fn callers_that_were_asked_for_the_same_time_come_back_spread_and_none_before_it() {
    let started = Instant::now();
    let calls = (0..200).map(|_| {
        let runs = AtomicU32::new(0);
        async move {
            assert_eq!(asked_to_wait(&runs).await, Ok(()));
            started.elapsed()
        }
    });
    // A separate budget for each call.
    let calls = calls.map(|call| Arc::new(Registry::new()).scope(call));
    let mut times = futures_util::future::join_all(calls).await;
    times.sort_unstable();
    assert!(times[0] >= Duration::from_secs(5), "{:?}", times[0]);
    assert!(times[199] <= Duration::from_millis(5_501), "{:?}", times[199]);
    let spread = times[199].saturating_sub(times[0]);
    assert!(spread > Duration::from_millis(250), "spread over {spread:?}");
}

static STOOD_STILL: Breaker = Breaker::new("stood-still", BreakerSettings::new().failures(1));

#[resilient(breaker = STOOD_STILL, timeout = "2s")]
async fn answers_after(answer: tokio::sync::oneshot::Receiver<()>) -> Result<(), Error> {
    answer.await.map_err(|_| Error::Down)
}

#[tokio::test(start_paused = true)]
async fn after_a_standstill_an_answer_that_is_on_its_way_is_taken() {
    let (send, receive) = tokio::sync::oneshot::channel();
    let call = tokio::spawn(answers_after(receive));
    let (arrives, at_the_socket) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        sleep(Duration::from_millis(600)).await;
        arrives.send(()).expect("the connection is read");
    });
    // The task of a connection, which must read the response first.
    tokio::spawn(async move {
        at_the_socket.await.expect("an answer");
        send.send(()).expect("the call waits");
    });
    tokio::task::yield_now().await;
    advance(Duration::from_secs(5)).await;
    assert_eq!(call.await.expect("no panic"), Ok(()));
}

static STOPPED: Breaker = Breaker::new("stopped", BreakerSettings::new().failures(1));

#[resilient(breaker = STOPPED, timeout = "2s")]
async fn is_stopped() -> Result<(), Error> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn a_timeout_that_comes_far_too_late_says_nothing_about_the_dependency() {
    let call = tokio::spawn(is_stopped());
    tokio::task::yield_now().await;
    advance(Duration::from_secs(5)).await;
    assert!(call.await.expect("no panic").is_err());
    let seen = STOPPED.snapshot();
    assert_eq!((seen.failures, seen.neutral, seen.state), (0, 1, BreakerState::Closed));
    assert!(is_stopped().await.is_err());
    assert_eq!(STOPPED.state(), BreakerState::Open, "one that comes in time counts");
}

#[derive(Clone, Default)]
struct Server;

#[resilient(breaker(name = "opened-by-another", failures = 5), retry(max = 1, base = "2s", jitter = off))]
#[tool_router(server_handler)]
impl Server {
    /// Fails, and waits.
    #[tool(annotations(read_only_hint = true))]
    async fn fails_and_waits(&self) -> Result<String, Failure> {
        Err(Failure::Down)
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_says_that_the_breaker_has_opened_during_the_backoff_and_for_how_long() {
    let client = connect(Server).await;
    let opens = async {
        sleep(Duration::from_secs(1)).await;
        Registry::global().breaker("opened-by-another").expect("bound").open();
    };
    let arguments = json!({});
    let (answer, ()) = tokio::join!(call(&client, "fails_and_waits", &arguments), opens);
    let error = meta(&answer, ERROR);
    assert_eq!((&error["kind"], &error["reason"]), (&json!("unavailable"), &json!("circuit_open")), "{error}");
    assert_eq!(error["retry_after_ms"], json!(60_000), "{error}");
    assert!(text(&answer).contains("Do not retry before 1m."), "{}", text(&answer));
}

const SLOW: BreakerSettings = BreakerSettings::new().slow(Duration::from_secs(1)).min_calls(5);

static STOPPED_BRIEFLY: Breaker = Breaker::new("stopped-briefly", SLOW);

#[resilient(breaker = STOPPED_BRIEFLY, timeout = "30s")]
async fn takes_a_tenth() -> Result<(), Error> {
    sleep(Duration::from_millis(100)).await;
    Ok(())
}

async fn takes_a_tenth_by_hand(breaker: &Breaker) -> Result<(), Error> {
    breaker
        .call(async {
            sleep(Duration::from_millis(100)).await;
            Ok(())
        })
        .await
}

#[tokio::test(start_paused = true)]
async fn calls_that_answer_as_soon_as_the_process_runs_again_are_not_slow() {
    static BY_HAND: Breaker = Breaker::new("stopped-by-hand", SLOW);
    let calls = [(); 5].map(|()| tokio::spawn(takes_a_tenth()));
    let by_hand = [(); 5].map(|()| tokio::spawn(takes_a_tenth_by_hand(&BY_HAND)));
    tokio::task::yield_now().await;
    advance(Duration::from_secs(2)).await;
    for call in calls.into_iter().chain(by_hand) {
        assert_eq!(call.await.expect("no panic"), Ok(()));
    }
    for breaker in [&STOPPED_BRIEFLY, &BY_HAND] {
        let seen = breaker.snapshot();
        assert_eq!((seen.state, seen.window), (BreakerState::Closed, Some((5, 0, 0))), "{}", breaker.name());
    }
}

static STOPPED_WHILE_IT_WAITS: Breaker = Breaker::new("stopped-while-it-waits", SLOW);

#[resilient(breaker = STOPPED_WHILE_IT_WAITS, timeout = "30s")]
async fn hears(answer: tokio::sync::oneshot::Receiver<()>) -> Result<(), Error> {
    answer.await.map_err(|_| Error::Down)
}

async fn hears_by_hand(breaker: &Breaker, answer: tokio::sync::oneshot::Receiver<()>) -> Result<(), Error> {
    breaker.call(async { answer.await.map_err(|_| Error::Down) }).await
}

#[tokio::test(start_paused = true)]
async fn after_a_standstill_a_dependency_has_its_time_once_more_before_it_is_slow() {
    static BY_HAND: Breaker = Breaker::new("waits-by-hand", SLOW);
    for (waits, slow) in [(Duration::from_millis(900), 0), (Duration::from_millis(1_100), 2)] {
        let [(send, receive), (send_by_hand, receive_by_hand)] = [(); 2].map(|()| tokio::sync::oneshot::channel());
        let calls = [tokio::spawn(hears(receive)), tokio::spawn(hears_by_hand(&BY_HAND, receive_by_hand))];
        tokio::task::yield_now().await;
        advance(Duration::from_secs(3)).await;
        sleep(waits).await;
        for send in [send, send_by_hand] {
            send.send(()).expect("the call waits");
        }
        for call in calls {
            assert_eq!(call.await.expect("no panic"), Ok(()));
        }
        let seen = [&STOPPED_WHILE_IT_WAITS, &BY_HAND].map(|breaker| breaker.snapshot().window.expect("a window").2);
        assert_eq!(seen.iter().sum::<u32>(), slow, "{waits:?}: {seen:?}");
    }
}
