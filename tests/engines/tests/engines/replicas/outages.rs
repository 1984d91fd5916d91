//! A Redis that is stopped, killed, restarted and flushed under load.

use std::time::Duration;

use tokio::time::sleep;

use crate::redis::RedisServer;

use super::{
    BURST, KNOWN, RATE, Report, WAIT_MS, admitted, assert_answered_in_time, assert_few_degraded, load, now_ms, three,
};

/// The time of load before an outage.
const BEFORE: Duration = Duration::from_secs(3);

/// The time of an outage.
const OUTAGE: Duration = Duration::from_secs(4);

/// The time after an outage in which each replica connects again and ends to skip Redis.
const RECOVERY: Duration = Duration::from_millis(2_500);

/// The time of load after that.
const AFTER: Duration = Duration::from_secs(4);

/// The time of load in all.
const ALL: Duration = Duration::from_millis(13_500);

/// The time in which each replica notices that Redis does not answer, in milliseconds.
const NOTICED_MS: u64 = 500;

/// A limit by itself is exact. What makes a total inexact in a window of a few seconds: the calls at its edges, and load
/// that pauses because the machine is busy.
const TOLERANCE: f64 = 0.08;

/// Asserts that the calls that were admitted in a time are those of a limit with this rate. `bursts` is how many bursts
/// may be among them.
fn assert_rate(what: &str, (total, seconds): (f64, f64), rate: f64, bursts: f64) {
    let (least, most) = (rate * seconds * (1.0 - TOLERANCE), rate * seconds * (1.0 + TOLERANCE) + bursts * BURST);
    eprintln!("{what}: {total} calls admitted in {seconds} s, expected {least:.0} to {most:.0}");
    assert!((least..=most).contains(&total), "{what}: {total} in {seconds} s, expected {least} to {most}");
}

/// Asserts that Redis decides before an outage and again after it, for all replicas together.
fn assert_exact_around(reports: &[Report], (down, up): (u64, u64)) {
    let from = reports.iter().map(|report| report.from_ms).max().unwrap();
    let to = reports.iter().map(|report| report.to_ms).min().unwrap();
    assert_rate("before", admitted(reports, from, down), RATE, 1.0);
    let recovered = up + u64::try_from(RECOVERY.as_millis()).unwrap();
    assert_rate("after", admitted(reports, recovered, to), RATE, 1.0);
    assert_degraded(reports, Duration::from_millis(up - down) + RECOVERY);
}

/// Asserts that each replica counted calls for which Redis did not decide, but not more than those of this time.
fn assert_degraded(reports: &[Report], most: Duration) {
    for Report { offered, degraded, from_ms, to_ms, .. } in reports {
        let all = Duration::from_millis(to_ms - from_ms);
        let calls = u32::try_from(*offered).unwrap();
        let most = f64::from(calls) * (most.as_secs_f64() / all.as_secs_f64() + TOLERANCE);
        let counted = f64::from(u32::try_from(degraded["rate_limit"]).unwrap());
        assert!((1.0..=most).contains(&counted), "{degraded:?} of {calls}, expected at most {most}");
    }
}

#[tokio::test]
async fn while_redis_is_stopped_replicas_that_know_their_number_keep_the_limit_together() {
    let redis = RedisServer::start(&[]);
    let mut replicas = three(&redis, KNOWN).await;
    let (reports, outage) = tokio::join!(load(&mut replicas, "search", ALL, 60), async {
        sleep(BEFORE).await;
        redis.stop_signal();
        let down = now_ms();
        sleep(OUTAGE).await;
        redis.continue_signal();
        (down, now_ms())
    });
    assert_answered_in_time(&reports, WAIT_MS);
    assert_exact_around(&reports, outage);
    // Each local limiter may have a burst left.
    assert_rate("stopped", admitted(&reports, outage.0 + NOTICED_MS, outage.1), RATE, 3.0);
}

#[tokio::test]
async fn while_redis_is_stopped_each_replica_that_does_not_know_their_number_allows_the_full_rate() {
    let redis = RedisServer::start(&[]);
    let mut replicas = three(&redis, &[]).await;
    let (reports, outage) = tokio::join!(load(&mut replicas, "search", ALL, 150), async {
        sleep(BEFORE).await;
        redis.stop_signal();
        let down = now_ms();
        sleep(OUTAGE).await;
        redis.continue_signal();
        (down, now_ms())
    });
    assert_answered_in_time(&reports, WAIT_MS);
    assert_exact_around(&reports, outage);
    for report in &reports {
        let alone = std::slice::from_ref(report);
        assert_rate("stopped", admitted(alone, outage.0 + NOTICED_MS, outage.1), RATE, 1.0);
    }
}

#[tokio::test]
async fn while_redis_is_dead_replicas_that_know_their_number_keep_the_limit_together() {
    let mut redis = RedisServer::start(&[]);
    let mut replicas = three(&redis, KNOWN).await;
    let (reports, outage) = tokio::join!(load(&mut replicas, "search", ALL, 60), async {
        sleep(BEFORE).await;
        redis.kill();
        let down = now_ms();
        sleep(OUTAGE).await;
        redis.restart();
        (down, now_ms())
    });
    assert_answered_in_time(&reports, WAIT_MS);
    assert_exact_around(&reports, outage);
    assert_rate("dead", admitted(&reports, outage.0 + NOTICED_MS, outage.1), RATE, 3.0);
}

#[tokio::test]
async fn a_restart_of_redis_without_its_data_allows_one_more_burst_and_then_the_limit_is_exact_again() {
    let mut redis = RedisServer::start(&[]);
    let mut replicas = three(&redis, KNOWN).await;
    let all = BEFORE + RECOVERY + AFTER;
    let (reports, outage) = tokio::join!(load(&mut replicas, "search", all, 60), async {
        sleep(BEFORE).await;
        let down = now_ms();
        redis.restart();
        (down, now_ms())
    });
    assert_answered_in_time(&reports, WAIT_MS);
    assert_exact_around(&reports, outage);
    // The burst of Redis before and after, and what the local limiters have.
    let recovered = outage.1 + u64::try_from(RECOVERY.as_millis()).unwrap();
    assert_rate("restarted", admitted(&reports, outage.0, recovered), RATE, 4.0);
}

#[tokio::test]
async fn a_redis_that_is_flushed_allows_one_more_burst_and_no_call_notices_it() {
    let redis = RedisServer::start(&[]);
    let mut replicas = three(&redis, KNOWN).await;
    let all = BEFORE + AFTER;
    let (reports, flushed) = tokio::join!(load(&mut replicas, "search", all, 60), async {
        sleep(BEFORE).await;
        let flushed = now_ms();
        redis.flush();
        redis.command::<()>(&["SCRIPT", "FLUSH"]);
        flushed
    });
    assert_answered_in_time(&reports, WAIT_MS);
    let from = reports.iter().map(|report| report.from_ms).max().unwrap();
    let to = reports.iter().map(|report| report.to_ms).min().unwrap();
    assert_rate("before", admitted(&reports, from, flushed), RATE, 1.0);
    assert_rate("after", admitted(&reports, flushed, to), RATE, 1.0);
    assert_few_degraded(&reports);
}
