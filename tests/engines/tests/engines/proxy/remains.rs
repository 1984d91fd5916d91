//! The processes that the proxy leaves behind: none.

use rustix::process::Signal;
use serde_json::json;

use super::{
    Line, Setup,
    client::{Client, assert_text},
    everything, failing, quoted, shell,
};

/// The server of FastMCP under a shell, with a process that would outlive both.
fn family() -> Line {
    let mut server = failing();
    server.push("--grandchild".into());
    shell(&format!("{}; true", quoted(&server)))
}

/// Starts the proxy in front of a family of three processes.
async fn start(setup: &Setup) -> Client {
    let client = Client::connect(setup.proxy(&[], &family())).await;
    assert_text(&client.call("read", json!({})).await, "done");
    assert_eq!(setup.processes().len(), 3);
    client
}

#[tokio::test]
async fn after_the_client_has_closed_its_connection_no_process_is_left() {
    let setup = Setup::new();
    let client = start(&setup).await;
    client.close().await;
    assert!(client.ended().await.success());
    setup.left_no_process().await;
}

#[tokio::test]
async fn after_a_signal_to_the_proxy_no_process_is_left() {
    for signal in [Signal::TERM, Signal::INT] {
        let setup = Setup::new();
        let client = start(&setup).await;
        client.signal(signal);
        client.ended().await;
        setup.left_no_process().await;
    }
}

#[tokio::test]
async fn after_the_proxy_was_killed_its_server_ends() {
    for server in [failing(), everything()] {
        let setup = Setup::new();
        let client = Client::connect(setup.proxy(&[], &server)).await;
        assert_eq!(setup.processes().len(), 1);
        client.signal(Signal::KILL);
        client.ended().await;
        setup.left_no_process().await;
    }
}

#[tokio::test]
async fn a_server_that_does_not_end_with_its_input_is_ended() {
    let setup = Setup::new();
    let client = Client::connect(setup.proxy(&[], &everything())).await;
    // Its timers keep the process alive.
    client.call("toggle-simulated-logging", json!({})).await;
    client.close().await;
    client.ended().await;
    setup.left_no_process().await;
}

#[tokio::test]
async fn a_server_that_was_replaced_leaves_no_process() {
    let setup = Setup::new();
    let client = start(&setup).await;
    let parent = setup.processes().into_iter().min_by_key(|process| process.as_raw_nonzero()).unwrap();
    super::kill(parent);
    super::wait_until("a new family", || {
        let processes = setup.processes();
        processes.len() == 3 && !processes.contains(&parent)
    })
    .await;
    assert_text(&client.call("read", json!({})).await, "done");
}

#[tokio::test]
async fn the_end_of_the_client_during_a_call_ends_the_proxy() {
    let setup = Setup::new();
    let client = Client::connect(setup.proxy(&[], &failing())).await;
    client.begin("write", json!({ "id": "one", "what": "hang" })).await;
    setup.appended("write one").await;
    client.close().await;
    client.ended().await;
    setup.left_no_process().await;
}
