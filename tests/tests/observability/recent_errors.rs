//! The last errors of tools: the data for operators, and the ID under which the log has the rest.

use std::sync::Arc;
use std::time::SystemTime;

use resilient_runtime::health::Health;
use resilient_runtime::{ErrorKind, McpError, Registry, ResilienceError, mcp, resilient};
use resilient_tests::failure::ShopError;
use resilient_tests::in_process::{self, authenticate, with_meta};
use resilient_tests::logs::listen;
use resilient_tests::wire::{ERROR, meta};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{CallToolRequestParams, CallToolResponse, ListToolsResult, PaginatedRequestParams};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_router};
use serde_json::{Value, json};

/// An error whose `Display` panics.
#[derive(Debug, thiserror::Error, McpError)]
#[error("{}", panics())]
#[mcp(kind = unavailable, code = "SHOP_EXPLOSIVE")]
struct Explosive;

impl From<ResilienceError> for Explosive {
    fn from(_: ResilienceError) -> Self {
        Self
    }
}

fn panics() -> String {
    panic!("in the error's own text")
}

struct Shop;

#[resilient]
#[tool_router(server_handler)]
impl Shop {
    /// Fails.
    #[resilient(retry(max = 1, base = "1ms"), read_only)]
    #[tool]
    async fn recent_down(&self) -> Result<String, ShopError> {
        Err(ShopError::Down("password=hunter2".into()))
    }

    /// Fails with an error that panics when it is formatted.
    #[tool]
    async fn recent_explosive(&self) -> Result<String, Explosive> {
        Err(Explosive)
    }

    /// Panics.
    #[tool]
    async fn recent_panic(&self) -> Result<String, ShopError> {
        panic!("on purpose")
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_is_kept_as_the_client_could_read_it_under_the_id_of_the_call() {
    let before = SystemTime::now();
    let client = in_process::connect(Shop).await;
    let answer = client.call_tool(CallToolRequestParams::new("recent_down")).await.expect("an answer");
    let id = meta(&answer, ERROR)["correlation_id"].clone();
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
    assert_eq!((&*down.code, down.count), ("SHOP_DOWN", 2));
    assert!(before <= down.first && down.first <= first.at && first.at <= down.last);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_cannot_be_logged_is_kept_all_the_same() {
    let logs = tracing_subscriber::fmt().with_writer(std::io::sink).finish();
    let _logs = listen(logs);
    let client = in_process::connect(Shop).await;
    client.call_tool(CallToolRequestParams::new("recent_explosive")).await.expect("an answer");
    let recent = Registry::global().recent_errors();
    let kept = recent.iter().find(|error| &*error.tool == "recent_explosive").expect("kept");
    assert_eq!((&*kept.code, kept.kind), ("SHOP_EXPLOSIVE", ErrorKind::Unavailable));
}

/// A server that authenticates its users.
struct Known(ToolRouter<Self>);

#[tool_router(router = tools)]
impl Known {
    /// Fails.
    #[resilient]
    #[tool]
    async fn known_down(&self) -> Result<String, ShopError> {
        Err(ShopError::Down("password=hunter2".into()))
    }
}

impl ServerHandler for Known {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        mut context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        authenticate(&mut context);
        self.0.call(ToolCallContext::new(self, request, context)).await
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.0.list_all()))
    }
}

#[tokio::test(start_paused = true)]
async fn everybody_sees_how_many_errors_there_were_and_only_the_own_ones() {
    let tools = mcp::instrument(Known::tools()) + mcp::operator_tools(&Arc::new(Health::new()));
    let client = in_process::connect(Known(tools)).await;
    let ask = async |tool: &'static str, user: &str| {
        let request = with_meta(CallToolRequestParams::new(tool), &[("user", user)]);
        client.call_tool(request).await.expect("an answer").structured_content
    };
    for user in ["user-1", "user-1", "user-2"] {
        ask("known_down", user).await;
    }
    for (user, own) in [("user-1", 2), ("user-2", 1), ("user-3", 0)] {
        let seen = ask("recent_errors", user).await.expect("structured");
        let group = seen["groups"].as_array().expect("groups").iter().find(|group| group["tool"] == "known_down");
        assert_eq!(group.map(|group| &group["count"]), Some(&json!(3)), "{user}");
        let of = |seen: &Value| seen["errors"].as_array().expect("errors").len();
        assert_eq!(of(&seen), own, "{user}");
        assert!(!seen.to_string().contains("user-"), "the answer names no user: {seen}");
    }
}
