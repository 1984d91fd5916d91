//! A client of the executable, and the server that it starts.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(20);

/// A running proxy.
pub(crate) struct Proxy {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    pub(crate) folder: TempDir,
    next: u64,
}

/// Returns a command of the executable in this folder, without the variables of this process that it reads.
pub(crate) fn command(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_resilient-proxy"));
    command.current_dir(folder.path()).kill_on_drop(true).env("LOG", folder.path().join("log"));
    for variable in ["RESILIENT_CONFIG", "RESILIENT_PROXY_TOKEN", "RESILIENT_ADMIN_TOKEN"] {
        command.env_remove(variable);
    }
    command
}

/// Creates a folder with the server.
pub(crate) fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("server.sh"), include_str!("server.sh")).unwrap();
    folder
}

impl Proxy {
    /// Starts the proxy with these arguments.
    pub(crate) fn start(folder: TempDir, arguments: &[&str]) -> Self {
        let mut command = command(&folder);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, input, output: BufReader::new(output).lines(), folder, next: 0 }
    }

    /// Sends a request and returns the response. Notifications before it are skipped.
    pub(crate) async fn request(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await;
        loop {
            let message = self.receive().await;
            if message["id"] == id {
                return message;
            }
        }
    }

    pub(crate) async fn receive(&mut self) -> Value {
        let line = timeout(LIMIT, self.output.next_line()).await.expect("an answer in time").unwrap();
        serde_json::from_str(&line.expect("the proxy runs")).unwrap()
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.input.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    /// Opens the session, and returns the result of `initialize`.
    pub(crate) async fn initialize(&mut self) -> Value {
        let client = json!({ "name": "client", "version": "1" });
        let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
        let response = self.request("initialize", params).await;
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        response["result"].clone()
    }

    /// Calls a tool, and returns the result.
    pub(crate) async fn call(&mut self, tool: &str) -> Value {
        self.request("tools/call", json!({ "name": tool, "arguments": {} })).await["result"].clone()
    }

    /// Returns the lines that the servers have written.
    pub(crate) fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Closes the input, and returns what the proxy still writes.
    pub(crate) async fn rest(mut self) -> Vec<Value> {
        drop(self.input);
        let mut messages = Vec::new();
        while let Some(line) = timeout(LIMIT, self.output.next_line()).await.expect("an end in time").unwrap() {
            messages.push(serde_json::from_str(&line).unwrap());
        }
        messages
    }

    /// Closes the input, and returns whether the proxy exited with 0.
    pub(crate) async fn end(mut self) -> bool {
        drop(self.input);
        timeout(LIMIT, self.child.wait()).await.expect("an exit in time").unwrap().success()
    }
}

/// Returns the text of a result.
pub(crate) fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_default()
}
