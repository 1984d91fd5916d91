//! A hundred thousand calls on two threads with every kind of failure: afterwards no permit is held, and every call is
//! counted once, with the outcome that its caller saw.

use std::collections::HashMap;
use std::future::poll_fn;
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use resilient_runtime::breaker::Reason;
use resilient_runtime::statistics::{Rejected, ToolSnapshot};
use resilient_runtime::{CallContext, McpError, Outcome, Registry, ResilienceError, resilient};
use tokio::sync::Barrier;
use tokio::time::sleep;

const SEED: u64 = 0x5EED_0F00_C4A0_5001;
const CALLERS: u64 = 250;
const CALLS_OF_EACH: u64 = 400;
const FUNCTIONS: [&str; 6] = ["plain", "retried", "rated", "keyed", "limited", "nested"];

/// Returns a pseudorandom number that is the same in each run.
const fn dice(salt: u64, number: u64) -> u64 {
    resilient_tests::dice::dice(SEED, salt, number)
}

#[derive(Debug, Clone, PartialEq, thiserror::Error, McpError)]
enum Error {
    #[error("wrong arguments")]
    #[mcp(kind = invalid_input)]
    Wrong,
    #[error("nothing there")]
    #[mcp(kind = not_found)]
    NotFound,
    #[error("it has changed")]
    #[mcp(kind = conflict)]
    Conflict,
    #[error("something else first")]
    #[mcp(kind = failed_precondition)]
    TooEarly,
    #[error("not for you")]
    #[mcp(kind = permission_denied)]
    Denied,
    #[error("who are we")]
    #[mcp(kind = unauthenticated)]
    Unauthenticated,
    #[error("used up")]
    #[mcp(kind = quota_exceeded)]
    UsedUp,
    #[error("slow down")]
    #[mcp(kind = rate_limited)]
    SlowDown {
        #[mcp(retry_after)]
        wait: Option<Duration>,
    },
    #[error("too late")]
    #[mcp(kind = timeout)]
    TooLate,
    #[error("no connection")]
    #[mcp(kind = connection)]
    NoConnection,
    #[error("down")]
    #[mcp(kind = unavailable)]
    Down,
    #[error("nonsense")]
    #[mcp(kind = bad_response)]
    Nonsense,
    #[error("a bug")]
    #[mcp(kind = internal)]
    Bug,
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

const ERRORS: [Error; 13] = [
    Error::Wrong,
    Error::NotFound,
    Error::Conflict,
    Error::TooEarly,
    Error::Denied,
    Error::Unauthenticated,
    Error::UsedUp,
    Error::SlowDown { wait: Some(Duration::from_millis(1)) },
    Error::TooLate,
    Error::NoConnection,
    Error::Down,
    Error::Nonsense,
    Error::Bug,
];

const DEPENDENCY_ERRORS: &[Error] = &[Error::TooLate, Error::NoConnection, Error::Down, Error::Nonsense];

/// The source of an answer, and its call.
#[derive(Debug, Clone, PartialEq)]
enum Answer {
    Own(u64),
    Substitute,
}

/// The number of times that the bodies ran.
static RUNS: [AtomicU64; FUNCTIONS.len()] = [const { AtomicU64::new(0) }; FUNCTIONS.len()];

/// Injects the fault of one attempt of one call.
async fn inject(function: usize, number: u64) -> Result<Answer, Error> {
    RUNS[function].fetch_add(1, Ordering::Relaxed);
    let attempt = CallContext::current().map_or(0, |context| u64::from(context.attempt()));
    let dice = dice(1 + attempt, number);
    // Failures come in bursts, so that breakers have a reason to open.
    let storm = number % 25_000 < 1_500;
    let (kind, detail) = (dice % 100, dice >> 32);
    match kind {
        0..=1 => resume_unwind(Box::new("on purpose")),
        2..=3 => {
            tokio::task::yield_now().await;
            resume_unwind(Box::new("on purpose"))
        }
        4..=6 => std::future::pending().await,
        7..=18 => sleep(Duration::from_micros(detail % 4_000)).await,
        19..=30 => tokio::task::yield_now().await,
        _ => {}
    }
    let (fails, errors) = if storm { (90, DEPENDENCY_ERRORS) } else { (12, &ERRORS[..]) };
    if (dice >> 16) % 100 < fails {
        return Err(errors[usize::try_from(detail).unwrap_or(0) % errors.len()].clone());
    }
    Ok(Answer::Own(number))
}

#[resilient(name = "plain", timeout = "5ms")]
async fn plain(number: u64) -> Result<Answer, Error> {
    inject(0, number).await
}

#[resilient(
    name = "retried",
    retry(max = 2, base = "1ms", jitter = full, budget = "100%"),
    breaker(name = "chaos-row", failures = 5, open = "100ms", probes = 3, successes = 4),
    attempt_timeout = "4ms",
    timeout = "60ms",
    read_only
)]
async fn retried(number: u64) -> Result<Answer, Error> {
    inject(1, number).await
}

