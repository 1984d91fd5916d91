//! `http-server` as a child process, called over HTTP by real MCP clients.

#![cfg(unix)]

mod connections;
mod deferred;
mod operators;
pub(crate) mod server;
mod stopping;
mod systemd;
mod webhooks;

use std::time::Duration;

use make_server::upstream::{DEMO_TOKEN, PANIC_TEXT, PRIVATE_TEXT, phase::Phase};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::common::command;

use self::server::{EXECUTABLE, Era, Server, call, fails_to_start, healthcheck};

const OK: &str = r#"resilient_calls_total{tool="list_scenarios",outcome="ok"}"#;
const IN_FLIGHT: &str = r#"resilient_in_flight{tool="list_scenarios"}"#;

#[tokio::test]
async fn clients_with_and_without_sessions_call_the_tools_and_the_metrics_count_their_calls() {
    let server = Server::start(&[]).await;
    for (era, number) in Era::ALL.into_iter().zip(1..) {
        let client = server.client(era, None).await;
        let mut tools = client.list_all_tools().await.unwrap();
        tools.sort_by(|a, b| a.name.cmp(&b.name));
        let names: Vec<_> = tools.iter().map(|tool| tool.name.as_ref()).collect();
        let deferred = ["deferred_cancel", "deferred_status"];
        let ours = ["get_scenario", "list_connections", "list_scenarios", "run_scenario"];
        assert_eq!(names, [&deferred[..], &ours].concat());
        let answer = call(&client, "list_scenarios", json!({ "team_id": 3, "limit": 2 })).await.unwrap();
        assert_eq!(answer.structured_content.unwrap()["scenarios"][0]["name"], "Scenario 6 of team 3", "{era:?}");
        let answer = call(&client, "get_scenario", json!({ "id": 999 })).await.unwrap();
        assert_eq!(answer.is_error, Some(true), "{era:?}");
        assert_eq!(server.metric(OK).await, number);
        let failed = r#"resilient_calls_total{tool="get_scenario",outcome="error"}"#;
        assert_eq!(server.metric(failed).await, number);
        client.cancel().await.unwrap();
    }
}

#[tokio::test]
async fn health_is_beside_the_tools_and_errors_and_breakers_are_for_operators_alone() {
    let server = Server::start(&["--admin", "127.0.0.1:0"]).await;
    assert_eq!(server.get("/livez").await, (200, json!({ "alive": true }).to_string()));
    let (status, report) = server.get("/healthz").await;
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((status, &report["status"]), (200, &json!("healthy")), "{report:#}");
    let make = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "make").unwrap();
    assert_eq!((&make["status"], &make["message"]), (&json!("pass"), &json!("Make answers")));
    for path in ["/errors", "/breakers"] {
        assert_eq!(server.get(path).await.0, 404, "{path}");
    }

    let token = "a-token-of-the-client";
    let client = server.client(Era::Stateless, Some(token)).await;
    let answer = call(&client, "get_scenario", json!({ "id": 999 })).await.unwrap();
    let told = answer.meta.unwrap().0["io.crates.resilient-runtime/error"].clone();
    let admin = server.admin.as_deref().unwrap();
    let errors = server.http.get(format!("{admin}/errors?tool=get_scenario")).send().await.unwrap();
    let errors = errors.text().await.unwrap();
    assert!(!errors.contains(token), "{errors}");
    let errors: Value = serde_json::from_str(&errors).unwrap();
    assert_eq!(errors["errors"][0]["correlation_id"], told["correlation_id"]);
    assert_eq!(errors["groups"][0]["count"], 1);
    let breakers = server.http.get(format!("{admin}/breakers")).send().await.unwrap();
    let breakers: Value = breakers.json().await.unwrap();
    assert_eq!(breakers["breakers"][0]["breaker"], "make");
    let foreign = server.http.get(format!("{admin}/errors")).header("host", "page.example").send().await.unwrap();
    assert_eq!(foreign.status().as_u16(), 421);
}

#[tokio::test]
async fn the_health_check_ends_with_0_while_the_server_is_up_and_with_1_once_it_is_down() {
    let server = Server::start(&[]).await;
    let url = format!("{}/readyz", server.origin);
    let (code, line) = healthcheck(&url).await;
    assert_eq!(code, 0, "{line}");
    assert!(line.starts_with("ready: HTTP 200") && line.lines().count() == 1, "{line}");
    let (code, line) = healthcheck(&format!("{}/nothing", server.origin)).await;
    assert!(code == 1 && line.starts_with("not ready: HTTP 404"), "{line}");
    server.signal("KILL");
    server.ended().await;
    let (code, line) = healthcheck(&url).await;
    assert!(code == 1 && line.starts_with("no answer: ") && line.lines().count() == 1, "{line}");
}

