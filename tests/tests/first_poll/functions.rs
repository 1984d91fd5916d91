//! The first poll of a guarded function.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::poll;
use proptest::prelude::*;
use resilient_runtime::breaker::BreakerState;
use resilient_runtime::policy::BreakerSettings;
use resilient_runtime::statistics::{AttemptOutcome, Rejected, ToolSnapshot};
use resilient_runtime::{Breaker, CallContext, McpError, Outcome, Registry, ResilienceError, resilient};
use resilient_tests::failure::Failure;
use tokio::runtime::Builder;
use tokio::task::yield_now;

use super::nothing_listens;

/// How a call ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    GoodAtOnce,
    GoodLater,
    ErrorAtOnce,
    ErrorLater,
    Panic,
    /// The caller drops the call after its first poll.
    Dropped,
    TimedOut,
}

const ENDS: [End; 7] =
    [End::GoodAtOnce, End::GoodLater, End::ErrorAtOnce, End::ErrorLater, End::Panic, End::Dropped, End::TimedOut];

async fn work(end: End) -> Result<u32, Failure> {
    match end {
        End::GoodAtOnce => Ok(1),
        End::GoodLater => {
            yield_now().await;
            Ok(2)
        }
        End::ErrorAtOnce => Err(Failure::Missing),
        End::ErrorLater => {
            yield_now().await;
            Err(Failure::Missing)
        }
        End::Panic => panic!("on purpose"),
        End::Dropped | End::TimedOut => std::future::pending().await,
    }
}

#[resilient(name = "first_plain", timeout = "1s")]
async fn plain(end: End) -> Result<u32, Failure> {
    work(end).await
}

#[resilient(name = "first_broken", timeout = "1s", breaker(name = "first", failures = 1000))]
async fn broken(end: End) -> Result<u32, Failure> {
    work(end).await
}

/// A limit lets the state machine decide about the first attempt.
#[resilient(name = "first_limited", timeout = "1s", bulkhead = 4)]
async fn limited(end: End) -> Result<u32, Failure> {
    work(end).await
}

async fn run(call: impl Future<Output = Result<u32, Failure>>, end: End) {
    if end == End::Dropped {
        let mut call = Box::pin(call);
        assert_eq!(poll!(call.as_mut()).map(|_| ()), Poll::Pending);
        return;
    }
    let answer = call.await;
    assert_eq!(answer.is_ok(), matches!(end, End::GoodAtOnce | End::GoodLater), "{end:?}: {answer:?}");
}

fn count(ends: &[End], wanted: impl Fn(End) -> bool) -> u64 {
    ends.iter().filter(|end| wanted(**end)).count() as u64
}

