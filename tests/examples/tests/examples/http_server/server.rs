//! `http-server --demo` as a child process, with its clients.

use crate::common::command;
use std::{
    process::{ExitStatus, Stdio},
    time::Duration,
};

use make_server::upstream::phase::Phase;
use resilient_tests::loopback;
use rmcp::{
    ClientLifecycleMode, ClientServiceExt, RoleClient,
    model::{CallToolRequestParams, CallToolResult, ProtocolVersion},
    service::{RunningService, ServiceError},
    transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

pub(crate) const EXECUTABLE: &str = "http-server";

/// The timeout of every step of a test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How a client initialises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    /// Once for a session.
    Session,
    /// With every request.
    Stateless,
}

impl Era {
    pub(crate) const ALL: [Self; 2] = [Self::Session, Self::Stateless];
}

pub(crate) type Client = RunningService<RoleClient, ()>;

pub(crate) struct Server {
    pub(crate) http: reqwest::Client,
    /// `http://127.0.0.1:PORT`.
    pub(crate) origin: String,
    /// The base URL of the routes for operators.
    pub(crate) admin: Option<String>,
    upstream: String,
    child: Child,
    log: watch::Receiver<Vec<String>>,
    stdout: JoinHandle<String>,
}

impl Server {
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[]).await
    }

    pub(crate) async fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = Command::from(command(EXECUTABLE))
            .args(["--demo", "--bind", "127.0.0.1:0"])
            .args(arguments)
            .env_remove("RUST_LOG")
            .env_remove("LOG_LEVEL")
            .env_remove("NOTIFY_SOCKET")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (mut stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (lines, log) = watch::channel(Vec::new());
        tokio::spawn(async move {
            let mut read = BufReader::new(stderr).lines();
            while let Ok(Some(line)) = read.next_line().await {
                lines.send_modify(|lines| lines.push(line));
            }
        });
        let stdout = tokio::spawn(async move {
            let mut text = String::new();
            stdout.read_to_string(&mut text).await.unwrap();
            text
        });
        let http = loopback::client().timeout(PATIENCE).build().unwrap();
        let (origin, upstream) = Default::default();
        let mut server = Self { http, origin, admin: None, upstream, child, log, stdout };
        let started = server.logged("address").await;
        let text = |line: &Value, field: &str| line[field].as_str().map(str::to_owned);
        server.origin = text(&started, "address").unwrap();
        server.admin = text(&started, "admin");
        server.upstream = text(&server.logged("upstream").await, "upstream").unwrap();
        server
    }

    /// Waits for the first log line with this field.
    pub(crate) async fn logged(&self, field: &str) -> Value {
        let line = |lines: &[String]| {
            let mut lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            lines.find(|line| line.get(field).is_some())
        };
        let mut log = self.log.clone();
        match timeout(PATIENCE, log.wait_for(|lines| line(lines).is_some())).await {
            Ok(Ok(lines)) => line(&lines).unwrap(),
            _ => panic!("no `{field}` in {:#?}", self.log.borrow()),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.http.get(format!("{}{path}", self.origin)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// The value of a series, by its name and labels in the text format.
    pub(crate) async fn metric(&self, series: &str) -> u64 {
        let (status, text) = self.get("/metrics").await;
        assert_eq!(status, 200);
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
    }

    /// Waits until a series has this value.
    pub(crate) async fn until(&self, series: &str, value: u64) {
        let reached = async { while self.metric(series).await != value {} };
        timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{series} is never {value}"));
    }

    pub(crate) async fn enter(&self, phase: Phase) {
        let url = format!("{}/demo/phase/{}", self.upstream, phase.name());
        self.http.post(url).send().await.unwrap().error_for_status().unwrap();
    }

    /// Waits until the upstream's counters match.
    pub(crate) async fn until_upstream(&self, seen: impl Fn(&Value) -> bool) {
        let url = format!("{}/demo/stats", self.upstream);
        let reached = async { while !seen(&self.http.get(&url).send().await.unwrap().json().await.unwrap()) {} };
        timeout(PATIENCE, reached).await.expect("the upstream sees it");
    }

    /// A client of this era, with this bearer token.
    pub(crate) async fn client(&self, era: Era, token: Option<&str>) -> Client {
        let mut config = StreamableHttpClientTransportConfig::with_uri(format!("{}/mcp", self.origin));
        if let Some(token) = token {
            config = config.auth_header(token);
        }
        let transport = StreamableHttpClientTransport::with_client(self.http.clone(), config);
        let lifecycle = match era {
            Era::Session => ClientLifecycleMode::Initialize,
            Era::Stateless => ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] },
        };
        timeout(PATIENCE, ().serve_with_lifecycle(transport, lifecycle)).await.unwrap().unwrap()
    }

    /// `POST /mcp` without an MCP client: a stateless tool call.
    pub(crate) fn post(&self, tool: &str, arguments: &Value) -> reqwest::RequestBuilder {
        let body = serde_json::json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": { "name": tool, "arguments": arguments, "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "0" },
                "io.modelcontextprotocol/clientCapabilities": {},
            } },
        });
        self.http
            .post(format!("{}/mcp", self.origin))
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", tool)
            .json(&body)
    }

    /// Creates a session without an MCP client, and returns its id.
    pub(crate) async fn session(&self) -> String {
        let client = serde_json::json!({
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "0" },
        });
        let greeting = serde_json::json!({ "id": 0, "method": "initialize", "params": client });
        let greeted = self.post_in("", &greeting).send().await.unwrap().error_for_status().unwrap();
        let session = greeted.headers()["mcp-session-id"].to_str().unwrap().to_owned();
        let greeted = self.post_in(&session, &serde_json::json!({ "method": "notifications/initialized" }));
        greeted.send().await.unwrap().error_for_status().unwrap();
        session
    }

    /// `POST /mcp` without an MCP client: sends this message, in a session if there is one.
    pub(crate) fn post_in(&self, session: &str, message: &Value) -> reqwest::RequestBuilder {
        let mut message = message.clone();
        message["jsonrpc"] = "2.0".into();
        let post = self.http.post(format!("{}/mcp", self.origin)).json(&message);
        let post = post.header("accept", "application/json, text/event-stream");
        if session.is_empty() { post } else { post.header("mcp-session-id", session) }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.id();
        let sent = std::process::Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end. Returns the exit status, the log lines and stdout.
    pub(crate) async fn ended(mut self) -> (ExitStatus, Vec<String>, String) {
        let status = timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap();
        // Until the log ends.
        while self.log.changed().await.is_ok() {}
        let log = self.log.borrow().clone();
        (status, log, self.stdout.await.unwrap())
    }
}

/// Runs a server that does not start, and kills it if it does. Returns the exit code and the log.
pub(crate) async fn fails_to_start(arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::from(command(EXECUTABLE));
    command.args(arguments).env_remove("MAKE_API_TOKEN").envs(environment.iter().copied());
    let ended = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = timeout(PATIENCE, ended).await.unwrap_or_else(|_| panic!("{arguments:?} starts")).unwrap();
    assert_eq!(output.stdout, b"");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Runs the health check as Docker does. Returns the exit code and the line.
pub(crate) async fn healthcheck(url: &str) -> (i32, String) {
    let asked = Command::from(command(EXECUTABLE)).args(["healthcheck", "--url", url]).output();
    let output = timeout(PATIENCE, asked).await.unwrap().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap(), text)
}

pub(crate) async fn call(
    client: &Client,
    tool: &'static str,
    arguments: Value,
) -> Result<CallToolResult, ServiceError> {
    let Value::Object(arguments) = arguments else { panic!("an object") };
    let asked = client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments));
    timeout(PATIENCE, asked).await.expect("an answer")
}
