//! Clients that send and read plain JSON-RPC messages: over the stdio of a process, and over streamable HTTP.

use std::{
    collections::HashMap,
    process::{ExitStatus, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use reqwest::{RequestBuilder, StatusCode, header};
use resilient_tests::loopback;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, Command},
    sync::{Mutex, OnceCell, watch},
    time::timeout,
};

/// The maximum duration of anything that a test waits for, unless it says otherwise.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// The protocol that the clients ask for: not the newest one, which a proxy might choose by itself.
pub(crate) const PROTOCOL: &str = "2025-06-18";

/// What a process has sent.
#[derive(Debug, Default)]
struct Inbox {
    answers: HashMap<u64, Value>,
    /// Requests and notifications of the server.
    messages: Vec<Value>,
    /// What no client may receive: lines that are not JSON-RPC, and second answers.
    faults: Vec<String>,
}

impl Inbox {
    fn add(&mut self, line: &str) {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            self.faults.push(format!("not JSON: {line:.200}"));
            return;
        };
        if message["method"].is_string() {
            self.messages.push(message);
        } else if let Some(id) = message["id"].as_u64() {
            if self.answers.insert(id, message).is_some() {
                self.faults.push(format!("a second answer: {line:.200}"));
            }
        } else {
            self.faults.push(format!("no JSON-RPC: {line:.200}"));
        }
    }
}

/// A client of a process. Dropping it kills the process.
pub(crate) struct Client {
    stdin: Mutex<Option<ChildStdin>>,
    inbox: watch::Receiver<Inbox>,
    log: watch::Receiver<Vec<String>>,
    ids: AtomicU64,
    process: Mutex<Child>,
    id: Pid,
}

