//! Replicas of `http-server` with one Redis: their sessions, and the balancer of `deploy/` in front of them.

mod balancer;
mod behind;
mod client;
mod session;
mod without_redis;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::{http_server::Server, redis::RedisServer};

/// Replicas by their names in `deploy/haproxy.cfg`.
type Replicas = BTreeMap<&'static str, Server>;

/// Starts a server that shares this Redis, with more arguments.
async fn replica(redis: &RedisServer, arguments: &[&str]) -> Server {
    let url = redis.url();
    let arguments = [arguments, &["--redis", &url]].concat();
    Server::start_with(&arguments, &[("RESILIENT_REPLICAS", "3")]).await
}

/// Starts the three replicas of `deploy/compose.replicas.yml`.
async fn three(redis: &RedisServer) -> Replicas {
    let start = async |name| (name, replica(redis, &[]).await);
    [start("server-1").await, start("server-2").await, start("server-3").await].into()
}

/// Returns how many calls of this tool a server has completed.
async fn calls(server: &Server, tool: &str) -> u64 {
    let (_, metrics) = server.metrics("text/plain").await;
    let of_tool = format!("tool=\"{tool}\"");
    let lines = metrics.lines().filter(|line| line.starts_with("resilient_calls_total{") && line.contains(&of_tool));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

/// A request with this message, in a session if the id is not empty.
fn request(http: &Client, origin: &str, session: &str, message: &Value) -> RequestBuilder {
    let mut message = message.clone();
    message["jsonrpc"] = "2.0".into();
    let request = http.post(format!("{origin}/mcp")).header("accept", "application/json, text/event-stream");
    let request = if session.is_empty() { request } else { request.header("mcp-session-id", session) };
    request.json(&message)
}

/// Sends a request. Returns the status, the session that has begun, and the message of the response.
async fn send(request: RequestBuilder) -> (u16, Option<String>, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let begun = answer.headers().get("mcp-session-id").map(|id| id.to_str().unwrap().to_owned());
    let text = answer.text().await.unwrap();
    let events = text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok());
    (status, begun, events.last().unwrap_or_default())
}

/// Begins a session with a server, and returns its id.
async fn begin(server: &Server) -> String {
    begin_as(server, "test").await
}

/// Begins a session as a client of this name.
async fn begin_as(server: &Server, name: &str) -> String {
    let params = json!({
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": name, "version": "0" },
    });
    let greeting = json!({ "id": 0, "method": "initialize", "params": params });
    let (status, session, greeted) = send(request(&server.http, &server.origin, "", &greeting)).await;
    assert_eq!((status, &greeted["result"]["serverInfo"]["name"]), (200, &json!("make")), "{greeted}");
    let session = session.expect("a session");
    let initialized = json!({ "method": "notifications/initialized" });
    let (status, ..) = send(request(&server.http, &server.origin, &session, &initialized)).await;
    assert_eq!(status, 202);
    session
}

/// The message that calls a tool, with an id that no other one has.
fn of_tool(tool: &str, arguments: &Value) -> Value {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let id = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    json!({ "id": id, "method": "tools/call", "params": { "name": tool, "arguments": arguments } })
}

/// Calls a tool in a session. Returns the status and the result.
async fn call(server: &Server, session: &str, tool: &str, arguments: Value) -> (u16, Value) {
    let (status, _, answer) = send(request(&server.http, &server.origin, session, &of_tool(tool, &arguments))).await;
    (status, answer["result"].clone())
}

/// Asserts that a call in this session has a result.
async fn assert_serves(server: &Server, session: &str) {
    let (status, result) = call(server, session, "list_scenarios", json!({ "team_id": 1 })).await;
    assert!(status == 200 && result["isError"] == json!(false), "{status} {result}");
}

/// Asserts that the server does not know this session.
async fn assert_unknown(server: &Server, session: &str) {
    let (status, result) = call(server, session, "list_scenarios", json!({ "team_id": 1 })).await;
    assert_eq!((status, result), (404, Value::Null));
}
