//! Logins, rights of users, and what errors say.

use std::time::Duration;

use resilient_redis::Redis;
use resilient_runtime::{
    health::{CheckStatus, Health},
    replicas::{Opening, OpeningId, SharedState},
};

use rmcp::{
    model::InitializeRequestParams,
    transport::streamable_http_server::session::store::{SessionState, SessionStore},
};

use super::{RedisServer, burst, is_granted, request};

/// A password with all characters that mean something in URLs or in Redis.
const PASSWORD: &str = "p:a@s/s?w#o%r d&+=é'\"$";

/// The password in a URL.
const ENCODED: &str = "p%3Aa%40s%2Fs%3Fw%23o%25r%20d%26%2B%3D%C3%A9%27%22%24";

/// The URL of a server with this login.
fn url(server: &RedisServer, login: &str) -> String {
    format!("redis://{login}@127.0.0.1:{}", server.port())
}

/// Returns the status and the message of the health check.
async fn health(redis: &Redis) -> (CheckStatus, String) {
    let report = Health::new().check(redis.health_check()).report().await;
    let check = report.checks.iter().find(|check| check.name == "redis").unwrap();
    assert!(!check.critical);
    (check.status, check.message.clone())
}

/// Gives a user the rights in the documentation: those for limits and breakers, for deferred writes, for sessions.
fn give_rights(server: &RedisServer, index: usize) {
    let text = include_str!("../../../../../resilient-redis/src/lib.rs");
    let (_, text) = text.split_once("# Access\n").unwrap();
    let rule = text.split("ACL SETUSER ").nth(index + 1).unwrap();
    let (rule, _) = rule.split_once("//! ```").unwrap();
    let rule = rule.replace("//!", "").replace("PASSWORD", PASSWORD.replace(' ', "_").as_str());
    let words: Vec<_> = ["ACL", "SETUSER"].into_iter().chain(rule.split_whitespace()).collect();
    server.command::<()>(&words);
}

/// Returns the Redis of this user.
fn with_rights(server: &RedisServer) -> Redis {
    Redis::new(&url(server, &format!("app:{}", ENCODED.replace("%20", "_"))))
}

#[tokio::test]
async fn a_user_with_the_documented_rights_can_use_limits_and_breakers() {
    let server = RedisServer::start(&[]);
    give_rights(&server, 0);
    let redis = with_rights(&server);
    let limit = request("limit", burst(1));
    assert!(is_granted(&redis, &limit).await);
    assert!(!is_granted(&redis, &limit).await);
    let id = OpeningId { replica: 1, number: 2 };
    redis.publish(&Opening { breaker: "shop", id, lasts: Duration::from_secs(60) }).await.unwrap();
    assert_eq!(redis.openings(&["shop"]).await.unwrap(), [Some(id)]);
    assert_eq!(health(&redis).await, (CheckStatus::Pass, "answers".into()));
    // Redis refused nothing that the connection sent on the way.
    assert_eq!(server.command::<Vec<redis::Value>>(&["ACL", "LOG"]), []);
    let error = redis.clone().prefix("other").take(&limit).await.unwrap_err();
    assert!(error.to_string().contains("NOPERM"), "{error}");
}

#[tokio::test]
async fn a_user_with_the_documented_rights_can_use_sessions() {
    let server = RedisServer::start(&[]);
    give_rights(&server, 0);
    give_rights(&server, 2);
    let sessions = with_rights(&server).sessions();
    let state = SessionState::new(InitializeRequestParams::default());
    sessions.store("id", &state).await.unwrap();
    assert!(sessions.load("id").await.unwrap().is_some());
    sessions.delete("id").await.unwrap();
    assert!(sessions.load("id").await.unwrap().is_none());
    assert_eq!(server.command::<Vec<redis::Value>>(&["ACL", "LOG"]), []);
}

#[tokio::test]
async fn special_characters_of_a_password_are_decoded() {
    let server = RedisServer::start(&["--requirepass", PASSWORD]);
    assert!(is_granted(&Redis::new(&url(&server, &format!(":{ENCODED}"))), &request("password", burst(1))).await);
    let database = format!("{}/3", url(&server, &format!("default:{ENCODED}")));
    assert!(is_granted(&Redis::new(&database), &request("password", burst(1))).await);
    assert!(server.command::<String>(&["INFO", "keyspace"]).contains("db3:keys=1,"));
}

#[tokio::test]
async fn an_error_of_a_login_says_why_without_the_password() {
    let server = RedisServer::start(&["--requirepass", "right"]);
    let limit = request("login", burst(1));
    for (login, why) in
        [("app:hunter2", "authentication failed"), (":hunter2", "authentication failed"), ("", "NOAUTH")]
    {
        let redis = Redis::new(&url(&server, login));
        let error = redis.take(&limit).await.unwrap_err().to_string();
        assert!(error.contains(why) && !error.contains("hunter2"), "{error}");
        let (status, message) = health(&redis).await;
        assert_eq!(status, CheckStatus::Fail);
        assert!(message.contains(why) && !message.contains("hunter2"), "{message}");
    }
    // The password is corrected on the server, and the client uses it without a restart.
    let redis = Redis::new(&url(&server, "app:hunter2"));
    redis.take(&limit).await.unwrap_err();
    server.command::<()>(&["ACL", "SETUSER", "app", "on", ">hunter2", "~*", "+@all"]);
    super::until(|| async { redis.take(&limit).await.is_ok() }).await;
}

#[tokio::test]
async fn a_server_that_repeats_the_password_in_its_answer_does_not_reveal_it() {
    let server = RedisServer::start(&["--rename-command", "AUTH", ""]);
    let error = Redis::new(&url(&server, ":hunter2")).take(&request("repeated", burst(1))).await.unwrap_err();
    assert!(error.to_string().starts_with("Redis cannot be reached"), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_unix_socket_is_used() {
    let server = RedisServer::start(&[]);
    let url = format!("unix://{}/socket", server.folder().display());
    assert!(is_granted(&Redis::new(&url), &request("socket", burst(1))).await);
    let error = Redis::new("unix:///does/not/exist").take(&request("socket", burst(1))).await.unwrap_err();
    assert!(error.to_string().contains("No such file"), "{error}");
}
