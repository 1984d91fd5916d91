//! `make-server` as a child process: flags, environment, and MCP over its pipes.

use std::process::{Output, Stdio};

use crate::common::{call, command, connect};
use make_server::upstream::phase::Phase;
use resilient_tests::loopback;
use rmcp::{RoleClient, ServiceExt, service::RunningService, transport::TokioChildProcess};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

const SERVER: &str = "make-server";

fn run(args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = command(SERVER);
    command.args(args).env_remove("MAKE_API_TOKEN").env_remove("MAKE_BASE_URL").envs(env.iter().copied());
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn without_a_token_it_says_what_to_do() {
    let output = run(&[], &[]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("MAKE_API_TOKEN is not set"), "{text}");
    assert!(output.stdout.is_empty());
}

#[test]
fn wrong_settings_and_flags_are_named() {
    let output = run(&[], &[("MAKE_API_TOKEN", "t"), ("MAKE_BASE_URL", "eu1.make.com")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("`eu1.make.com`"));
    let output = run(&["--fast"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("`--fast`"));
}

#[test]
fn a_setting_that_cannot_hold_stops_the_start() {
    let output = run(
        &["--demo"],
        &[("RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT", "5"), ("RESILIENT__TOOL__RUN_SCENARIO__RETRY", "3")],
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("make-server: 2 problems in the settings:"), "{text}");
    assert!(text.contains("`5` has no unit") && text.contains("the code does not have this key"), "{text}");
}

#[tokio::test]
async fn clients_are_told_the_policy_that_holds() {
    let service = connect(SERVER, &["--demo"], &[("RESILIENT__TOOL__LIST_SCENARIOS__TIMEOUT", "6s")]).await;
    let tools = service.list_all_tools().await.unwrap();
    let policy = |tool: &str| {
        let tool = tools.iter().find(|known| known.name == tool).unwrap();
        tool.meta.as_ref().unwrap().0["io.crates.resilient-runtime/policy"].clone()
    };
    assert_eq!(
        policy("list_scenarios"),
        json!({
            "answers_within_ms": 6000,
            "max_attempts": 4,
            "retries_on": ["rate_limited", "timeout", "connection", "unavailable"],
            "fallback": ["cache"],
        })
    );
    // To accept a run for later may take 5 s more.
    let expected = json!({
        "answers_within_ms": 13_000,
        "max_attempts": 1,
        "rate_limit": { "calls": 20, "period_ms": 1000 },
        "fallback": ["deferred"],
    });
    assert_eq!(policy("run_scenario"), expected);
    service.cancel().await.unwrap();
}

#[test]
fn help_and_version() {
    let output = run(&["--help"], &[]);
    assert!(output.status.success() && String::from_utf8(output.stdout).unwrap().contains("MAKE_BASE_URL"));
    let output = run(&["--version"], &[]);
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn both_builds_offer_the_same_tools() {
    for args in [&["--demo"] as &[_], &["--demo", "--bare"]] {
        let service = connect(SERVER, args, &[]).await;
        let mut tools = service.list_all_tools().await.unwrap();
        tools.sort_by(|a, b| a.name.cmp(&b.name));
        // The tools for the receipts of runs that are accepted for later.
        let of_receipts = tools.extract_if(.., |tool| tool.name.starts_with("deferred_")).count();
        assert_eq!(of_receipts, if args.contains(&"--bare") { 0 } else { 2 });
        let names: Vec<_> = tools.iter().map(|tool| tool.name.as_ref()).collect();
        assert_eq!(names, ["get_scenario", "list_connections", "list_scenarios", "run_scenario"]);
        for tool in &tools {
            assert!(tool.description.is_some() && tool.output_schema.is_some(), "{}", tool.name);
            let reads = tool.annotations.as_ref().and_then(|annotations| annotations.read_only_hint);
            assert_eq!(reads, Some(tool.name != "run_scenario"), "{}", tool.name);
        }
        assert_eq!(tools[2].input_schema["properties"]["limit"]["maximum"], 100);
    }
}

#[tokio::test]
async fn read_only_it_lists_no_tool_that_writes() {
    let service = connect(SERVER, &["--demo"], &[("RESILIENT_READ_ONLY", "1")]).await;
    let mut tools = service.list_all_tools().await.unwrap();
    tools.sort_by(|a, b| a.name.cmp(&b.name));
    let names: Vec<_> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    // A run that was accepted earlier can still be cancelled.
    let deferred = ["deferred_cancel", "deferred_status"];
    assert_eq!(names, [&deferred[..], &["get_scenario", "list_connections", "list_scenarios"]].concat());
    service.cancel().await.unwrap();
}

#[tokio::test]
async fn both_builds_answer_with_structured_content() {
    for args in [&["--demo"] as &[_], &["--demo", "--bare"]] {
        let service = connect(SERVER, args, &[]).await;
        let result = call(&service, "list_scenarios", json!({ "team_id": 3, "limit": 2 })).await;
        let answer = result.structured_content.unwrap();
        assert_eq!(answer["scenarios"].as_array().unwrap().len(), 2);
        assert_eq!(answer["scenarios"][0]["name"], "Scenario 6 of team 3");
        let result = call(&service, "run_scenario", json!({ "id": 301 })).await;
        assert!(result.structured_content.unwrap()["executionId"].is_string());
        let result = call(&service, "get_scenario", json!({ "id": 999 })).await;
        assert_eq!(result.is_error, Some(true));
        let result = call(&service, "get_scenario", json!({ "id": 101, "verbose": true })).await;
        assert_eq!(result.is_error, Some(true), "an argument that does not exist");
    }
}

/// `make-server --demo`, and the address of its upstream from its log.
async fn demo() -> (RunningService<RoleClient, ()>, String) {
    let mut command = tokio::process::Command::from(command(SERVER));
    command.arg("--demo").env_remove("RUST_LOG").kill_on_drop(true);
    let (transport, stderr) = TokioChildProcess::builder(command).stderr(Stdio::piped()).spawn().unwrap();
    let service = ().serve(transport).await.unwrap();
    let mut log = BufReader::new(stderr.unwrap()).lines();
    loop {
        let line = log.next_line().await.unwrap().expect("the address of the upstream");
        if let Some(upstream) = serde_json::from_str::<Value>(&line).unwrap()["upstream"].as_str() {
            let upstream = upstream.to_owned();
            tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
            return (service, upstream);
        }
    }
}

#[tokio::test]
async fn in_the_demo_a_run_without_a_usable_answer_is_told_as_one_that_may_have_happened() {
    let http = loopback::client().build().unwrap();
    for (phase, runs) in [(Phase::BrokenJson, 1), (Phase::Dropped, 0), (Phase::Outage, 0)] {
        let (service, upstream) = demo().await;
        let enter = format!("{upstream}/demo/phase/{}", phase.name());
        http.post(enter).send().await.unwrap().error_for_status().unwrap();
        // As many as the breaker admits.
        for number in 1..=5 {
            let result = call(&service, "run_scenario", json!({ "id": 101 })).await;
            let text = &result.content[0].as_text().unwrap().text;
            assert_eq!(result.is_error, Some(true), "{phase}: {text}");
            assert!(text.contains("It may have taken effect; check before repeating it."), "{phase}: {text}");
            assert!(!text.contains("ry again"), "{phase}: {text}");
            let stats = http.get(format!("{upstream}/demo/stats")).send().await.unwrap();
            let stats: Value = stats.error_for_status().unwrap().json().await.unwrap();
            assert_eq!(stats["executions"].as_object().unwrap().len(), runs * number, "{phase}: {stats}");
        }
        let result = call(&service, "run_scenario", json!({ "id": 101 })).await;
        let text = &result.content[0].as_text().unwrap().text;
        assert!(text.starts_with("CIRCUIT_OPEN") && !text.contains("taken effect"), "{phase}: {text}");
        service.cancel().await.unwrap();
    }
}
