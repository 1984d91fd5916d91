//! Forty thousand reads of few keys on two threads, with every kind of failure and random drops: one body runs for a key
//! at a time, every caller gets an answer to its key, and nothing is left behind.

use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use resilient_runtime::{McpError, Outcome, Registry, ResilienceError, resilient};
use tokio::time::{sleep, timeout};

use super::upstream::{spawn, until};

const SEED: u64 = 0x5EED_0F17_4EAD_5001;
const CALLERS: u64 = 100;
const CALLS_OF_EACH: u64 = 400;
const KEYS: u64 = KEY_COUNT as u64;
const KEY_COUNT: usize = 12;
const FRESH: Duration = Duration::from_millis(4);
const NAMES: [&str; 2] = ["reads.cloned", "reads.shared"];

/// Returns a pseudorandom number that is the same in each run.
const fn dice(salt: u64, number: u64) -> u64 {
    resilient_tests::dice::dice(SEED, salt, number)
}

/// An error that followers get as it is.
#[derive(Debug, Clone, PartialEq, thiserror::Error, McpError)]
enum Cloned {
    #[error("down")]
    #[mcp(kind = unavailable)]
    Down,
    #[error("nothing there")]
    #[mcp(kind = not_found)]
    NotFound,
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

/// An error that followers get as one of the framework.
#[derive(Debug, thiserror::Error, McpError)]
enum NotCloned {
    #[error(transparent)]
    #[mcp(transparent)]
    Own(Cloned),
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

/// The answer of one run of the body.
#[derive(Debug, Clone)]
struct Answer {
    key: u64,
}

/// The bodies that run, and those that have run.
#[derive(Debug, Default)]
struct Bodies {
    running: [AtomicU32; KEY_COUNT],
    most_of_one_key: AtomicU32,
    runs: AtomicU64,
}

struct Running<'a>(&'a AtomicU32);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Bodies {
    async fn run(&self, key: u64) -> Result<Answer, Cloned> {
        let running = &self.running[usize::try_from(key).expect("small")];
        self.most_of_one_key.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let _running = Running(running);
        let dice = dice(1, self.runs.fetch_add(1, Ordering::SeqCst));
        match dice % 100 {
            0..=3 => resume_unwind(Box::new("on purpose")),
            4..=7 => {
                tokio::task::yield_now().await;
                resume_unwind(Box::new("on purpose"))
            }
            8..=11 => std::future::pending().await,
            12..=59 => sleep(Duration::from_micros((dice >> 32) % 4_000)).await,
            60..=79 => tokio::task::yield_now().await,
            _ => {}
        }
        match (dice >> 16) % 10 {
            0 => Err(Cloned::Down),
            1 => Err(Cloned::NotFound),
            _ => Ok(Answer { key }),
        }
    }
}

#[resilient(name = "reads.cloned", cache(fresh = "4ms", key = key), timeout = "10ms")]
async fn cloned(bodies: Arc<Bodies>, key: u64) -> Result<Answer, Cloned> {
    bodies.run(key).await
}

#[resilient(name = "reads.shared", cache(fresh = "4ms", key = key), timeout = "10ms")]
async fn shared(bodies: Arc<Bodies>, key: u64) -> Result<Answer, NotCloned> {
    bodies.run(key).await.map_err(NotCloned::Own)
}

/// Has less time than the read that it calls.
#[resilient(name = "reads.hurried", timeout = "2ms")]
async fn hurried(bodies: Arc<Bodies>, key: u64) -> Result<Answer, Cloned> {
    cloned(bodies, key).await
}

async fn call(bodies: Arc<Bodies>, number: u64) -> Result<Answer, Option<ResilienceError>> {
    let framework = |error: Cloned| if let Cloned::Resilience(error) = error { Some(error) } else { None };
    let key = dice(2, number) % (KEYS / 2);
    match dice(3, number) % 5 {
        0 | 1 => cloned(bodies, key).await.map_err(framework),
        2 => hurried(bodies, key).await.map_err(framework),
        // The keys of this one are other ones.
        _ => match shared(bodies, key + KEYS / 2).await {
            Ok(answer) => Ok(answer),
            Err(NotCloned::Own(_)) => Err(None),
            Err(NotCloned::Resilience(error)) => Err(Some(error)),
        },
    }
}

/// What the callers saw.
#[derive(Debug, Default)]
struct Seen {
    answers: AtomicU64,
    dropped: AtomicU64,
    timeouts: AtomicU64,
    panics: AtomicU64,
    shared_errors: AtomicU64,
}

async fn caller(caller: u64, bodies: Arc<Bodies>, seen: Arc<Seen>) {
    for round in 0..CALLS_OF_EACH {
        let number = round * CALLERS + caller;
        let dice = dice(4, number);
        let mut future = pin!(call(Arc::clone(&bodies), number));
        let ended = match dice % 20 {
            0 => {
                let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
                if let Poll::Ready(result) = polled { Some(result) } else { None }
            }
            1..=3 => timeout(Duration::from_micros((dice >> 32) % 3_000), future).await.ok(),
            _ => Some(future.await),
        };
        let count = match ended {
            None => &seen.dropped,
            Some(Ok(answer)) => {
                let key = self::dice(2, number) % (KEYS / 2);
                assert_eq!(answer.key % (KEYS / 2), key);
                &seen.answers
            }
            Some(Err(Some(ResilienceError::Timeout { .. }))) => &seen.timeouts,
            Some(Err(Some(ResilienceError::Panicked))) => &seen.panics,
            Some(Err(Some(ResilienceError::Shared { .. }))) => &seen.shared_errors,
            Some(Err(Some(other))) => panic!("{other:?}"),
            Some(Err(None)) => continue,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn one_body_runs_for_a_key_at_a_time_and_nothing_is_left_behind() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    runtime.expect("a runtime").block_on(async {
        let registry = Arc::new(Registry::new());
        let (bodies, seen) = (Arc::new(Bodies::default()), Arc::new(Seen::default()));
        let begin = |number| spawn(&registry, caller(number, Arc::clone(&bodies), Arc::clone(&seen)));
        let callers: Vec<_> = (0..CALLERS).map(begin).collect();
        for caller in callers {
            caller.await.expect("no panic");
        }
        check(&registry, &bodies, &seen);
        // Each key still answers: a flight that was left behind would end with a timeout at best.
        sleep(FRESH * 2).await;
        for key in 0..KEYS {
            let bodies = Arc::new(Bodies::default());
            let (one, other) = (cloned(Arc::clone(&bodies), key), shared(Arc::clone(&bodies), key));
            let _ = registry.clone().scope(async { tokio::join!(one, other) }).await;
            assert_eq!(bodies.runs.load(Ordering::SeqCst), 2, "both bodies run for key {key}");
        }
        until(|| NAMES.iter().all(|name| registry.function(name).is_some_and(|read| read.in_flight == 0))).await;
    });
}

fn check(registry: &Registry, bodies: &Bodies, seen: &Seen) {
    assert_eq!(bodies.most_of_one_key.load(Ordering::SeqCst), 1, "runs of one key at a time");
    assert!(bodies.running.iter().all(|running| running.load(Ordering::SeqCst) == 0));
    let (mut calls, mut attempts) = (0, 0);
    for name in NAMES {
        let read = registry.function(name).expect("bound");
        assert_eq!((read.in_flight, read.waiting), (0, 0), "{name}");
        assert_eq!(read.durations().count(), read.calls(), "{name}");
        assert!(read.outcome(Outcome::Ok) > 0 && read.outcome(Outcome::Cancelled) > 0, "{name}: {read:?}");
        calls += read.calls();
        attempts += read.attempts;
    }
    assert_eq!(calls, CALLERS * CALLS_OF_EACH, "each call is counted once");
    assert_eq!(attempts, bodies.runs.load(Ordering::SeqCst), "a body that runs is an attempt");
    assert!(attempts < calls / 2, "{attempts} bodies for {calls} calls");
    for (what, count) in [
        ("answers", &seen.answers),
        ("dropped", &seen.dropped),
        ("timeouts", &seen.timeouts),
        ("panics", &seen.panics),
        ("shared errors", &seen.shared_errors),
    ] {
        assert!(count.load(Ordering::Relaxed) > 50, "{what}: {seen:?}");
    }
}
