//! A server on a free port, `http-server --demo` unless another one is named.

use std::{ffi::OsStr, process::Stdio};

use reqwest::{Client, header};
use resilient_tests::loopback;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::watch,
    time::timeout,
};

use crate::{PATIENCE, SERVERS};

/// The process, which is killed on drop.
pub(crate) struct Server {
    pub(crate) http: Client,
    /// `http://127.0.0.1:PORT`.
    pub(crate) origin: String,
    /// The base URL of the routes for operators, if they have another address.
    admin: Option<String>,
    /// The base URL of the demo's upstream, if the server has one.
    upstream: Option<String>,
    log: watch::Receiver<Vec<Value>>,
    process: Child,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[], &[]).await
    }

    /// Starts `http-server --demo` with more arguments and variables.
    pub(crate) async fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let demo = ["http-server", "--demo", "--bind", "127.0.0.1:0"];
        Self::in_environment(demo.iter().chain(arguments), environment).await
    }

    /// Starts the server of these arguments, which writes its address to stderr.
    pub(crate) async fn of(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        Self::in_environment(args, &[]).await
    }

    async fn in_environment(args: impl IntoIterator<Item = impl AsRef<OsStr>>, environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(SERVERS);
        command.args(args).env_remove("RUST_LOG").envs(environment.iter().copied()).kill_on_drop(true);
        let mut process = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut read = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut upstream = None;
        let mut lines = Vec::new();
        let started = async {
            while let Some(line) = read.next_line().await.unwrap() {
                let line: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
                lines.push(line.clone());
                let text = |field: &str| line[field].as_str().map(str::to_owned);
                upstream = upstream.or_else(|| text("upstream"));
                if let Some(address) = text("address") {
                    return (address, text("admin"), upstream);
                }
            }
            panic!("it ended")
        };
        let (origin, admin, upstream) = timeout(PATIENCE, started).await.expect("an address");
        let (write, log) = watch::channel(lines);
        tokio::spawn(async move {
            while let Ok(Some(line)) = read.next_line().await {
                write.send_modify(|lines| lines.extend(serde_json::from_str::<Value>(&line)));
            }
        });
        let http = loopback::client().timeout(PATIENCE).build().unwrap();
        Self { http, origin, admin, upstream, log, process }
    }

    /// Kills the process with SIGKILL.
    pub(crate) async fn kill(mut self) {
        self.process.kill().await.unwrap();
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        let process = self.process.id().and_then(|id| Pid::from_raw(id.try_into().unwrap()));
        kill_process(process.expect("it runs"), Signal::TERM).unwrap();
    }

    /// The lines of the log so far.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.log.borrow().clone()
    }

    /// Waits for the line of this event, and returns the lines of the log until then.
    pub(crate) async fn until_logged(&self, event: &str) -> Vec<Value> {
        let mut log = self.log.clone();
        let is_there = |lines: &Vec<Value>| lines.iter().any(|line| line["event"] == event);
        let lines = timeout(PATIENCE, log.wait_for(is_there)).await.expect("the event").expect("the log");
        lines.clone()
    }

    /// The base URL of the routes for operators.
    pub(crate) fn admin(&self) -> &str {
        self.admin.as_deref().unwrap_or(&self.origin)
    }

    /// Makes the demo's upstream behave as in this phase.
    pub(crate) async fn enter(&self, phase: &str) {
        let upstream = self.upstream.as_deref().expect("the server of the demo");
        let request = self.http.post(format!("{upstream}/demo/phase/{phase}"));
        request.send().await.unwrap().error_for_status().unwrap();
    }

    /// Returns how many runs were requested from the demo's upstream.
    pub(crate) async fn upstream_runs(&self) -> u64 {
        let upstream = self.upstream.as_deref().expect("the server of the demo");
        let request = self.http.get(format!("{upstream}/demo/stats"));
        let stats: Value = request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();
        stats["total"]["runs"].as_u64().unwrap_or_else(|| panic!("{stats}"))
    }

    /// Calls a tool with a single request, without a session.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Value {
        let params = json!({ "name": tool, "arguments": arguments, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "0" },
            "io.modelcontextprotocol/clientCapabilities": {},
        }});
        let request = self
            .http
            .post(format!("{}/mcp", self.origin))
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", tool)
            .json(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }));
        let answer: Value = request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();
        answer["result"].clone()
    }

    /// Starts the server and makes calls that succeed, fail and name an unknown tool, so that all series exist.
    pub(crate) async fn after_calls() -> Self {
        let server = Self::start().await;
        let result = server.call("list_scenarios", json!({ "team_id": 1 })).await;
        assert_ne!(result["isError"], true, "{result}");
        for arguments in [json!({ "id": 999 }), json!({ "id": "x" })] {
            let result = server.call("get_scenario", arguments).await;
            assert_eq!(result["isError"], true, "{result}");
        }
        server
    }

    /// Returns the content type and the metrics, in the format that `accept` requests.
    pub(crate) async fn metrics(&self, accept: &str) -> (String, String) {
        let request = self.http.get(format!("{}/metrics", self.origin)).header(header::ACCEPT, accept);
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        let form = answer.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        (form, answer.text().await.unwrap())
    }
}
