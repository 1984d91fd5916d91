//! A server that the proxy reaches over HTTP.

use std::{net::TcpListener, process::Stdio, time::Duration};

use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::{program::Program, python};

use super::{
    Line, Setup,
    client::{Client, LIMIT, assert_failed, assert_text, failed, text},
    failing,
};

/// A server on a port that stays the same.
pub(crate) struct Upstream<'a> {
    setup: &'a Setup,
    port: u16,
    server: Line,
    process: Option<Child>,
}

impl<'a> Upstream<'a> {
    /// Starts a server that listens on this port, and waits until it does.
    pub(crate) async fn start(setup: &'a Setup, port: u16, server: Line) -> Self {
        let mut upstream = Self { setup, port, server, process: None };
        upstream.restart().await;
        upstream
    }

    /// Starts the server of FastMCP.
    async fn failing(setup: &'a Setup) -> Self {
        let port = free_port();
        let mut server = failing();
        server.extend(["--http".into(), port.to_string().into()]);
        Self::start(setup, port, server).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.port)
    }

    async fn restart(&mut self) {
        let mut command = self.setup.alone(&self.server);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        self.process = Some(command.spawn().unwrap());
        let end = Instant::now() + LIMIT;
        while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            assert!(Instant::now() < end, "the server does not listen");
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn kill(&mut self) {
        self.process.take().expect("a process").kill().await.unwrap();
    }
}

/// Returns a port of loopback that was free.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn proxy(setup: &Setup, url: &str) -> Command {
    setup.proxy_with(&["--name", "orders", "--timeout", "5s", url])
}

/// A client of the proxy in front of a URL.
async fn connect(setup: &Setup, url: &str) -> Client {
    Client::connect(proxy(setup, url)).await
}

#[tokio::test]
async fn after_a_restart_of_the_server_the_next_call_is_answered() {
    let setup = Setup::new();
    let mut upstream = Upstream::failing(&setup).await;
    let client = connect(&setup, &upstream.url()).await;
    assert_text(&client.call("read", json!({})).await, "done");
    for tool in ["read", "write"] {
        upstream.kill().await;
        upstream.restart().await;
        // The server does not know the session, so it has not run the call.
        assert_text(&client.call(tool, json!({ "id": "after" })).await, "done");
        assert_eq!(setup.count(&format!("{tool} after")), 1);
    }
    client.assert_clean();
}

