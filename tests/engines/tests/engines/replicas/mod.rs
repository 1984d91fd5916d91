//! Several replicas of a server, each a process, which share a Redis.

mod breakers;
mod deferred;
mod limits;
mod outages;
mod round_trips;

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::future::join_all;
use resilient_tests::child::Process;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{ChildStdin, ChildStdout},
    time::timeout,
};

use crate::{PATIENCE, SERVERS, redis::RedisServer};

/// The rate of the limit of `search`, which all replicas share, per second.
const RATE: f64 = 100.0;

/// Its burst.
const BURST: f64 = 10.0;

/// The variables of three replicas that know their number, so that their local limits together are the common one.
const KNOWN: &[(&str, &str)] = &[("RESILIENT_REPLICAS", "3")];

/// How long a call waits for Redis, at most, in milliseconds.
const WAIT_MS: f64 = 50.0;

/// What a call may take besides the wait, in milliseconds: timers have a resolution of one, other calls run in the same
/// thread, and gaps of up to 4 ms in which the process does not run do not count as stalls. Longer gaps are subtracted.
const SLACK_MS: f64 = 30.0;

/// A process of `src/replica`.
struct Replica {
    process: Process,
    stdin: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

/// What became of the calls of a load.
#[derive(Debug, Deserialize)]
struct Report {
    from_ms: u64,
    to_ms: u64,
    offered: u64,
    admitted_ms: Vec<u64>,
    ended: BTreeMap<String, u64>,
    longest_ms: f64,
    longest_without_stalls_ms: f64,
    longest_stall_ms: f64,
    degraded: BTreeMap<String, u64>,
}

impl Replica {
    /// Starts the process, and waits until it answers.
    async fn start(redis: &RedisServer, variables: &[(&str, &str)]) -> Self {
        let url = redis.url();
        let mut all = vec![("RESILIENT_REDIS_URL", url.as_str())];
        all.extend(variables);
        let (process, stdin, stdout) = Process::start_with(SERVERS, &["replica"], &all).unwrap();
        let mut replica = Self { process, stdin, answers: BufReader::new(stdout).lines() };
        replica.breaker().await;
        replica
    }

    async fn ask(&mut self, patience: Duration, command: Value) -> Value {
        self.stdin.write_all(format!("{command}\n").as_bytes()).await.unwrap();
        match timeout(patience, self.answers.next_line()).await {
            Ok(Ok(Some(line))) => serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")),
            other => panic!("{command}: {other:?}: {:#?}", self.process.log()),
        }
    }

    /// Calls a function at a constant rate.
    async fn load(&mut self, function: &str, time: Duration, per_second: u32) -> Report {
        let command =
            json!({ "do": "load", "function": function, "seconds": time.as_secs_f64(), "per_second": per_second });
        let report = self.ask(time + PATIENCE, command).await;
        Report::deserialize(&report).unwrap_or_else(|error| panic!("{error}: {report}"))
    }

    /// Calls a function this often, and returns how often calls ended in which way.
    async fn calls(&mut self, function: &str, number: u32) -> Value {
        self.ask(PATIENCE, json!({ "do": "calls", "function": function, "number": number })).await
    }

    /// Changes the dependency of this replica: `up`, `down` or `flapping`.
    async fn dependency(&mut self, state: &str) {
        self.ask(PATIENCE, json!({ "do": "dependency", "state": state })).await;
    }

    /// How often Redis did not decide about a call since the start.
    async fn degraded(&mut self) -> u64 {
        let degraded = self.ask(PATIENCE, json!({ "do": "degraded" })).await;
        degraded["rate_limit"].as_u64().unwrap_or_default()
    }

    /// The state of the breaker, its transitions, and how many calls it rejected.
    async fn breaker(&mut self) -> Value {
        self.ask(PATIENCE, json!({ "do": "breaker" })).await
    }
}

/// Starts three replicas.
async fn three(redis: &RedisServer, variables: &[(&str, &str)]) -> [Replica; 3] {
    let start = || Replica::start(redis, variables);
    let (first, second, third) = tokio::join!(start(), start(), start());
    [first, second, third]
}

/// Lets each replica call a function at this rate.
async fn load(replicas: &mut [Replica], function: &str, time: Duration, per_second: u32) -> Vec<Report> {
    join_all(replicas.iter_mut().map(|replica| replica.load(function, time, per_second))).await
}

/// The milliseconds since 1970.
fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// The number of calls that were admitted in a time, and its length in seconds.
fn admitted(reports: &[Report], from_ms: u64, to_ms: u64) -> (f64, f64) {
    let times = reports.iter().flat_map(|report| &report.admitted_ms);
    let number = times.filter(|at| (from_ms..to_ms).contains(at)).count();
    (f64::from(u32::try_from(number).unwrap()), f64::from(u32::try_from(to_ms - from_ms).unwrap()) / 1_000.0)
}

/// Asserts that each call was answered, and that none waited longer than it may.
fn assert_answered_in_time(reports: &[Report], wait_ms: f64) {
    for report in reports {
        let Report { offered, ended, longest_ms, longest_without_stalls_ms, longest_stall_ms, degraded, .. } = report;
        let summary = format!(
            "{ended:?} of {offered}; longest {longest_ms:.1} ms, {longest_without_stalls_ms:.1} ms without stalls of up \
             to {longest_stall_ms:.1} ms; degraded {degraded:?}"
        );
        eprintln!("{summary}");
        assert_eq!(ended.values().sum::<u64>(), *offered, "{summary}");
        assert!(!ended.contains_key("unanswered") && !ended.contains_key("other"), "{summary}");
        assert!(*longest_without_stalls_ms <= wait_ms + SLACK_MS, "{summary}");
    }
}

/// Asserts that Redis decided about the calls: a call waits for it in vain only if the machine is busy.
fn assert_few_degraded(reports: &[Report]) {
    for Report { offered, degraded, .. } in reports {
        assert!(degraded["rate_limit"] * 20 <= *offered, "{degraded:?} of {offered}");
    }
}