impl Client {
    /// Starts a process, and sends nothing.
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let started = command.spawn();
        let mut process = started.unwrap_or_else(|error| panic!("{command:?}: {error}; run tests/engines/install"));
        let inbox = follow(process.stdout.take().unwrap(), Inbox::add);
        let log = follow(process.stderr.take().unwrap(), |lines: &mut Vec<String>, line| lines.push(line.to_owned()));
        let id = Pid::from_raw(process.id().unwrap().try_into().unwrap()).unwrap();
        let stdin = Mutex::new(process.stdin.take());
        Self { stdin, inbox, log, ids: AtomicU64::new(1), process: Mutex::new(process), id }
    }

    /// Starts a process, initializes it as a client without capabilities, and lists the tools, as most clients do.
    pub(crate) async fn connect(command: Command) -> Self {
        Self::connect_with(command, json!({})).await
    }

    /// Does the same as a client with these capabilities.
    pub(crate) async fn connect_with(command: Command, capabilities: Value) -> Self {
        let client = Self::start(command);
        client.initialize(capabilities).await;
        let listed = client.request("tools/list", json!({})).await;
        assert!(listed["result"]["tools"].is_array(), "{listed}\n{:#?}", client.log());
        client
    }

    /// Initializes the session, and returns the response.
    pub(crate) async fn initialize(&self, capabilities: Value) -> Value {
        let answer = self.request("initialize", initialization(capabilities)).await;
        assert!(answer["result"].is_object(), "{answer}\n{:#?}", self.log());
        self.notify("notifications/initialized", json!({})).await;
        answer
    }

    /// Sends a message.
    pub(crate) async fn send(&self, message: &Value) {
        let mut stdin = self.stdin.lock().await;
        let written = stdin.as_mut().expect("an open stdin").write_all(format!("{message}\n").as_bytes()).await;
        written.unwrap_or_else(|error| panic!("{error}: {:#?}", self.log()));
    }

    pub(crate) async fn notify(&self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params })).await;
    }

    /// Answers a request of the server.
    pub(crate) async fn reply(&self, request: &Value, result: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "id": request["id"], "result": result })).await;
    }

    /// Sends a request, and returns its id.
    pub(crate) async fn ask(&self, method: &str, params: Value) -> u64 {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await;
        id
    }

    /// Waits for the response to a request.
    pub(crate) async fn answer(&self, id: u64) -> Value {
        self.answer_within(LIMIT, id).await
    }

    /// Waits for the response to a request, for at most this time.
    pub(crate) async fn answer_within(&self, limit: Duration, id: u64) -> Value {
        let mut inbox = self.inbox.clone();
        let answered = match timeout(limit, inbox.wait_for(|inbox| inbox.answers.contains_key(&id))).await {
            Ok(Ok(inbox)) => Ok(inbox.answers[&id].clone()),
            Ok(Err(_)) => Err("the process has closed stdout"),
            Err(_) => Err("no answer in time"),
        };
        answered.unwrap_or_else(|fault| panic!("request {id}: {fault}\n{:#?}", self.log()))
    }

    /// Sends a request, and returns its response.
    pub(crate) async fn request(&self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params).await;
        self.answer(id).await
    }

    /// Calls a tool, and returns the response.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Value {
        self.request("tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    /// Calls a tool, and returns the id of the request. Its progress token is `progress`.
    pub(crate) async fn begin(&self, tool: &str, arguments: Value) -> u64 {
        let meta = json!({ "progressToken": "progress" });
        self.ask("tools/call", json!({ "name": tool, "arguments": arguments, "_meta": meta })).await
    }

    /// Returns the requests and notifications of the server with this method.
    pub(crate) fn received(&self, method: &str) -> Vec<Value> {
        self.inbox.borrow().messages.iter().filter(|message| message["method"] == method).cloned().collect()
    }

    /// Waits for a request or a notification of the server, and returns the first one with this method.
    pub(crate) async fn receive(&self, method: &str) -> Value {
        let is_one = |message: &Value| message["method"] == method;
        let mut inbox = self.inbox.clone();
        let received = timeout(LIMIT, inbox.wait_for(|inbox| inbox.messages.iter().any(is_one))).await;
        assert!(matches!(received, Ok(Ok(_))), "no {method}: {:#?}", self.log());
        self.received(method).remove(0)
    }

    /// Asserts that the process has sent only JSON-RPC, and no second answer.
    pub(crate) fn assert_clean(&self) {
        let faults = &self.inbox.borrow().faults;
        assert!(faults.is_empty(), "{faults:#?}");
    }

    /// Returns the lines on stderr.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.borrow().clone()
    }

    /// Waits for a line of the proxy's log with this event, and returns the address in it.
    pub(crate) async fn address(&self, event: &str) -> String {
        let found = |lines: &Vec<String>| lines.iter().find_map(|line| address(line, event));
        let mut log = self.log.clone();
        let logged = timeout(LIMIT, log.wait_for(|lines| found(lines).is_some())).await;
        logged.ok().and_then(Result::ok).and_then(|lines| found(&lines)).expect("an address in the log")
    }

    /// Closes the stdin of the process.
    pub(crate) async fn close(&self) {
        self.stdin.lock().await.take();
    }

    /// Sends a signal to the process.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.id, signal).unwrap();
    }

    /// Waits for the end of the process and of its log, so that [`log`](Self::log) returns all of it.
    pub(crate) async fn ended(&self) -> ExitStatus {
        let mut process = self.process.lock().await;
        let ended = timeout(LIMIT, process.wait()).await;
        let status = ended.unwrap_or_else(|_| panic!("the process does not end: {:#?}", self.log())).unwrap();
        let mut log = self.log.clone();
        assert!(timeout(LIMIT, log.wait_for(|_| false)).await.is_ok(), "the log does not end: {:#?}", self.log());
        status
    }
}

fn initialization(capabilities: Value) -> Value {
    let info = json!({ "name": "engines", "version": "0" });
    json!({ "protocolVersion": PROTOCOL, "capabilities": capabilities, "clientInfo": info })
}

/// Reads lines to their end.
fn follow<T: Default + Send + Sync + 'static>(
    output: impl AsyncRead + Send + Unpin + 'static,
    mut add: impl FnMut(&mut T, &str) + Send + 'static,
) -> watch::Receiver<T> {
    let (lines, receiver) = watch::channel(T::default());
    tokio::spawn(async move {
        let mut read = BufReader::with_capacity(1 << 16, output);
        let mut line = Vec::new();
        while read.read_until(b'\n', &mut line).await.is_ok_and(|length| length > 0) {
            lines.send_modify(|lines| add(lines, String::from_utf8_lossy(&line).trim_end()));
            line.clear();
        }
    });
    receiver
}

