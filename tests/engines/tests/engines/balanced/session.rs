//! A session on several replicas.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{http_server::Server, redis::RedisServer};

use super::{assert_serves, assert_unknown, begin, begin_as, calls, of_tool, replica, request, send};

/// How often the server has asked Redis for a session.
fn lookups(redis: &RedisServer) -> u64 {
    let statistics: String = redis.command(&["INFO", "commandstats"]);
    let line = statistics.lines().find_map(|line| line.strip_prefix("cmdstat_getex:calls="));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

/// The keys of Redis.
fn keys(redis: &RedisServer) -> Vec<String> {
    redis.command(&["KEYS", "*:session:*"])
}

#[tokio::test]
async fn a_session_continues_on_another_replica_after_its_own_was_killed() {
    let redis = RedisServer::start(&[]);
    let (first, second) = (replica(&redis, &[]).await, replica(&redis, &[]).await);
    let session = begin(&first).await;
    assert_serves(&first, &session).await;
    assert_eq!(calls(&second, "list_scenarios").await, 0);
    first.kill().await;
    assert_serves(&second, &session).await;
    assert_serves(&second, &session).await;
    assert_eq!(calls(&second, "list_scenarios").await, 2);
}

#[tokio::test]
async fn a_replica_looks_a_session_up_once_and_only_if_it_does_not_have_it() {
    let redis = RedisServer::start(&[]);
    let (first, second) = (replica(&redis, &[]).await, replica(&redis, &[]).await);
    let session = begin(&first).await;
    for _ in 0..5 {
        assert_serves(&first, &session).await;
    }
    assert_eq!(lookups(&redis), 0);
    // Concurrent requests restore it once.
    tokio::join!(assert_serves(&second, &session), assert_serves(&second, &session), assert_serves(&second, &session));
    assert_eq!(lookups(&redis), 1);
}

#[tokio::test]
async fn a_session_that_was_ended_is_unknown_to_other_replicas() {
    let redis = RedisServer::start(&[]);
    let (first, second) = (replica(&redis, &[]).await, replica(&redis, &[]).await);
    let session = begin(&first).await;
    assert_eq!(keys(&redis).len(), 1);
    let end = first.http.delete(format!("{}/mcp", first.origin)).header("mcp-session-id", &session);
    end.send().await.unwrap().error_for_status().unwrap();
    assert_eq!(keys(&redis), [""; 0]);
    assert_unknown(&second, &session).await;
}

#[tokio::test]
async fn a_session_that_a_client_invents_is_unknown_and_names_no_key() {
    let redis = RedisServer::start(&[]);
    let server = replica(&redis, &[]).await;
    let session = begin(&server).await;
    // The id is a secret, so Redis does not have it.
    let known = keys(&redis);
    assert!(known.len() == 1 && !known[0].contains(&session), "{known:?}");
    redis.command::<()>(&["SET", "resilient:session:invented", r#"{"initialize_params":{}}"#]);
    let long = "a".repeat(8000);
    for invented in ["3f0e0f04-6f0b-4b6e-8f5e-000000000000", "invented", "../other", "*", "a b", &known[0], &long] {
        assert_unknown(&server, invented).await;
    }
    redis.command::<()>(&["DEL", "resilient:session:invented"]);
    assert_eq!(keys(&redis), known);
}

#[tokio::test]
async fn a_session_is_kept_for_an_hour_from_the_last_time_it_was_restored() {
    const HOUR: u64 = 60 * 60;
    let redis = RedisServer::start(&[]);
    let (first, second) = (replica(&redis, &[]).await, replica(&redis, &[]).await);
    let session = begin(&first).await;
    let key = keys(&redis).remove(0);
    let ttl = || redis.command::<u64>(&["TTL", &key]);
    assert!((HOUR - 60..=HOUR).contains(&ttl()), "{}", ttl());
    redis.command::<()>(&["EXPIRE", &key, "100"]);
    assert_serves(&second, &session).await;
    assert!((HOUR - 60..=HOUR).contains(&ttl()), "{}", ttl());
}

#[tokio::test]
async fn a_session_with_a_large_greeting_works_on_its_replica_and_is_logged_once() {
    let redis = RedisServer::start(&[]);
    let (first, second) = (replica(&redis, &[]).await, replica(&redis, &[]).await);
    let (large, fitting) = ("a".repeat(16 << 10), "a".repeat(15 << 10));
    for _ in 0..2 {
        let session = begin_as(&first, &large).await;
        assert_serves(&first, &session).await;
        assert_unknown(&second, &session).await;
    }
    assert_eq!(keys(&redis), [""; 0]);
    let session = begin_as(&first, &fitting).await;
    assert_serves(&second, &session).await;
    first.terminate();
    // The last line, so that all others are in the log.
    let log = first.until_logged("server.stopped").await;
    let events: Vec<_> = log.iter().filter(|line| line["event"] == "distributed.session_too_large").collect();
    assert!(events.len() == 1 && events[0]["size"].as_u64() > Some(16 << 10), "{events:?}");
}

#[tokio::test]
async fn sessions_that_fill_the_memory_do_not_displace_accepted_runs_with_the_settings_of_deploy() {
    let config = std::fs::read_to_string(crate::monitoring::deployed("redis.conf")).unwrap();
    let policy = config.lines().find_map(|line| line.strip_prefix("maxmemory-policy ")).expect("a policy");
    let redis = RedisServer::start(&["--maxmemory", "4mb", "--maxmemory-policy", policy]);
    let fill = |prefix: &str, count: &str, expires: &str| {
        let script = "for i = 1, tonumber(ARGV[2]) do
            redis.call('SET', ARGV[1] .. i, string.rep('x', 500), unpack(ARGV, 3))
        end";
        let words = ["EVAL", script, "0", prefix, count].into_iter().chain(expires.split_whitespace());
        redis.command::<()>(&words.collect::<Vec<_>>());
    };
    fill("run:", "500", "");
    for round in 0..100 {
        fill(&format!("resilient:session:{round}:"), "200", "EX 3600");
    }
    let server = replica(&redis, &["--user-header", "x-forwarded-user"]).await;
    let session = begin(&server).await;
    server.enter("outage").await;
    let run = json!({ "id": 101, "idempotency_key": "a-run" });
    let accepted = call_for(&server, &session, Some("ann"), "run_scenario", &run).await;
    assert!(accepted.contains("ACCEPTED_FOR_LATER"), "{accepted}");
    fill("resilient:session:last:", "10000", "EX 3600");
    let status = json!({ "receipt": receipt(&accepted) });
    let status = call_for(&server, &session, Some("ann"), "deferred_status", &status).await;
    assert!(status.contains("\"waiting\""), "{status}");
    assert_eq!(redis.command::<Vec<String>>(&["KEYS", "run:*"]).len(), 500);
    assert!(keys(&redis).len() < 20_000);
    let removed: String = redis.command(&["INFO", "stats"]);
    let removed = removed.lines().find_map(|line| line.strip_prefix("evicted_keys:")).unwrap();
    assert_ne!(removed.trim(), "0", "the memory is not full");
}

#[tokio::test]
async fn what_another_program_wrote_in_place_of_a_session_is_an_unknown_session() {
    let redis = RedisServer::start(&[]);
    let (first, second) = (replica(&redis, &[]).await, replica(&redis, &[]).await);
    let session = begin(&first).await;
    let key = keys(&redis).remove(0);
    for written in ["", "{}", "[1]", "no JSON"] {
        redis.command::<()>(&["SET", &key, written]);
        assert_unknown(&second, &session).await;
    }
    redis.command::<()>(&["DEL", &key]);
    redis.command::<()>(&["LPUSH", &key, "a list"]);
    assert_unknown(&second, &session).await;
    assert_serves(&first, &session).await;
}

/// Calls a tool for this user. Returns the result as text.
async fn call_for(server: &Server, session: &str, user: Option<&str>, tool: &str, arguments: &Value) -> String {
    let request = request(&server.http, &server.origin, session, &of_tool(tool, arguments));
    let request = user.into_iter().fold(request, |request, user| request.header("x-forwarded-user", user));
    let (status, _, answer) = send(request).await;
    assert_eq!(status, 200, "{answer}");
    answer["result"].to_string()
}

#[tokio::test]
async fn each_call_of_a_restored_session_has_the_user_of_its_own_request() {
    let redis = RedisServer::start(&[]);
    let arguments = ["--user-header", "x-forwarded-user"];
    let (first, second) = (replica(&redis, &arguments).await, replica(&redis, &arguments).await);
    let session = begin(&first).await;
    second.enter("outage").await;
    let run = async |user: Option<&str>, key: &str| {
        let arguments = json!({ "id": 101, "idempotency_key": key });
        call_for(&second, &session, user, "run_scenario", &arguments).await
    };
    // Only runs of known users are accepted for later.
    let (of_ann, of_none) = (run(Some("ann"), "a-run").await, run(None, "another").await);
    assert!(of_ann.contains("ACCEPTED_FOR_LATER"), "{of_ann}");
    assert!(!of_none.contains("ACCEPTED_FOR_LATER"), "{of_none}");
    // A key is one of its user.
    let of_ben = run(Some("ben"), "a-run").await;
    assert!(of_ben.contains("ACCEPTED_FOR_LATER") && receipt(&of_ben) != receipt(&of_ann), "{of_ben}");
    // The replica that has not accepted the run knows it, for its user alone.
    let of_ann = json!({ "receipt": receipt(&of_ann) });
    let seen = async |user| call_for(&first, &session, Some(user), "deferred_status", &of_ann).await;
    let (by_ann, by_ben) = (seen("ann").await, seen("ben").await);
    assert!(by_ann.contains("\"waiting\"") && !by_ben.contains("\"waiting\""), "{by_ann} {by_ben}");
}

/// The receipt in the text of a result.
fn receipt(result: &str) -> &str {
    result.split("ACCEPTED_FOR_LATER ").nth(1).unwrap().split(':').next().unwrap()
}

#[tokio::test]
async fn sessions_of_other_prefixes_are_unknown() {
    let redis = RedisServer::start(&[]);
    let first = replica(&redis, &[]).await;
    let url = redis.url();
    let other = [("RESILIENT_REDIS_URL", &*url), ("RESILIENT_REDIS_PREFIX", "another")];
    let other = Server::start_with(&[], &other).await;
    let session = begin(&first).await;
    assert_unknown(&other, &session).await;
    let begun = Instant::now();
    let own = begin(&other).await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(redis.command::<Vec<String>>(&["KEYS", "another:session:*"]).len(), 1, "{own}");
}
