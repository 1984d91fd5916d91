//! Clients that reach the proxy over HTTP.

use futures_util::future::join_all;
use reqwest::header;
use serde_json::json;

use super::{
    Setup,
    client::{Client, Http, assert_failed, assert_text},
    everything, failing,
};

const HTTP: [&str; 2] = ["--http", "127.0.0.1:0"];

/// The proxy with its address.
struct Front {
    process: Client,
    url: String,
}

impl Front {
    async fn start(setup: &Setup, options: &[&str], server: &super::Line) -> Self {
        let process = Client::start(setup.proxy(&[&HTTP, options].concat(), server));
        let url = format!("http://{}/mcp", process.address("front.listening").await);
        Self { process, url }
    }
}

#[tokio::test]
async fn two_sessions_share_one_server() {
    let setup = Setup::new();
    let front = Front::start(&setup, &[], &everything()).await;
    let clients = [Http::connect(front.url.clone()).await, Http::connect(front.url.clone()).await];
    assert_ne!(clients[0].session(), clients[1].session());
    // Both clients count their requests from 1.
    for round in 0..20 {
        let calls = clients.iter().enumerate().map(|(number, client)| {
            let message = format!("{number} {round}");
            async move {
                let answer = client.call("echo", json!({ "message": message })).await;
                assert_text(&answer, &format!("Echo: {message}"));
            }
        });
        join_all(calls).await;
    }
    assert_eq!(setup.processes().len(), 1);
}

#[tokio::test]
async fn each_session_has_its_own_server_if_asked_for() {
    let setup = Setup::new();
    let front = Front::start(&setup, &["--child-per-session"], &everything()).await;
    let mut clients = Vec::new();
    for _ in 0..2 {
        let client = Http::connect(front.url.clone()).await;
        assert_text(&client.call("echo", json!({ "message": "hello" })).await, "Echo: hello");
        clients.push(client);
    }
    assert_eq!(setup.processes().len(), 2);
}

#[tokio::test]
async fn sessions_survive_the_end_of_the_server() {
    let setup = Setup::new();
    let front = Front::start(&setup, &["--name", "orders"], &failing()).await;
    let client = Http::connect(front.url.clone()).await;
    assert_text(&client.call("read", json!({ "id": "one", "what": "die-once" })).await, "done");
    assert_eq!(setup.count("read one"), 2);
    let answer = client.call("write", json!({ "id": "two", "what": "die" })).await;
    assert_failed(&answer, &["orders", "may have taken effect"]);
    assert_text(&client.call("write", json!({ "id": "three" })).await, "done");
    assert_eq!((setup.count("write two"), setup.count("write three")), (1, 1));
}

#[tokio::test]
async fn other_hosts_and_origins_are_refused() {
    let setup = Setup::new();
    let front = Front::start(&setup, &[], &everything()).await;
    let client = Http::new(front.url.clone());
    for (name, value) in [
        (header::HOST, "evil.example"),
        (header::ORIGIN, "https://evil.example"),
        (header::ORIGIN, "http://127.0.0.1.evil.example"),
        (header::ORIGIN, "null"),
    ] {
        let answer = client.opening().header(&name, value).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{name}: {value}");
    }
    assert_eq!(client.opening().send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_unknown_session_is_not_found() {
    let setup = Setup::new();
    let front = Front::start(&setup, &[], &everything()).await;
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let client = Http::new(front.url.clone());
    let answer = client.post(&request).header("mcp-session-id", "unknown").send().await.unwrap();
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn another_address_without_a_token_ends_the_proxy() {
    let setup = Setup::new();
    let mut command = setup.proxy(&["--http", "0.0.0.0:0"], &everything());
    command.env_remove("RESILIENT_PROXY_TOKEN");
    let process = Client::start(command);
    assert_eq!(process.ended().await.code(), Some(2));
    let log = process.log().join("\n");
    assert!(log.contains("RESILIENT_PROXY_TOKEN"), "{log}");
    setup.left_no_process().await;
}

#[tokio::test]
async fn a_token_is_required_of_each_request() {
    let setup = Setup::new();
    let mut command = setup.proxy(&HTTP, &everything());
    command.env("RESILIENT_PROXY_TOKEN", "a-long-token-for-tests-0123456789");
    let process = Client::start(command);
    let client = Http::new(format!("http://{}/mcp", process.address("front.listening").await));
    assert_eq!(client.opening().send().await.unwrap().status(), 401);
    assert_eq!(client.opening().bearer_auth("another").send().await.unwrap().status(), 401);
    let answer = client.opening().bearer_auth("a-long-token-for-tests-0123456789").send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn after_a_signal_to_the_proxy_no_server_is_left() {
    let setup = Setup::new();
    let front = Front::start(&setup, &["--child-per-session"], &everything()).await;
    for _ in 0..2 {
        let client = Http::connect(front.url.clone()).await;
        client.call("echo", json!({ "message": "hello" })).await;
    }
    assert_eq!(setup.processes().len(), 2);
    front.process.signal(rustix::process::Signal::TERM);
    front.process.ended().await;
    setup.left_no_process().await;
}
