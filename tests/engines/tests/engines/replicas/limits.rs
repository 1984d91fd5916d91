//! A limit that all replicas share.

use std::time::Duration;

use crate::redis::RedisServer;

use super::{BURST, KNOWN, RATE, WAIT_MS, admitted, assert_answered_in_time, assert_few_degraded, load, three};

#[tokio::test]
async fn in_a_minute_three_replicas_admit_as_many_calls_as_their_limit_says_within_2_percent() {
    let redis = RedisServer::start(&[]);
    let mut replicas = three(&redis, KNOWN).await;
    let reports = load(&mut replicas, "search", Duration::from_secs(60), 80).await;
    assert_answered_in_time(&reports, WAIT_MS);
    assert_few_degraded(&reports);
    let from = reports.iter().map(|report| report.from_ms).min().unwrap();
    let to = reports.iter().map(|report| report.to_ms).max().unwrap() + 1;
    let (total, seconds) = admitted(&reports, from, to);
    eprintln!("{total} calls admitted in {seconds} s");
    assert!((60.0..65.0).contains(&seconds), "{seconds} s");
    assert!(total >= RATE * seconds * 0.98, "{total} in {seconds} s");
    assert!(total <= RATE * seconds * 1.02 + BURST, "{total} in {seconds} s");
}
