//! `wiki-issues` as a child process, with an upstream that fails by its script.

mod renewed;

use std::{future::pending, process::Stdio};

use crate::common::{call, command, connect};
use axum::{
    Json, Router,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use resilient_tests::loopback::Upstream;
use rmcp::{RoleClient, ServiceExt, model::CallToolResult, service::RunningService, transport::TokioChildProcess};
use serde_json::{Value, json};
use tokio::{io::AsyncReadExt, net::TcpSocket, process::Command, sync::mpsc};
use wiki_issues::demo::{self, EMAIL, TOKEN};

const SERVER: &str = "wiki-issues";

type Client = RunningService<RoleClient, ()>;

async fn demo() -> Client {
    connect(SERVER, &["--demo"], &[]).await
}

/// A server of another site.
async fn on(origin: &str, token: &str, read_only: &str) -> Client {
    connect(SERVER, &[], &site(origin, token, read_only)).await
}

fn site<'a>(origin: &'a str, token: &'a str, read_only: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("ATLASSIAN_BASE_URL", origin),
        ("ATLASSIAN_EMAIL", EMAIL),
        ("ATLASSIAN_TOKEN", token),
        ("ATLASSIAN_READ_ONLY", read_only),
    ]
}

fn task(summary: &str) -> Value {
    json!({ "project": "DEMO", "issue_type": "Task", "summary": summary, "description": "At once." })
}

/// The successful result.
fn answer(result: &CallToolResult) -> &Value {
    assert_ne!(result.is_error, Some(true), "{result:?}");
    result.structured_content.as_ref().unwrap()
}

/// The account of a successful call.
fn account(result: &CallToolResult) -> &Value {
    &result.meta.as_ref().unwrap().0["io.crates.resilient-runtime/call"]
}

/// The text and the data of an error.
fn error(result: &CallToolResult) -> (&str, &Value) {
    assert_eq!(result.is_error, Some(true), "{result:?}");
    let text = &result.content[0].as_text().unwrap().text;
    (text, &result.meta.as_ref().unwrap().0["io.crates.resilient-runtime/error"])
}

/// Asserts an error's code and kind, and words of its text.
fn assert_error(result: &CallToolResult, code: &str, kind: &str, words: &[&str]) {
    let (text, object) = error(result);
    assert_eq!((&object["code"], &object["kind"]), (&json!(code), &json!(kind)), "{text}");
    for words in words {
        assert!(text.contains(words), "`{words}` is not in `{text}`");
    }
}

/// Calls until the tool's breaker is open: five attempts at the most.
async fn open_breaker(client: &Client, tool: &'static str, failing: Value) {
    for _ in 0..5 {
        let result = call(client, tool, failing.clone()).await;
        if account(&result)["reason"] == "circuit_open" {
            return;
        }
    }
    panic!("five failures left the breaker of {tool} closed");
}

#[tokio::test]
async fn every_tool_does_its_work() {
    let client = demo().await;
    let result = call(&client, "search_pages", json!({ "text": "fire drill", "space": "DEMO" })).await;
    assert_eq!(answer(&result)["result"]["pages"][0]["title"], "Fire drill");
    let result = call(&client, "get_page", json!({ "id": 1 })).await;
    assert_eq!(answer(&result)["result"]["text"], "Leave by the stairs.\nMeet at the gate.");
    let result = call(&client, "search_issues", json!({ "jql": "project = DEMO" })).await;
    assert_eq!(answer(&result)["result"]["issues"][1]["key"], "DEMO-2");

    let result = call(&client, "create_issue", task("Mend the printer")).await;
    assert_eq!(answer(&result)["result"]["key"], "DEMO-3");
    let result = call(&client, "add_comment", json!({ "key": "DEMO-3", "text": "Soon." })).await;
    assert!(answer(&result)["result"]["url"].as_str().unwrap().ends_with("/browse/DEMO-3?focusedCommentId=1"));
    let result = call(&client, "get_transitions", json!({ "key": "DEMO-3" })).await;
    let transition = &answer(&result)["result"]["transitions"][0];
    assert_eq!(transition["name"], "In Progress");
    let result = call(&client, "transition_issue", json!({ "key": "DEMO-3", "transition": transition["id"] })).await;
    assert_eq!(answer(&result)["performed"], true);
    let result = call(&client, "get_issue", json!({ "key": "DEMO-3" })).await;
    let issue = &answer(&result)["result"];
    assert_eq!((&issue["status"], &issue["description"]), (&json!("In Progress"), &json!("At once.")));
}

