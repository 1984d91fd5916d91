//! Three replicas behind the balancer, of which one ends.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::{PATIENCE, http_server::Server, redis::RedisServer};

use super::{Replicas, balancer::Balancer, calls, client::PythonClient, three};

/// Takes the replica that has served calls of this tool.
async fn take_busy(replicas: &mut Replicas, tool: &str) -> Server {
    for name in replicas.keys().copied().collect::<Vec<_>>() {
        if calls(&replicas[name], tool).await > 0 {
            return replicas.remove(name).unwrap();
        }
    }
    panic!("no replica has served {tool}");
}

/// A call of a client without sessions, to this address.
fn stateless(http: &reqwest::Client, origin: &str, tool: &str, arguments: &Value) -> reqwest::RequestBuilder {
    let params = json!({ "name": tool, "arguments": arguments, "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "0" },
        "io.modelcontextprotocol/clientCapabilities": {},
    }});
    http.post(format!("{origin}/mcp"))
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool)
        .json(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }))
}

/// Calls a tool that reads. Returns the status, and whether there is a result.
async fn read(balancer: &Balancer) -> (u16, bool) {
    let sent = stateless(&balancer.http, &balancer.origin, "list_scenarios", &json!({ "team_id": 1 })).send().await;
    let answer = sent.unwrap();
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap_or_default();
    (status, body["result"]["isError"] == json!(false))
}

async fn assert_session_survives(client: &str) {
    let redis = RedisServer::start(&[]);
    let mut replicas = three(&redis).await;
    let balancer = Balancer::start(&replicas).await;
    let mut session = PythonClient::start(client, &balancer.origin);
    let team = json!({ "team_id": 1 });
    for _ in 0..3 {
        let result = session.call("list_scenarios", &team).await;
        assert_eq!(result["isError"], json!(false), "{result}");
    }
    // All calls of a session go to one replica.
    let first = take_busy(&mut replicas, "list_scenarios").await;
    assert_eq!(calls(&first, "list_scenarios").await, 3);
    first.kill().await;
    for _ in 0..3 {
        let result = session.call("list_scenarios", &team).await;
        assert_eq!(result["isError"], json!(false), "{result}");
    }
    let second = take_busy(&mut replicas, "list_scenarios").await;
    assert_eq!(calls(&second, "list_scenarios").await, 3);
    session.end().await;
}

#[tokio::test]
async fn a_session_of_the_python_client_continues_after_its_replica_was_killed() {
    assert_session_survives("mcp-legacy").await;
}

#[tokio::test]
async fn a_session_of_fastmcp_continues_after_its_replica_was_killed() {
    assert_session_survives("fastmcp-legacy").await;
}

#[tokio::test]
async fn calls_go_on_after_a_replica_was_killed() {
    let redis = RedisServer::start(&[]);
    let mut replicas = three(&redis).await;
    let balancer = Balancer::start(&replicas).await;
    for round in 0..90 {
        // No call is running now, so none is lost.
        if round == 30 {
            replicas.remove("server-2").unwrap().kill().await;
        }
        assert_eq!(read(&balancer).await, (200, true), "{round}");
    }
    for (name, replica) in &replicas {
        assert!(calls(replica, "list_scenarios").await > 10, "{name}");
    }
}

#[tokio::test]
async fn no_call_is_lost_while_a_replica_stops() {
    let redis = RedisServer::start(&[]);
    let mut replicas = three(&redis).await;
    let balancer = Balancer::start(&replicas).await;
    let stopping = replicas.remove("server-1").unwrap();
    let stop = async {
        sleep(Duration::from_millis(300)).await;
        stopping.terminate();
    };
    let clients = join_all((0..4).map(async |_| {
        let end = Instant::now() + Duration::from_secs(4);
        let mut answers = Vec::new();
        while Instant::now() < end {
            answers.push(read(&balancer).await);
        }
        answers
    }));
    let ((), answers) = tokio::join!(stop, clients);
    let answers = answers.concat();
    let lost: Vec<_> = answers.iter().filter(|answer| **answer != (200, true)).collect();
    assert!(answers.len() > 40 && lost.is_empty(), "{} of {}: {lost:?}", lost.len(), answers.len());
}

#[tokio::test]
async fn a_call_whose_replica_was_killed_is_not_repeated() {
    let redis = RedisServer::start(&[]);
    let mut replicas = three(&redis).await;
    let balancer = Balancer::start(&replicas).await;
    for replica in replicas.values() {
        replica.enter("hanging").await;
    }
    let run = stateless(&balancer.http, &balancer.origin, "run_scenario", &json!({ "id": 101 })).send();
    let run = tokio::spawn(run);
    // Until Make has the request.
    let deadline = Instant::now() + PATIENCE;
    let killed = 'found: loop {
        for name in replicas.keys().copied().collect::<Vec<_>>() {
            if replicas[name].upstream_runs().await > 0 {
                break 'found replicas.remove(name).unwrap();
            }
        }
        assert!(Instant::now() < deadline, "no replica has the call");
    };
    killed.kill().await;
    // HAProxy closes a connection without a response, unless the request was the first one on it.
    match run.await.unwrap() {
        Ok(answer) => assert_eq!(answer.status().as_u16(), 502),
        Err(error) => assert!(error.is_request() && !error.is_timeout(), "{error:?}"),
    }
    for (name, replica) in &replicas {
        assert_eq!(replica.upstream_runs().await, 0, "{name}");
    }
}

#[tokio::test]
async fn a_call_whose_client_goes_away_is_cancelled() {
    let redis = RedisServer::start(&[]);
    let replicas = three(&redis).await;
    let balancer = Balancer::start(&replicas).await;
    for replica in replicas.values() {
        replica.enter("hanging").await;
    }
    // Less than the time limit of an attempt, after which the call would not be cancelled but have failed.
    let soon = Duration::from_millis(500);
    let run = stateless(&balancer.http, &balancer.origin, "run_scenario", &json!({ "id": 101 })).timeout(soon);
    assert!(run.send().await.unwrap_err().is_timeout());
    let deadline = Instant::now() + PATIENCE;
    let is_cancelled = async |replica: &Server| {
        let (_, metrics) = replica.metrics("text/plain").await;
        let mut lines = metrics.lines().filter(|line| line.starts_with("resilient_calls_total{"));
        lines.any(|line| line.contains("outcome=\"cancelled\"") && line.ends_with(" 1"))
    };
    'cancelled: loop {
        for replica in replicas.values() {
            if is_cancelled(replica).await {
                break 'cancelled;
            }
        }
        assert!(Instant::now() < deadline, "no call is cancelled");
    }
}

#[tokio::test]
async fn clients_reach_the_tools_and_no_route_of_a_single_replica() {
    let redis = RedisServer::start(&[]);
    let mut replicas = three(&redis).await;
    let balancer = Balancer::start(&replicas).await;
    for route in ["/metrics", "/healthz", "/livez", "/", "/mcp/other"] {
        let answer = balancer.http.get(format!("{}{route}", balancer.origin)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 404, "{route}");
    }
    while let Some((_, replica)) = replicas.pop_first() {
        replica.kill().await;
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = balancer.http.get(format!("{}/readyz", balancer.origin)).send().await.unwrap();
        if answer.status().as_u16() == 503 {
            break;
        }
        assert!(Instant::now() < deadline, "it is ready without a replica");
    }
}
