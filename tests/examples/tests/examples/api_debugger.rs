//! `api-debugger` as a child process: what it sends, what it rejects, and its breaker for hosts that do not respond.

use std::{
    io::ErrorKind,
    net::TcpListener,
    process::Stdio,
    time::{Duration, Instant},
};

use rmcp::{ServiceExt, model::CallToolResult, transport::TokioChildProcess};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::common::{call, command, connect};

const SERVER: &str = "api-debugger";
const TOOL: &str = "test_api";

/// Short enough for a test, long enough for a response of the embedded upstream on a busy machine.
const SHORT: (&str, &str) = ("RESILIENT__TOOL__TEST_API__TIMEOUT", "1s");

/// The successful result.
fn answer(result: &CallToolResult) -> &Value {
    assert_ne!(result.is_error, Some(true), "{result:?}");
    result.structured_content.as_ref().unwrap()
}

/// The code of an error, and its text.
fn error(result: &CallToolResult) -> (&str, &str) {
    assert_eq!(result.is_error, Some(true), "{result:?}");
    let code = &result.meta.as_ref().unwrap().0["io.crates.resilient-runtime/error"]["code"];
    (code.as_str().unwrap(), &result.content[0].as_text().unwrap().text)
}

#[tokio::test]
async fn an_allowed_host_is_asked_and_its_answer_is_shown() {
    let debugger = connect(SERVER, &["--demo"], &[]).await;
    let result = call(&debugger, TOOL, json!({ "url": "http://api.test/orders" })).await;
    let got = answer(&result);
    assert_eq!(got["status"], 200);
    assert!(got["duration_ms"].as_u64().unwrap() < 10_000);
    assert_eq!(got["headers"]["content-type"], json!(["application/json"]));
    assert_eq!(got["headers"]["set-cookie"], json!(["a=1", "b=2"]));
    let text = got["body"]["text"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap()["orders"][0]["id"], 1);
    assert_eq!(got["body"]["bytes"], text.len());
    assert!(got["body"].get("note").is_none());

    let post = json!({
        "url": "http://legacy.test/echo", "method": "POST", "body": "naïve", "headers": { "Authorization": "Bearer abc" },
    });
    let result = call(&debugger, TOOL, post).await;
    let got = answer(&result);
    assert_eq!(got["status"], 201);
    let arrived: Value = serde_json::from_str(got["body"]["text"].as_str().unwrap()).unwrap();
    assert_eq!(arrived, json!({ "body": "naïve", "authorization": "Bearer abc", "host": "legacy.test" }));

    let result = call(&debugger, TOOL, json!({ "url": "http://api.test/orders", "method": "HEAD" })).await;
    assert_eq!((&answer(&result)["status"], &answer(&result)["body"]["bytes"]), (&json!(200), &json!(0)));
    debugger.cancel().await.unwrap();
}

