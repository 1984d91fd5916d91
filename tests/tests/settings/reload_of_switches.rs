//! Switches and levels that are reloaded while clients keep the list of tools.

use resilient_runtime::{Registry, ResilienceError, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::in_process::{connect, request};
use rmcp::{tool, tool_router};
use serde_json::json;

use super::{TempFile, variables};

struct Shop;

#[resilient(timeout = "2s")]
#[tool_router(server_handler)]
impl Shop {
    /// Reads.
    #[tool(annotations(read_only_hint = true))]
    async fn list_orders(&self) -> Result<String, ResilienceError> {
        Ok("none".into())
    }

    /// Writes.
    #[tool]
    async fn order(&self) -> Result<String, ResilienceError> {
        Ok("ordered".into())
    }
}

#[tokio::test]
async fn a_switch_that_a_reload_adds_acts_at_once_and_one_that_it_removes_stays_and_both_need_a_restart() {
    if ran_in_a_child() {
        return;
    }
    let file = TempFile::new("[tool.order]\nenabled = false\n");
    let started = variables(&[("RESILIENT_CONFIG", file.path())]).tools(Shop::tool_router).start();
    let handle = started.expect("nothing is wrong");
    let client = connect(Shop).await;
    let listed = || async { client.list_all_tools().await.expect("a list").len() };
    let kind = || async {
        let answer = client.call_tool(request("list_orders", &json!({}))).await.expect("an answer");
        let meta = answer.meta.map(|meta| json!(meta).to_string()).unwrap_or_default();
        (answer.is_error == Some(true), meta.contains("\"disabled\""))
    };
    assert_eq!((listed().await, kind().await), (1, (false, false)));
    file.write("[tool.list_orders]\nenabled = false\n");
    let report = handle.reload().expect("nothing is wrong");
    let changes: Vec<_> = report.changes.iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["tools off order -> list_orders"]);
    let [added, removed] = &*report.needs_restart else { panic!("{:?}", report.needs_restart) };
    assert!(added.contains("`list_orders` is off from now on"), "{added}");
    assert!(removed.contains("`order` was off at start and stays so"), "{removed}");
    assert_eq!((listed().await, kind().await), (1, (true, true)), "the list stays as it was");
    assert!(client.call_tool(request("order", &json!({}))).await.is_err(), "no such tool");
    file.write("[tool.order]\nenabled = false\n");
    let report = handle.reload().expect("nothing is wrong");
    assert_eq!((report.changes.len(), report.needs_restart.len()), (1, 0));
    assert_eq!(kind().await, (false, false));
}

#[tokio::test]
async fn a_level_changes_with_the_file_and_a_broken_one_changes_nothing() {
    if ran_in_a_child() {
        return;
    }
    let file = TempFile::new("");
    let started = variables(&[("RESILIENT_CONFIG", file.path())]).tools(Shop::tool_router).start();
    let handle = started.expect("nothing is wrong");
    let level = || Registry::global().gate().level().as_str();
    file.write("[level]\nstart = \"minimal\"\n[level.minimal]\nconcurrency = 7\n");
    let report = handle.reload().expect("nothing is wrong");
    let changes: Vec<_> = report.changes.iter().map(ToString::to_string).collect();
    assert!(changes.contains(&"level none -> minimal".into()), "{changes:?}");
    assert!(changes.contains(&"level.minimal.concurrency 20 -> 7".into()), "{changes:?}");
    assert_eq!((report.needs_restart.len(), level()), (0, "minimal"));
    file.write("[level]\nstart = \"normal\"\n[level.minimal]\nconcurrency = 0\n");
    let problems = handle.reload().expect_err("rejected");
    assert!(problems.problems()[0].contains(".toml:4:"), "{problems}");
    assert_eq!(level(), "minimal");
    file.write("[level]\nautomatic = true\n");
    let report = handle.reload().expect("nothing is wrong");
    assert!(report.needs_restart[0].starts_with("level.automatic"), "{:?}", report.needs_restart);
}
