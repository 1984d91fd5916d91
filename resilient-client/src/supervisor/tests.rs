//! Real processes: the server is this executable.

use std::sync::Mutex;
use std::time::Instant;

use resilient_runtime::Registry;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::fake::{received, server};

#[derive(Default)]
struct Nothing(Mutex<u32>);

impl Events for Nothing {
    fn message(&self, _: Message, _: u64) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn reconnected(&self) {
        *self.0.lock().unwrap() += 1;
    }
}

/// Each test has its own breaker.
fn start(name: &str, mode: &str, folder: &TempDir, settings: SupervisorSettings) -> Supervisor<Nothing> {
    Supervisor::start(name, server(mode, &folder.path().join("log")), settings, Nothing::default())
}

fn log(folder: &TempDir) -> Vec<String> {
    received(&folder.path().join("log"))
}

fn call(id: u32, name: &str) -> Message {
    Message::request(&id.to_string(), "tools/call", &json!({ "name": name }))
}

async fn initialize(supervisor: &Supervisor<Nothing>) -> Message {
    let params =
        json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } });
    let response = supervisor.initialize(&Message::request("0", "initialize", &params)).await.unwrap();
    supervisor.notify(&Message::notification("notifications/initialized", &json!({}))).await.unwrap();
    response
}

/// Waits until the server has received this, for ten seconds at most.
async fn until(folder: &TempDir, wanted: &str) {
    let begun = Instant::now();
    while !log(folder).iter().any(|line| line == wanted) {
        assert!(begun.elapsed() < Duration::from_secs(10), "{wanted} is missing in {:?}", log(folder));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_server_that_died_is_started_again_with_the_handshake_the_level_and_the_subscriptions() {
    let folder = TempDir::new().unwrap();
    let supervisor = start("again", "normal", &folder, SupervisorSettings::default());
    let response = initialize(&supervisor).await;
    assert_eq!(response.id(), Some("0"));
    let others = [("logging/setLevel", json!({ "level": "error" })), ("resources/subscribe", json!({ "uri": "a:b" }))];
    for (number, (method, params)) in (10..).zip(others) {
        supervisor.request(&Message::request(&number.to_string(), method, &params)).await.unwrap();
    }
    let failure = supervisor.request(&call(1, "die")).await.unwrap_err();
    assert!(failure.may_have_run && failure.message.contains("status 9"), "{failure:?}");
    supervisor.request(&call(2, "echo")).await.unwrap();
    let handshake = ["initialize", "notifications/initialized", "logging/setLevel", "resources/subscribe"];
    let expected = [&handshake[..], &["tools/call die"], &handshake, &["tools/call echo"]].concat();
    assert_eq!(log(&folder), expected);
    assert_eq!(*supervisor.events().0.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_command_that_exits_at_once_is_rejected_at_once_after_five_tries_and_says_why() {
    let folder = TempDir::new().unwrap();
    let supervisor = start("exits", "exits", &folder, SupervisorSettings::default());
    let params = json!({ "protocolVersion": "2025-06-18" });
    assert!(supervisor.initialize(&Message::request("0", "initialize", &params)).await.is_err());
    let mut failures = Vec::new();
    loop {
        let begun = Instant::now();
        let failure = supervisor.request(&call(1, "echo")).await.unwrap_err();
        assert!(!failure.may_have_run);
        if failure.kind == ErrorKind::CircuitOpen {
            assert!(begun.elapsed() < Duration::from_secs(1) && failure.retry_after.is_some(), "{failure:?}");
            break;
        }
        failures.push(failure.message);
        assert!(failures.len() <= 6, "{failures:?}");
    }
    assert!(
        failures.iter().any(|text| text.contains("status 3") && text.contains("DB_URL is not set")),
        "{failures:?}"
    );
    assert!(failures.iter().all(|text| !text.contains("hunter2")), "{failures:?}");
    assert!(matches!(supervisor.state(), ConnectionState::Rejecting(_)));
}

#[tokio::test]
async fn a_command_that_does_not_exist_is_named() {
    let command = crate::Command::new("/no/such/command");
    let supervisor = Supervisor::start("missing", command, SupervisorSettings::default(), Nothing::default());
    let failure = supervisor.request(&call(1, "echo")).await.unwrap_err();
    assert_eq!(failure.message, "the command `/no/such/command` does not exist");
    assert!(!failure.may_have_run);
}

#[tokio::test]
async fn a_request_that_is_dropped_is_cancelled_at_the_server() {
    let folder = TempDir::new().unwrap();
    let supervisor = start("dropped", "normal", &folder, SupervisorSettings::default());
    supervisor.request(&call(1, "echo")).await.unwrap();
    let hanging = Message::request("\"seven\"", "tools/call", &json!({ "name": "hang" }));
    let ended = tokio::time::timeout(Duration::from_millis(300), supervisor.request(&hanging)).await;
    assert!(ended.is_err());
    until(&folder, "notifications/cancelled seven").await;
    supervisor.request(&call(2, "echo")).await.unwrap();
}

#[tokio::test]
async fn a_silent_server_is_replaced_after_a_call_has_timed_out() {
    let folder = TempDir::new().unwrap();
    let settings = SupervisorSettings { silence: Duration::from_millis(200), ..SupervisorSettings::default() };
    let supervisor = start("silent", "silent", &folder, settings);
    initialize(&supervisor).await;
    let _ = tokio::time::timeout(Duration::from_millis(100), supervisor.request(&call(1, "echo"))).await;
    supervisor.suspect();
    let begun = Instant::now();
    while log(&folder).iter().filter(|line| *line == "initialize").count() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", log(&folder));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn output_that_is_no_message_is_skipped() {
    let folder = TempDir::new().unwrap();
    let supervisor = start("junk", "junk", &folder, SupervisorSettings::default());
    for number in 1..4 {
        supervisor.request(&call(number, "echo")).await.unwrap();
    }
    let junk = Registry::global().connections().into_iter().find(|it| it.server == "junk").unwrap().junk_lines;
    assert!(junk >= 9, "{junk}");
}

#[tokio::test]
async fn a_connection_that_rests_is_opened_again_by_the_next_request() {
    let folder = TempDir::new().unwrap();
    let supervisor = start("rests", "normal", &folder, SupervisorSettings::default());
    initialize(&supervisor).await;
    let process = |response: Message| response.result().unwrap_or_default().to_owned();
    let first = process(supervisor.request(&call(1, "echo")).await.unwrap());
    supervisor.rest().await;
    assert_eq!(supervisor.state(), ConnectionState::Resting);
    let second = process(supervisor.request(&call(2, "echo")).await.unwrap());
    assert_ne!(first, second);
    assert_eq!(log(&folder).iter().filter(|line| *line == "initialize").count(), 2);
}

#[tokio::test]
async fn a_stopped_server_is_gone_and_its_requests_fail() {
    let folder = TempDir::new().unwrap();
    let supervisor = start("stopped", "normal", &folder, SupervisorSettings::default());
    let first = supervisor.request(&call(1, "echo")).await.unwrap();
    let text: serde_json::Value = first.read_result().unwrap();
    let process = text["content"][0]["text"].as_str().unwrap().to_owned();
    let other = supervisor.clone();
    let hanging = tokio::spawn(async move { other.request(&call(2, "hang")).await });
    until(&folder, "tools/call hang").await;
    supervisor.stop().await;
    assert!(hanging.await.unwrap().is_err());
    assert!(supervisor.request(&call(3, "echo")).await.is_err());
    #[cfg(target_os = "linux")]
    assert!(!std::path::Path::new("/proc").join(process).exists());
}

#[tokio::test]
async fn a_stop_before_the_server_has_answered_anything_ends_the_task_that_connects() {
    let folder = TempDir::new().unwrap();
    let supervisor = start("stopped-early", "normal", &folder, SupervisorSettings::default());
    let other = supervisor.clone();
    let hanging = tokio::spawn(async move { other.request(&call(1, "hang")).await });
    until(&folder, "tools/call hang").await;
    supervisor.stop().await;
    // The task would connect again and again, and leave this thread to nothing else.
    assert!(hanging.await.unwrap().is_err());
}