#[tokio::test]
async fn a_health_check_that_gets_no_answer_ends_after_three_seconds() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let begun = std::time::Instant::now();
    let (code, line) = healthcheck(&format!("http://{}/readyz", silent.local_addr().unwrap())).await;
    assert_eq!((code, line.trim()), (1, "no answer within 3 s"));
    assert!(begun.elapsed() >= Duration::from_secs(3));
}

#[tokio::test]
async fn told_to_stop_it_answers_the_calls_that_run_and_refuses_others() {
    // Long enough for the requests below while the first attempts hang.
    let environment = [
        ("RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT", "20s"),
        ("RESILIENT__TOOL__LIST_SCENARIOS__ATTEMPT_TIMEOUT", "4s"),
        ("RESILIENT__BREAKER__MAKE__ENABLED", "false"),
    ];
    let server = Server::start_with(&[], &environment).await;
    let session = server.client(Era::Session, None).await;
    let stateless = server.client(Era::Stateless, None).await;
    server.enter(Phase::Hanging).await;
    let asked = json!({ "team_id": 1, "limit": 1 });
    let running = async {
        tokio::join!(call(&session, "list_scenarios", asked.clone()), call(&stateless, "list_scenarios", asked.clone()))
    };
    let meanwhile = async {
        server.until(IN_FLIGHT, 2).await;
        server.signal("TERM");
        let stopping = server.logged("patience_ms").await;
        assert_eq!((&stopping["signal"], &stopping["calls"]), (&json!("SIGTERM"), &json!(2)));
        assert_eq!(stopping["patience_ms"], 22_000);
        let readyz = async {
            loop {
                let (status, body) = server.get("/readyz").await;
                if status == 503 {
                    return body;
                }
            }
        };
        let body = tokio::time::timeout(server::PATIENCE, readyz).await.unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&body["ready"], &body["draining"]), (&json!(false), &json!(true)));
        let (code, line) = healthcheck(&format!("{}/readyz", server.origin)).await;
        assert!(code == 1 && line.starts_with("not ready: HTTP 503"), "{line}");
        assert_eq!(server.get("/livez").await.0, 200);
        // Neither a known client nor a new one.
        call(&session, "run_scenario", json!({ "id": 101 })).await.unwrap_err();
        let refused = server.post("run_scenario", &json!({ "id": 101 })).send().await.unwrap();
        assert_eq!(refused.status().as_u16(), 503);
        assert!(refused.text().await.unwrap().contains("not performed"));
        assert_eq!(server.metric(IN_FLIGHT).await, 2);
        // The next attempts of the running calls.
        server.enter(Phase::Recovery).await;
    };
    let ((first, second), ()) = tokio::join!(running, meanwhile);
    for answer in [first.unwrap(), second.unwrap()] {
        assert_ne!(answer.is_error, Some(true), "{answer:?}");
        assert_eq!(answer.structured_content.unwrap()["scenarios"].as_array().unwrap().len(), 1);
    }
    let (status, log, stdout) = server.ended().await;
    assert_eq!(status.code(), Some(0), "{log:#?}");
    assert_eq!(stdout, "");
    let events: Vec<Value> = log.iter().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    assert_eq!(events.last().unwrap()["event"], "server.stopped");
    assert!(!events.iter().any(|line| line["event"] == "server.abandoned"));
}

#[tokio::test]
async fn a_request_without_an_end_does_not_keep_it_alive() {
    let tools = ["LIST_SCENARIOS", "GET_SCENARIO", "RUN_SCENARIO", "LIST_CONNECTIONS"];
    let limits = tools.map(|tool| (format!("RESILIENT__TOOL__{tool}__TIMEOUT"), "1s"));
    let attempts = tools.map(|tool| (format!("RESILIENT__TOOL__{tool}__ATTEMPT_TIMEOUT"), "500ms"));
    let environment: Vec<_> = limits.iter().chain(&attempts).map(|(name, value)| (name.as_str(), *value)).collect();
    let server = Server::start_with(&[], &environment).await;
    let address = server.origin.trim_start_matches("http://");
    let mut endless = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {address}\r\naccept: application/json, text/event-stream\r\n\
         content-type: application/json\r\ncontent-length: 1000\r\nexpect: 100-continue\r\n\r\n"
    );
    endless.write_all(head.as_bytes()).await.unwrap();
    let mut told = [0; 21];
    endless.read_exact(&mut told).await.unwrap();
    assert!(told.starts_with(b"HTTP/1.1 100 Continue"), "its body is being waited for");
    server.signal("INT");
    let stopping = server.logged("patience_ms").await;
    assert_eq!((&stopping["signal"], &stopping["patience_ms"]), (&json!("SIGINT"), &json!(4_000)));
    let (status, log, _) = server.ended().await;
    assert_eq!(status.code(), Some(0));
    assert!(log.iter().any(|line| line.contains("server.abandoned")), "{log:#?}");
}

