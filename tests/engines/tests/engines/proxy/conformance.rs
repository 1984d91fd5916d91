//! The scenarios of the public conformance suite for servers: the proxy changes the result of no check.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::Value;

use crate::{node, python, run_within};

use super::{
    Line, Setup,
    client::Client,
    everything_over_http,
    upstream::{Upstream, free_port},
};

/// The maximum duration of all scenarios.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(240);

/// What concerns HTTP between the suite and the proxy. The proxy has its own sessions, answers most requests without a
/// stream of events, and checks the host and the origin also in front of servers that do not.
const OF_THE_FRONT: [&str; 4] =
    ["dns-rebinding-protection", "server-session-lifecycle", "server-sse-multiple-streams", "server-sse-polling"];

/// The end of the name of a folder.
const TIME: &str = "-2026-11-30T00-00-00-000Z";

/// The status of each check, by scenario.
type Results = BTreeMap<String, BTreeSet<String>>;

/// Runs the scenarios for servers that these options select.
async fn results(url: &str, options: &[&str]) -> Results {
    let folder = tempfile::tempdir().unwrap();
    let mut suite = node("typescript/node_modules/@modelcontextprotocol/conformance/dist/index.js");
    suite.args(["server", "--suite", "all", "--url", url, "--output-dir"]).arg(folder.path()).args(options);
    // It fails if a check fails.
    let (_, out, err) = run_within(PATIENCE, suite, "").await;
    let scenarios = fs::read_dir(folder.path()).unwrap_or_else(|error| panic!("{error}: {out}\n{err}"));
    let results: Results = scenarios.map(|scenario| result(&scenario.unwrap().path())).collect();
    assert!(results.len() > 30, "{out}\n{err}");
    results
}

/// Reads the results of a scenario from its folder, `server-SCENARIO-TIME`.
fn result(folder: &Path) -> (String, BTreeSet<String>) {
    let name = folder.file_name().unwrap().to_str().unwrap();
    let scenario = name.strip_prefix("server-").unwrap().split_at(name.len() - "server-".len() - TIME.len()).0;
    // A scenario without checks has no file.
    let checks = fs::read(folder.join("checks.json")).unwrap_or_else(|_| b"[]".to_vec());
    let checks: Value = serde_json::from_slice(&checks).unwrap();
    let word = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let checks = checks.as_array().unwrap().iter().map(|check| {
        let message = word(check, "errorMessage");
        format!("{} {} {message}", word(check, "status"), word(check, "id"))
    });
    (scenario.to_owned(), checks.collect())
}

/// Returns the checks whose status is this one.
fn with_status<'a>(checks: &'a BTreeSet<String>, status: &'a str) -> impl Iterator<Item = &'a String> {
    checks.iter().filter(move |check| check.starts_with(status))
}

/// Asserts that the checks have the same results.
fn assert_same(proxied: &Results, direct: &Results) {
    let status_and_id = |checks: &BTreeSet<String>| {
        let words = |check: &String| check.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" ");
        checks.iter().map(words).collect::<BTreeSet<_>>()
    };
    let mut differences = Vec::new();
    for (scenario, expected) in direct {
        let found = &proxied[scenario];
        if OF_THE_FRONT.contains(&&**scenario) {
            // The proxy passes what the server may fail.
            assert_eq!(with_status(found, "FAILURE").count(), 0, "{scenario}: {found:#?}");
        } else if status_and_id(found) != status_and_id(expected) {
            differences.push(format!("{scenario}: with the proxy {found:#?}, without it {expected:#?}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!(proxied.len(), direct.len());
}

/// Asserts that the scenarios give the same results with the proxy in front of a URL, and returns them.
async fn assert_same_as(upstream: &Upstream<'_>, setup: &Setup, options: &[&str]) -> Results {
    let direct = results(&upstream.url(), options).await;
    let proxy = Client::start(setup.proxy_with(&["--http", "127.0.0.1:0", &upstream.url()]));
    let url = format!("http://{}/mcp", proxy.address("front.listening").await);
    assert_same(&results(&url, options).await, &direct);
    direct
}

fn conforming() -> Line {
    super::line(&python("python/servers/conforming.py"))
}

#[tokio::test]
async fn the_results_for_a_server_of_fastmcp_are_the_same_as_without_the_proxy() {
    let setup = Setup::new();
    let port = free_port();
    let mut server = conforming();
    server.push(port.to_string().into());
    let upstream = Upstream::start(&setup, port, server).await;
    let results = assert_same_as(&upstream, &setup, &[]).await;
    let passed: usize = results.values().map(|checks| with_status(checks, "SUCCESS").count()).sum();
    // Without fixtures, two servers would fail alike.
    assert!(passed > 150, "{passed} checks: {results:#?}");
}

#[tokio::test]
async fn the_results_for_the_everything_server_are_the_same_as_without_the_proxy() {
    let setup = Setup::new();
    let port = free_port();
    let upstream = Upstream::start(&setup, port, everything_over_http(port)).await;
    // Over HTTP it serves no newer version, and answers with messages that are not JSON-RPC.
    assert_same_as(&upstream, &setup, &["--spec-version", "2025-11-25"]).await;
}
