//! What calls cost in commands for Redis.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::time::sleep;

use crate::redis::RedisServer;

use super::{BURST, RATE, Replica};

/// The number of calls.
const CALLS: u32 = 1_000;

/// The command of a limit, the one that reads the news of all breakers, and those that check a connection.
const TAKE: &str = "evalsha";
const NEWS: &str = "mget";
const PING: &str = "ping";
const CLOCK: &str = "time";

/// Returns whether a command that runs once a second ran as often in this time.
fn is_once_a_second(times: i64, seconds: f64) -> bool {
    f64::from(i32::try_from(times).unwrap()) <= seconds * 1.2 + 1.0
}

/// How often Redis ran which command, including those of scripts.
fn commands(redis: &RedisServer) -> BTreeMap<String, i64> {
    let text: String = redis.command(&["INFO", "commandstats"]);
    let counts = text.lines().filter_map(|line| {
        let (name, figures) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), figures.split(',').next()?.parse().ok()?))
    });
    // The test's connection has its own.
    counts.filter(|(name, _): &(String, _)| name != "info" && !name.starts_with("client|")).collect()
}

/// What Redis ran since then.
fn since(before: &BTreeMap<String, i64>, redis: &RedisServer) -> BTreeMap<String, i64> {
    let now = commands(redis).into_iter().map(|(name, calls)| {
        let more = calls - before.get(&name).copied().unwrap_or_default();
        (name, more)
    });
    now.filter(|(_, more)| *more > 0).collect()
}

#[tokio::test]
async fn a_call_with_a_distributed_limit_costs_one_round_trip() {
    let redis = RedisServer::start(&[]);
    let mut replica = Replica::start(&redis, &[]).await;
    replica.calls("unreached", 10).await;
    let (before, from) = (commands(&redis), Instant::now());
    let degraded = replica.degraded().await;
    assert_eq!(replica.calls("unreached", CALLS).await, json!({ "ok": CALLS }));
    let (more, seconds) = (since(&before, &redis), from.elapsed().as_secs_f64());
    let pings = more.get(PING).copied().unwrap_or_default();
    assert!(is_once_a_second(pings, seconds), "{more:?} in {seconds} s");
    // A call that waits for longer than 50 ms decides alone, and the next ones may not ask.
    let alone = i64::try_from(replica.degraded().await - degraded).unwrap();
    let calls = i64::from(CALLS);
    assert!((calls - alone..=calls).contains(&more[TAKE]), "{more:?}, {alone} degraded");
    // Scripts are loaded once, and a connection is set up once.
    let others = ["eval", "script|load", "script|exists", "hello", "select", "publish"];
    assert_eq!(more.keys().filter(|name| others.contains(&name.as_str())).count(), 0, "{more:?}");
}

#[tokio::test]
async fn a_call_that_is_rejected_again_before_a_permit_can_be_there_costs_nothing() {
    let redis = RedisServer::start(&[]);
    let mut replica = Replica::start(&redis, &[]).await;
    replica.calls("search", 1).await;
    let (before, from) = (commands(&redis), Instant::now());
    let ended = replica.calls("search", CALLS).await;
    let seconds = from.elapsed().as_secs_f64();
    let asked = f64::from(i32::try_from(since(&before, &redis)[TAKE]).unwrap());
    // One answer with a permit and one without it for each permit.
    let most = 2.0 * (RATE * seconds + BURST + 1.0);
    assert!(most < f64::from(CALLS) / 2.0, "{CALLS} calls take {seconds} s: {ended}");
    assert!(asked <= most, "{asked} of {CALLS} calls in {seconds} s: {ended}");
}

#[tokio::test]
async fn a_call_with_a_distributed_breaker_costs_nothing_and_all_breakers_cost_one_round_trip_a_second() {
    let redis = RedisServer::start(&[]);
    let mut replica = Replica::start(&redis, &[]).await;
    replica.calls("make", 10).await;
    // The connection is there.
    replica.calls("unreached", 1).await;
    let (before, from) = (commands(&redis), Instant::now());
    assert_eq!(replica.calls("make", CALLS).await, json!({ "ok": CALLS }));
    sleep(Duration::from_millis(2_500)).await;
    let seconds = from.elapsed().as_secs_f64();
    let more = since(&before, &redis);
    let others = more.keys().filter(|name| ![NEWS, PING, CLOCK].contains(&name.as_str())).count();
    assert_eq!(others, 0, "{more:?}");
    assert!(more[NEWS] >= 1, "{more:?}");
    assert!(more.values().all(|times| is_once_a_second(*times, seconds)), "{more:?} in {seconds} s");
}