#[tokio::test]
async fn sessions_that_are_open_do_not_keep_it_alive() {
    let server = Server::start(&[]).await;
    let client = server.client(Era::Session, None).await;
    call(&client, "list_scenarios", json!({ "team_id": 1 })).await.unwrap();
    server.signal("TERM");
    let (status, log, _) = server.ended().await;
    assert_eq!(status.code(), Some(0), "{log:#?}");
    assert!(!log.iter().any(|line| line.contains("server.abandoned")), "{log:#?}");
    drop(client);
}

#[tokio::test]
async fn old_answers_are_served_to_whom_they_were_given_alone() {
    for era in Era::ALL {
        let server = Server::start(&[]).await;
        let ours = server.client(era, Some("token-of-one-0815")).await;
        let theirs = server.client(era, Some("token-of-another-4711")).await;
        let nobodys = server.client(era, None).await;
        let asked = json!({ "team_id": 2, "limit": 1 });
        let fresh = call(&ours, "list_scenarios", asked.clone()).await.unwrap();
        // Without a token nothing is cached.
        call(&nobodys, "list_scenarios", asked.clone()).await.unwrap();
        server.enter(Phase::Outage).await;
        for client in [&theirs, &nobodys] {
            let answer = call(client, "list_scenarios", asked.clone()).await.unwrap();
            assert_eq!(answer.is_error, Some(true), "{era:?}");
        }
        let old = call(&ours, "list_scenarios", asked).await.unwrap();
        assert_ne!(old.is_error, Some(true), "{era:?}: {old:?}");
        assert_eq!(old.structured_content, fresh.structured_content);
        assert_eq!(old.meta.unwrap().0["io.crates.resilient-runtime/call"]["source"], "cache");
        server.signal("TERM");
        let (_, log, _) = server.ended().await;
        let log = log.join("\n");
        for secret in ["token-of-one", "token-of-another", DEMO_TOKEN] {
            assert!(!log.contains(secret), "{log}");
        }
    }
}

#[tokio::test]
async fn a_panic_in_a_tool_is_answered() {
    for era in Era::ALL {
        let server = Server::start(&[]).await;
        let client = server.client(era, None).await;
        server.enter(Phase::ToolPanic).await;
        let mut panics = 0;
        for id in 1..=20 {
            let answer = call(&client, "run_scenario", json!({ "id": 100 + id % 6 + 1 })).await.unwrap();
            let shown = serde_json::to_string(&answer).unwrap();
            assert!(!shown.contains("hunter2"), "{shown}");
            panics += u64::from(answer.is_error == Some(true));
        }
        assert!(panics > 0, "the script has some");
        let counted = r#"resilient_calls_total{tool="run_scenario",outcome="panic"}"#;
        assert_eq!(server.metric(counted).await, panics, "{era:?}");
        server.signal("TERM");
        let (status, log, _) = server.ended().await;
        assert_eq!(status.code(), Some(0));
        let log = log.join("\n");
        assert!(log.contains("index out of range") && !log.contains(PANIC_TEXT), "{log}");
    }
}

