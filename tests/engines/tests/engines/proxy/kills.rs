//! Many writes while the server is killed again and again: no write runs twice.

use std::{
    collections::HashMap,
    fs,
    ops::Range,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    Line, Setup,
    client::{Client, failed, text},
    counting, failing,
};

/// The number of calls at the same time.
const AT_A_TIME: usize = 16;

/// The option of the proxy, and what a busy machine adds to it.
const TIMEOUT: Duration = Duration::from_secs(10);
const DELAY: Duration = Duration::from_secs(5);

/// A call that fails faster than this was rejected, and the client waits before its next call.
const REJECTED: Duration = Duration::from_millis(5);
const WAIT: Duration = Duration::from_millis(20);

/// What became of the calls.
#[derive(Default)]
struct Outcome {
    /// The number of calls that succeeded.
    succeeded: usize,
    /// The number of calls that failed, by the text without its numbers.
    failures: HashMap<String, usize>,
    slowest: Duration,
}

impl Outcome {
    fn add(mut self, other: Self) -> Self {
        self.succeeded += other.succeeded;
        self.slowest = self.slowest.max(other.slowest);
        for (text, number) in other.failures {
            *self.failures.entry(text).or_default() += number;
        }
        self
    }
}

/// Kills the server after waits of this many milliseconds, until the calls have ended. Returns how often.
///
/// Each process has written once before. Otherwise the breaker of the connection opens, as `start` shows.
async fn kill_again_and_again(setup: &Setup, waits: Range<u64>, ended: &AtomicBool) -> usize {
    let mut kills = 0;
    let mut written = 0;
    while !ended.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(fastrand::u64(waits.clone()))).await;
        if setup.lines().len() == written {
            continue;
        }
        for process in setup.processes() {
            super::kill(process);
            kills += 1;
        }
        written = setup.lines().len();
    }
    kills
}

/// Calls `write` with these arguments until this many calls have begun.
async fn write(client: &Client, begun: &AtomicUsize, calls: usize, arguments: &Value) -> Outcome {
    let mut outcome = Outcome::default();
    loop {
        let number = begun.fetch_add(1, Ordering::Relaxed);
        if number >= calls {
            return outcome;
        }
        let start = Instant::now();
        let mut arguments = arguments.clone();
        arguments["id"] = json!(format!("w{number}"));
        let id = client.ask("tools/call", json!({ "name": "write", "arguments": arguments })).await;
        let answer = client.answer_within(TIMEOUT + DELAY, id).await;
        let elapsed = start.elapsed();
        outcome.slowest = outcome.slowest.max(elapsed);
        if failed(&answer) {
            let text = text(&answer).replace(|symbol: char| symbol.is_ascii_digit(), "");
            *outcome.failures.entry(text).or_default() += 1;
            if elapsed < REJECTED {
                sleep(WAIT).await;
            }
        } else {
            outcome.succeeded += 1;
        }
    }
}

/// Asserts that no write runs twice, and that each call is answered in time.
async fn assert_no_write_runs_twice(server: &Line, arguments: Value, calls: usize, waits: Range<u64>) {
    let setup = Setup::new();
    let timeout = format!("{}s", TIMEOUT.as_secs());
    // The breaker of the tool would reject most of the calls.
    let policy = setup.path("policy.toml");
    fs::write(&policy, "[tool.write]\nbreaker = \"none\"\n").unwrap();
    let options = ["--policy", policy.to_str().unwrap(), "--timeout", &timeout];
    let client = Client::connect(setup.proxy(&options, server)).await;
    let begun = AtomicUsize::new(0);
    let ended = AtomicBool::new(false);
    let writers = async {
        let outcomes = join_all((0..AT_A_TIME).map(|_| write(&client, &begun, calls, &arguments))).await;
        ended.store(true, Ordering::Relaxed);
        outcomes.into_iter().fold(Outcome::default(), Outcome::add)
    };
    let (outcome, kills) = tokio::join!(writers, kill_again_and_again(&setup, waits, &ended));

    let mut executions: HashMap<String, usize> = HashMap::new();
    for line in setup.lines() {
        *executions.entry(line).or_default() += 1;
    }
    let twice: Vec<_> = executions.iter().filter(|(_, number)| **number > 1).collect();
    let Outcome { succeeded, failures, slowest } = outcome;
    let summary = format!("{kills} kills, {succeeded} of {calls} succeeded, slowest {slowest:?}, {failures:#?}");
    assert!(twice.is_empty(), "{twice:?}\n{summary}");
    assert!(succeeded <= executions.len(), "{} executions\n{summary}", executions.len());
    // Otherwise the test has shown nothing.
    assert!(kills >= 5, "{summary}");
    assert!(succeeded >= calls / 10, "{summary}");
    client.assert_clean();
}

#[tokio::test]
async fn of_ten_thousand_writes_under_kills_of_the_server_none_runs_twice() {
    assert_no_write_runs_twice(&counting(), json!({}), 10_000, 20..200).await;
}

#[tokio::test]
async fn of_five_hundred_writes_under_kills_of_the_server_of_fastmcp_none_runs_twice() {
    // It needs a second to start.
    let slow = json!({ "what": "slow", "seconds": 0.3 });
    assert_no_write_runs_twice(&failing(), slow, 500, 500..2_000).await;
}
