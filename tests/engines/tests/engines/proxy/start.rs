//! A server that cannot start, and one that ends again and again.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    Line, Setup,
    client::{Client, PROTOCOL, assert_failed, assert_text, failed},
    everything, failing, quoted, shell,
};

/// The maximum duration of a call that an open breaker rejects.
const AT_ONCE: Duration = Duration::from_millis(100);

/// The maximum number of calls until a breaker opens.
const FAILURES: usize = 40;

/// A server that starts once. Then it exits with status 1 each time, and appends a line to a file.
fn once(setup: &Setup, server: &Line) -> Line {
    let starts = setup.path("starts");
    shell(&format!(
        "echo start >> '{starts}'; [ $(wc -l < '{starts}') -gt 1 ] && exit 1; exec {}",
        quoted(server),
        starts = starts.display()
    ))
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap_or_default().lines().count()
}

/// Asserts that calls of a server that ends at each start are soon rejected at once.
async fn assert_breaker_opens(server: &Line, tool: &str, arguments: Value) {
    let setup = Setup::new();
    let client = Client::connect(setup.proxy(&["--name", "orders", "--timeout", "5s"], &once(&setup, server))).await;
    let answer = client.call(tool, arguments.clone()).await;
    assert!(!failed(&answer), "{answer}");
    setup.kill_server().await;

    let mut rejected = 0;
    for call in 1.. {
        let start = Instant::now();
        let answer = client.call(tool, arguments.clone()).await;
        let elapsed = start.elapsed();
        assert_failed(&answer, &["orders"]);
        assert!(elapsed < Duration::from_secs(6), "{elapsed:?}: {answer}");
        rejected = if elapsed < AT_ONCE { rejected + 1 } else { 0 };
        assert!(call < FAILURES, "after {call} calls the proxy still tries: {answer}");
        if rejected == 10 {
            assert_failed(&answer, &["do not retry before"]);
            break;
        }
    }
    client.assert_clean();
}

#[tokio::test]
async fn calls_of_a_server_of_fastmcp_that_ends_at_each_start_are_soon_rejected_at_once() {
    assert_breaker_opens(&failing(), "read", json!({})).await;
}

#[tokio::test]
async fn calls_of_an_everything_server_that_ends_at_each_start_are_soon_rejected_at_once() {
    assert_breaker_opens(&everything(), "echo", json!({ "message": "hello" })).await;
}

#[tokio::test]
async fn a_server_that_ends_at_each_start_is_not_started_more_often_than_calls_ask() {
    let setup = Setup::new();
    let client = Client::connect(setup.proxy(&[], &once(&setup, &failing()))).await;
    setup.kill_server().await;
    sleep(Duration::from_secs(10)).await;
    // The waits between attempts grow from 1 s.
    let starts = lines(&setup.path("starts"));
    assert!((3..=8).contains(&starts), "{starts} starts in 10 s");
    client.assert_clean();
}

#[tokio::test]
async fn a_server_that_ends_in_each_call_is_available_again_when_it_no_longer_does() {
    let setup = Setup::new();
    let client = Client::connect(setup.proxy(&["--timeout", "5s"], &failing())).await;
    let end = Instant::now() + Duration::from_secs(6);
    while Instant::now() < end {
        let answer = client.call("write", json!({ "what": "die" })).await;
        assert!(failed(&answer), "{answer}");
        sleep(Duration::from_millis(50)).await;
    }
    // What a model does that reads when to call again.
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = client.call("write", json!({ "id": "late" })).await;
        if !failed(&answer) {
            break;
        }
        assert!(Instant::now() < end, "{answer}");
        sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(setup.count("write late"), 1);
}

#[tokio::test]
async fn calls_of_a_server_that_cannot_start_say_why_and_hide_secrets() {
    let setup = Setup::new();
    let script = "echo 'api_key=sk-live-0123456789abcdef0123' >&2; echo 'cannot start: DB_URL is not set' >&2; exit 1";
    let options = ["--name", "orders", "--timeout", "5s"];
    let client = Client::start(setup.proxy(&options, &shell(script)));
    let start = Instant::now();
    let answer = client.initialize(json!({})).await;
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(answer["result"]["protocolVersion"], PROTOCOL, "{answer}");
    assert!(answer["result"]["capabilities"]["tools"]["listChanged"] == true, "{answer}");
    let answer = client.call("read", json!({})).await;
    assert_failed(&answer, &["orders", "cannot start: DB_URL is not set"]);
    assert!(!answer.to_string().contains("0123456789abcdef"), "{answer}");
    assert!(!client.log().join("\n").contains("0123456789abcdef"), "{:#?}", client.log());
    client.assert_clean();
}

#[tokio::test]
async fn a_server_that_starts_late_is_announced_and_used() {
    let setup = Setup::new();
    let ready = setup.path("ready");
    let script =
        format!("[ -e '{}' ] || {{ echo 'not yet' >&2; exit 1; }}; exec {}", ready.display(), quoted(&failing()));
    let client = Client::start(setup.proxy(&["--timeout", "10s"], &shell(&script)));
    client.initialize(json!({})).await;
    assert_failed(&client.call("read", json!({})).await, &["not yet"]);
    std::fs::write(&ready, "").unwrap();
    client.receive("notifications/tools/list_changed").await;
    let listed = client.request("tools/list", json!({})).await;
    assert_eq!(listed["result"]["tools"].as_array().map(Vec::len), Some(4), "{listed}");
    assert_text(&client.call("read", json!({})).await, "done");
}

#[tokio::test]
async fn a_server_that_never_answers_does_not_keep_a_client_waiting() {
    let setup = Setup::new();
    let options = ["--name", "orders", "--timeout", "2s"];
    let client = Client::start(setup.proxy(&options, &shell("exec sleep 1000")));
    client.initialize(json!({})).await;
    let start = Instant::now();
    assert_failed(&client.call("read", json!({})).await, &["orders"]);
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}
