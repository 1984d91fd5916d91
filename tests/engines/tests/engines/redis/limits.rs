//! Rate limits: the number of permits, the state and its expiry.

use std::time::{Duration, Instant};

use resilient_redis::Redis;
use resilient_runtime::{
    policy::RateLimitSettings,
    replicas::{PermitRequest, SharedState, Taken},
};
use tokio::{task::JoinSet, time::sleep};

use super::{RedisServer, burst, is_granted, request};

/// Returns the only key of a server.
fn only_key(server: &RedisServer) -> String {
    let keys: Vec<String> = server.command(&["KEYS", "*"]);
    let [key] = keys.as_slice() else { panic!("{keys:?}") };
    key.clone()
}

/// Takes a permit that must not be there, and returns when there is one.
async fn retry_after(redis: &Redis, request: &PermitRequest) -> Duration {
    match redis.take(request).await.unwrap() {
        Taken::Rejected { retry_after } => retry_after,
        Taken::Granted => panic!("granted"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_in_parallel_get_exactly_the_burst() {
    let server = RedisServer::start(&[]);
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let redis = Redis::new(&server.url());
        for _ in 0..4 {
            let redis = redis.clone();
            clients.spawn(async move {
                let mut granted = 0;
                for _ in 0..50 {
                    granted += u32::from(is_granted(&redis, &request("shared", burst(100))).await);
                }
                granted
            });
        }
    }
    assert_eq!(clients.join_all().await.into_iter().sum::<u32>(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_in_parallel_get_the_rate_after_the_burst() {
    let server = RedisServer::start(&[]);
    let settings = RateLimitSettings::new(200, Duration::from_secs(1)).burst(20);
    let lasts = Duration::from_secs(1);
    let mut clients = JoinSet::new();
    let since = Instant::now();
    for _ in 0..4 {
        let redis = Redis::new(&server.url());
        clients.spawn(async move {
            let mut granted = 0_u32;
            while since.elapsed() < lasts {
                granted += u32::from(is_granted(&redis, &request("rate", settings)).await);
            }
            granted
        });
    }
    let granted = clients.join_all().await.into_iter().sum::<u32>();
    let at_most = 20.0 + 200.0 * since.elapsed().as_secs_f64();
    assert!(f64::from(granted) <= at_most, "{granted} of {at_most}");
    assert!(granted >= 150, "{granted}");
}

#[tokio::test]
async fn names_keys_prefixes_and_settings_have_separate_permits() {
    let server = RedisServer::start(&[]);
    let redis = Redis::new(&server.url());
    let first = request("one", burst(1));
    assert!(is_granted(&redis, &first).await);
    assert!(!is_granted(&redis, &first).await);
    assert!(is_granted(&redis, &request("two", burst(1))).await);
    assert!(is_granted(&redis, &PermitRequest { key: Some(1), ..first.clone() }).await);
    assert!(!is_granted(&redis, &PermitRequest { key: Some(1), ..first.clone() }).await);
    assert!(is_granted(&redis, &PermitRequest { key: Some(u128::MAX), ..first.clone() }).await);
    assert!(is_granted(&redis, &request("one", burst(2))).await);
    assert!(is_granted(&Redis::new(&server.url()).prefix("other"), &first).await);
    assert!(!is_granted(&redis, &first).await);
}

#[tokio::test]
async fn a_rejection_says_when_there_is_a_permit_again() {
    let server = RedisServer::start(&[]);
    let redis = Redis::new(&server.url());
    let settings = RateLimitSettings::new(5, Duration::from_secs(1)).burst(2);
    let request = request("wait", settings);
    assert!(is_granted(&redis, &request).await);
    assert!(is_granted(&redis, &request).await);
    let wait = retry_after(&redis, &request).await;
    assert!(wait > Duration::ZERO && wait <= Duration::from_millis(200), "{wait:?}");
    sleep(wait).await;
    assert!(is_granted(&redis, &request).await);
}

#[tokio::test]
async fn a_key_expires_when_its_burst_is_complete_again() {
    let server = RedisServer::start(&[]);
    let redis = Redis::new(&server.url());
    let settings = RateLimitSettings::new(10, Duration::from_secs(1)).burst(5);
    assert!(is_granted(&redis, &request("short", settings)).await);
    let key = only_key(&server);
    let lasts: i64 = server.command(&["PTTL", &key]);
    assert!((1..=101).contains(&lasts), "{lasts}");
    sleep(Duration::from_millis(150)).await;
    assert_eq!(server.command::<i64>(&["EXISTS", &key]), 0);
    server.flush();
    assert!(is_granted(&redis, &request("long", burst(100))).await);
    let lasts: i64 = server.command(&["PTTL", &only_key(&server)]);
    assert!((3_590_000..=3_600_001).contains(&lasts), "{lasts}");
}

#[tokio::test]
async fn extreme_settings_grant_and_reject_exactly() {
    let server = RedisServer::start(&[]);
    let redis = Redis::new(&server.url());
    // A permit each nanosecond: more than Redis can process.
    let fastest = request("fastest", RateLimitSettings::new(u32::MAX, Duration::from_secs(1)).burst(1));
    for _ in 0..1_000 {
        assert!(is_granted(&redis, &fastest).await);
    }
    let slowest = request("slowest", RateLimitSettings::new(1, Duration::from_secs(24 * 60 * 60)).burst(365));
    for _ in 0..365 {
        assert!(is_granted(&redis, &slowest).await);
    }
    let wait = retry_after(&redis, &slowest).await;
    assert!(wait <= Duration::from_secs(24 * 60 * 60) && wait > Duration::from_secs(23 * 60 * 60), "{wait:?}");
    let beyond = request("beyond", RateLimitSettings::new(1, Duration::MAX).burst(u32::MAX));
    assert!(is_granted(&redis, &beyond).await);
    assert!(retry_after(&redis, &beyond).await > Duration::from_secs(365 * 24 * 60 * 60));
}

#[tokio::test]
async fn intervals_below_a_microsecond_add_up() {
    let server = RedisServer::start(&[]);
    let redis = Redis::new(&server.url());
    // 333 ns and a burst of a minute, which cannot be used up.
    let settings = RateLimitSettings::new(3_000_000, Duration::from_secs(1)).burst(180_000_000);
    let request = request("third", settings);
    // The state expires within milliseconds, so it may have to be made again.
    let mut found = None;
    for _ in 0..1_000 {
        assert!(is_granted(&redis, &request).await);
        let keys: Vec<String> = server.command(&["KEYS", "*"]);
        let state = keys.first().and_then(|key| server.command::<Option<String>>(&["GET", key]));
        found = keys.into_iter().next().zip(state);
        if found.is_some() {
            break;
        }
    }
    let (key, state) = found.unwrap();
    // The state is moved ten seconds ahead, so that the clock does not reach it during the test.
    let ahead = state.split_once('.').unwrap().0.parse::<u64>().unwrap() + 10_000_000;
    server.command::<()>(&["SET", &key, &format!("{ahead}.000")]);
    for _ in 0..1_000 {
        assert!(is_granted(&redis, &request).await);
    }
    assert_eq!(server.command::<String>(&["GET", &key]), format!("{}.000", ahead + 333));
}

#[tokio::test]
async fn a_state_beyond_the_burst_is_bounded_so_that_no_limit_waits_for_a_clock() {
    let server = RedisServer::start(&[]);
    let redis = Redis::new(&server.url());
    let settings = RateLimitSettings::new(10, Duration::from_secs(1)).burst(3);
    let request = request("clock", settings);
    assert!(is_granted(&redis, &request).await);
    let key = only_key(&server);
    for far in ["9999999999999999.999", "4000000000000000.000"] {
        server.command::<()>(&["SET", &key, far]);
        let wait = retry_after(&redis, &request).await;
        assert!(wait <= Duration::from_millis(100), "{wait:?}");
        sleep(wait).await;
        assert!(is_granted(&redis, &request).await);
    }
}

#[tokio::test]
async fn a_value_that_is_no_state_is_replaced() {
    let server = RedisServer::start(&[]);
    let redis = Redis::new(&server.url());
    let request = request("odd", burst(2));
    assert!(is_granted(&redis, &request).await);
    let key = only_key(&server);
    let long = "9".repeat(1_000);
    let long = format!("{long}.000");
    for value in ["", "x", "-1", "nan", "inf", "1e9", "1.5", "1", ".000", "\0\n", &long, "0x7fffffffffffffff.000"] {
        server.command::<()>(&["SET", &key, value]);
        assert!(is_granted(&redis, &request).await, "{value}");
        assert!(is_granted(&redis, &request).await, "{value}");
        assert!(!is_granted(&redis, &request).await, "{value}");
    }
    server.flush();
    server.command::<()>(&["HSET", &key, "field", "value"]);
    assert!(is_granted(&redis, &request).await);
    assert!(is_granted(&redis, &request).await);
    assert!(!is_granted(&redis, &request).await);
}

#[tokio::test]
async fn a_limit_survives_the_loss_of_scripts_and_of_data() {
    let server = RedisServer::start(&[]);
    let redis = Redis::new(&server.url());
    let request = request("flushed", burst(1));
    assert!(is_granted(&redis, &request).await);
    server.command::<()>(&["SCRIPT", "FLUSH"]);
    assert!(!is_granted(&redis, &request).await);
    server.flush();
    assert!(is_granted(&redis, &request).await);
    assert!(!is_granted(&redis, &request).await);
}