/// Returns the address in a line of the proxy's log, which may have its fields in an object.
fn address(line: &str, event: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = if line["fields"].is_object() { &line["fields"] } else { &line };
    (fields["event"] == event).then(|| fields["address"].as_str().map(str::to_owned))?
}

/// A client of a server at an URL.
pub(crate) struct Http {
    client: reqwest::Client,
    url: String,
    session: OnceCell<String>,
    ids: AtomicU64,
}

impl Http {
    /// A client without a session.
    pub(crate) fn new(url: String) -> Self {
        let client = loopback::client().timeout(LIMIT).build().unwrap();
        Self { client, url, session: OnceCell::new(), ids: AtomicU64::new(1) }
    }

    /// Initializes a session, and lists the tools.
    pub(crate) async fn connect(url: String) -> Self {
        let client = Self::new(url);
        let answer = client.request("initialize", initialization(json!({}))).await;
        assert!(answer["result"].is_object(), "{answer}");
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let answer = client.post(&initialized).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        let listed = client.request("tools/list", json!({})).await;
        assert!(listed["result"]["tools"].is_array(), "{listed}");
        client
    }

    /// Returns a request that posts a message.
    pub(crate) fn post(&self, message: &Value) -> RequestBuilder {
        let request = self.client.post(&self.url).json(message);
        let request = request.header(header::ACCEPT, "application/json, text/event-stream");
        match self.session.get() {
            Some(session) => request.header("mcp-session-id", session).header("mcp-protocol-version", PROTOCOL),
            None => request,
        }
    }

    /// Returns the request `initialize` of a new session.
    pub(crate) fn opening(&self) -> RequestBuilder {
        let params = initialization(json!({}));
        self.post(&json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params }))
    }

    /// Sends a request, and returns its response.
    pub(crate) async fn request(&self, method: &str, params: Value) -> Value {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let answer = self.post(&message).send().await.unwrap().error_for_status().unwrap();
        if let Some(session) = answer.headers().get("mcp-session-id") {
            // A server may repeat it.
            let _ = self.session.set(session.to_str().unwrap().to_owned());
        }
        let body = answer.text().await.unwrap();
        let events = body.lines().map(|line| line.strip_prefix("data:").unwrap_or(line));
        let mut messages = events.filter_map(|text| serde_json::from_str::<Value>(text).ok());
        messages.find(|message| message["id"] == id).unwrap_or_else(|| panic!("no response in {body}"))
    }

    /// Calls a tool, and returns the response.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Value {
        self.request("tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    /// The id of the session.
    pub(crate) fn session(&self) -> &str {
        self.session.get().expect("a session")
    }
}

/// Returns whether a response says that the call failed.
pub(crate) fn failed(answer: &Value) -> bool {
    answer["error"].is_object() || answer["result"]["isError"] == true
}

/// Returns what a model reads of a response: the texts of a result, or the message of an error.
pub(crate) fn text(answer: &Value) -> String {
    if let Some(message) = answer["error"]["message"].as_str() {
        return message.to_owned();
    }
    let content = answer["result"]["content"].as_array().map(Vec::as_slice).unwrap_or_default();
    content.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
}

/// Asserts that a call succeeded with this text.
pub(crate) fn assert_text(answer: &Value, expected: &str) {
    assert!(!failed(answer), "{:.2000}", answer.to_string());
    assert_eq!(text(answer), expected);
}

/// Asserts that a call failed with a text that contains all of these parts, in any case.
pub(crate) fn assert_failed(answer: &Value, parts: &[&str]) {
    assert!(failed(answer), "{:.2000}", answer.to_string());
    let text = text(answer);
    for part in parts {
        assert!(text.to_lowercase().contains(&part.to_lowercase()), "{part:?} is not in {text:?}");
    }
}
