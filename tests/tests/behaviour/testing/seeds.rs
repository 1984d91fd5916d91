use std::time::Duration;

use resilient_runtime::testing::{self, Chaos, Fault};
use resilient_runtime::{ErrorKind, ResilienceError, resilient};
use tokio::task::JoinSet;

#[resilient]
async fn ask() -> Result<(), ResilienceError> {
    tokio::task::yield_now().await;
    Ok(())
}

#[resilient(retry = 3, read_only)]
async fn retried() -> Result<(), ResilienceError> {
    Ok(())
}

fn one_in_three(seed: u64) -> Chaos {
    Chaos::seeded(seed).on("ask", [Fault::error(ErrorKind::Unavailable).probability(0.33)])
}

/// Returns which of a number of attempts had the fault.
fn met(seed: u64) -> Vec<bool> {
    testing::run(async |lab| {
        lab.inject(one_in_three(seed));
        let mut met = Vec::new();
        for _ in 0..300 {
            met.push(ask().await.is_err());
        }
        met
    })
}

#[test]
fn the_same_seed_gives_the_same_faults_and_another_seed_others() {
    let first = met(7);
    assert_eq!(met(7), first);
    assert_ne!(met(8), first);
    let share = first.iter().filter(|is_met| **is_met).count();
    assert!((70..130).contains(&share), "{share} of 300");
}

#[test]
fn concurrent_calls_meet_the_same_faults_in_the_order_in_which_their_attempts_begin() {
    let together = testing::run(async |lab| {
        lab.inject(one_in_three(7));
        let mut calls = JoinSet::new();
        for number in 0..300 {
            calls.spawn(async move { (number, ask().await.is_err()) });
        }
        let mut ended = calls.join_all().await;
        assert!(!ended.is_sorted(), "they ended in another order than they began");
        ended.sort_unstable();
        ended.into_iter().map(|(_, is_met)| is_met).collect::<Vec<_>>()
    });
    assert_eq!(together, met(7));
}

/// Returns the duration of each of a number of attempts.
fn latencies(seed: u64) -> Vec<Duration> {
    testing::run(async |lab| {
        lab.inject(Chaos::seeded(seed).on("ask", [Fault::latency("1s", "3s")]));
        let mut took = Vec::new();
        for _ in 0..100 {
            took.push(lab.timed(ask()).await.took);
        }
        took
    })
}

#[test]
fn latencies_lie_between_their_bounds_and_follow_the_seed() {
    let took = latencies(7);
    let (least, most) = (took.iter().min().expect("some"), took.iter().max().expect("some"));
    // A timer is at most a millisecond late.
    assert!(*least >= Duration::from_secs(1) && *most <= Duration::from_millis(3001), "{least:?} {most:?}");
    assert!(*least < Duration::from_millis(1200) && *most > Duration::from_millis(2800), "{least:?} {most:?}");
    assert_eq!(latencies(7), took);
    assert_ne!(latencies(8), took);
}

#[test]
fn the_delays_of_retries_are_the_same_in_every_lab() {
    let took = || {
        testing::run(async |lab| {
            lab.inject(Chaos::new().on("retried", [Fault::error(ErrorKind::Timeout).times(3)]));
            let call = lab.timed(retried()).await;
            call.assert_took_between("3.5s", "7s");
            call.took
        })
    };
    let first = took();
    assert_eq!(took(), first);
}
