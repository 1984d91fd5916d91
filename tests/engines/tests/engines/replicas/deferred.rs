//! Deferred writes of two servers on two machines, with the store in Redis: servers and Redis are killed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use resilient_redis::Redis;
use resilient_runtime::deferred::Receipt;
use resilient_tests::{
    child::Server,
    records::{
        Mode, Step, Upstream,
        kills::{Plan, assert_in_effect_once, assert_no_write_is_lost_or_repeated, wait_for_end},
        shared_store::{SharedStore, accept, receipt, record, write},
        steps::{Afterwards, assert_killed_after_the_commit, killed_while_delivering},
    },
    wire::text,
};
use tokio::time::{Instant, sleep};

use crate::{PATIENCE, SERVERS, redis::RedisServer};

/// A Redis that keeps what it has confirmed.
const DURABLE: [&str; 6] = ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"];

/// The event of a server whose store may lose writes.
const NOT_DURABLE: &str = "deferred.store_not_durable";

/// The number of times that Redis is killed.
const KILLS: u32 = 8;

/// The store of servers that only share this Redis.
fn shared(redis: &RedisServer) -> SharedStore {
    let store = Redis::new(&redis.url()).deferred_store();
    SharedStore { store: Arc::new(store), executable: SERVERS, location: redis.url() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_60_servers_that_are_killed_none_loses_an_accepted_write_and_none_repeats_an_effect() {
    let redis = RedisServer::start(&DURABLE);
    let plan = Plan { kills: 60, most_kills: 300, accepted: 50, interrupted: 5, repeated: 5 };
    assert_no_write_is_lost_or_repeated(&shared(&redis), plan).await;
}

/// Lets a server accept a write, and kills it while it delivers the write. Another one takes over.
async fn killed(hold: Option<Step>, mode: Mode) -> Afterwards {
    let redis = RedisServer::start(&DURABLE);
    killed_while_delivering(&shared(&redis), hold, mode).await
}

#[tokio::test]
async fn killed_after_the_commit_and_before_the_answer_the_entry_is_delivered_and_a_second_call_gets_its_receipt() {
    let redis = RedisServer::start(&DURABLE);
    assert_killed_after_the_commit(&shared(&redis)).await;
}

#[tokio::test]
async fn killed_after_the_claim_the_next_try_is_of_the_survivor() {
    let after = killed(Some(Step::Claimed), Mode::Up).await;
    assert_eq!(after, Afterwards { tries: 1, interrupted: 1, repeated: 0 });
}

#[tokio::test]
async fn killed_in_the_middle_of_a_try_the_next_one_takes_effect() {
    let after = killed(None, Mode::Hangs).await;
    assert_eq!(after, Afterwards { tries: 1, interrupted: 1, repeated: 0 });
}

#[tokio::test]
async fn killed_after_the_effect_and_before_the_answer_of_the_upstream_the_key_prevents_a_second_effect() {
    let after = killed(None, Mode::HangsAfterEffect).await;
    assert_eq!(after, Afterwards { tries: 1, interrupted: 1, repeated: 1 });
}

#[tokio::test]
async fn killed_after_the_effect_and_before_the_completion_the_key_prevents_a_second_effect() {
    let after = killed(Some(Step::Completing), Mode::Up).await;
    assert_eq!(after, Afterwards { tries: 1, interrupted: 1, repeated: 1 });
}

#[tokio::test]
async fn killed_after_the_completion_there_is_no_further_try() {
    let after = killed(Some(Step::Completed), Mode::Up).await;
    assert_eq!(after, Afterwards { tries: 0, interrupted: 0, repeated: 0 });
}

/// Writes one record after another until this instant. Each is accepted, or the answer says that it is not.
async fn write_until(end: Instant, server: &Server, name: &str, accepted: &Mutex<BTreeMap<String, Receipt>>) {
    for number in 0.. {
        if Instant::now() >= end {
            return;
        }
        let record = record(&format!("{name}-{number}"));
        let answer = write(server, &record).await;
        if let Some(receipt) = receipt(&answer) {
            accepted.lock().unwrap().insert(record.key, receipt);
        } else {
            assert_eq!(answer.is_error, Some(true), "{answer:?}");
            assert!(text(&answer).contains(" It was not accepted for later."), "{answer:?}");
        }
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_killed_again_and_again_loses_no_accepted_write() {
    let mut redis = RedisServer::start(&DURABLE);
    let shared = shared(&redis);
    let upstream = Upstream::start(Mode::Down).await.unwrap();
    let servers = [shared.serve(&upstream, &[]).await, shared.serve(&upstream, &[]).await];
    let accepted = Mutex::default();
    let mut accepted_before = 0;
    for round in 0..KILLS {
        let end = Instant::now() + Duration::from_millis(2_000);
        let names = [format!("first-{round}"), format!("second-{round}")];
        tokio::join!(
            write_until(end, &servers[0], &names[0], &accepted),
            write_until(end, &servers[1], &names[1], &accepted),
            async {
                sleep(Duration::from_millis(fastrand::u64(200..800))).await;
                redis.kill();
                sleep(Duration::from_millis(fastrand::u64(0..500))).await;
                redis.restart();
            }
        );
        // Redis is killed during deliveries as well.
        upstream.set(if round % 2 == 0 { Mode::HangsAfterEffect } else { Mode::Down });
        let now = accepted.lock().unwrap().len();
        assert!(now > accepted_before, "round {round}: nothing was accepted");
        accepted_before = now;
    }
    upstream.set(Mode::Up);
    // The connection of the test has to be restored as well.
    let end = Instant::now() + PATIENCE;
    while let Err(error) = shared.store.check().await {
        assert!(Instant::now() < end, "{error}");
        sleep(Duration::from_millis(50)).await;
    }
    wait_for_end(&shared, Duration::from_secs(60)).await;
    let accepted = accepted.into_inner().unwrap();
    assert_in_effect_once(&shared, &upstream, &accepted).await;
    eprintln!("{} accepted in {KILLS} rounds", accepted.len());
    assert!(accepted.len() > 50, "{}", accepted.len());
}

#[tokio::test]
async fn a_server_whose_redis_may_lose_writes_says_so_at_its_start_and_another_one_does_not() {
    let upstream = Upstream::start(Mode::Down).await.unwrap();
    for (arguments, may_lose) in [(&[][..], true), (&DURABLE[..], false)] {
        let redis = RedisServer::start(arguments);
        let server = shared(&redis).serve(&upstream, &[]).await;
        if may_lose {
            server.process().wait_for_log(|line| line.contains(NOT_DURABLE)).await.unwrap();
        } else {
            // Both come from the worker, and the writes of the store follow its start.
            accept(&server, &record("a")).await;
            let tried = |line: &str| line.contains("deferred.attempted");
            server.process().wait_for_log(tried).await.unwrap();
            let log = server.process().log();
            assert!(!log.iter().any(|line| line.contains(NOT_DURABLE)), "{log:#?}");
        }
    }
}
