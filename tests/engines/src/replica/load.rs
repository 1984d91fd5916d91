//! Load: a constant rate of calls, which does not depend on their results.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{interval, sleep, timeout};

use super::guarded::{ADMITTED, Function};
use super::stalls::Stalls;
use super::{degraded, millis};

/// A call without an answer after this time counts as unanswered.
const PATIENCE: Duration = Duration::from_secs(10);

/// The time of the last look for a stall that a call was in.
const LAST_LOOK: Duration = Duration::from_millis(20);

/// What became of the calls.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    /// The wall clock at the first call and after the last one, in milliseconds since 1970.
    from_ms: u64,
    to_ms: u64,
    /// The number of calls.
    offered: u64,
    /// When each admitted call was answered, in milliseconds since 1970.
    admitted_ms: Vec<u64>,
    /// The number of calls by their end.
    ended: BTreeMap<&'static str, u64>,
    /// The longest time of a call, whose body takes none.
    longest_ms: f64,
    /// The longest time of a call without the time in which the process did not run.
    longest_without_stalls_ms: f64,
    /// The longest time in which the process did not run.
    longest_stall_ms: f64,
    /// How often Redis did not decide since the start of the process, by the part that degraded.
    degraded: BTreeMap<String, u64>,
}

/// The end of a call.
struct Ended {
    how: &'static str,
    from: Instant,
    to: Instant,
    at_ms: u64,
}

async fn call(function: Function) -> Ended {
    let from = Instant::now();
    let how = timeout(PATIENCE, function.call()).await.unwrap_or("unanswered");
    Ended { how, from, to: Instant::now(), at_ms: millis(SystemTime::now()) }
}

/// Calls a function for some time.
pub(super) async fn run(function: Function, time: Duration, per_second: u32) -> Result<Report, JoinError> {
    let stalls = Stalls::watch();
    let mut report = Report { from_ms: millis(SystemTime::now()), ..Report::default() };
    let end = Instant::now() + time;
    // After a stall, the ticks that were missed follow at once.
    let mut ticks = interval(Duration::from_secs(1) / per_second.max(1));
    let mut calls = JoinSet::new();
    let mut ended = Vec::new();
    while Instant::now() < end {
        ticks.tick().await;
        report.offered += 1;
        calls.spawn(call(function));
        while let Some(call) = calls.try_join_next() {
            ended.push(call?);
        }
    }
    while let Some(call) = calls.join_next().await {
        ended.push(call?);
    }
    report.to_ms = millis(SystemTime::now());
    sleep(LAST_LOOK).await;
    for call in ended {
        report.add(&call, &stalls);
    }
    report.longest_stall_ms = in_millis(stalls.longest());
    report.degraded = degraded();
    Ok(report)
}

impl Report {
    fn add(&mut self, call: &Ended, stalls: &Stalls) {
        *self.ended.entry(call.how).or_default() += 1;
        if call.how == ADMITTED {
            self.admitted_ms.push(call.at_ms);
        }
        self.longest_ms = self.longest_ms.max(in_millis(call.to.duration_since(call.from)));
        let without = in_millis(stalls.without(call.from, call.to));
        self.longest_without_stalls_ms = self.longest_without_stalls_ms.max(without);
    }
}

fn in_millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
