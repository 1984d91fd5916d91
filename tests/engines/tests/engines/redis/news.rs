//! The news of breakers that have opened.

use std::time::Duration;

use resilient_redis::Redis;
use resilient_runtime::replicas::{Opening, OpeningId, SharedState};
use tokio::{join, time::sleep};

use super::{RedisServer, until};

fn opening(breaker: &'static str, number: u64, lasts: Duration) -> Opening {
    Opening { breaker, id: OpeningId { replica: u128::MAX - 1, number }, lasts }
}

#[tokio::test]
async fn another_replica_reads_the_latest_opening_until_it_expires() {
    let server = RedisServer::start(&[]);
    let (one, two) = (Redis::new(&server.url()), Redis::new(&server.url()));
    one.publish(&opening("shop", 1, Duration::from_secs(60))).await.unwrap();
    one.publish(&opening("shop", 2, Duration::from_millis(300))).await.unwrap();
    let lasts: i64 = server.command(&["PTTL", "resilient:breaker:shop"]);
    assert!((1..=300).contains(&lasts), "{lasts}");
    let expected = opening("shop", 2, Duration::ZERO).id;
    assert_eq!(two.openings(&["other", "shop"]).await.unwrap(), [None, Some(expected)]);
    sleep(Duration::from_millis(350)).await;
    assert_eq!(two.openings(&["shop"]).await.unwrap(), [None]);
}

/// How often the server ran a `SET`.
fn written(server: &RedisServer) -> usize {
    let stats: String = server.command(&["INFO", "commandstats"]);
    let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_set:calls=")?.split(',').next());
    calls.map_or(0, |calls| calls.parse().unwrap())
}

#[tokio::test]
async fn news_that_reaches_redis_after_its_end_is_no_news() {
    let server = RedisServer::start(&[]);
    let (one, two) = (Redis::new(&server.url()), Redis::new(&server.url()));
    one.openings(&["shop"]).await.unwrap();
    server.stop_signal();
    let lasts = Duration::from_secs(1);
    one.publish(&opening("shop", 1, lasts)).await.unwrap_err();
    drop(one);
    sleep(lasts).await;
    server.continue_signal();
    until(|| async { written(&server) == 1 }).await;
    assert_eq!(two.openings(&["shop"]).await.unwrap(), [None]);
    two.publish(&opening("shop", 2, lasts)).await.unwrap();
    assert!(two.openings(&["shop"]).await.unwrap()[0].is_some());
}

#[tokio::test]
async fn news_that_reaches_redis_late_ends_at_the_same_time() {
    let server = RedisServer::start(&[]);
    let redis = Redis::new(&server.url());
    redis.openings(&["shop"]).await.unwrap();
    server.stop_signal();
    let news = opening("shop", 1, Duration::from_secs(60));
    let (published, ()) = join!(redis.publish(&news), async {
        sleep(Duration::from_millis(300)).await;
        server.continue_signal();
    });
    published.unwrap();
    let lasts: i64 = server.command(&["PTTL", "resilient:breaker:shop"]);
    assert!((50_000..=59_700).contains(&lasts), "{lasts}");
    assert_eq!(redis.openings(&["shop"]).await.unwrap(), [Some(news.id)]);
}

#[tokio::test]
async fn all_durations_are_accepted() {
    let server = RedisServer::start(&[]);
    let redis = Redis::new(&server.url());
    for lasts in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        redis.publish(&opening("odd", 1, lasts)).await.unwrap();
    }
    assert!(redis.openings(&["odd"]).await.unwrap()[0].is_some());
}

#[tokio::test]
async fn a_thousand_names_are_read_in_one_round_trip() {
    let server = RedisServer::start(&[]);
    let redis = Redis::new(&server.url());
    let name = |index: usize| -> &'static str { format!("a name: \"{index}\" é\r\n*").leak() };
    let names: Vec<_> = (0..1_000).map(name).collect();
    for (number, &name) in (0_u64..).zip(&names).step_by(7) {
        redis.publish(&opening(name, number, Duration::from_secs(60))).await.unwrap();
    }
    let before: String = server.command(&["INFO", "commandstats"]);
    assert!(!before.contains("cmdstat_mget"), "{before}");
    let found = redis.openings(&names).await.unwrap();
    let after: String = server.command(&["INFO", "commandstats"]);
    assert!(after.contains("cmdstat_mget:calls=1,"), "{after}");
    assert_eq!(found.len(), names.len());
    for (number, found) in (0_u64..).zip(found) {
        let expected = (number % 7 == 0).then(|| opening("", number, Duration::ZERO).id);
        assert_eq!(found, expected, "{number}");
    }
    assert_eq!(redis.openings(&[]).await.unwrap(), []);
}

#[tokio::test]
async fn a_value_that_is_no_news_is_none() {
    let server = RedisServer::start(&[]);
    let redis = Redis::new(&server.url());
    server.command::<()>(&["SET", "resilient:breaker:a", "hello"]);
    server.command::<()>(&["HSET", "resilient:breaker:b", "field", "value"]);
    redis.publish(&opening("c", 5, Duration::from_secs(60))).await.unwrap();
    let found = redis.openings(&["a", "b", "c"]).await.unwrap();
    assert_eq!(found, [None, None, Some(opening("c", 5, Duration::ZERO).id)]);
}