#[tokio::test]
async fn calls_while_the_server_is_away_fail_in_time_and_work_when_it_is_back() {
    let setup = Setup::new();
    let mut upstream = Upstream::failing(&setup).await;
    let client = connect(&setup, &upstream.url()).await;
    upstream.kill().await;
    for tool in ["read", "write"] {
        let start = Instant::now();
        let answer = client.call(tool, json!({ "id": "away" })).await;
        assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
        assert_failed(&answer, &["orders"]);
        // It was never sent.
        assert!(!text(&answer).contains("may have taken effect"), "{answer}");
    }
    upstream.restart().await;
    let end = Instant::now() + Duration::from_secs(40);
    loop {
        let answer = client.call("write", json!({ "id": "back" })).await;
        if !failed(&answer) {
            break;
        }
        assert!(Instant::now() < end, "{answer}");
        sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(setup.lines(), ["write back"]);
}

#[tokio::test]
async fn a_server_that_is_away_at_the_start_is_used_when_it_is_there() {
    let setup = Setup::new();
    let mut upstream = Upstream::failing(&setup).await;
    upstream.kill().await;
    let client = Client::start(proxy(&setup, &upstream.url()));
    client.initialize(json!({})).await;
    assert_failed(&client.call("read", json!({})).await, &["orders"]);
    upstream.restart().await;
    client.receive("notifications/tools/list_changed").await;
    assert_text(&client.call("read", json!({})).await, "done");
}

#[tokio::test]
async fn a_write_during_which_the_server_is_killed_fails_at_once_and_is_not_repeated() {
    let setup = Setup::new();
    let mut upstream = Upstream::failing(&setup).await;
    let client = connect(&setup, &upstream.url()).await;
    let id = client.begin("write", json!({ "id": "one", "what": "slow", "seconds": 4 })).await;
    setup.appended("write one").await;
    upstream.kill().await;
    let answer = client.answer_within(Duration::from_secs(1), id).await;
    assert_failed(&answer, &["orders", "may have taken effect"]);
    upstream.restart().await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(setup.lines(), ["write one"]);
}

#[tokio::test]
async fn a_read_during_which_the_server_is_killed_is_repeated_when_it_is_back() {
    let setup = Setup::new();
    let mut upstream = Upstream::failing(&setup).await;
    let options = ["--timeout", "15s", &upstream.url()];
    let client = Client::connect(setup.proxy_with(&options)).await;
    let id = client.begin("read", json!({ "id": "one", "what": "slow", "seconds": 1 })).await;
    setup.appended("read one").await;
    upstream.kill().await;
    upstream.restart().await;
    let answer = client.answer(id).await;
    // Whether the server is back before the last attempt depends on the machine.
    if failed(&answer) {
        assert_eq!(setup.lines(), ["read one"], "{answer}");
    } else {
        assert_eq!(setup.lines(), ["read one", "read one"]);
    }
}

#[tokio::test]
async fn progress_a_cancellation_and_a_change_of_the_list_pass() {
    let setup = Setup::new();
    let upstream = Upstream::failing(&setup).await;
    let client = connect(&setup, &upstream.url()).await;
    let id = client.begin("read", json!({ "what": "progress" })).await;
    assert_text(&client.answer(id).await, "done");
    assert_eq!(client.received("notifications/progress").len(), 5);
    let id = client.begin("write", json!({ "id": "one", "what": "hang" })).await;
    setup.appended("write one").await;
    client.notify("notifications/cancelled", json!({ "requestId": id })).await;
    setup.appended("cancelled one").await;
    assert_text(&client.call("grow", json!({})).await, "done");
    client.receive("notifications/tools/list_changed").await;
}

/// Starts a server that refuses calls with a status.
async fn refusing(setup: &Setup, arguments: &[&str]) -> Program {
    let mut command: Command = python("python/servers/refusing.py");
    command.args(arguments);
    Program::start(setup.marked(command), "listening on ").await
}

/// Asserts that calls which the server refuses with this status fail with a text that contains these parts.
async fn assert_refused(status: &str, parts: &[&str]) {
    let setup = Setup::new();
    let upstream = refusing(&setup, &[status]).await;
    let client = connect(&setup, &format!("{}/mcp", upstream.origin())).await;
    let start = Instant::now();
    let answer = client.call("write", json!({})).await;
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    assert_failed(&answer, &[&["orders", status], parts].concat());
    assert!(!text(&answer).contains("may have taken effect"), "{answer}");
    assert_eq!(setup.lines().len(), 1);
}

#[tokio::test]
async fn a_server_that_wants_credentials_is_named_and_not_asked_again() {
    assert_refused("401", &[]).await;
}

#[tokio::test]
async fn a_server_that_forbids_a_call_is_named_and_not_asked_again() {
    assert_refused("403", &[]).await;
}

#[tokio::test]
async fn the_wait_that_a_server_asks_for_is_in_the_text_and_respected() {
    let setup = Setup::new();
    let upstream = refusing(&setup, &["429", "--retry-after", "3", "--times", "1"]).await;
    let client = connect(&setup, &format!("{}/mcp", upstream.origin())).await;
    let start = Instant::now();
    let mut answers: Vec<Value> = Vec::new();
    // A client that does not wait.
    while start.elapsed() < Duration::from_secs(10) {
        answers.push(client.call("read", json!({})).await);
        if answers.last().is_some_and(|answer| !failed(answer)) {
            break;
        }
        sleep(Duration::from_millis(200)).await;
    }
    assert_text(answers.last().unwrap(), "done");
    for answer in &answers[..answers.len() - 1] {
        assert_failed(answer, &["orders", "do not retry before"]);
    }
    let times: Vec<f64> = setup.lines().iter().map(|line| line.parse().unwrap()).collect();
    assert_eq!(times.len(), 2, "{times:?}");
    assert!(times[1] - times[0] > 2.9, "{times:?}");
}
