//! The scenarios for tasks of the public conformance suite.
//!
//! The table in `src/deferred/tasks.rs` says which of them fit deferred writes.

use std::fs;

use serde_json::Value;
use tempfile::tempdir;

use crate::{http_server::Server, node, python_with_tasks, run, tasks::assert_polled};

/// The scenarios whose fixtures fit deferred writes.
const FITTING: [&str; 6] = [
    "tasks-lifecycle",
    "tasks-capability-negotiation",
    "tasks-wire-fields",
    "tasks-request-state-removal",
    "tasks-request-headers",
    "tasks-dispatch-and-envelope",
];

/// The other ones.
const OTHERS: [&str; 4] =
    ["tasks-mrtr-input", "tasks-mrtr-composition", "tasks-required-task-error", "tasks-status-notifications"];

/// The suite skips it for every server.
const WITHOUT_CHECKS: &str = "tasks-status-notifications";

/// Returns a command of the suite.
fn suite() -> tokio::process::Command {
    node("typescript/node_modules/@modelcontextprotocol/conformance/dist/index.js")
}

/// Runs a scenario, and asserts that all of its checks succeed.
async fn assert_conforms(server: &Server, scenario: &str) {
    let results = tempdir().unwrap();
    let mut suite = suite();
    suite.args(["server", "--url", &format!("{}/mcp", server.origin), "--scenario", scenario, "--output-dir"]);
    suite.arg(results.path());
    let (success, out, err) = run(suite, "").await;
    assert!(success, "{scenario}: {out}\n{err}");
    let run = fs::read_dir(results.path()).unwrap().next().expect("a folder of the run").unwrap();
    let checks: Value = serde_json::from_slice(&fs::read(run.path().join("checks.json")).unwrap()).unwrap();
    let expected = if scenario == WITHOUT_CHECKS { "SKIPPED" } else { "SUCCESS" };
    let checks = checks.as_array().unwrap();
    assert!(!checks.is_empty(), "{scenario}: {out}");
    for check in checks {
        assert_eq!(check["status"], expected, "{scenario}: {check:#}");
    }
}

#[tokio::test]
async fn the_suite_has_no_other_scenarios_for_tasks() {
    let mut suite = suite();
    suite.arg("list");
    let (success, list, complaint) = run(suite, "").await;
    assert!(success, "{complaint}");
    let mut known: Vec<_> = FITTING.into_iter().chain(OTHERS).collect();
    let mut listed: Vec<_> = list.split_whitespace().filter(|word| word.starts_with("tasks-")).collect();
    known.sort_unstable();
    listed.sort_unstable();
    listed.dedup();
    assert_eq!(listed, known);
}

#[tokio::test]
async fn deferred_writes_are_conforming_tasks() {
    for scenario in FITTING {
        // With the store of an earlier scenario, the same call would get its result at once.
        let store = tempdir().unwrap();
        let server = Server::of(["tasks".as_ref(), store.path().as_os_str()]).await;
        assert_conforms(&server, scenario).await;
    }
}

#[tokio::test]
async fn the_task_manager_of_rmcp_conforms_beside_deferred_writes_in_one_server() {
    let store = tempdir().unwrap();
    let server = Server::of(["tasks-beside".as_ref(), store.path().as_os_str()]).await;
    for scenario in FITTING.into_iter().chain(OTHERS) {
        assert_conforms(&server, scenario).await;
    }
    let mut client = python_with_tasks("python/tasks.py");
    client.arg(format!("{}/mcp", server.origin));
    assert_polled(client).await;
}
