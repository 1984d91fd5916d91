//! Values and times at the limits of their ranges: nothing panics, nothing stays blocked, and nothing grows without
//! bound.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::breaker::BreakerState;
use resilient_runtime::policy::{BreakerSettings, BreakerUse, BulkheadSettings, BulkheadUse, Jitter, Retry, Window};
use resilient_runtime::statistics::Suppressed;
use resilient_runtime::{Breaker, Bulkhead, Guard, Outcome, Policy, RateLimit, Registry, ResilienceError, resilient};
use resilient_tests::alone::ran_in_a_child;
use tokio::time::{advance, timeout};

use crate::error::Error;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

fn tell(breaker: &Breaker, outcomes: &str) {
    for outcome in outcomes.chars() {
        let permit = breaker.try_acquire().expect("it lets this one through");
        if outcome == '+' { permit.success() } else { permit.failure() }
    }
}

fn retry_after(breaker: &Breaker) -> Option<Duration> {
    match breaker.try_acquire() {
        Err(ResilienceError::CircuitOpen { retry_after, .. }) => retry_after,
        other => panic!("{other:?}"),
    }
}

// ---- durations near the maximum ----

#[tokio::test(start_paused = true)]
async fn a_breaker_with_the_longest_of_all_times_opens_stays_open_and_closes_by_hand() {
    for longest in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_millis(u64::MAX)] {
        let settings = BreakerSettings::new().rate(0.5).window(Window::Time(longest)).min_calls(4);
        let breaker = Breaker::new("longest", settings.slow(longest).open(longest));
        tell(&breaker, "+-+");
        advance(300 * DAY).await;
        assert_eq!(breaker.snapshot().window, Some((3, 1, 0)));
        tell(&breaker, "-");
        assert_eq!(breaker.state(), BreakerState::Open);
        assert!(retry_after(&breaker) > Some(100 * YEAR));
        advance(DAY).await;
        assert!(breaker.remaining() > Some(100 * YEAR));
        breaker.close();
        let hangs = breaker.call(std::future::pending::<Result<(), Error>>());
        assert!(timeout(DAY, hangs).await.is_err(), "it is still running, and not slow");
        assert_eq!(breaker.snapshot().window, Some((0, 0, 0)));
    }
}

