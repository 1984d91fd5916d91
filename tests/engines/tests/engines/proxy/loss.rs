//! A server that ends or hangs while it is used.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    NOTICED, Setup,
    client::{Client, assert_failed, assert_text, failed, text},
    everything, failing,
};

/// The name of the server in the texts of the proxy.
const NAMED: [&str; 2] = ["--name", "orders"];

/// A client of the proxy in front of the server of FastMCP.
async fn connect(setup: &Setup, options: &[&str]) -> Client {
    let options = [&NAMED, options].concat();
    Client::connect(setup.proxy(&options, &failing())).await
}

/// The arguments of a call that does this.
fn what(what: &str) -> Value {
    json!({ "id": "one", "what": what })
}

#[tokio::test]
async fn after_the_server_of_fastmcp_was_killed_the_next_read_is_answered() {
    let setup = Setup::new();
    let client = connect(&setup, &[]).await;
    for _ in 0..3 {
        assert_text(&client.call("read", what("answer")).await, "done");
        setup.kill_server().await;
    }
    assert_text(&client.call("read", what("answer")).await, "done");
    client.assert_clean();
}

#[tokio::test]
async fn after_the_everything_server_was_killed_the_next_calls_are_answered() {
    let setup = Setup::new();
    let client = Client::connect(setup.proxy(&[], &everything())).await;
    for _ in 0..3 {
        setup.kill_server().await;
        assert_text(&client.call("echo", json!({ "message": "hello" })).await, "Echo: hello");
        setup.kill_server().await;
        assert_text(&client.call("get-sum", json!({ "a": 2, "b": 3 })).await, "The sum of 2 and 3 is 5.");
    }
    client.assert_clean();
}

#[tokio::test]
async fn a_write_after_the_end_of_the_server_was_noticed_runs_once() {
    let setup = Setup::new();
    let client = connect(&setup, &[]).await;
    setup.kill_server().await;
    sleep(NOTICED).await;
    assert_text(&client.call("write", what("answer")).await, "done");
    assert_eq!(setup.lines(), ["write one"]);
}

#[tokio::test]
async fn a_read_during_which_the_server_of_fastmcp_is_killed_is_repeated_once_and_answered() {
    let setup = Setup::new();
    let client = connect(&setup, &[]).await;
    assert_text(&client.call("read", what("die-once")).await, "done");
    assert_eq!(setup.lines(), ["read one", "read one"]);
    client.assert_clean();
}

#[tokio::test]
async fn a_read_of_a_client_that_has_not_listed_the_tools_is_repeated_too() {
    let setup = Setup::new();
    let client = Client::start(setup.proxy(&NAMED, &failing()));
    client.initialize(json!({})).await;
    assert_text(&client.call("read", what("die-once")).await, "done");
    assert_eq!(setup.lines(), ["read one", "read one"]);
}

#[tokio::test]
async fn an_idempotent_write_during_which_the_server_is_killed_is_repeated_once_and_answered() {
    let setup = Setup::new();
    let client = connect(&setup, &[]).await;
    assert_text(&client.call("put", what("die-once")).await, "done");
    assert_eq!(setup.lines(), ["put one", "put one"]);
}

#[tokio::test]
async fn a_read_during_which_the_everything_server_is_killed_is_repeated_and_answered() {
    let setup = Setup::new();
    let client = Client::connect(setup.proxy(&[], &everything())).await;
    let id = client.begin("trigger-long-running-operation", json!({ "duration": 2, "steps": 4 })).await;
    client.receive("notifications/progress").await;
    setup.kill_server().await;
    let completed = "Long running operation completed. Duration: 2 seconds, Steps: 4.";
    assert_text(&client.answer(id).await, completed);
    client.assert_clean();
}

#[tokio::test]
async fn a_write_during_which_the_server_of_fastmcp_is_killed_is_not_repeated_and_says_what_may_be_done() {
    let setup = Setup::new();
    let client = connect(&setup, &[]).await;
    let answer = client.call("write", what("die")).await;
    assert_failed(&answer, &["may have taken effect", "orders"]);
    // A repetition would come now.
    assert_text(&client.call("read", json!({ "id": "two" })).await, "done");
    assert_eq!(setup.lines(), ["write one", "read two"]);
    client.assert_clean();
}