#[tokio::test]
async fn reads_are_repeated_and_changes_only_with_a_new_token() {
    let client = demo().await;
    for tool in client.list_all_tools().await.unwrap() {
        let reads = tool.annotations.as_ref().unwrap().read_only_hint == Some(true);
        let attempts = &tool.meta.as_ref().unwrap().0["io.crates.resilient-runtime/policy"]["max_attempts"];
        assert_eq!(attempts, if reads { 3 } else { 2 }, "{}", tool.name);
        assert!(tool.description.is_some() && tool.output_schema.is_some(), "{}", tool.name);
    }
}

#[tokio::test]
async fn a_refused_account_is_for_the_operator_to_mend() {
    let site = Upstream::start(demo::routes()).await.unwrap();
    let client = on(&site.origin(), "expired", "").await;
    let words = ["Confluence does not accept this server's account", "ATLASSIAN_EMAIL and ATLASSIAN_TOKEN"];
    let result = call(&client, "get_page", json!({ "id": 1 })).await;
    assert_error(&result, "ATLASSIAN_SIGN_IN", "unauthenticated", &words);
    assert_eq!(error(&result).1["attempts"], 1);
}

#[tokio::test]
async fn what_the_account_may_not_do_is_asked_of_the_user() {
    let client = demo().await;
    let words = ["may not do this in Jira", "ask the user for access to the space or project"];
    let result = call(&client, "get_issue", json!({ "key": "DEMO-403" })).await;
    assert_error(&result, "ATLASSIAN_FORBIDDEN", "permission_denied", &words);
    let result = call(&client, "get_page", json!({ "id": 403 })).await;
    assert_error(&result, "ATLASSIAN_FORBIDDEN", "permission_denied", &["Confluence"]);
}

#[tokio::test]
async fn what_does_not_exist_is_named_with_the_tool_that_finds_it() {
    let client = demo().await;
    let result = call(&client, "get_page", json!({ "id": 7 })).await;
    assert_error(&result, "ATLASSIAN_NO_SUCH_PAGE", "not_found", &["no page 7", "search_pages"]);
    assert_eq!(error(&result).1["details"]["id"], 7);
    for tool in ["get_issue", "get_transitions"] {
        let result = call(&client, tool, json!({ "key": "DEMO-7" })).await;
        assert_error(&result, "ATLASSIAN_NO_SUCH_ISSUE", "not_found", &["no issue DEMO-7", "search_issues"]);
        assert_eq!(error(&result).1["details"]["issue"], "DEMO-7");
    }
    let result = call(&client, "add_comment", json!({ "key": "DEMO-7", "text": "?" })).await;
    assert_error(&result, "ATLASSIAN_NO_SUCH_ISSUE", "not_found", &["no issue DEMO-7"]);
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let client = demo().await;
    let wrong = json!({ "project": "DEMO", "issue_type": "Feast", "summary": "" });
    let result = call(&client, "create_issue", wrong).await;
    let words = ["issuetype: Specify a valid issue type", "summary: You must specify", "all required fields"];
    assert_error(&result, "ATLASSIAN_INVALID", "invalid_input", &words);
    assert_eq!(error(&result).1["details"]["fields"], json!(["issuetype", "summary"]));
    let result = call(&client, "search_issues", json!({ "jql": "nonsense" })).await;
    assert_error(&result, "ATLASSIAN_INVALID", "invalid_input", &["expecting operator after 'nonsense'"]);
    let result = call(&client, "get_issue", json!({ "key": "DEMO-1/../2" })).await;
    assert_error(&result, "INVALID_ARGUMENTS", "invalid_input", &["no issue key, expected one such as `DEMO-7`"]);
}

#[tokio::test]
async fn a_transition_that_is_not_possible_points_to_get_transitions() {
    let client = demo().await;
    let result = call(&client, "transition_issue", json!({ "key": "DEMO-1", "transition": "21" })).await;
    let words = ["transition 21 is not possible", "DEMO-1", "Check get_transitions first"];
    assert_error(&result, "ATLASSIAN_NO_SUCH_TRANSITION", "failed_precondition", &words);
}

#[tokio::test]
async fn a_rate_limit_says_when_to_come_back() {
    let client = demo().await;
    for (tool, arguments) in [
        ("search_pages", json!({ "text": "429" })),
        ("get_issue", json!({ "key": "DEMO-429" })),
        ("create_issue", task("429")),
    ] {
        let result = call(&client, tool, arguments).await;
        assert_error(&result, "ATLASSIAN_RATE_LIMITED", "rate_limited", &["Do not retry before 30s"]);
        assert_eq!(error(&result).1["retry_after_ms"], 30_000, "{tool}");
    }
}

#[tokio::test]
async fn any_other_status_is_told_with_what_to_check() {
    let client = demo().await;
    let words = ["Jira answered with HTTP status 409", "Check the arguments"];
    let result = call(&client, "transition_issue", json!({ "key": "DEMO-409", "transition": "11" })).await;
    assert_error(&result, "ATLASSIAN_STATUS", "conflict", &words);
}