#[tokio::test]
async fn a_call_ends_when_its_client_without_a_session_has_gone() {
    // The call would not end by itself during the test.
    let environment = [
        ("RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT", "2m"),
        ("RESILIENT__TOOL__LIST_SCENARIOS__ATTEMPT_TIMEOUT", "1m"),
    ];
    let server = Server::start_with(&[], &environment).await;
    server.enter(Phase::Hanging).await;
    let going = tokio::spawn(server.post("list_scenarios", &json!({ "team_id": 1 })).send());
    server.until(IN_FLIGHT, 1).await;
    server.until_upstream(|stats| stats["in_flight"] != 0).await;
    going.abort();
    server.until(r#"resilient_calls_total{tool="list_scenarios",outcome="cancelled"}"#, 1).await;
    server.until_upstream(|stats| stats["in_flight"] == 0).await;
    assert_eq!(server.metric(IN_FLIGHT).await, 0);
    for kind in ["timeout", "connection", "unavailable", "rate_limited"] {
        let retries = format!(r#"resilient_retries_total{{tool="list_scenarios",kind="{kind}"}}"#);
        assert_eq!(server.metric(&retries).await, 0, "{kind}");
    }
}

#[tokio::test]
async fn pages_in_a_browser_are_not_let_in() {
    let server = Server::start(&["--host", "mcp.example"]).await;
    let asked = json!({ "team_id": 1 });
    for (name, value, expected) in [
        ("host", "page.example", 403),
        ("origin", "https://page.example", 403),
        ("host", "mcp.example", 200),
        ("host", "localhost", 200),
    ] {
        let answer = server.post("list_scenarios", &asked).header(name, value).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), expected, "{name}: {value}");
        assert!(!answer.text().await.unwrap().contains(PRIVATE_TEXT));
    }
}

#[tokio::test]
async fn one_of_several_replicas_needs_a_redis_to_share_limits_in() {
    let run = async |variable, value| fails_to_start(&["--demo", "--bind", "127.0.0.1:0"], &[(variable, value)]).await;
    let (code, text) = run("RESILIENT_REPLICAS", "3").await;
    assert!(code == Some(2) && text.contains("run_scenario") && text.contains("distributed"), "{text}");
    let password = "only-replicas-know-it";
    let url = format!("redis://:{password}@127.0.0.1/none");
    let (code, text) = run("RESILIENT_REDIS_URL", &url).await;
    assert!(code == Some(2) && text.contains("Redis") && !text.contains(password), "{text}");
}

/// Returns the messages of the warnings about settings.
async fn warnings(arguments: &[&str], environment: &[(&str, &str)]) -> Vec<String> {
    let server = Server::start_with(arguments, environment).await;
    server.signal("TERM");
    let (status, log, _) = server.ended().await;
    assert_eq!(status.code(), Some(0), "{log:#?}");
    let lines = log.iter().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    let lines = lines.filter(|line| line["event"] == "config.warning");
    lines.map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_server_for_other_machines_without_redis_starts_and_warns_unless_it_says_that_it_is_alone() {
    let public = ["--bind", "0.0.0.0:0"];
    let found = warnings(&public, &[]).await;
    assert!(found.len() == 2 && found[1].contains("RESILIENT_REDIS_URL"), "{found:?}");
    let found = warnings(&public, &[("RESILIENT_REPLICAS", "1")]).await;
    assert!(found.len() == 1 && found[0].contains("proxy"), "{found:?}");
    assert_eq!(warnings(&[], &[]).await, [""; 0]);
}

#[tokio::test]
async fn a_server_with_redis_warns_of_runs_that_are_left_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deferred.db");
    let environment = [("RESILIENT_DEFERRED_PATH", file.to_str().unwrap())];
    let redis = ["--redis", "redis://127.0.0.1:9"];
    assert_eq!(warnings(&redis, &environment).await, [""; 0]);
    std::fs::write(&file, "").unwrap();
    let found = warnings(&redis, &environment).await;
    assert!(found.len() == 1 && found[0].contains("RESILIENT_DEFERRED_PATH"), "{found:?}");
}

#[tokio::test]
async fn what_is_wrong_with_its_start_is_told() {
    let run = async |args: &[&str]| fails_to_start(args, &[]).await;
    let (code, text) = run(&[]).await;
    assert!(code == Some(2) && text.contains("MAKE_API_TOKEN is not set"), "{text}");
    let (code, text) = run(&["--demo", "--admin", "0.0.0.0:0"]).await;
    assert!(code == Some(2) && text.contains("loopback"), "{text}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, text) = run(&["--demo", "--bind", &address]).await;
    assert_eq!(code, Some(1), "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let last = lines.last().unwrap();
    assert_eq!((&last["level"], &last["event"]), (&json!("ERROR"), &json!("server.failed")), "{text}");
    assert!(last["message"].as_str().unwrap().starts_with("http-server: "), "{text}");
}

#[test]
fn help_and_version() {
    let output = command(EXECUTABLE).arg("--help").output().unwrap();
    assert!(output.status.success() && String::from_utf8(output.stdout).unwrap().contains("--admin"));
    let output = command(EXECUTABLE).arg("--version").output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), env!("CARGO_PKG_VERSION"));
}
