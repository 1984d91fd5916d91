//! The last errors of tools: what an operator sees of them, and under which id the log has the rest.

use std::time::SystemTime;

use resilient_runtime::{ErrorKind, McpError, Registry, ResilienceError, resilient};
use resilient_tests::in_process;
use rmcp::model::CallToolRequestParams;
use rmcp::{tool, tool_router};
use serde_json::json;

#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "SHOP")]
enum Failure {
    #[error("down: password=hunter2")]
    #[mcp(kind = unavailable)]
    Down,
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

struct Shop;

#[resilient]
#[tool_router(server_handler)]
impl Shop {
    /// Fails.
    #[resilient(retry(max = 1, base = "1ms"), read_only)]
    #[tool]
    async fn recent_down(&self) -> Result<String, Failure> {
        Err(Failure::Down)
    }

    /// Panics.
    #[tool]
    async fn recent_panic(&self) -> Result<String, Failure> {
        panic!("on purpose")
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_is_kept_as_the_client_could_read_it_under_the_id_of_the_call() {
    let before = SystemTime::now();
    let client = in_process::connect(Shop).await;
    let answer = client.call_tool(CallToolRequestParams::new("recent_down")).await.expect("an answer");
    let id = answer.meta.expect("meta").0["io.crates.resilient-runtime/error"]["correlation_id"].clone();
    client.call_tool(CallToolRequestParams::new("recent_down")).await.expect("an answer");
    client.call_tool(CallToolRequestParams::new("recent_panic")).await.expect("an answer");

    let recent = Registry::global().recent_errors();
    let of_down: Vec<_> = recent.iter().filter(|error| &*error.tool == "recent_down").collect();
    assert_eq!(of_down.len(), 2);
    let first = of_down[1];
    assert_eq!((&*first.code, first.kind, first.attempts), ("SHOP_DOWN", ErrorKind::Unavailable, 2));
    assert_eq!(json!(first.correlation_id.to_string()), id);
    assert_eq!(first.text, "the service behind this tool is unavailable at the moment");
    assert!(first.at >= before && first.at <= of_down[0].at);
    let panic = recent.iter().find(|error| &*error.tool == "recent_panic").expect("kept");
    assert_eq!((panic.kind, panic.attempts), (ErrorKind::Internal, 1));

    let groups = Registry::global().error_groups();
    let down = groups.iter().find(|group| &*group.tool == "recent_down").expect("a group");
    assert_eq!((&*down.code, down.count, down.first), ("SHOP_DOWN", 2, first.at));
}
