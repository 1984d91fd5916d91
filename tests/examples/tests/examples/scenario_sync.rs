//! `scenario-sync` as a child process: conflicts, and changes that are made later while the service is down.

use std::{path::PathBuf, time::Duration};

use resilient_tests::loopback::Upstream;
use rmcp::{RoleClient, model::CallToolResult, service::RunningService};
use scenario_sync::{
    demo::{DEMO_TOKEN, Service},
    types::Fields,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::common::{call, command, connect};

const SERVER: &str = "scenario-sync";

/// Deliveries within milliseconds, more than a slow machine uses up, and a breaker that does not delay them for long.
const QUICK: [(&str, &str); 5] = [
    ("RESILIENT__TOOL__SYNC_SCENARIOS__DEFERRED__TRIES", "50"),
    ("RESILIENT__TOOL__SYNC_SCENARIOS__DEFERRED__BASE", "200ms"),
    ("RESILIENT__TOOL__SYNC_SCENARIOS__DEFERRED__CAP", "400ms"),
    ("RESILIENT__BREAKER__SCENARIOS__OPEN", "200ms"),
    ("RESILIENT__TOOL__SYNC_SCENARIOS__RETRY", "none"),
];

type Client = RunningService<RoleClient, ()>;

async fn demo() -> Client {
    connect(SERVER, &["--demo"], &QUICK).await
}

/// A change of the first scenario's name.
fn rename(request_id: &str, name: &str) -> Value {
    let change = json!({ "id": 1, "version": 1, "set": { "name": name } });
    json!({ "request_id": request_id, "on_conflict": "client_wins", "changes": [change] })
}

async fn sync(client: &Client, arguments: Value) -> CallToolResult {
    let result = call(client, "sync_scenarios", arguments).await;
    let text = serde_json::to_string(&result).unwrap();
    assert!(!text.contains("must-never-be-seen"), "{text}");
    result
}

fn text(result: &CallToolResult) -> &str {
    &result.content[0].as_text().unwrap().text
}

fn kind(result: &CallToolResult) -> &Value {
    &result.meta.as_ref().unwrap().0["io.crates.resilient-runtime/error"]["kind"]
}

/// The receipt of a call that was accepted for later.
fn receipt(result: &CallToolResult) -> String {
    let words: Vec<_> = text(result).split([' ', ':']).collect();
    assert_eq!(words[0], "ACCEPTED_FOR_LATER", "{}", text(result));
    assert!(words[1].starts_with("rsl-"), "{}", text(result));
    words[1].to_owned()
}

async fn status(client: &Client, receipt: &str) -> Value {
    let result = call(client, "deferred_status", json!({ "receipt": receipt })).await;
    result.structured_content.unwrap_or_else(|| panic!("{result:?}", result = result.content))
}

/// Polls until the write has ended, and returns its last status.
async fn ended(client: &Client, receipt: &str) -> Value {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let status = status(client, receipt).await;
        if !["waiting", "running"].contains(&status["state"].as_str().unwrap()) {
            return status;
        }
        assert!(Instant::now() < end, "{status}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// A service in this process, and the environment of servers that share a file of deferred writes.
struct Fixture {
    service: Service,
    upstream: Upstream,
    folder: TempDir,
}

impl Fixture {
    async fn start() -> Self {
        let service = Service::new();
        let upstream = Upstream::start(service.routes()).await.unwrap();
        Self { service, upstream, folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("deferred.db")
    }

    /// Starts a server.
    async fn connect(&self) -> Client {
        let (origin, file) = (self.upstream.origin(), self.file().display().to_string());
        let mut env = vec![
            ("SCENARIOS_API_TOKEN", DEMO_TOKEN),
            ("SCENARIOS_BASE_URL", &origin),
            ("RESILIENT_DEFERRED_PATH", &file),
        ];
        env.extend(QUICK);
        connect(SERVER, &[], &env).await
    }

    fn name(&self, id: u64) -> String {
        self.service.scenario(id).unwrap().name
    }
}

#[tokio::test]
async fn a_result_lists_what_succeeded_what_failed_and_the_conflicts() {
    let client = demo().await;
    let listed = call(&client, "list_scenarios", json!({})).await.structured_content.unwrap();
    assert_eq!(listed["scenarios"][1]["version"], 3);
    let changes = json!([
        { "id": 1, "version": 1, "set": { "name": "Import all orders" } },
        // Version 1 is old: the name and the interval were changed since.
        { "id": 2, "version": 1, "set": { "name": "Bills", "enabled": false } },
        { "id": 3, "version": 1, "set": { "interval_minutes": 1 } },
        { "id": 9, "version": 1, "set": { "enabled": false } },
    ]);
    let arguments = json!({ "request_id": "a", "on_conflict": "merge", "changes": changes });
    let result = sync(&client, arguments).await.structured_content.unwrap();
    assert_eq!(result["request_id"], "a");
    let [first, second] = result["successful"].as_array().unwrap().as_slice() else { panic!("{result}") };
    assert_eq!((&first["name"], &first["version"]), (&json!("Import all orders"), &json!(2)));
    assert_eq!((&second["name"], &second["enabled"]), (&json!("Send invoices"), &json!(false)));
    let failed = json!([{ "id": 3, "reason": "invalid_value" }, { "id": 9, "reason": "no_such_scenario" }]);
    assert_eq!(result["failed"], failed);
    let [conflict] = result["conflicts"].as_array().unwrap().as_slice() else { panic!("{result}") };
    assert_eq!((&conflict["written"], &conflict["kept"]), (&json!(["enabled"]), &json!(["name"])));
    assert_eq!(&conflict["scenario"], second);
}

#[tokio::test]
async fn a_conflict_is_resolved_as_the_caller_decides() {
    for (on_conflict, name, enabled, written) in [
        ("client_wins", "Bills", false, json!(["name", "enabled"])),
        ("server_wins", "Send invoices", true, json!([])),
        ("merge", "Send invoices", false, json!(["enabled"])),
    ] {
        let client = demo().await;
        let change = json!({ "id": 2, "version": 1, "set": { "name": "Bills", "enabled": false } });
        let arguments = json!({ "request_id": "a", "on_conflict": on_conflict, "changes": [change] });
        let result = sync(&client, arguments).await.structured_content.unwrap();
        let conflict = &result["conflicts"][0];
        assert_eq!(conflict["written"], written, "{on_conflict}");
        let scenario = &conflict["scenario"];
        assert_eq!((&scenario["name"], &scenario["enabled"]), (&json!(name), &json!(enabled)), "{on_conflict}");
        let successful = result["successful"].as_array().unwrap().len();
        assert_eq!(successful, usize::from(on_conflict != "server_wins"), "{on_conflict}");
    }
}

#[tokio::test]
async fn a_change_during_an_outage_is_made_once_the_service_is_back() {
    let fixture = Fixture::start().await;
    let client = fixture.connect().await;
    fixture.service.go_down(Duration::from_secs(600));
    let accepted = sync(&client, rename("a", "Import all orders")).await;
    let receipt = receipt(&accepted);
    assert!(text(&accepted).contains("deferred_status"), "{}", text(&accepted));
    // The schema of a result requires structured content, except from an error.
    assert_eq!((accepted.is_error, &accepted.structured_content), (Some(true), &None));

    // The same call again has the same receipt. Another one under this id is refused.
    assert_eq!(self::receipt(&sync(&client, rename("a", "Import all orders")).await), receipt);
    assert_eq!(kind(&sync(&client, rename("a", "Another name")).await), "conflict");
    assert_eq!(status(&client, &receipt).await["done"], false);

    fixture.service.come_back();
    let ended = ended(&client, &receipt).await;
    assert_eq!(ended["state"], "done", "{ended}");
    let made = &ended["result"]["structuredContent"]["successful"][0];
    assert_eq!((&made["name"], &made["version"]), (&json!("Import all orders"), &json!(2)));
    assert_eq!(fixture.service.scenario(1).unwrap().version, 2);

    // A late repetition has the kept result, and makes no request.
    fixture.service.go_down(Duration::from_secs(600));
    let repeated = sync(&client, rename("a", "Import all orders")).await;
    assert_eq!(repeated.structured_content.unwrap()["successful"][0]["name"], "Import all orders");
    assert_eq!(kind(&sync(&client, rename("a", "Another name")).await), "conflict");
}

#[tokio::test]
async fn an_outage_in_the_middle_makes_no_change_twice() {
    let fixture = Fixture::start().await;
    let client = fixture.connect().await;
    let change = |id: u64, version: u64| json!({ "id": id, "version": version, "set": { "enabled": false } });
    let arguments = json!({ "request_id": "b", "on_conflict": "client_wins", "changes": [change(1, 1), change(3, 1)] });
    fixture.service.go_down_for(3);
    let receipt = receipt(&sync(&client, arguments).await);
    assert_eq!(fixture.service.scenario(1).unwrap().version, 2, "the first change was written");
    fixture.service.come_back();
    let ended = ended(&client, &receipt).await;
    let result = &ended["result"]["structuredContent"];
    assert_eq!((result["successful"].as_array().map(Vec::len), &result["conflicts"]), (Some(2), &json!([])), "{ended}");
    for id in [1, 3] {
        let scenario = fixture.service.scenario(id).unwrap();
        assert_eq!((scenario.version, scenario.enabled), (2, false), "{id}");
    }
}

#[tokio::test]
async fn an_outage_in_the_middle_hides_no_conflict() {
    let fixture = Fixture::start().await;
    let client = fixture.connect().await;
    let changes = json!([
        { "id": 2, "version": 1, "set": { "name": "Bills", "enabled": false } },
        { "id": 3, "version": 1, "set": { "enabled": false } },
    ]);
    fixture.service.go_down_for(3);
    let arguments = json!({ "request_id": "e", "on_conflict": "merge", "changes": changes });
    let receipt = receipt(&sync(&client, arguments).await);
    assert!(!fixture.service.scenario(2).unwrap().enabled, "the first change was merged");
    fixture.service.come_back();
    let ended = ended(&client, &receipt).await;
    let [conflict] = ended["result"]["structuredContent"]["conflicts"].as_array().unwrap().as_slice() else {
        panic!("{ended}")
    };
    assert_eq!((&conflict["id"], &conflict["scenario"]["name"]), (&json!(2), &json!("Send invoices")));
    assert_eq!((&conflict["written"], &conflict["kept"]), (&json!(["enabled"]), &json!(["name"])));
}

#[tokio::test]
async fn a_change_that_a_process_leaves_behind_is_made_by_the_next_one() {
    let fixture = Fixture::start().await;
    fixture.service.go_down(Duration::from_secs(600));
    let first = fixture.connect().await;
    let receipt = receipt(&sync(&first, rename("c", "Import all orders")).await);
    // Kills the process if it does not end at once.
    drop(first);
    fixture.service.come_back();
    // Another client changes the record in the meantime.
    fixture.service.edit(1, &Fields { interval_minutes: Some(20), ..Fields::default() });
    let second = fixture.connect().await;
    let ended = ended(&second, &receipt).await;
    assert_eq!(ended["result"]["structuredContent"]["conflicts"][0]["written"], json!(["name"]), "{ended}");
    assert_eq!(fixture.name(1), "Import all orders");
}

#[tokio::test]
async fn a_change_that_was_cancelled_is_not_made() {
    let fixture = Fixture::start().await;
    let client = fixture.connect().await;
    fixture.service.go_down(Duration::from_secs(600));
    let receipt = receipt(&sync(&client, rename("d", "Import all orders")).await);
    // A running try ends first.
    call(&client, "deferred_cancel", json!({ "receipt": receipt })).await;
    assert_eq!(ended(&client, &receipt).await["state"], "cancelled");
    fixture.service.come_back();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(fixture.name(1), "Import orders");
}

#[tokio::test]
async fn in_the_demo_an_id_requests_an_outage() {
    let client = demo().await;
    let receipt = receipt(&sync(&client, rename("outage-2s-1", "Import all orders")).await);
    let ended = ended(&client, &receipt).await;
    assert_eq!(ended["state"], "done", "{ended}");
    let listed = call(&client, "list_scenarios", json!({})).await.structured_content.unwrap();
    assert_eq!(listed["scenarios"][0]["name"], "Import all orders");
}

#[tokio::test]
async fn wrong_arguments_are_refused_before_they_are_accepted() {
    let fixture = Fixture::start().await;
    let client = fixture.connect().await;
    fixture.service.go_down(Duration::from_secs(600));
    let change = json!({ "id": 1, "version": 1, "set": {} });
    for wrong in [
        json!({ "request_id": "a b", "on_conflict": "merge", "changes": [change] }),
        json!({ "request_id": "a", "on_conflict": "merge", "changes": [] }),
        json!({ "request_id": "a", "on_conflict": "merge", "changes": [change, change] }),
        json!({ "request_id": "a", "on_conflict": "newest", "changes": [change] }),
    ] {
        let result = sync(&client, wrong.clone()).await;
        assert_eq!(kind(&result), "invalid_input", "{wrong}: {}", text(&result));
    }
}

#[tokio::test]
async fn a_wrong_token_is_not_a_reason_to_try_later() {
    let fixture = Fixture::start().await;
    let (origin, file) = (fixture.upstream.origin(), fixture.file().display().to_string());
    let env = [("SCENARIOS_API_TOKEN", "wrong"), ("SCENARIOS_BASE_URL", &origin), ("RESILIENT_DEFERRED_PATH", &file)];
    let client = connect(SERVER, &[], &env).await;
    let result = sync(&client, rename("a", "Import all orders")).await;
    assert_eq!(kind(&result), "unauthenticated");
    assert!(text(&result).contains("SCENARIOS_API_TOKEN"), "{}", text(&result));
}

#[test]
fn without_settings_it_says_what_to_do() {
    let started = |env: &[(&str, &str)]| {
        let mut command = command(SERVER);
        for name in ["SCENARIOS_API_TOKEN", "SCENARIOS_BASE_URL", "RESILIENT_DEFERRED_PATH"] {
            command.env_remove(name);
        }
        let output = command.envs(env.iter().copied()).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(started(&[]).contains("SCENARIOS_API_TOKEN is not set"));
    let account = [("SCENARIOS_API_TOKEN", "t"), ("SCENARIOS_BASE_URL", "http://127.0.0.1:9")];
    let log = started(&account);
    assert!(log.contains("`RESILIENT_DEFERRED_PATH` is not set"), "{log}");
}