async fn substitute(number: u64, _: &Error) -> Result<Answer, Error> {
    match dice(100, number) % 8 {
        0 => Err(Error::Nonsense),
        1 => resume_unwind(Box::new("on purpose")),
        2 => std::future::pending().await,
        3 => {
            sleep(Duration::from_millis(1)).await;
            Ok(Answer::Substitute)
        }
        _ => Ok(Answer::Substitute),
    }
}

#[resilient(
    name = "rated",
    breaker(
        name = "chaos-rate", rate = 0.5, window = 40, min_calls = 10, slow = "3ms", slow_rate = 0.3, open = "100ms",
        probes = 2, successes = 3
    ),
    timeout = "6ms",
    fallback = [cached, substitute],
    cache(key = number % 512)
)]
async fn rated(number: u64) -> Result<Answer, Error> {
    inject(2, number).await
}

#[resilient(
    name = "keyed",
    breaker(name = "chaos-keyed", rate = 0.6, window = "1s", min_calls = 10, open = "100ms", key = number % 7),
    timeout = "5ms",
    fallback = value(Answer::Substitute)
)]
async fn keyed(number: u64) -> Result<Answer, Error> {
    inject(3, number).await
}

#[resilient(
    name = "limited",
    retry(max = 2, base = "1ms", jitter = full),
    breaker = "chaos-row",
    bulkhead(max = 8, queue = 8, wait = "2ms", name = "chaos-slots"),
    rate_limit(rate = "1/1h", burst = 8000),
    attempt_timeout = "4ms",
    timeout = "20ms",
    read_only
)]
async fn limited(number: u64) -> Result<Answer, Error> {
    inject(4, number).await
}

/// Calls another guarded function with the same breaker, with less time than the timeout of that function.
#[resilient(
    name = "nested",
    timeout = "3ms",
    retry(max = 1, base = "1ms"),
    attempt_timeout = "2ms",
    breaker = "chaos-inner",
    bulkhead(max = 64, name = "chaos-nested"),
    read_only
)]
async fn nested(number: u64) -> Result<Answer, Error> {
    RUNS[5].fetch_add(1, Ordering::Relaxed);
    // A rejection of the inner call becomes an error of this function.
    inner(number).await.map_err(|error| if let Error::Resilience(_) = error { Error::NoConnection } else { error })
}

#[resilient(name = "inner", timeout = "20ms", breaker(name = "chaos-inner", open = "100ms"))]
async fn inner(number: u64) -> Result<Answer, Error> {
    match dice(200, number) % 10 {
        0 => std::future::pending().await,
        1 => Err(Error::Down),
        2 => Err(Error::NotFound),
        _ => Ok(Answer::Own(number)),
    }
}

/// Needs all permits of the bulkhead at the same time.
#[resilient(name = "all-slots", bulkhead(max = 8, queue = 8, wait = "2ms", name = "chaos-slots"), timeout = "60s")]
async fn takes_a_slot(together: &Barrier) -> Result<(), Error> {
    together.wait().await;
    Ok(())
}

async fn call(function: usize, number: u64) -> Result<Answer, Error> {
    match function {
        0 => plain(number).await,
        1 => retried(number).await,
        2 => rated(number).await,
        3 => keyed(number).await,
        4 => limited(number).await,
        _ => nested(number).await,
    }
}

/// Returns the outcome that a caller sees, or `None` if the call never began.
async fn see(function: usize, number: u64) -> Option<Outcome> {
    let dice = dice(300, number);
    let future = call(function, number);
    let answer = match dice % 40 {
        0 => {
            drop(future);
            return None;
        }
        1 => {
            let mut future = pin!(future);
            let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
            match polled {
                Poll::Ready(answer) => answer,
                Poll::Pending => return Some(Outcome::Cancelled),
            }
        }
        2..=5 => match tokio::time::timeout(Duration::from_millis(dice >> 32 & 3), future).await {
            Ok(answer) => answer,
            Err(_) => return Some(Outcome::Cancelled),
        },
        _ => future.await,
    };
    Some(match answer {
        Ok(Answer::Own(own)) if own == number => Outcome::Ok,
        Ok(_) => Outcome::Fallback,
        Err(Error::Resilience(ResilienceError::Timeout { .. })) => Outcome::Timeout,
        Err(Error::Resilience(ResilienceError::CircuitOpen { .. } | ResilienceError::Overloaded { .. })) => {
            Outcome::Rejected
        }
        Err(Error::Resilience(ResilienceError::Panicked)) => Outcome::Panic,
        Err(Error::Resilience(other)) => panic!("nobody cancels: {other}"),
        Err(_) => Outcome::Error,
    })
}

type Seen = HashMap<(usize, Outcome), u64>;

async fn caller(caller: u64) -> Seen {
    let mut seen = Seen::new();
    for call in 0..CALLS_OF_EACH {
        let number = call * CALLERS + caller;
        let function = usize::try_from(dice(400, number)).unwrap_or(0) % FUNCTIONS.len();
        if let Some(outcome) = see(function, number).await {
            *seen.entry((function, outcome)).or_default() += 1;
            // A rejected caller waits before its next call.
            if outcome == Outcome::Rejected {
                sleep(Duration::from_millis(10)).await;
            }
        }
    }
    seen
}

