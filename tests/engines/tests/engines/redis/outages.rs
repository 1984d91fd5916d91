//! A Redis that does not answer, ends, or comes back.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use resilient_redis::{Redis, ResilienceExt};
use resilient_runtime::{
    Registry, Resilience,
    replicas::{PermitRequest, SharedState, Taken},
};
use resilient_tests::logs::{Events, listen};
use tokio::{
    runtime::Runtime,
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing_subscriber::layer::SubscriberExt as _;

use super::{RedisServer, burst, is_granted, request, until};

/// How long a caller waits.
const WAIT: Duration = Duration::from_millis(50);

/// What a caller gets within its time.
async fn attempt(redis: &Redis, request: &PermitRequest) -> Option<Taken> {
    timeout(WAIT, redis.take(request)).await.ok()?.ok()
}

async fn answers(redis: &Redis, request: &PermitRequest) -> bool {
    attempt(redis, request).await.is_some()
}

/// The memory of this process, in bytes.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_of_a_stopped_server_are_answered_in_time_and_it_recovers() {
    let server = RedisServer::start(&[]);
    let redis = Redis::new(&server.url());
    let request = request("stopped", burst(1_000_000));
    assert!(is_granted(&redis, &request).await);
    server.stop_signal();
    let before = memory();
    let end = Instant::now() + Duration::from_secs(4);
    let mut callers = JoinSet::new();
    for _ in 0..200 {
        let (redis, request) = (redis.clone(), request.clone());
        callers.spawn(async move {
            let mut calls = 0_u64;
            let mut longest = Duration::ZERO;
            while Instant::now() < end {
                let since = Instant::now();
                assert_eq!(attempt(&redis, &request).await, None);
                longest = longest.max(since.elapsed());
                calls += 1;
                // A caller that is refused at once comes back a little later.
                sleep(Duration::from_millis(5)).await;
            }
            (calls, longest)
        });
    }
    let (calls, longest) =
        callers.join_all().await.into_iter().fold((0, Duration::ZERO), |all, one| (all.0 + one.0, all.1.max(one.1)));
    assert!(longest < WAIT + Duration::from_millis(450), "{longest:?}");
    assert!(calls > 5_000, "{calls}");
    let more = memory().saturating_sub(before);
    assert!(more < 48 * 1_024 * 1_024, "{more} bytes for {calls} calls");
    server.continue_signal();
    let lasted = until(|| answers(&redis, &request)).await;
    assert!(lasted < Duration::from_secs(2), "{lasted:?}");
}

#[tokio::test]
async fn a_server_that_was_stopped_for_an_instant_is_used_again() {
    let server = RedisServer::start(&[]);
    let redis = Redis::new(&server.url());
    let request = request("instant", burst(1_000));
    assert!(is_granted(&redis, &request).await);
    server.stop_signal();
    for _ in 0..3 {
        assert!(!answers(&redis, &request).await);
    }
    server.continue_signal();
    // Answers to callers that have given up are not given to others: all are about this limit, which has permits, and
    // the other one has none.
    let other = super::request("other", burst(1));
    let first = until(|| answers(&redis, &request)).await;
    assert!(first < Duration::from_secs(2), "{first:?}");
    assert!(is_granted(&redis, &other).await);
    for _ in 0..20 {
        assert!(is_granted(&redis, &request).await);
        assert!(!is_granted(&redis, &other).await);
    }
}

#[tokio::test]
async fn a_server_that_was_killed_is_used_again_after_its_restart() {
    let mut server = RedisServer::start(&[]);
    let redis = Redis::new(&server.url());
    let request = request("killed", burst(1_000));
    assert!(is_granted(&redis, &request).await);
    for away in [Duration::ZERO, Duration::from_millis(500), Duration::from_secs(3)] {
        server.kill();
        sleep(away).await;
        if away > Duration::from_secs(2) {
            let since = Instant::now();
            let error = redis.take(&request).await.unwrap_err();
            assert!(since.elapsed() < WAIT, "{:?}", since.elapsed());
            assert!(error.to_string().contains("refused"), "{error}");
        }
        server.restart();
        let lasted = until(|| answers(&redis, &request)).await;
        assert!(lasted < Duration::from_secs(2), "{away:?}: {lasted:?}");
    }
}

