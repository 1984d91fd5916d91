//! What passes through the proxy: the same messages as without it.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    Line, NOTICED, Setup,
    client::{Client, PROTOCOL, assert_failed, assert_text, failed, text},
    counting, everything, failing,
};

/// What a client can do, so that servers offer all of their tools.
fn capabilities() -> Value {
    json!({ "sampling": {}, "elicitation": {}, "roots": { "listChanged": true } })
}

/// Returns the results of `initialize` and of the lists.
async fn listed(client: &Client) -> Vec<Value> {
    let mut results = vec![client.initialize(capabilities()).await["result"].clone()];
    for method in ["tools/list", "prompts/list", "resources/list", "resources/templates/list"] {
        let answer = client.request(method, json!({})).await;
        assert!(answer["result"].is_object(), "{method}: {answer}");
        results.push(answer["result"].clone());
    }
    results
}

#[tokio::test]
async fn lists_capabilities_and_instructions_are_the_same_as_without_the_proxy() {
    for server in [failing(), everything()] {
        let setup = Setup::new();
        let expected = listed(&Client::start(setup.alone(&server))).await;
        let proxied = listed(&Client::start(setup.proxy(&[], &server))).await;
        assert_eq!(proxied, expected);
        assert!(expected[0]["instructions"].is_string(), "{}", expected[0]);
        assert_eq!(expected[0]["protocolVersion"], PROTOCOL, "{}", expected[0]);
    }
}

#[tokio::test]
async fn metadata_and_annotations_of_tools_pass() {
    let setup = Setup::new();
    let client = Client::connect(setup.proxy(&[], &failing())).await;
    let answer = client.request("tools/list", json!({})).await;
    let tools = answer["result"]["tools"].as_array().unwrap();
    let read = tools.iter().find(|tool| tool["name"] == "read").unwrap();
    assert_eq!(read["_meta"]["vendor/cost"], 3);
    assert_eq!(read["annotations"], json!({ "readOnlyHint": true, "title": "Read it" }));
}

/// Asserts that the proxy changes no response.
async fn assert_same(server: &Line, requests: &[(&str, Value)]) {
    let setup = Setup::new();
    let direct = Client::connect_with(setup.alone(server), capabilities()).await;
    let proxied = Client::connect_with(setup.proxy(&[], server), capabilities()).await;
    for (method, params) in requests {
        let expected = direct.request(method, params.clone()).await;
        let answer = proxied.request(method, params.clone()).await;
        assert_eq!(answer, expected, "{method} {params}");
    }
    proxied.assert_clean();
}

fn call(tool: &str, arguments: Value) -> (&'static str, Value) {
    ("tools/call", json!({ "name": tool, "arguments": arguments }))
}

#[tokio::test]
async fn results_and_errors_of_fastmcp_pass_unchanged() {
    let requests = [
        call("read", json!({})),
        call("write", json!({ "what": "error" })),
        call("read", json!({ "unknown": 1 })),
        call("unknown", json!({})),
        ("tools/call", json!({})),
        ("prompts/get", json!({ "name": "advise", "arguments": { "topic": "rain" } })),
        ("prompts/get", json!({ "name": "unknown" })),
        ("resources/read", json!({ "uri": "failing://status" })),
        ("resources/read", json!({ "uri": "failing://unknown" })),
        ("unknown/method", json!({})),
        ("ping", json!({})),
    ];
    assert_same(&failing(), &requests).await;
}

#[tokio::test]
async fn results_and_errors_of_the_everything_server_pass_unchanged() {
    let requests = [
        call("echo", json!({ "message": "ü \u{2028} \u{0} 😀" })),
        call("get-tiny-image", json!({})),
        call("get-structured-content", json!({ "location": "Chicago" })),
        call("get-annotated-message", json!({ "messageType": "error", "includeImage": true })),
        call("get-resource-links", json!({ "count": 3 })),
        call("get-sum", json!({ "a": 1e15, "b": 0.25 })),
        call("unknown", json!({})),
        ("prompts/get", json!({ "name": "unknown" })),
        ("prompts/get", json!({ "name": "args-prompt", "arguments": { "city": "Bergen" } })),
        ("resources/read", json!({ "uri": "demo://resource/static/document/features.md" })),
        (
            "completion/complete",
            json!({
                "ref": { "type": "ref/prompt", "name": "completable-prompt" },
                "argument": { "name": "department", "value": "E" },
            }),
        ),
        ("logging/setLevel", json!({ "level": "debug" })),
        ("unknown/method", json!({})),
    ];
    assert_same(&everything(), &requests).await;
}

