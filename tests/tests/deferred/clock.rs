//! A wall clock that is wrong by a day: before or after a restart, or in one of two processes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use resilient_runtime::deferred::{State, Timestamp, WallClock};
use resilient_runtime::testing::deferred::MemoryStore;
use resilient_runtime::{Registry, testing};
use tokio::time::{Instant, sleep};

use super::shop::{SECOND, ended, serve, serve_with, start};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const CAP: Duration = Duration::from_secs(30 * 60);

/// Deliveries do not begin to the millisecond.
const LATE: Duration = Duration::from_secs(10);

/// Accepts ten orders under one clock, restarts under a clock that differs by a day, and returns when each was placed
/// after the restart.
fn restarted(days_before: u32, days_after: u32) -> Vec<Duration> {
    testing::run(async |lab| {
        let base = Timestamp::from_millis(1_796_000_000_000);
        let first = WallClock::starting_at(base.after(DAY * days_before));
        let served = serve_with(lab, MemoryStore::default(), |store| store, first).await;
        let (shop, store) = (&served.shop, &served.store);
        served.upstream().down(true);
        let mut receipts = Vec::new();
        for number in 0..10 {
            receipts.push(served.defer("order", &format!("k{number}")).await);
        }
        // Until some have later times.
        sleep(Duration::from_secs(20 * 60)).await;
        served.handle.shutdown().await;

        let (again, registry) = (Instant::now(), Arc::new(Registry::new()));
        shop.upstream.down(false);
        let second = WallClock::starting_at(base.after(DAY * days_after));
        let handle = start(shop, store.clone(), second, &registry);
        for receipt in receipts {
            assert_eq!(ended(store, receipt).await.summary.state, State::Done);
        }
        handle.shutdown().await;
        let placed = shop.upstream.placed.lock().unwrap();
        assert_eq!(placed.len(), 10, "each once");
        placed.iter().map(|(_, at)| at.duration_since(again)).collect()
    })
}

#[test]
fn a_restart_under_a_clock_that_is_a_day_ahead_loses_nothing_and_delivers_by_the_cap() {
    assert!(restarted(0, 1).iter().all(|after| *after <= CAP + LATE));
    assert!(restarted(0, 30).iter().all(|after| *after <= CAP + LATE));
}

#[test]
fn a_restart_under_a_clock_that_is_a_day_behind_loses_nothing_and_delivers_by_the_cap() {
    assert!(restarted(1, 0).iter().all(|after| *after <= CAP + LATE));
    assert!(restarted(30, 0).iter().all(|after| *after <= CAP + LATE));
}

#[test]
fn a_try_that_runs_during_a_suspension_of_the_machine_is_not_made_a_second_time() {
    testing::run(async |lab| {
        let served = serve(lab).await;
        served.upstream().takes.store(4_000, Ordering::Relaxed);
        let slow = served.put("order", r#"{"key":"slow"}"#, SECOND).await;
        while served.upstream().runs() == 0 {
            sleep(SECOND / 10).await;
        }
        served.upstream().takes.store(0, Ordering::Relaxed);
        // The worker polls again for this one while the first still runs.
        let quick = served.put("order", r#"{"key":"quick"}"#, SECOND / 2).await;
        served.clock.suspend(8 * 60 * 60 * SECOND);
        for receipt in [slow, quick] {
            let entry = served.ended(receipt).await;
            assert_eq!((entry.summary.state, entry.summary.interrupted), (State::Done, 0), "{:?}", entry.summary);
        }
        assert_eq!(served.upstream().runs(), 2, "each once");
    });
}

#[test]
fn beside_a_worker_whose_clock_is_ahead_an_outage_shorter_than_the_cap_loses_nothing() {
    testing::run(async |lab| {
        let base = Timestamp::from_millis(1_796_000_000_000);
        let served = serve_with(lab, MemoryStore::default(), |store| store, WallClock::starting_at(base)).await;
        let other = WallClock::starting_at(base.after(DAY * 2));
        let other = start(&served.shop, served.store.clone(), other, &Arc::new(Registry::new()));
        served.upstream().down(true);
        let mut receipts = Vec::new();
        for number in 0..4 {
            receipts.push(served.defer("order", &format!("k{number}")).await);
        }
        sleep(CAP / 3).await;
        served.upstream().down(false);
        for receipt in receipts {
            let entry = served.ended(receipt).await;
            assert_eq!(entry.summary.state, State::Done, "{:?}", entry.summary);
        }
        other.shutdown().await;
    });
}

/// Accepts orders under one clock while another worker, whose clock differs, has the same store. Returns for each order the
/// delay of its first try under the clock that accepted it, and after what time it was placed.
fn with_two_workers(days_accepting: u32, days_other: u32) -> Vec<(Duration, Duration)> {
    testing::run(async |lab| {
        let base = Timestamp::from_millis(1_796_000_000_000);
        let accepting = WallClock::starting_at(base.after(DAY * days_accepting));
        let served = serve_with(lab, MemoryStore::default(), |store| store, accepting).await;
        let other = WallClock::starting_at(base.after(DAY * days_other));
        let other = start(&served.shop, served.store.clone(), other, &Arc::new(Registry::new()));
        served.upstream().down(true);
        let (began, mut orders) = (Instant::now(), Vec::new());
        for number in 0..4 {
            let key = format!("k{number}");
            let receipt = served.defer("order_elsewhere", &key).await;
            let entry = served.entry(receipt).await;
            orders.push((key, receipt, entry.summary.due.since(entry.summary.created)));
        }
        served.upstream().down(false);
        for (key, receipt, _) in &orders {
            let entry = served.ended(*receipt).await;
            assert_eq!(entry.summary.state, State::Done, "{key}: {:?}", entry.summary);
        }
        other.shutdown().await;
        let placed = served.upstream().placed.lock().unwrap();
        assert_eq!(placed.len(), orders.len(), "each once");
        let placed_after = |key: &str| {
            let (_, at) = placed.iter().find(|(placed, _)| placed == key).expect("placed");
            at.duration_since(began)
        };
        orders.iter().map(|(key, _, delay)| (*delay, placed_after(key))).collect()
    })
}

#[test]
fn beside_a_worker_whose_clock_is_behind_no_delivery_is_early_or_late() {
    for days in [0, 1, 30] {
        for (delay, after) in with_two_workers(days, 0) {
            assert!(after >= delay && after <= delay + LATE, "{days} days: {after:?} instead of {delay:?}");
        }
    }
}

#[test]
fn beside_a_worker_whose_clock_is_ahead_no_accepted_write_is_lost_or_late() {
    for days in [1, 30] {
        for (delay, after) in with_two_workers(0, days) {
            assert!(after <= delay + LATE, "{days} days: {after:?} instead of {delay:?}");
        }
    }
}