#[tokio::test]
async fn a_write_during_which_the_everything_server_is_killed_is_not_repeated() {
    let setup = Setup::new();
    let capabilities = json!({ "sampling": {} });
    let client = Client::connect_with(setup.proxy(&NAMED, &everything()), capabilities).await;
    let id =
        client.ask("tools/call", json!({ "name": "trigger-sampling-request", "arguments": { "prompt": "?" } })).await;
    client.receive("sampling/createMessage").await;
    setup.kill_server().await;
    assert_failed(&client.answer(id).await, &["may have taken effect", "orders"]);
    assert_text(&client.call("echo", json!({ "message": "hello" })).await, "Echo: hello");
    assert_eq!(client.received("sampling/createMessage").len(), 1);
}

#[tokio::test]
async fn a_read_that_always_kills_the_server_ends_after_a_few_attempts() {
    let setup = Setup::new();
    let client = connect(&setup, &[]).await;
    let answer = client.call("read", what("die")).await;
    assert_failed(&answer, &["orders"]);
    let attempts = setup.count("read one");
    assert!((2..=4).contains(&attempts), "{attempts}: {answer}");
}

#[tokio::test]
async fn without_trust_in_annotations_no_read_is_repeated() {
    let setup = Setup::new();
    let client = connect(&setup, &["--no-trust"]).await;
    let answer = client.call("read", what("die-once")).await;
    assert_failed(&answer, &["orders"]);
    assert_text(&client.call("read", json!({ "id": "two" })).await, "done");
    assert_eq!(setup.lines(), ["read one", "read two"]);
}

#[tokio::test]
async fn of_many_calls_during_which_the_server_is_killed_each_is_answered() {
    let setup = Setup::new();
    let client = connect(&setup, &["--timeout", "15s"]).await;
    let mut ids = Vec::new();
    for number in 0..20 {
        let tool = if number % 2 == 0 { "read" } else { "write" };
        let arguments = json!({ "id": number.to_string(), "what": "slow", "seconds": 1 });
        ids.push(client.begin(tool, arguments).await);
    }
    setup.appended("write 19").await;
    setup.kill_server().await;
    let answers = join_all(ids.into_iter().map(|id| client.answer(id))).await;
    for (number, answer) in answers.iter().enumerate() {
        if number % 2 == 0 {
            assert_text(answer, "done");
        } else {
            assert_failed(answer, &["may have taken effect"]);
            assert_eq!(setup.count(&format!("write {number}")), 1);
        }
    }
    client.assert_clean();
}

#[tokio::test]
async fn a_call_that_hangs_is_answered_in_time_and_does_not_delay_others() {
    let setup = Setup::new();
    let client = connect(&setup, &["--timeout", "2s"]).await;
    for (tool, parts) in [("read", &["orders"][..]), ("write", &["orders", "may have taken effect"])] {
        let start = Instant::now();
        let id = client.begin(tool, json!({ "id": tool, "what": "hang" })).await;
        setup.appended(&format!("{tool} {tool}")).await;
        assert_text(&client.call("read", json!({ "id": "other" })).await, "done");
        assert!(start.elapsed() < Duration::from_secs(2), "the other call waited");
        let answer = client.answer(id).await;
        let elapsed = start.elapsed();
        assert!(elapsed < Duration::from_secs(3), "{elapsed:?}: {answer}");
        assert_failed(&answer, parts);
        // The server need not go on.
        setup.appended(&format!("cancelled {tool}")).await;
    }
    assert_eq!(setup.count("write write"), 1);
    client.assert_clean();
}

#[tokio::test]
async fn a_call_of_the_everything_server_that_lasts_too_long_is_answered_in_time() {
    let setup = Setup::new();
    let client = Client::connect(setup.proxy(&["--timeout", "2s"], &everything())).await;
    let start = Instant::now();
    let answer = client.call("trigger-long-running-operation", json!({ "duration": 60, "steps": 1 })).await;
    let elapsed = start.elapsed();
    assert!(failed(&answer), "{answer}");
    assert!(elapsed < Duration::from_secs(3), "{elapsed:?}: {answer}");
}

#[tokio::test]
async fn lines_on_stdout_that_are_not_json_rpc_do_not_reach_the_client_and_end_nothing() {
    let setup = Setup::new();
    let client = connect(&setup, &[]).await;
    for tool in ["read", "write", "put", "read"] {
        assert_text(&client.call(tool, what("garbage")).await, "done");
    }
    assert_text(&client.call("read", what("answer")).await, "done");
    client.assert_clean();
}

#[tokio::test]
async fn what_failed_is_the_text_of_the_result_and_not_of_a_log() {
    let setup = Setup::new();
    let client = connect(&setup, &[]).await;
    let answer = client.call("write", what("die")).await;
    let text = text(&answer);
    assert!(text.len() < 1_000, "{text}");
    assert!(!text.contains("python/servers"), "a model cannot use a path: {text}");
}