#[tokio::test]
async fn the_error_of_an_unknown_tool_keeps_its_code() {
    let setup = Setup::new();
    let client = Client::connect(setup.proxy(&[], &counting())).await;
    let answer = client.call("unknown", json!({})).await;
    assert_eq!(answer["error"], json!({ "code": -32602, "message": "Unknown tool: unknown" }));
}

#[tokio::test]
async fn progress_passes_with_the_token_of_the_client() {
    let setup = Setup::new();
    let client = Client::connect(setup.proxy(&[], &failing())).await;
    let id = client.begin("read", json!({ "what": "progress" })).await;
    assert_text(&client.answer(id).await, "done");
    let progress = client.received("notifications/progress");
    let steps: Vec<_> = progress.iter().map(|message| message["params"]["progress"].as_f64().unwrap()).collect();
    assert_eq!(steps, [1.0, 2.0, 3.0, 4.0, 5.0]);
    assert!(progress.iter().all(|message| message["params"]["progressToken"] == "progress"), "{progress:?}");

    let client = Client::connect(setup.proxy(&[], &everything())).await;
    let id = client.begin("trigger-long-running-operation", json!({ "duration": 1, "steps": 5 })).await;
    client.answer(id).await;
    assert_eq!(client.received("notifications/progress").len(), 5);
}

#[tokio::test]
async fn a_cancellation_reaches_the_server() {
    let setup = Setup::new();
    let client = Client::connect(setup.proxy(&[], &failing())).await;
    let id = client.begin("write", json!({ "id": "one", "what": "hang" })).await;
    setup.appended("write one").await;
    client.notify("notifications/cancelled", json!({ "requestId": id, "reason": "test" })).await;
    setup.appended("cancelled one").await;
    assert_text(&client.call("read", json!({ "id": "two" })).await, "done");
    assert_eq!(setup.lines(), ["write one", "cancelled one", "read two"]);
}

#[tokio::test]
async fn a_change_of_the_list_reaches_the_client_and_the_list_is_fresh() {
    let setup = Setup::new();
    let client = Client::connect(setup.proxy(&[], &failing())).await;
    let names = async || {
        let answer = client.request("tools/list", json!({})).await;
        let tools = answer["result"]["tools"].as_array().unwrap().clone();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["read", "write", "put", "grow"]);
    assert_text(&client.call("grow", json!({})).await, "done");
    client.receive("notifications/tools/list_changed").await;
    assert_eq!(names().await, ["read", "write", "put", "grow", "grown"]);
    assert_text(&client.call("grown", json!({})).await, "grown");
}

#[tokio::test]
async fn a_change_of_the_list_by_a_restart_reaches_the_client() {
    let setup = Setup::new();
    let client = Client::connect(setup.proxy(&[], &failing())).await;
    assert_text(&client.call("grow", json!({})).await, "done");
    client.receive("notifications/tools/list_changed").await;
    client.request("tools/list", json!({})).await;
    setup.kill_server().await;
    super::wait_until("a second notification", || client.received("notifications/tools/list_changed").len() > 1).await;
    let answer = client.request("tools/list", json!({})).await;
    assert_eq!(answer["result"]["tools"].as_array().map(Vec::len), Some(4), "{answer}");
}

#[tokio::test]
async fn a_protocol_error_of_a_write_passes_and_the_write_runs_once() {
    let setup = Setup::new();
    let client = Client::connect(setup.proxy(&[], &failing())).await;
    let answer = client.call("write", json!({ "id": "one", "what": "protocol-error" })).await;
    assert_eq!(answer["error"]["code"], -32603, "{answer}");
    assert!(text(&answer).contains("the database went away"), "{answer}");
    assert_eq!(setup.lines(), ["write one"]);
}

#[tokio::test]
async fn a_protocol_error_of_a_read_passes_after_a_few_attempts() {
    let setup = Setup::new();
    let client = Client::connect(setup.proxy(&[], &failing())).await;
    let answer = client.call("read", json!({ "id": "one", "what": "protocol-error" })).await;
    assert_eq!(answer["error"]["code"], -32603, "{answer}");
    assert!(text(&answer).contains("the database went away"), "{answer}");
    let attempts = setup.lines().len();
    assert!((2..=4).contains(&attempts), "{attempts}");
}

#[tokio::test]
async fn a_result_of_fourteen_megabytes_passes() {
    let setup = Setup::new();
    let client = Client::connect(setup.proxy(&[], &failing())).await;
    let results = join_all((0..3).map(|_| client.call("read", json!({ "what": "big" })))).await;
    for answer in results {
        assert!(!failed(&answer));
        assert_eq!(text(&answer).len(), 7_000_000);
    }
}