#[tokio::test]
async fn a_read_that_fails_says_where_to_look() {
    let client = demo().await;
    let result = call(&client, "search_issues", json!({ "jql": "text ~ \"503\" AND x = y" })).await;
    let by_hand = &answer(&result)["by_hand"];
    assert_eq!(answer(&result)["performed"], false);
    assert_eq!(by_hand["reason"], "Jira answered with HTTP status 503.");
    assert_eq!(by_hand["enter"]["JQL"], "text ~ \"503\" AND x = y");
    assert!(by_hand["url"].as_str().unwrap().contains("/issues/?jql=text"), "{by_hand}");
    assert_eq!(account(&result)["attempts"], 3);
}

#[tokio::test]
async fn with_the_wiki_shut_out_issues_go_on() {
    let client = demo().await;
    call(&client, "get_page", json!({ "id": 1 })).await;
    open_breaker(&client, "search_pages", json!({ "text": "503" })).await;

    let result = call(&client, "get_page", json!({ "id": 1 })).await;
    assert_eq!(answer(&result)["result"]["title"], "Fire drill");
    assert_eq!((&account(&result)["source"], &account(&result)["reason"]), (&json!("cache"), &json!("circuit_open")));
    let result = call(&client, "get_page", json!({ "id": 2 })).await;
    let by_hand = &answer(&result)["by_hand"];
    assert!(by_hand["url"].as_str().unwrap().ends_with("/wiki/pages/viewpage.action?pageId=2"), "{by_hand}");
    assert!((1..=30).contains(&by_hand["retry_after_seconds"].as_u64().unwrap()), "{by_hand}");

    let result = call(&client, "get_issue", json!({ "key": "DEMO-1" })).await;
    assert_eq!((&answer(&result)["performed"], &account(&result)["degraded"]), (&json!(true), &Value::Null));
    let result = call(&client, "create_issue", task("Goes on")).await;
    assert_eq!(answer(&result)["performed"], true);
}

#[tokio::test]
async fn a_change_that_the_breaker_refuses_is_told_how_to_make_by_hand() {
    let client = demo().await;
    open_breaker(&client, "get_issue", json!({ "key": "DEMO-503" })).await;

    let result = call(&client, "create_issue", task("Mend the printer")).await;
    let told = answer(&result);
    assert_eq!((&told["performed"], &told["result"]), (&json!(false), &Value::Null));
    let expected = json!({
        "Project": "DEMO", "Issue type": "Task", "Summary": "Mend the printer", "Description": "At once.",
    });
    assert_eq!(told["by_hand"]["enter"], expected);
    assert!(told["by_hand"]["retry_after_seconds"].is_u64(), "{told}");
    assert_eq!(account(&result)["attempts"], 0);
    let arguments = json!({ "key": "DEMO-1", "transition": "11", "name": "In Progress" });
    let result = call(&client, "transition_issue", arguments).await;
    assert_eq!(answer(&result)["by_hand"]["enter"], json!({ "Transition": "In Progress" }));
    let result = call(&client, "add_comment", json!({ "key": "DEMO-1", "text": "Soon." })).await;
    let by_hand = &answer(&result)["by_hand"];
    assert_eq!(by_hand["enter"], json!({ "Comment": "Soon." }));
    assert!(by_hand["url"].as_str().unwrap().ends_with("/browse/DEMO-1"), "{by_hand}");
}

#[tokio::test]
async fn a_change_that_finds_no_service_was_not_made() {
    // Bound, so that the port is not reused, but not listening.
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let client = on(&format!("http://{}", nobody.local_addr().unwrap()), TOKEN, "").await;
    let result = call(&client, "create_issue", task("Mend the printer")).await;
    assert_eq!(answer(&result)["performed"], false);
    assert_eq!(answer(&result)["by_hand"]["reason"], "Jira cannot be reached.");
}

#[tokio::test]
async fn a_read_only_server_reads_and_says_how_to_change_by_hand() {
    let site = Upstream::start(demo::routes()).await.unwrap();
    let client = on(&site.origin(), TOKEN, "true").await;
    let result = call(&client, "add_comment", json!({ "key": "DEMO-1", "text": "Soon." })).await;
    assert_eq!(answer(&result)["performed"], false);
    assert_eq!(account(&result)["reason"], "read_only");
    let result = call(&client, "get_issue", json!({ "key": "DEMO-1" })).await;
    assert_eq!(answer(&result)["performed"], true);
}