#[test]
fn a_hundred_thousand_calls_leave_nothing_behind_and_each_is_counted_as_its_caller_saw_it() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    runtime.expect("a runtime").block_on(async {
        let registry = Arc::new(Registry::new());
        let callers: Vec<_> =
            (0..CALLERS).map(|number| tokio::spawn(Arc::clone(&registry).scope(caller(number)))).collect();
        let mut seen = Seen::new();
        for caller in callers {
            for (what, count) in caller.await.expect("no panic") {
                *seen.entry(what).or_default() += count;
            }
        }
        check(&registry, &seen);
        let together = Barrier::new(8);
        let slots = std::array::from_fn::<_, 8, _>(|_| Arc::clone(&registry).scope(takes_a_slot(&together)));
        let taken = tokio::time::timeout(Duration::from_secs(30), futures_util::future::join_all(slots)).await;
        assert_eq!(taken.expect("every slot is free"), [const { Ok(()) }; 8]);
    });
}

fn check(registry: &Registry, seen: &Seen) {
    let mut all = 0;
    for (index, name) in FUNCTIONS.into_iter().enumerate() {
        let read = registry.function(name).expect("bound");
        nothing_is_held(name, &read);
        for &outcome in Outcome::ALL {
            let by_callers = seen.get(&(index, outcome)).copied().unwrap_or(0);
            assert_eq!(read.outcome(outcome), by_callers, "{name}: {outcome:?}");
        }
        assert_eq!(read.attempts, RUNS[index].load(Ordering::Relaxed), "{name}: a body that runs is an attempt");
        assert!(read.retries <= read.attempts);
        assert!(read.calls() > CALLERS * CALLS_OF_EACH / 10, "{name} was hardly called: {read:?}");
        all += read.calls();
    }
    let began = (0..CALLERS * CALLS_OF_EACH).filter(|number| !dice(300, *number).is_multiple_of(40)).count();
    assert_eq!(usize::try_from(all), Ok(began));
    nothing_is_held("inner", &registry.function("inner").expect("bound"));
    breakers_agree(registry);
    went_wrong_in_every_way(registry, seen);
}

fn nothing_is_held(name: &str, read: &ToolSnapshot) {
    assert_eq!((read.in_flight, read.waiting), (0, 0), "{name}");
    assert_eq!(read.durations().count(), read.calls(), "{name}");
}

/// Asserts that every permit of a breaker was returned once, with a result.
fn breakers_agree(registry: &Registry) {
    for breaker in registry.breakers() {
        assert_eq!(breaker.probes, 0, "{}", breaker.name);
        assert!(breaker.stale <= breaker.successes + breaker.failures + breaker.neutral);
        for pair in breaker.transitions.windows(2) {
            assert!(pair[0].to != pair[0].from);
        }
    }
    for (breaker, functions) in [("chaos-rate", &["rated"][..]), ("chaos-inner", &["inner", "nested"])] {
        let breaker = registry.breaker(breaker).expect("bound").snapshot();
        let read = functions.iter().map(|function| registry.function(function).expect("bound"));
        let (mut permits, mut rejected) = (0, 0);
        for read in read {
            // A call that the bulkhead then rejects returns its permit of the breaker.
            permits += read.attempts + read.rejected(Rejected::Bulkhead);
            rejected += read.rejected(Rejected::Breaker);
        }
        assert_eq!(breaker.successes + breaker.failures + breaker.neutral, permits, "{functions:?}");
        assert_eq!(breaker.rejected, rejected, "{functions:?}");
    }
}

/// Asserts that every failure occurred, because otherwise the test proves nothing about it.
fn went_wrong_in_every_way(registry: &Registry, seen: &Seen) {
    // None of its functions defers its calls.
    for outcome in Outcome::ALL.iter().copied().filter(|outcome| *outcome != Outcome::Deferred) {
        let count: u64 = seen.iter().filter(|((_, each), _)| *each == outcome).map(|(_, count)| count).sum();
        assert!(count > 100, "{outcome:?}: {count}");
    }
    for name in ["chaos-row", "chaos-rate"] {
        let breaker = registry.breaker(name).expect("bound").snapshot();
        assert!(breaker.transitions.iter().any(|moved| moved.reason == Reason::Recovered), "{breaker:?}");
        assert!(breaker.transitions.len() >= 6, "{breaker:?}");
        assert!(breaker.stale > 0, "{breaker:?}");
    }
    assert!(registry.function("keyed").expect("bound").rejected(Rejected::Breaker) > 0);
    let limited = registry.function("limited").expect("bound");
    assert!(limited.rejected(Rejected::Breaker) > 0 && limited.rejected(Rejected::Bulkhead) > 0, "{limited:?}");
    assert_eq!(limited.rejected(Rejected::RateLimit), limited.calls() - 8_000, "the burst and nothing beyond it");
    assert!(registry.function("retried").expect("bound").retries > 100);
}