#[tokio::test]
async fn a_server_that_starts_after_its_clients_is_used() {
    let mut server = RedisServer::start(&[]);
    server.kill();
    let redis = Redis::new(&server.url());
    let request = request("later", burst(1_000));
    assert!(!answers(&redis, &request).await);
    sleep(Duration::from_secs(1)).await;
    server.restart();
    let lasted = until(|| answers(&redis, &request)).await;
    assert!(lasted < Duration::from_secs(2), "{lasted:?}");
}

#[tokio::test]
async fn the_start_of_a_server_connects_and_the_log_says_which_connection_fails() {
    let server = RedisServer::start(&["--requirepass", "right"]);
    let log = Events::default();
    let _listening = listen(tracing_subscriber::registry().with(log.clone()));
    // The tests' own connections are those of a socket.
    let clients = || {
        let list: String = server.command(&["CLIENT", "LIST"]);
        list.lines().filter(|line| line.contains(" addr=127.0.0.1:") && line.contains(" cmd=ping ")).count()
    };
    let start = |password: &str| {
        let url = format!("redis://:{password}@127.0.0.1:{}", server.port());
        Resilience::from_variables([]).redis(url).start_with(&Arc::new(Registry::new())).unwrap()
    };
    let logged = || log.seen().into_iter().find(|line| line.contains("redis.unavailable"));
    let right = start("right");
    until(|| async { clients() == 1 }).await;
    assert_eq!(logged(), None);
    let wrong = start("wrong");
    until(|| async { logged().is_some() }).await;
    let line = logged().unwrap();
    assert!(line.contains("WARN") && line.contains("connection=\"limits\""), "{line}");
    assert_eq!(clients(), 1);
    drop((right, wrong));
}

#[tokio::test]
async fn connections_that_a_server_closes_or_refuses_are_restored() {
    let server = RedisServer::start(&["--maxclients", "2"]);
    let redis = Redis::new(&server.url());
    let request = request("closed", burst(1_000));
    assert!(is_granted(&redis, &request).await);
    for _ in 0..3 {
        server.command::<()>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        let lasted = until(|| answers(&redis, &request)).await;
        assert!(lasted < Duration::from_secs(2), "{lasted:?}");
    }
    // The other clients: this one and that of the next command.
    let (one, two) = (Redis::new(&server.url()), Redis::new(&server.url()));
    assert!(is_granted(&one, &request).await);
    let error = two.take(&request).await.unwrap_err();
    assert!(error.to_string().starts_with("Redis cannot be reached"), "{error}");
    drop(one);
    let lasted = until(|| answers(&two, &request)).await;
    assert!(lasted < Duration::from_secs(2), "{lasted:?}");
}

#[tokio::test]
async fn a_server_that_became_a_copy_is_left_for_a_new_connection() {
    let server = RedisServer::start(&[]);
    let redis = Redis::new(&server.url());
    let request = request("copy", burst(1_000));
    assert!(is_granted(&redis, &request).await);
    // The tests' own connections are those of a socket.
    let client = || {
        let list: String = server.command(&["CLIENT", "LIST"]);
        let client = list.lines().find(|line| line.contains(" addr=127.0.0.1:"));
        client.and_then(|line| line.split(' ').next().map(str::to_owned))
    };
    let before = client().unwrap();
    server.command::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    let error = redis.take(&request).await.unwrap_err();
    assert!(error.to_string().contains("READONLY"), "{error}");
    until(|| async { client().is_some_and(|client| client != before) }).await;
    server.command::<()>(&["REPLICAOF", "NO", "ONE"]);
    let lasted = until(|| answers(&redis, &request)).await;
    assert!(lasted < Duration::from_secs(2), "{lasted:?}");
}

#[test]
fn a_redis_outlives_the_runtime_of_its_first_use() {
    let server = RedisServer::start(&[]);
    let redis = Redis::new(&server.url());
    let request = request("runtimes", burst(3));
    for _ in 0..3 {
        let granted = Runtime::new().unwrap().block_on(is_granted(&redis, &request));
        assert!(granted);
    }
    assert!(!Runtime::new().unwrap().block_on(is_granted(&redis, &request)));
}