/// Compares what is counted with what happened.
fn is_counted(read: &ToolSnapshot, ends: &[End]) {
    let good = count(ends, |end| matches!(end, End::GoodAtOnce | End::GoodLater));
    let failed = count(ends, |end| matches!(end, End::ErrorAtOnce | End::ErrorLater));
    let of = |wanted: End| count(ends, |end| end == wanted);
    let outcomes = [Outcome::Ok, Outcome::Error, Outcome::Panic, Outcome::Cancelled, Outcome::Timeout];
    let expected = [good, failed, of(End::Panic), of(End::Dropped), of(End::TimedOut)];
    assert_eq!(outcomes.map(|outcome| read.outcome(outcome)), expected);
    let all = ends.len() as u64;
    assert_eq!((read.calls(), read.attempts, read.in_flight, read.retries), (all, all, 0, 0));
    assert_eq!((read.good_durations.count(), read.durations().count()), (good, all));
    assert_eq!(read.excused, failed, "a caller's mistake is no failure");
    // Nothing but a good call resets the failures, and a caller's mistake and a cancelled call say nothing.
    let tells = |end: &&End| matches!(end, End::GoodAtOnce | End::GoodLater | End::Panic | End::TimedOut);
    let in_a_row = ends.iter().rev().filter(tells).take_while(|end| matches!(end, End::Panic | End::TimedOut));
    assert_eq!(u64::from(read.consecutive_failures), in_a_row.count() as u64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whichever_way_calls_end_each_is_counted_once(
        ends in proptest::collection::vec(proptest::sample::select(&ENDS[..]), 1..24),
    ) {
        nothing_listens();
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        let registry = Arc::new(Registry::new());
        runtime.block_on(Arc::clone(&registry).scope(async {
            for end in &ends {
                run(plain(*end), *end).await;
                run(broken(*end), *end).await;
                run(limited(*end), *end).await;
            }
        }));
        let read = registry.function("first_plain").expect("bound");
        is_counted(&read, &ends);
        is_counted(&registry.function("first_broken").expect("bound"), &ends);
        is_counted(&registry.function("first_limited").expect("bound"), &ends);
        nothing_listens();
        let own = read.own_attempts.as_ref().expect("without a breaker, the function counts its attempts");
        let attempts = registry.breaker("first").expect("bound").snapshot();
        let good = read.outcome(Outcome::Ok);
        prop_assert_eq!(own.count(AttemptOutcome::Ok), good);
        prop_assert_eq!(attempts.successes, good);
        prop_assert_eq!(attempts.failures, count(&ends, |end| end == End::TimedOut));
    }
}

#[resilient(name = "first_inner", timeout = "5s")]
async fn inner(later: bool) -> Result<Option<CallContext>, Failure> {
    if later {
        yield_now().await;
    }
    Ok(CallContext::current())
}

#[resilient(name = "first_outer", timeout = "1s")]
async fn outer(inner_later: bool) -> Result<(), Failure> {
    let own = CallContext::current().expect("a context");
    let within = inner(inner_later).await?.expect("a context");
    assert_eq!(within.correlation_id(), own.correlation_id(), "it is a part of this call");
    assert_eq!(within.deadline(), own.deadline(), "the caller's deadline is earlier");
    let after = CallContext::current().expect("the context of this call is there again");
    assert_eq!((after.correlation_id(), after.attempt()), (own.correlation_id(), 1));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_call_inside_another_one_leaves_the_context_of_that_one_in_place() {
    nothing_listens();
    let registry = Arc::new(Registry::new());
    let calls = Arc::clone(&registry).scope(async {
        for later in [false, true] {
            outer(later).await.unwrap();
            assert!(CallContext::current().is_none(), "no context is left behind");
        }
    });
    calls.await;
    let read = |name: &str| registry.function(name).expect("bound");
    assert_eq!((read("first_outer").calls(), read("first_inner").calls()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_moved_into_another_ones_body_keeps_its_own_context() {
    nothing_listens();
    let mut alone = Box::pin(inner(true));
    assert!(poll!(alone.as_mut()).is_pending());
    let (own, kept) = within_another(alone).await.unwrap();
    assert_ne!(own.correlation_id(), kept.correlation_id());
    assert!(CallContext::current().is_none());
}

#[resilient(name = "first_host", timeout = "1s")]
async fn within_another(
    alone: impl Future<Output = Result<Option<CallContext>, Failure>>,
) -> Result<(CallContext, CallContext), Failure> {
    let kept = alone.await?.expect("a context");
    Ok((CallContext::current().expect("a context"), kept))
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_not_ready_is_in_flight_and_its_attempt_is_counted() {
    nothing_listens();
    let registry = Arc::new(Registry::new());
    let running = Arc::clone(&registry).scope(async {
        let mut call = Box::pin(broken(End::GoodLater));
        assert!(poll!(call.as_mut()).is_pending());
        let read = registry.function("first_broken").expect("bound");
        assert_eq!((read.in_flight, read.attempts, read.calls()), (1, 1, 0));
        call.await.unwrap();
    });
    running.await;
    let read = registry.function("first_broken").expect("bound");
    assert_eq!((read.in_flight, read.attempts, read.calls()), (0, 1, 1));
}

#[resilient(name = "first_retried", retry(max = 2, base = "1ms"), breaker = "first_retried", read_only)]
async fn retried(calls: &AtomicU32) -> Result<u32, Failure> {
    if calls.fetch_add(1, Ordering::Relaxed) == 0 { Err(Failure::Down) } else { Ok(1) }
}

#[tokio::test(start_paused = true)]
async fn a_first_attempt_that_fails_at_once_is_retried_and_each_attempt_is_counted() {
    nothing_listens();
    let registry = Arc::new(Registry::new());
    let calls = AtomicU32::new(0);
    for _ in 0..2 {
        assert_eq!(Arc::clone(&registry).scope(retried(&calls)).await.unwrap(), 1);
    }
    let read = registry.function("first_retried").expect("bound");
    assert_eq!((read.calls(), read.outcome(Outcome::Ok), read.attempts, read.retries), (2, 2, 3, 1));
    let breaker = registry.breaker("first_retried").expect("bound").snapshot();
    assert_eq!((breaker.successes, breaker.failures, breaker.failures_in_a_row), (2, 1, 0));
}

static LASTING: Breaker = Breaker::new("first_lasting", BreakerSettings::new());

#[resilient(name = "first_lasting", breaker = LASTING)]
async fn lasting() -> Result<u32, Failure> {
    Ok(1)
}

#[tokio::test(start_paused = true)]
async fn a_static_breaker_keeps_the_counts_of_registries_that_are_gone() {
    nothing_listens();
    for round in 1..=40 {
        let registry = Arc::new(Registry::new());
        Arc::clone(&registry).scope(async { lasting().await.unwrap() }).await;
        LASTING.isolate();
        Arc::clone(&registry).scope(async { lasting().await.unwrap_err() }).await;
        LASTING.close();
        let read = LASTING.snapshot();
        assert_eq!((read.successes, read.rejected), (round, round));
    }
}

#[resilient(name = "first_unconverted", breaker = "first_unconverted", timeout = "1s")]
async fn unconverted() -> Result<u32, Explosive> {
    Ok(1)
}

#[derive(Debug, thiserror::Error, McpError)]
#[error("explosive")]
#[mcp(kind = internal)]
struct Explosive;

impl From<ResilienceError> for Explosive {
    fn from(_: ResilienceError) -> Self {
        resume_unwind(Box::new("on purpose"))
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejection_whose_conversion_panics_is_counted_as_a_panic_once() {
    nothing_listens();
    let registry = Arc::new(Registry::new());
    Arc::clone(&registry).scope(unconverted()).await.unwrap();
    registry.breaker("first_unconverted").expect("bound").isolate();
    let call = tokio::spawn(Arc::clone(&registry).scope(unconverted()));
    assert!(call.await.unwrap_err().is_panic());
    let read = registry.function("first_unconverted").expect("bound");
    assert_eq!((read.calls(), read.outcome(Outcome::Panic), read.outcome(Outcome::Ok)), (2, 1, 1));
    assert_eq!((read.in_flight, read.durations().count(), read.rejected(Rejected::Breaker)), (0, 2, 1));
    assert_eq!(registry.breaker("first_unconverted").expect("bound").snapshot().rejected, 1);
}

#[resilient(name = "first_opened", breaker(name = "first_opened", failures = 1), timeout = "1s")]
async fn opens_its_breaker() -> Result<u32, Failure> {
    Registry::global().breaker("first_opened").expect("bound").open();
    Ok(1)
}

#[tokio::test(start_paused = true)]
async fn a_result_is_stale_if_the_breaker_opened_during_the_first_poll() {
    nothing_listens();
    assert_eq!(opens_its_breaker().await.unwrap(), 1);
    let breaker = Registry::global().breaker("first_opened").expect("bound").snapshot();
    assert_eq!((breaker.state, breaker.stale), (BreakerState::Open, 1));
    let read = Registry::global().function("first_opened").expect("bound");
    assert_eq!((read.calls(), read.outcome(Outcome::Ok), read.attempts), (1, 1, 1));
}

#[resilient(name = "first_open", breaker(name = "first_open", failures = 1, open = "10s"))]
async fn opening(calls: &AtomicU32) -> Result<u32, Failure> {
    calls.fetch_add(1, Ordering::Relaxed);
    Err(Failure::Down)
}

#[tokio::test(start_paused = true)]
async fn a_rejected_call_is_counted_as_a_call_as_a_rejection_and_with_its_error() {
    nothing_listens();
    let registry = Arc::new(Registry::new());
    let calls = AtomicU32::new(0);
    let run = Arc::clone(&registry).scope(async {
        for _ in 0..4 {
            opening(&calls).await.unwrap_err();
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
        opening(&calls).await.unwrap_err();
    });
    run.await;
    assert_eq!(calls.into_inner(), 2, "a probe ran after the open period");
    let read = registry.function("first_open").expect("bound");
    assert_eq!((read.calls(), read.outcome(Outcome::Rejected), read.rejected(Rejected::Breaker)), (5, 3, 3));
    assert_eq!((read.attempts, read.in_flight, read.durations().count()), (2, 0, 5));
    let code =
        |code: &str| read.errors.iter().filter(|error| &*error.code == code).map(|error| error.count).sum::<u64>();
    assert_eq!((code("CIRCUIT_OPEN"), read.errors.iter().map(|error| error.count).sum::<u64>()), (3, 5));
    let breaker = registry.breaker("first_open").expect("bound").snapshot();
    assert_eq!((breaker.rejected, breaker.failures, breaker.state), (3, 2, BreakerState::Open));
}
