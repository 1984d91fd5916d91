//! Sessions while Redis is away or does not answer.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{PATIENCE, http_server::Server, redis::RedisServer};

use super::{assert_serves, assert_unknown, begin, replica};

/// More than the 500 ms of a command, by what a busy machine may need, and less than two commands and that.
const SOON: Duration = Duration::from_millis(1_200);

/// Returns the events of the log about sessions, each with its operation.
fn events(server: &Server) -> Vec<String> {
    let lines = server.log();
    let of_sessions = lines.iter().filter(|line| line["part"] == "sessions");
    let text = |line: &Value, field: &str| line[field].as_str().unwrap().to_owned();
    of_sessions.map(|line| format!("{} {}", text(line, "event"), text(line, "operation"))).collect()
}

/// Waits until the log has these events about sessions, which another task reads, and no others.
async fn until_events(server: &Server, expected: &[&str]) {
    let deadline = Instant::now() + PATIENCE;
    while events(server) != expected {
        assert!(Instant::now() < deadline, "{:?}", events(server));
        sleep(Duration::from_millis(10)).await;
    }
}

/// Begins sessions until one is stored.
async fn begin_until_stored(server: &Server) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let session = begin(server).await;
        if events(server).last().is_some_and(|event| event == "distributed.recovered store") {
            return session;
        }
        assert!(Instant::now() < deadline, "{:?}", events(server));
    }
}

#[tokio::test]
async fn sessions_begin_and_go_on_while_redis_is_away() {
    let mut redis = RedisServer::start(&[]);
    let (first, second) = (replica(&redis, &[]).await, replica(&redis, &[]).await);
    let before = begin(&first).await;
    redis.kill();
    let begun = Instant::now();
    let during = begin(&first).await;
    assert_serves(&first, &during).await;
    assert_serves(&first, &before).await;
    assert_unknown(&second, &before).await;
    assert!(begun.elapsed() < 2 * SOON, "{:?}", begun.elapsed());
    // One for each outage.
    begin(&first).await;
    until_events(&first, &["distributed.degraded store"]).await;
    until_events(&second, &["distributed.degraded load"]).await;

    redis.restart();
    let after = begin_until_stored(&first).await;
    until_events(&first, &["distributed.degraded store", "distributed.recovered store"]).await;
    assert_serves(&second, &after).await;
    until_events(&second, &["distributed.degraded load", "distributed.recovered load"]).await;
}

#[tokio::test]
async fn a_redis_that_is_full_loads_sessions_and_stores_none_and_that_is_one_outage() {
    let redis = RedisServer::start(&[]);
    let (first, second) = (replica(&redis, &[]).await, replica(&redis, &[]).await);
    let before = begin(&first).await;
    redis.command::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    for invented in ["one", "another", "a third"] {
        let during = begin(&second).await;
        assert_serves(&second, &during).await;
        assert_unknown(&first, &during).await;
        assert_unknown(&second, invented).await;
    }
    assert_serves(&second, &before).await;
    until_events(&second, &["distributed.degraded store"]).await;
    redis.command::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    begin_until_stored(&second).await;
    until_events(&second, &["distributed.degraded store", "distributed.recovered store"]).await;
    assert_eq!(events(&first), [""; 0]);
}

#[tokio::test]
async fn requests_wait_half_a_second_at_most_for_a_redis_that_hangs_and_not_at_all_in_a_known_session() {
    let redis = RedisServer::start(&[]);
    let (first, second) = (replica(&redis, &[]).await, replica(&redis, &[]).await);
    let session = begin(&first).await;
    redis.stop_signal();
    // Ten waits would take five seconds.
    let begun = Instant::now();
    for _ in 0..10 {
        assert_serves(&first, &session).await;
    }
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    let begun = Instant::now();
    assert_unknown(&second, &session).await;
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    let begun = Instant::now();
    let during = begin(&first).await;
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert_serves(&first, &during).await;
    redis.continue_signal();
    let deadline = Instant::now() + PATIENCE;
    while events(&second).last().is_none_or(|event| event != "distributed.recovered load") {
        assert!(Instant::now() < deadline, "{:?}", events(&second));
        assert_unknown(&second, "invented").await;
    }
    assert_serves(&second, &session).await;
}

#[tokio::test]
async fn a_server_starts_without_redis_and_is_ready() {
    let mut redis = RedisServer::start(&[]);
    redis.kill();
    let server = replica(&redis, &[]).await;
    let session = begin(&server).await;
    assert_serves(&server, &session).await;
    let get = async |route: &str| {
        let answer = server.http.get(format!("{}{route}", server.origin)).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    // No replica does better, so none is taken out.
    let (status, ready) = get("/readyz").await;
    assert_eq!((status, &ready["ready"]), (200, &json!(true)), "{ready}");
    let (status, report) = get("/healthz").await;
    let failing = report["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "fail");
    let mut failing: Vec<_> = failing.map(|check| check["name"].as_str().unwrap()).collect();
    failing.sort_unstable();
    assert_eq!((status, failing), (200, vec!["deferred", "redis"]), "{report}");
}