#[tokio::test(start_paused = true)]
async fn counts_that_no_rule_allows_are_taken_for_the_nearest_that_can_work() {
    let breaker = Breaker::new("none", BreakerSettings::new().failures(0).probes(0).successes(0).open(Duration::ZERO));
    tell(&breaker, "-");
    assert_eq!(breaker.state(), BreakerState::Open);
    tell(&breaker, "+");
    assert_eq!(breaker.state(), BreakerState::Closed);

    let most = BreakerSettings::new().failures(u32::MAX).probes(u32::MAX).successes(u32::MAX);
    let breaker = Breaker::new("most", most.open(Duration::from_secs(1)));
    tell(&breaker, &"-".repeat(1_022));
    assert_eq!(breaker.state(), BreakerState::Closed);
    tell(&breaker, "-");
    assert_eq!(breaker.state(), BreakerState::Open);
    advance(Duration::from_secs(1)).await;
    let probes: Vec<_> = (0..1_023).map(|_| breaker.try_acquire().expect("a probe")).collect();
    assert_eq!(retry_after(&breaker), Some(Duration::from_secs(1)));
    drop(probes);
    tell(&breaker, &"+".repeat(1_023));
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn windows_that_no_rule_allows_hold_something_and_not_everything() {
    let with = |window| Breaker::new("window", BreakerSettings::new().rate(0.5).window(window).min_calls(1));
    for window in [Window::Count(0), Window::Time(Duration::ZERO)] {
        let breaker = with(window);
        tell(&breaker, "+");
        assert_eq!(breaker.state(), BreakerState::Closed, "{window:?}");
        // A window of zero length contains the results of the same millisecond.
        tell(&breaker, "-");
        assert_eq!(breaker.state(), BreakerState::Open, "{window:?}");
    }
    let breaker = with(Window::Count(u32::MAX));
    for _ in 0..150_000 {
        breaker.try_acquire().expect("closed").success();
    }
    assert_eq!(breaker.snapshot().window, Some((100_000, 0, 0)));
}

#[test]
fn delays_near_the_maximum_are_cut_at_the_cap() {
    for jitter in [Jitter::Off, Jitter::Equal, Jitter::Full] {
        for factor in [1.0, 2.0, f64::MAX, f64::INFINITY, f64::NAN, -1.0] {
            for (base, cap) in [
                (Duration::MAX, Duration::MAX),
                (Duration::from_secs(u64::MAX), Duration::MAX),
                (Duration::MAX, Duration::from_secs(7)),
                (Duration::from_nanos(1), Duration::MAX),
                (Duration::MAX, Duration::ZERO),
            ] {
                let retry = Retry::new(u32::MAX).base(base).cap(cap).factor(factor).jitter(jitter);
                for n in [0, 1, 63, 1_023, u32::MAX] {
                    for random in [0.0, 0.5, 1.0 - f64::EPSILON, 1.0, f64::NAN] {
                        assert!(retry.delay(n, random) <= cap, "{retry:?} {n} {random}");
                    }
                }
            }
        }
    }
    let longest = Retry::new(1).base(Duration::MAX).cap(Duration::MAX).jitter(Jitter::Off);
    assert_eq!(longest.delay(0, 0.0), Duration::MAX);
}

static LONGEST: Guard = Guard::new(
    "longest",
    Policy::new()
        .timeout(Duration::MAX)
        .attempt_timeout(Duration::MAX)
        .retry(Retry::new(2).base(Duration::MAX).cap(Duration::MAX).jitter(Jitter::Off).without_budget())
        .breaker(BreakerUse::with(
            "longest",
            BreakerSettings::new()
                .failures(2)
                .open(Duration::MAX)
                .slow(Duration::MAX)
                .window(Window::Time(Duration::MAX)),
        ))
        .bulkhead(BulkheadUse::new(BulkheadSettings::new(1).queue(1).wait(Duration::MAX))),
);

#[tokio::test(start_paused = true)]
async fn a_policy_of_the_longest_of_all_times_answers_and_gives_everything_back() {
    let registry = Arc::new(Registry::new());
    registry
        .clone()
        .scope(async {
            assert_eq!(LONGEST.call(|| async { Ok::<_, Error>(1) }).await, Ok(1));
            // The delay is longer than the remaining time, however long that is.
            assert_eq!(LONGEST.call(|| async { Err::<(), _>(Error::Down) }).await, Err(Error::Down));
            let asks_for_more = || async { Err::<(), _>(Error::SlowDown { wait: Some(Duration::MAX) }) };
            assert!(LONGEST.call(asks_for_more).await.is_err());
            // One call hangs, and one waits for a permit.
            let hangs = LONGEST.call(std::future::pending::<Result<(), Error>>);
            let waits = LONGEST.call(|| async { Ok::<_, Error>(()) });
            let both = async { tokio::join!(hangs, waits) };
            assert!(timeout(DAY, both).await.is_err());
            assert_eq!(LONGEST.call(|| async { Err::<(), _>(Error::Down) }).await, Err(Error::Down));
            let rejected = LONGEST.call(|| async { Ok::<_, Error>(()) }).await;
            assert!(matches!(rejected, Err(Error::Resilience(ResilienceError::CircuitOpen { .. }))), "{rejected:?}");
        })
        .await;
    let read = registry.function("longest").expect("bound");
    let outcomes = [Outcome::Ok, Outcome::Error, Outcome::Cancelled, Outcome::Rejected].map(|each| read.outcome(each));
    assert_eq!(outcomes, [1, 3, 2, 1]);
    assert_eq!((read.in_flight, read.waiting, read.retries), (0, 0, 0));
    assert_eq!(read.suppressed(Suppressed::Deadline), 3);
}

static INHERITS: Guard = Guard::new("inherits", Policy::new().timeout(Duration::MAX));
static SHORT: Guard = Guard::new("short", Policy::new().timeout(Duration::from_secs(1)));

#[tokio::test(start_paused = true)]
async fn the_longest_timeout_inherits_a_shorter_one() {
    let inner = || INHERITS.call(std::future::pending::<Result<(), Error>>);
    let answer = SHORT.call(inner).await;
    assert!(matches!(answer, Err(Error::Resilience(ResilienceError::Timeout { .. }))), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_bulkhead_with_the_most_slots_and_the_longest_wait_lets_calls_through() {
    let bulkhead = Bulkhead::new(u32::MAX).queue(u32::MAX).wait(Duration::MAX);
    let permit = bulkhead.acquire().await.expect("a slot");
    assert_eq!((bulkhead.running(), bulkhead.waiting()), (1, 0));
    drop(permit);
    let bulkhead = Bulkhead::new(1).queue(1).wait(Duration::MAX);
    let permit = bulkhead.acquire().await.expect("a slot");
    assert!(timeout(DAY, bulkhead.acquire()).await.is_err(), "it waits");
    drop(permit);
    assert_eq!((bulkhead.running(), bulkhead.waiting()), (0, 0));
}

// ---- no traffic for a day ----

#[tokio::test(start_paused = true)]
async fn after_a_day_without_traffic_old_results_count_no_longer() {
    for window in [Duration::from_secs(1), Duration::from_secs(61), HOUR, DAY] {
        let settings = BreakerSettings::new().rate(0.5).window(Window::Time(window)).min_calls(4);
        let breaker = Breaker::new("a-day", settings);
        tell(&breaker, "---");
        advance(25 * HOUR).await;
        assert_eq!(breaker.snapshot().window, Some((0, 0, 0)), "{window:?}");
        tell(&breaker, "-++");
        assert_eq!(breaker.state(), BreakerState::Closed, "{window:?}");
        tell(&breaker, "-");
        assert_eq!(breaker.state(), BreakerState::Open, "{window:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_day_without_traffic_the_first_call_is_a_probe_and_a_lost_probe_is_replaced() {
    let breaker = Breaker::new("a-day", BreakerSettings::new().failures(1).successes(1));
    tell(&breaker, "-");
    advance(25 * HOUR).await;
    assert_eq!((breaker.state(), breaker.remaining()), (BreakerState::Open, Some(Duration::ZERO)));
    let lost = breaker.try_acquire().expect("a probe");
    advance(25 * HOUR).await;
    let found = breaker.try_acquire().expect("the lost one is given up");
    lost.failure();
    assert_eq!((breaker.state(), breaker.snapshot().stale), (BreakerState::HalfOpen, 1));
    found.success();
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_day_without_traffic_saves_up_no_more_than_a_burst() {
    let limit = RateLimit::new(10, Duration::from_secs(1)).burst(3);
    for _ in 0..2 {
        let allowed = std::iter::from_fn(|| limit.check().ok()).take(100).count();
        assert_eq!(allowed, 3);
        advance(25 * HOUR).await;
    }
}

#[resilient(retry(max = 1, base = "1ms", jitter = off), read_only, name = "a-day")]
async fn fails() -> Result<(), Error> {
    Err(Error::Down)
}

#[tokio::test(start_paused = true)]
async fn a_day_without_traffic_saves_up_no_retries() {
    let registry = Arc::new(Registry::new());
    let inner = Arc::clone(&registry);
    let run = async move {
        let mut retries = Vec::new();
        for _ in 0..2 {
            let before = inner.function("a-day").map_or(0, |read| read.retries);
            for _ in 0..100 {
                assert_eq!(fails().await, Err(Error::Down));
            }
            retries.push(inner.function("a-day").expect("bound").retries - before);
            advance(25 * HOUR).await;
        }
        retries
    };
    let retries = registry.scope(run).await;
    assert_eq!(retries[0], retries[1], "as at the very first");
    assert!((20..40).contains(&retries[0]), "{retries:?}");
}

#[resilient(fallback = cached, cache(stale_if_error = "24h", key = "the one thing"), name = "kept-a-day")]
async fn kept_a_day(down: &Cell<bool>) -> Result<u32, Error> {
    if down.get() { Err(Error::Down) } else { Ok(1) }
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_more_than_a_day_ago_is_not_served() {
    let down = Cell::new(false);
    assert_eq!(kept_a_day(&down).await, Ok(1));
    down.set(true);
    advance(23 * HOUR).await;
    assert_eq!(kept_a_day(&down).await, Ok(1));
    advance(2 * HOUR).await;
    assert_eq!(kept_a_day(&down).await, Err(Error::Down));
}

// ---- the clock at its limit ----

#[tokio::test(start_paused = true)]
async fn a_clock_that_has_run_for_centuries_decides_without_a_panic() {
    static OLD: Guard = Guard::new(
        "old",
        Policy::new()
            .retry(Retry::new(1).jitter(Jitter::Off))
            .breaker(BreakerUse::with("old", BreakerSettings::new().failures(1_000))),
    );
    let breaker = Breaker::new("old", BreakerSettings::new().failures(1).successes(1));
    let rated = BreakerSettings::new().rate(0.5).window(Window::Time(HOUR)).min_calls(2);
    let rated = Breaker::new("old", rated);
    let limit = RateLimit::new(1, HOUR);
    let registry = Arc::new(Registry::new());
    for centuries in [1, 3, 5, 6, 10] {
        advance(centuries * 100 * YEAR).await;
        tell(&breaker, "-");
        assert_eq!(breaker.state(), BreakerState::Open);
        advance(Duration::from_secs(60)).await;
        tell(&breaker, "+");
        assert_eq!(breaker.state(), BreakerState::Closed);
        tell(&rated, "+-");
        assert_eq!(rated.state(), BreakerState::Open);
        rated.close();
        let _ = limit.check();
        let answer = Arc::clone(&registry).scope(OLD.call(|| async { Err::<(), _>(Error::Down) })).await;
        assert_eq!(answer, Err(Error::Down));
        let answer = Arc::clone(&registry).scope(OLD.call(std::future::pending::<Result<(), Error>>)).await;
        assert!(matches!(answer, Err(Error::Resilience(ResilienceError::Timeout { .. }))), "{answer:?}");
    }
}

// ---- a million keys ----

/// Returns the resident memory of this process in MiB.
fn resident_mib() -> Option<u64> {
    const PAGE: u64 = 4_096;
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split(' ').nth(1)?.parse::<u64>().ok()? * PAGE / (1 << 20))
}

fn grows_by_less_than_32_mib(what: &str, before: Option<u64>) {
    if let (Some(before), Some(after)) = (before, resident_mib()) {
        assert!(after < before + 32, "{what}: {before} MiB before, {after} MiB after");
    }
}

#[resilient(
    name = "by-key",
    breaker(name = "by-key", rate = 0.5, window = 100, key = key),
    bulkhead(max = 2, key = key),
    rate_limit(rate = "10/1m", key = key),
    fallback = cached,
    cache(max = 1_000),
    timeout = "1s"
)]
async fn by_key(key: u64) -> Result<u64, Error> {
    Ok(key)
}

#[resilient(name = "failing-by-key", breaker(name = "failing-by-key", key = key), timeout = "1s")]
async fn fails_by_key(key: u64) -> Result<(), Error> {
    Err(if key == u64::MAX { Error::SlowDown { wait: None } } else { Error::Down })
}

#[resilient(name = "open-by-key", breaker(name = "open-by-key", failures = 1, open = "24h", key = key), timeout = "1s")]
async fn opens_by_key(key: u64) -> Result<(), Error> {
    Err(if key == u64::MAX { Error::SlowDown { wait: None } } else { Error::Down })
}

/// In a separate process, because it measures the memory of the process.
#[tokio::test]
async fn a_million_keys_take_no_more_room_than_a_thousand() {
    if ran_in_a_child() {
        return;
    }
    let registry = Arc::new(Registry::new());
    let inner = Arc::clone(&registry);
    registry
        .scope(async move {
            for key in 0..2_000 {
                let _ = by_key(key).await;
                let _ = fails_by_key(key).await;
                let _ = opens_by_key(key).await;
            }
            let before = resident_mib();
            for key in 0..1_000_000 {
                let _ = by_key(key).await;
            }
            grows_by_less_than_32_mib("keys of calls that go well", before);
            // None of them can be dropped, so that each new key searches for a breaker to remove.
            for key in 0..100_000 {
                let _ = fails_by_key(key).await;
            }
            grows_by_less_than_32_mib("keys of calls that fail", before);
            for key in 0..100_000 {
                let _ = opens_by_key(key).await;
            }
            grows_by_less_than_32_mib("keys of calls that are rejected", before);
            let open = inner.breakers().iter().filter(|breaker| breaker.name == "open-by-key").count();
            // Those of the keys, and the one that all further keys share. The breaker of calls without a key is closed.
            assert_eq!(open, 1_024 + 1 + 1, "{open}");
        })
        .await;
}
