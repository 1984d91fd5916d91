//! How the servers over stdio end: on a signal, and if the client leaves before it initialises.

#![cfg(unix)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use crate::common::command;

const PATIENCE: Duration = Duration::from_secs(30);

const SERVERS: [&str; 7] =
    ["make-server", "quickstart", "api-debugger", "auditor", "scenario-sync", "search-server", "wiki-issues"];

/// An initialised server whose client is this test.
struct Raw {
    child: tokio::process::Child,
    stdin: tokio::process::ChildStdin,
    stdout: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
}

impl Raw {
    async fn start(executable: &str, environment: &[(&str, &str)]) -> Self {
        let mut child = tokio::process::Command::from(command(executable))
            .arg("--demo")
            .env_remove("RUST_LOG")
            .env_remove("LOG_LEVEL")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()).lines());
        let mut server = Self { child, stdin, stdout };
        let client = json!({ "name": "test", "version": "0" });
        let params = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
        server.send(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params })).await;
        server.receive().await.expect("an answer");
        server.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
        server
    }

    async fn send(&mut self, message: &Value) {
        self.stdin.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    async fn receive(&mut self) -> Option<Value> {
        let line = timeout(PATIENCE, self.stdout.next_line()).await.expect("in time").unwrap()?;
        Some(serde_json::from_str(&line).unwrap())
    }

    fn terminate(&self) {
        let kill = format!("kill -TERM {}", self.child.id().unwrap());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// The exit code, and the log.
    async fn ended(mut self) -> (Option<i32>, Vec<Value>) {
        let status = timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap();
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).await.unwrap();
        (status.code(), log.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect())
    }
}

#[tokio::test]
async fn a_server_over_stdio_ends_with_0_on_sigterm_although_its_client_stays() {
    for server in SERVERS {
        let running = Raw::start(server, &[]).await;
        running.terminate();
        let (code, log) = running.ended().await;
        assert_eq!(code, Some(0), "{server}: {log:#?}");
        assert_eq!(log.last().unwrap()["event"], "server.stopped", "{server}: {log:#?}");
    }
}

#[tokio::test]
async fn a_call_that_runs_when_sigterm_comes_is_answered_and_one_that_hangs_does_not_keep_the_server() {
    // The invoice of order 2 takes longer than either timeout.
    for (timeout_of, is_answered) in [("1s", true), ("20s", false)] {
        let settings = [
            ("RESILIENT__TOOL__INVOICE__TIMEOUT", timeout_of),
            ("RESILIENT__TOOL__INVOICE__BULKHEAD__WAIT", "100ms"),
            ("RUST_LOG", "info,resilient_runtime=debug"),
        ];
        let mut server = Raw::start("quickstart", &settings).await;
        let call = json!({ "name": "invoice", "arguments": { "id": 2 } });
        server.send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call })).await;
        let mut log = BufReader::new(server.child.stderr.take().unwrap()).lines();
        while !log.next_line().await.unwrap().expect("a line").contains("tool.started") {}
        server.terminate();
        let told = Instant::now();
        let answer = server.receive().await;
        let text = answer.map(|answer| answer["result"]["content"][0]["text"].to_string());
        assert_eq!(text.is_some_and(|text| text.contains("TIMEOUT")), is_answered, "{timeout_of}");
        let status = timeout(PATIENCE, server.child.wait()).await.expect("it ends").unwrap();
        assert_eq!(status.code(), Some(0), "{timeout_of}");
        assert!(told.elapsed() < Duration::from_secs(10), "{timeout_of}: {:?}", told.elapsed());
    }
}

#[test]
fn a_client_that_leaves_before_it_speaks_leaves_lines_of_json_of_which_the_last_says_why_the_server_ends() {
    for server in SERVERS {
        let mut command = command(server);
        command.arg("--demo").env_remove("RUST_LOG").env_remove("LOG_LEVEL").stdin(Stdio::null());
        let output = command.output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{server}");
        let log = String::from_utf8(output.stderr).unwrap();
        let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
        let last = lines.last().unwrap_or_else(|| panic!("{server} logs nothing"));
        assert_eq!((&last["level"], &last["event"]), (&json!("ERROR"), &json!("server.failed")), "{server}: {log}");
    }
}
