//! What replicas share, with a Redis.

mod limits;
mod news;
mod outages;
mod rights;
mod server;
mod tls;

use std::{
    future::Future,
    time::{Duration, Instant},
};

use resilient_redis::Redis;
use resilient_runtime::{
    policy::RateLimitSettings,
    replicas::{PermitRequest, SharedState, Taken},
};
use tokio::time::sleep;

pub(crate) use server::RedisServer;

/// A rate of one permit per hour, so that the burst is all there is.
fn burst(burst: u32) -> RateLimitSettings {
    RateLimitSettings::new(1, Duration::from_secs(60 * 60)).burst(burst)
}

fn request(limit: &'static str, settings: RateLimitSettings) -> PermitRequest {
    PermitRequest { limit, key: None, settings }
}

/// Takes a permit and returns whether it was granted.
async fn is_granted(redis: &Redis, request: &PermitRequest) -> bool {
    redis.take(request).await.unwrap() == Taken::Granted
}

/// Waits until a condition holds, and returns how long that took. Fails after 10 s.
async fn until<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) -> Duration {
    let since = Instant::now();
    while !condition().await {
        assert!(since.elapsed() < Duration::from_secs(10), "it never holds");
        sleep(Duration::from_millis(10)).await;
    }
    since.elapsed()
}

#[test]
fn a_server_that_is_killed_stopped_and_flushed_answers_again() {
    let mut server = RedisServer::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    server.command::<()>(&["SET", "key", "value"]);
    server.stop_signal();
    server.continue_signal();
    assert_eq!(server.command::<String>(&["GET", "key"]), "value");
    server.kill();
    server.restart();
    assert_eq!(server.command::<String>(&["GET", "key"]), "value");
    server.flush();
    assert_eq!(server.command::<Option<String>>(&["GET", "key"]), None);
}