#[tokio::test]
async fn a_result_that_is_too_large_fails_in_time_and_later_calls_work() {
    let setup = Setup::new();
    let client = Client::connect(setup.proxy(&["--timeout", "5s"], &failing())).await;
    let start = Instant::now();
    let answer = client.call("write", json!({ "id": "one", "what": "too-big" })).await;
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    assert_failed(&answer, &["may have taken effect"]);
    assert_text(&client.call("read", json!({ "id": "two" })).await, "done");
    assert_eq!(setup.lines(), ["write one", "read two"]);
}

#[tokio::test]
async fn failures_that_a_tool_reports_pass_unchanged_and_open_no_breaker() {
    let setup = Setup::new();
    let client = Client::connect(setup.proxy(&[], &failing())).await;
    for tool in ["read", "write"] {
        for _ in 0..12 {
            let answer = client.call(tool, json!({ "id": "one", "what": "error" })).await;
            let expected = json!({ "content": [{ "type": "text", "text": "it failed" }], "isError": true });
            assert_eq!(answer["result"], expected);
        }
        assert_eq!(setup.count(&format!("{tool} one")), 12);
        assert_text(&client.call(tool, json!({})).await, "done");
    }
}

#[tokio::test]
async fn requests_of_the_server_for_samples_reach_the_client_and_its_answers_the_server() {
    let setup = Setup::new();
    let client = Client::connect_with(setup.proxy(&[], &everything()), capabilities()).await;
    let arguments = json!({ "prompt": "hello", "maxTokens": 7 });
    let id = client.ask("tools/call", json!({ "name": "trigger-sampling-request", "arguments": arguments })).await;
    let request = client.receive("sampling/createMessage").await;
    assert_eq!(request["params"]["maxTokens"], 7, "{request}");
    let content = json!({ "type": "text", "text": "a sample" });
    client.reply(&request, json!({ "role": "assistant", "model": "m", "content": content })).await;
    let answer = client.answer(id).await;
    assert!(text(&answer).contains("a sample"), "{answer}");
}

#[tokio::test]
async fn requests_of_the_server_for_input_reach_the_client_and_its_answers_the_server() {
    let setup = Setup::new();
    let client = Client::connect_with(setup.proxy(&[], &everything()), capabilities()).await;
    let id = client.ask("tools/call", json!({ "name": "trigger-elicitation-request", "arguments": {} })).await;
    let request = client.receive("elicitation/create").await;
    client.reply(&request, json!({ "action": "accept", "content": { "name": "Ann" } })).await;
    let answer = client.answer(id).await;
    assert!(text(&answer).contains("- Name: Ann"), "{answer}");
}

#[tokio::test]
async fn requests_of_the_server_for_roots_reach_the_client_and_its_answers_the_server() {
    let setup = Setup::new();
    let client = Client::connect_with(setup.proxy(&[], &everything()), capabilities()).await;
    let request = client.receive("roots/list").await;
    client.reply(&request, json!({ "roots": [{ "uri": "file:///srv/data", "name": "Data" }] })).await;
    let answer = client.call("get-roots-list", json!({})).await;
    assert!(text(&answer).contains("file:///srv/data"), "{answer}");
}

#[tokio::test]
async fn log_messages_and_updates_of_resources_reach_the_client_also_after_a_restart() {
    let setup = Setup::new();
    let client = Client::connect_with(setup.proxy(&[], &everything()), capabilities()).await;
    let level = client.request("logging/setLevel", json!({ "level": "debug" })).await;
    assert_eq!(level["result"], json!({}), "{level}");
    let uri = "demo://resource/dynamic/text/1";
    let subscribed = client.request("resources/subscribe", json!({ "uri": uri })).await;
    assert_eq!(subscribed["result"], json!({}), "{subscribed}");
    let message = client.receive("notifications/message").await;
    assert!(message["params"]["data"].as_str().is_some_and(|data| data.contains(uri)), "{message}");
    client.call("toggle-subscriber-updates", json!({})).await;
    let update = client.receive("notifications/resources/updated").await;
    assert_eq!(update["params"]["uri"], uri, "{update}");

    // A new process knows no subscriptions, except those that the proxy sends again.
    setup.kill_server().await;
    sleep(NOTICED).await;
    let before = client.received("notifications/resources/updated").len();
    let answer = client.call("toggle-subscriber-updates", json!({})).await;
    assert!(!failed(&answer), "{answer}");
    super::wait_until("an update after the restart", || {
        client.received("notifications/resources/updated").len() > before
    })
    .await;
}

#[tokio::test]
async fn pings_of_the_client_are_answered_while_a_call_runs() {
    let setup = Setup::new();
    let client = Client::connect(setup.proxy(&[], &failing())).await;
    let id = client.begin("read", json!({ "what": "slow", "seconds": 2 })).await;
    assert_eq!(client.request("ping", json!({})).await["result"], json!({}));
    assert_text(&client.answer(id).await, "done");
}