#[tokio::test]
async fn clients_are_told_the_methods_the_limit_and_that_a_request_may_change_something() {
    let debugger = connect(SERVER, &["--demo"], &[]).await;
    let tools = debugger.list_all_tools().await.unwrap();
    let [tool] = &tools[..] else { panic!("{tools:?}") };
    let schema = serde_json::to_string(&tool.input_schema).unwrap();
    assert!(schema.contains(r#"["GET","HEAD","OPTIONS","POST","PUT","PATCH","DELETE"]"#), "{schema}");
    assert_eq!(tool.input_schema["required"], json!(["url"]));
    assert!(tool.output_schema.is_some());
    let annotations = tool.annotations.as_ref().unwrap();
    assert_eq!((annotations.read_only_hint, annotations.destructive_hint), (Some(false), Some(true)));
    let policy = &tool.meta.as_ref().unwrap().0["io.crates.resilient-runtime/policy"];
    assert_eq!(policy, &json!({ "answers_within_ms": 10_000, "max_attempts": 1 }));
}

#[tokio::test]
async fn an_api_that_answers_badly_is_a_result_and_opens_no_breaker() {
    let debugger = connect(SERVER, &["--demo"], &[("RESILIENT__BREAKER__API_HOST__FAILURES", "1")]).await;
    for (path, status, text) in [("broken", 500, "stack trace of the API under test"), ("nowhere", 404, "")] {
        for _ in 0..2 {
            let result = call(&debugger, TOOL, json!({ "url": format!("http://api.test/{path}") })).await;
            assert_eq!(answer(&result)["status"], status);
            assert_eq!(answer(&result)["body"]["text"], text);
        }
    }
}

#[tokio::test]
async fn a_gateway_without_an_api_is_shown_as_it_is_and_opens_the_breaker_of_its_origin() {
    let debugger = connect(SERVER, &["--demo"], &[]).await;
    for number in 1..=3 {
        let result = call(&debugger, TOOL, json!({ "url": "http://api.test/busy" })).await;
        let got = answer(&result);
        assert_eq!((&got["status"], &got["headers"]["retry-after"]), (&json!(503), &json!(["120"])));
        assert_eq!(got["body"]["text"], format!("request {number}"), "nothing is repeated");
        let call = &result.meta.as_ref().unwrap().0["io.crates.resilient-runtime/call"];
        assert_eq!((&call["attempts"], &call["degraded"]), (&json!(1), &Value::Null));
    }
    for path in ["busy", "orders"] {
        let result = call(&debugger, TOOL, json!({ "url": format!("http://api.test/{path}") })).await;
        assert_eq!(error(&result).0, "CIRCUIT_OPEN", "{path}");
    }
    let result = call(&debugger, TOOL, json!({ "url": "http://legacy.test/orders" })).await;
    assert_eq!(answer(&result)["status"], 200);
}

#[tokio::test]
async fn a_body_is_cut_when_it_is_huge_and_kept_when_it_breaks_off_and_only_named_when_it_is_binary() {
    let debugger = connect(SERVER, &["--demo"], &[]).await;
    let body = async |path: &str| {
        let result = call(&debugger, TOOL, json!({ "url": format!("http://api.test/{path}") })).await;
        answer(&result)["body"].clone()
    };
    let endless = body("endless").await;
    assert_eq!((&endless["bytes"], &endless["note"]), (&json!(65_536), &json!("cut after 65536 bytes")));
    assert_eq!(endless["text"].as_str().unwrap().len(), 65_536);
    assert_eq!(body("image").await, json!({ "bytes": 8, "note": "binary, not shown" }));
    let torn = json!({ "bytes": 14, "text": "the first half", "note": "the connection broke off here" });
    assert_eq!(body("torn").await, torn);
}

#[tokio::test]
async fn a_host_that_is_not_on_the_list_is_refused_with_what_to_do() {
    let debugger = connect(SERVER, &["--demo"], &[("API_DEBUGGER_HOSTS", "api.example.com")]).await;
    for (url, host) in [
        ("https://other.example.com/?token=xyz", "other.example.com"),
        ("http://api.example.com:8080/", "api.example.com:8080"),
        ("http://api.test:22/", "api.test:22"),
    ] {
        let result = call(&debugger, TOOL, json!({ "url": url })).await;
        let (code, text) = error(&result);
        assert_eq!(code, "API_NOT_ALLOWED", "{url}");
        assert!(text.contains(&format!("add `{host}` to API_DEBUGGER_HOSTS")) && !text.contains("xyz"), "{text}");
    }
}

#[tokio::test]
async fn addresses_inside_are_refused_however_they_are_written() {
    let debugger = connect(SERVER, &["--demo"], &[]).await;
    for url in [
        "http://169.254.169.254/",
        "http://127.0.0.1",
        "http://[::ffff:127.0.0.1]/",
        "http://[::1]/",
        "http://[fd00:ec2::254]/latest/meta-data/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://0/",
        "http://100.100.100.200/",
        "http://192.168.0.1:8080/",
    ] {
        let result = call(&debugger, TOOL, json!({ "url": url })).await;
        let (code, text) = error(&result);
        assert_eq!(code, "API_NOT_PUBLIC", "{url}");
        assert!(text.contains("Only hosts with public addresses can be tested"), "{text}");
    }
}

#[tokio::test]
async fn a_listed_name_that_resolves_to_this_machine_is_not_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let host = format!("localhost:{}", listener.local_addr().unwrap().port());
    let debugger = connect(SERVER, &["--demo"], &[("API_DEBUGGER_HOSTS", &host)]).await;
    let result = call(&debugger, TOOL, json!({ "url": format!("http://{host}/") })).await;
    assert_eq!(error(&result).0, "API_NOT_PUBLIC");
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_redirect_is_shown_and_not_followed_and_is_checked_when_it_is_asked_for() {
    let debugger = connect(SERVER, &["--demo"], &[]).await;
    let result = call(&debugger, TOOL, json!({ "url": "http://api.test/here" })).await;
    assert_eq!(
        (&answer(&result)["status"], &answer(&result)["headers"]["location"]),
        (&json!(302), &json!(["/orders"]))
    );
    let result = call(&debugger, TOOL, json!({ "url": "http://api.test/inside" })).await;
    assert_eq!(answer(&result)["status"], 302);
    let target = &answer(&result)["headers"]["location"][0];
    let result = call(&debugger, TOOL, json!({ "url": target })).await;
    assert_eq!(error(&result).0, "API_NOT_PUBLIC", "{target}");
}

#[tokio::test]
async fn a_host_that_hangs_is_left_at_the_limit() {
    let debugger = connect(SERVER, &["--demo"], &[SHORT]).await;
    let begun = Instant::now();
    let result = call(&debugger, TOOL, json!({ "url": "http://api.test/silent" })).await;
    let (code, text) = error(&result);
    assert_eq!(code, "TIMEOUT");
    assert!(text.contains("within 1s") && text.contains("may have taken effect"), "{text}");
    assert!((Duration::from_secs(1)..Duration::from_secs(5)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_body_that_never_ends_is_shown_as_far_as_it_came() {
    let debugger = connect(SERVER, &["--demo"], &[SHORT, ("RESILIENT__BREAKER__API_HOST__FAILURES", "1")]).await;
    for _ in 0..2 {
        let result = call(&debugger, TOOL, json!({ "url": "http://api.test/events" })).await;
        let body = &answer(&result)["body"];
        assert_eq!(body["text"], "event 1");
        assert!(body["note"].as_str().unwrap().contains("more to come"), "{body}");
    }
}

#[tokio::test]
async fn the_open_breaker_of_one_host_does_not_shut_out_another() {
    let debugger = connect(SERVER, &["--demo"], &[SHORT, ("RESILIENT__BREAKER__API_HOST__FAILURES", "1")]).await;
    let result = call(&debugger, TOOL, json!({ "url": "http://legacy.test/silent" })).await;
    assert_eq!(error(&result).0, "TIMEOUT");
    let result = call(&debugger, TOOL, json!({ "url": "http://LEGACY.test/orders" })).await;
    let (code, text) = error(&result);
    assert_eq!(code, "CIRCUIT_OPEN");
    assert!(text.contains("Do not retry before"), "{text}");
    let result = call(&debugger, TOOL, json!({ "url": "http://api.test/orders" })).await;
    assert_eq!(answer(&result)["status"], 200);
}

#[tokio::test]
async fn a_wrong_scheme_opens_no_breaker_of_the_right_one() {
    let debugger = connect(SERVER, &["--demo"], &[("RESILIENT__BREAKER__API_HOST__FAILURES", "1")]).await;
    for code in ["API_NO_ANSWER", "CIRCUIT_OPEN"] {
        // The upstream does not speak TLS.
        let result = call(&debugger, TOOL, json!({ "url": "https://api.test/orders" })).await;
        assert_eq!(error(&result).0, code);
    }
    let result = call(&debugger, TOOL, json!({ "url": "http://api.test/orders" })).await;
    assert_eq!(answer(&result)["status"], 200);
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_is_an_error_with_its_cause() {
    let debugger = connect(SERVER, &["--demo"], &[]).await;
    // The upstream does not speak TLS.
    let result = call(&debugger, TOOL, json!({ "url": "https://api.test/orders?token=xyz" })).await;
    let (code, text) = error(&result);
    assert_eq!(code, "API_NO_ANSWER");
    assert!(text.contains("no answer from `api.test`") && !text.contains("xyz"), "{text}");
}

#[tokio::test]
async fn secrets_are_in_no_error_and_no_log() {
    let mut command = tokio::process::Command::from(command(SERVER));
    // All levels of the server and its HTTP client. At these levels rmcp would log whole messages.
    command.arg("--demo").env("RUST_LOG", "trace,rmcp=warn").env(SHORT.0, SHORT.1).kill_on_drop(true);
    let (transport, stderr) = TokioChildProcess::builder(command).stderr(Stdio::piped()).spawn().unwrap();
    let debugger = ().serve(transport).await.unwrap();
    let secret = "quite-plain-4711";
    let headers = json!({ "Authorization": secret, "X-Anything": secret });
    let mut answers = Vec::new();
    for arguments in [
        json!({ "url": "http://api.test/silent", "headers": headers, "body": secret }),
        json!({ "url": "https://api.test/orders", "headers": headers, "body": secret }),
        json!({ "url": format!("http://ann:{secret}@api.test/"), "headers": headers }),
        json!({ "url": "http://other.test/", "headers": headers, "body": secret }),
        json!({ "url": "http://api.test/", "headers": { "Host": secret } }),
        json!({ "url": "http://api.test/", "headers": { "X-Anything": format!("{secret}\n") } }),
        json!({ "url": "http://api.test/", "headers": { (format!("Authorization: {secret}")): "" } }),
    ] {
        let result = call(&debugger, TOOL, arguments).await;
        assert_eq!(result.is_error, Some(true), "{result:?}");
        answers.push(serde_json::to_string(&result).unwrap());
    }
    debugger.cancel().await.unwrap();
    let mut log = String::new();
    stderr.unwrap().read_to_string(&mut log).await.unwrap();
    assert!(log.contains("api.test"), "{log}");
    for text in answers.iter().chain([&log]) {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn without_a_list_or_with_a_wrong_one_it_does_not_start_and_says_what_to_do() {
    for (list, says) in [
        (None, "API_DEBUGGER_HOSTS is not set"),
        (Some(" , "), "API_DEBUGGER_HOSTS is not set"),
        (Some("https://api.example.com/v1"), "expected a host such as"),
        (Some("api.example.com,169.254.169.254"), "`169.254.169.254`, which is not on the public internet"),
    ] {
        let mut command = command(SERVER);
        command.env_remove("API_DEBUGGER_HOSTS").envs(list.map(|list| ("API_DEBUGGER_HOSTS", list)));
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && text.contains(says), "{list:?}: {text}");
        assert!(output.stdout.is_empty());
    }
}