#[tokio::test]
async fn a_change_that_never_left_the_queue_was_not_made() {
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let hang = post(move || async move {
        arrived.send(()).unwrap();
        pending::<StatusCode>().await
    });
    let site_that_hangs = Upstream::start(Router::new().route("/rest/api/3/issue/{key}/comment", hang)).await.unwrap();
    let origin = site_that_hangs.origin();
    let mut env = site(&origin, TOKEN, "").to_vec();
    env.push(("RESILIENT__TOOL__CREATE_ISSUE__TIMEOUT", "300ms"));
    let client = connect(SERVER, &[], &env).await;

    let comment = || call(&client, "add_comment", json!({ "key": "DEMO-1", "text": "x" }));
    let all_places = async { tokio::join!(comment(), comment(), comment(), comment()) };
    let one_more = async {
        for _ in 0..4 {
            arrivals.recv().await.unwrap();
        }
        call(&client, "create_issue", task("Mend the printer")).await
    };
    let result = tokio::select! {
        result = one_more => result,
        comments = all_places => panic!("answered: {comments:?}"),
    };
    assert_eq!(answer(&result)["performed"], false);
    assert_eq!((&account(&result)["attempts"], &account(&result)["reason"]), (&json!(0), &json!("timeout")));
}

#[tokio::test]
async fn a_change_without_an_answer_is_not_told_as_undone() {
    let client = connect(SERVER, &["--demo"], &[("RESILIENT__TOOL__CREATE_ISSUE__TIMEOUT", "500ms")]).await;
    let timed_out = call(&client, "create_issue", task("Times out: 408")).await;
    assert_error(&timed_out, "TIMEOUT", "timeout", &["It may have taken effect; check before repeating it."]);
    let broke_off = call(&client, "create_issue", task("Breaks off: 499")).await;
    let words = ["It may have taken effect; check before repeating it.", "get_issue or search_issues"];
    assert_error(&broke_off, "ATLASSIAN_UNCONFIRMED", "unavailable", &words);
    let failed = call(&client, "create_issue", task("Fails: 502")).await;
    assert_error(&failed, "ATLASSIAN_UNCONFIRMED", "unavailable", &words);

    for result in [timed_out, broke_off, failed] {
        let whole = serde_json::to_string(&result).unwrap();
        assert!(!whole.contains("performed") && !whole.contains("by_hand"), "{whole}");
        assert_eq!(error(&result).1["retryable"], false);
    }
    // Two of them were executed.
    let result = call(&client, "search_issues", json!({ "jql": "project = DEMO" })).await;
    assert_eq!(answer(&result)["result"]["issues"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn the_token_is_in_no_answer_and_no_line_of_the_log() {
    // A site that returns everything that it received.
    let echo = |headers: HeaderMap, status: u16| {
        let sent = headers["authorization"].to_str().unwrap().to_owned();
        let status = StatusCode::from_u16(status).unwrap();
        (status, Json(json!({ "errorMessages": [sent], "errors": { "summary": format!("not with {sent}") } })))
    };
    let routes = Router::new()
        .route("/rest/api/3/issue", post(move |headers| async move { echo(headers, 400) }))
        .fallback(move |headers| async move { echo(headers, 500) });
    let site_that_echoes = Upstream::start(routes).await.unwrap();
    let origin = site_that_echoes.origin();
    let mut server = Command::from(command(SERVER));
    server.envs(site(&origin, TOKEN, "")).env("RUST_LOG", "trace").kill_on_drop(true);
    let (transport, log) = TokioChildProcess::builder(server).stderr(Stdio::piped()).spawn().unwrap();
    let (client, mut log) = (().serve(transport).await.unwrap(), log.unwrap());
    let log = tokio::spawn(async move {
        let mut text = String::new();
        log.read_to_string(&mut text).await.map(|_| text)
    });

    let mut answers = String::new();
    for (tool, arguments) in [
        ("create_issue", task("x")),
        ("get_issue", json!({ "key": "DEMO-1" })),
        ("get_page", json!({ "id": 1 })),
        ("add_comment", json!({ "key": "DEMO-1", "text": "x" })),
    ] {
        answers += &serde_json::to_string(&call(&client, tool, arguments).await).unwrap();
    }
    client.cancel().await.unwrap();
    let log = log.await.unwrap().unwrap();

    assert!(answers.contains("ATLASSIAN_INVALID") && answers.contains("not with"), "{answers}");
    assert!(log.contains("ATLASSIAN_STATUS") && log.contains("HTTP 500"), "{log}");
    for secret in [TOKEN, "ZGVtb0BleGFtcGxlLmNvbTpkZW1vLXRva2Vu"] {
        assert!(!answers.contains(secret) && !log.contains(secret), "{secret}: {answers}\n{log}");
    }
}

#[test]
fn without_settings_it_says_which_one_is_missing() {
    let output = command(SERVER).env_remove("ATLASSIAN_BASE_URL").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("wiki-issues: ATLASSIAN_BASE_URL is not set"), "{text}");
}
