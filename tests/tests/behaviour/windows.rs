//! Breakers with a window: rates, slow calls, and results that leave the window.

use std::time::Duration;

use resilient_runtime::breaker::{BreakerState, Reason};
use resilient_runtime::policy::{BreakerSettings, Window};
use resilient_runtime::{Breaker, resilient};
use tokio::time::{advance, sleep};

use super::error::Error;

fn tell(breaker: &Breaker, outcomes: &str) {
    for outcome in outcomes.chars() {
        let permit = breaker.try_acquire().expect("closed");
        match outcome {
            '+' => permit.success(),
            '-' => permit.failure(),
            _ => drop(permit),
        }
    }
}

#[test]
fn old_successes_are_evicted_from_a_count_window() {
    let breaker = Breaker::new("slides", BreakerSettings::new().rate(0.5).window(Window::Count(10)).min_calls(10));
    tell(&breaker, &"+".repeat(1_000));
    tell(&breaker, "----");
    assert_eq!(breaker.state(), BreakerState::Closed);
    tell(&breaker, "-");
    assert_eq!(breaker.state(), BreakerState::Open, "half of the last ten, whatever was before");
}

#[test]
fn a_rate_counts_from_min_calls_on_and_not_from_a_full_window() {
    let settings = BreakerSettings::new().rate(0.5).window(Window::Count(100)).min_calls(5);
    let breaker = Breaker::new("min-calls", settings);
    tell(&breaker, "----");
    assert_eq!(breaker.state(), BreakerState::Closed);
    tell(&breaker, "-");
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[test]
fn a_rate_is_reached_at_its_exact_value_and_by_a_success_too() {
    let settings = || BreakerSettings::new().rate(0.5).window(Window::Count(10)).min_calls(10);
    let breaker = Breaker::new("boundary", settings());
    tell(&breaker, "++++++----");
    assert_eq!(breaker.state(), BreakerState::Closed, "40 %");
    let breaker = Breaker::new("boundary", settings());
    // The tenth result, a success, reaches the minimum number of calls.
    tell(&breaker, "-----++++");
    assert_eq!(breaker.state(), BreakerState::Closed);
    tell(&breaker, "+");
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[test]
fn a_snapshot_says_when_it_failed_last_and_since_when_it_stands_there() {
    let breaker = Breaker::new("times", BreakerSettings::new().failures(2));
    let before = std::time::SystemTime::now() - Duration::from_millis(1);
    assert_eq!((breaker.snapshot().last_failure, breaker.snapshot().since), (None, None));
    tell(&breaker, "+--");
    let seen = breaker.snapshot();
    let after = std::time::SystemTime::now();
    for time in [seen.last_failure, seen.since] {
        assert!(time.is_some_and(|time| (before..=after).contains(&time)), "{time:?}");
    }
    assert_eq!((seen.successes, seen.failures), (1, 2));
}

#[test]
fn what_says_nothing_about_the_dependency_is_in_no_window() {
    let breaker = Breaker::new("neutral", BreakerSettings::new().rate(1.0).window(Window::Count(5)).min_calls(5));
    tell(&breaker, "-.-.-.-.");
    assert_eq!((breaker.state(), breaker.snapshot().window), (BreakerState::Closed, Some((4, 4, 0))));
    tell(&breaker, "-");
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn results_leave_a_time_window_by_their_time_however_long_nobody_called() {
    let settings = BreakerSettings::new().rate(0.5).window(Window::Time(Duration::from_secs(10))).min_calls(4);
    let breaker = Breaker::new("time", settings);
    tell(&breaker, "---");
    advance(Duration::from_secs(24 * 60 * 60)).await;
    tell(&breaker, "-++");
    assert_eq!((breaker.state(), breaker.snapshot().window), (BreakerState::Closed, Some((3, 1, 0))));
    advance(Duration::from_secs(5)).await;
    tell(&breaker, "-");
    assert_eq!(breaker.state(), BreakerState::Open, "two of four within ten seconds");
}

#[test]
fn the_window_starts_anew_when_the_breaker_closes() {
    let breaker = Breaker::new("anew", BreakerSettings::new().rate(0.5).window(Window::Count(10)).min_calls(4));
    tell(&breaker, "+---");
    assert_eq!(breaker.state(), BreakerState::Open);
    breaker.close();
    assert_eq!(breaker.snapshot().window, Some((0, 0, 0)));
    tell(&breaker, "---");
    assert_eq!(breaker.state(), BreakerState::Closed);
}

static SLOW: Breaker = Breaker::new(
    "slow",
    BreakerSettings::new().slow(Duration::from_secs(1)).slow_rate(0.5).window(Window::Count(10)).min_calls(4),
);

#[resilient(breaker = SLOW, timeout = "10s")]
async fn takes(time: Duration) -> Result<(), Error> {
    sleep(time).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_slow_open_it_although_they_succeed() {
    for millis in [0, 1_000, 999] {
        assert_eq!(takes(Duration::from_millis(millis)).await, Ok(()));
    }
    assert_eq!(SLOW.snapshot().window, Some((3, 0, 1)));
    assert_eq!(takes(Duration::from_secs(5)).await, Ok(()));
    assert_eq!(SLOW.state(), BreakerState::Open);
    assert_eq!(SLOW.snapshot().transitions.last().map(|moved| moved.reason), Some(Reason::Slow));
}

static LATE: Breaker =
    Breaker::new("late", BreakerSettings::new().slow(Duration::from_secs(1)).window(Window::Count(10)).min_calls(3));

#[resilient(breaker = LATE, timeout = "60s")]
async fn hangs_for(time: Duration) -> Result<(), Error> {
    sleep(time).await;
    Err(Error::Down)
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_late_count_while_they_still_run() {
    let calls: Vec<_> = (0..3).map(|_| tokio::spawn(hangs_for(Duration::from_secs(30)))).collect();
    tokio::task::yield_now().await;
    assert_eq!(LATE.state(), BreakerState::Closed);
    sleep(Duration::from_millis(1_001)).await;
    assert_eq!(LATE.state(), BreakerState::Open, "nobody has to wait for thirty seconds to know");
    for call in calls {
        assert_eq!(call.await.expect("no panic"), Err(Error::Down));
    }
    assert_eq!((LATE.snapshot().stale, LATE.snapshot().transitions.len()), (3, 1), "what they say now is old");
}

#[tokio::test(start_paused = true)]
async fn a_slow_probe_is_no_sign_of_health() {
    let settings = BreakerSettings::new().failures(1).slow(Duration::from_secs(1)).open(Duration::from_secs(5));
    let breaker = Breaker::new("slow-probe", settings);
    tell(&breaker, "-");
    advance(Duration::from_secs(5)).await;
    let probe = breaker.try_acquire().expect("a probe");
    advance(Duration::from_secs(2)).await;
    probe.success();
    assert_eq!(breaker.state(), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_never_comes_back_is_given_up_when_its_lease_is_over() {
    let breaker = Breaker::new("lease", BreakerSettings::new().failures(1).open(Duration::from_secs(5)));
    tell(&breaker, "-");
    advance(Duration::from_secs(5)).await;
    let hung = breaker.try_acquire().expect("a probe");
    advance(Duration::from_secs(2)).await;
    let rejected = breaker.try_acquire().expect_err("the probe is running");
    assert_eq!(resilient_runtime::Classify::retry_after(&rejected), Some(Duration::from_secs(3)));
    advance(Duration::from_secs(3)).await;
    let next = breaker.try_acquire().expect("the lease is over");
    hung.failure();
    assert_eq!((breaker.state(), breaker.snapshot().stale), (BreakerState::HalfOpen, 1), "what it says is old");
    next.success();
    breaker.try_acquire().expect("a probe").success();
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn results_from_before_the_breaker_opened_change_nothing_afterwards() {
    let breaker = Breaker::new("stale", BreakerSettings::new().failures(1).open(Duration::from_secs(5)).successes(1));
    let (early_success, early_failure) =
        (breaker.try_acquire().expect("closed"), breaker.try_acquire().expect("closed"));
    tell(&breaker, "-");
    advance(Duration::from_secs(5)).await;
    let probe = breaker.try_acquire().expect("a probe");
    early_success.success();
    assert_eq!(breaker.state(), BreakerState::HalfOpen, "not closed by an old success");
    early_failure.failure();
    assert_eq!(breaker.state(), BreakerState::HalfOpen, "not reopened by an old failure");
    probe.success();
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn half_open_lets_through_as_many_as_it_says_however_many_come_at_once() {
    for probes in [1, 3] {
        let settings = BreakerSettings::new().failures(1).open(Duration::from_secs(1)).probes(probes).successes(10);
        let breaker = Breaker::new("stampede", settings);
        tell(&breaker, "-");
        advance(Duration::from_secs(1)).await;
        let barrier = std::sync::Barrier::new(8);
        let now = tokio::runtime::Handle::current();
        let admitted: usize = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let _clock = now.enter();
                        barrier.wait();
                        let permits: Vec<_> = (0..50).filter_map(|_| breaker.try_acquire().ok()).collect();
                        let admitted = permits.len();
                        barrier.wait();
                        admitted
                    })
                })
                .collect();
            callers.into_iter().map(|caller| caller.join().expect("no panic")).sum()
        });
        assert_eq!(admitted, usize::try_from(probes).expect("small"));
        assert_eq!(breaker.snapshot().probes, 0, "all were given back");
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_says_nothing_gives_its_place_back() {
    let breaker = Breaker::new("says-nothing", BreakerSettings::new().failures(1).open(Duration::from_secs(1)));
    tell(&breaker, "-");
    advance(Duration::from_secs(1)).await;
    for _ in 0..10 {
        tell(&breaker, ".");
    }
    assert_eq!((breaker.state(), breaker.snapshot().probes), (BreakerState::HalfOpen, 0));
    tell(&breaker, "++");
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_permit_from_before_adds_no_probe_when_it_is_given_back() {
    let breaker = Breaker::new("no-more", BreakerSettings::new().failures(1).open(Duration::from_secs(1)));
    let early = breaker.try_acquire().expect("closed");
    tell(&breaker, "-");
    advance(Duration::from_secs(1)).await;
    let probe = breaker.try_acquire().expect("a probe");
    drop(early);
    assert_eq!(breaker.snapshot().probes, 1);
    assert!(breaker.try_acquire().is_err(), "one at a time");
    drop(probe);
}

#[resilient(breaker(name = "keyed", failures = 2, open = "1s", key = number))]
async fn asks_by_number(number: u32, answer: Result<(), Error>) -> Result<(), Error> {
    let _ = number;
    answer
}

#[tokio::test(start_paused = true)]
async fn keys_that_nobody_uses_make_room_and_open_ones_stay() {
    let registry = std::sync::Arc::new(resilient_runtime::Registry::new());
    registry
        .clone()
        .scope(async {
            for _ in 0..2 {
                assert!(asks_by_number(0, Err(Error::Down)).await.is_err());
            }
            for number in 1..3_000 {
                assert_eq!(asks_by_number(number, Err(Error::Down)).await, Err(Error::Down), "{number}");
            }
            let open = asks_by_number(0, Ok(())).await.expect_err("open");
            assert_eq!(open.kind_name(), "circuit_open", "its period is not over");
            // One failure each: a key does not lock out other keys.
            assert_eq!(asks_by_number(10_001, Err(Error::Down)).await, Err(Error::Down));
            assert_eq!(asks_by_number(10_002, Ok(())).await, Ok(()));
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_is_isolated_by_hand_is_isolated_for_every_key() {
    let registry = std::sync::Arc::new(resilient_runtime::Registry::new());
    let inner = std::sync::Arc::clone(&registry);
    registry
        .clone()
        .scope(async move {
            assert_eq!(asks_by_number(1, Ok(())).await, Ok(()));
            let breaker = inner.breaker("keyed").expect("bound");
            breaker.isolate();
            assert_eq!(asks_by_number(1, Ok(())).await.expect_err("isolated").kind_name(), "circuit_open");
            breaker.close();
            assert_eq!(asks_by_number(1, Ok(())).await, Ok(()));
        })
        .await;
}
