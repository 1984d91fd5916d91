//! A `call_tool` that is written by hand: its own errors have an id, and a hook inside it counts alone.

use std::future::pending;
use std::time::Duration;

use resilient_runtime::export::prometheus;
use resilient_runtime::{Registry, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::failure::Failure;
use resilient_tests::in_process::{call, connect, request};
use resilient_tests::wire::{CALL, ERROR, meta, text};
use rmcp::handler::server::tool::{IntoCallToolResult as _, ToolCallContext};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData as McpError, RoleServer, ServerHandler, tool, tool_handler, tool_router};
use serde_json::{Value, json};

#[derive(Debug, Clone)]
struct ByHand;

impl ByHand {
    /// A command that may have run.
    #[resilient(timeout = "1s")]
    async fn command(&self) -> Result<CallToolResult, Failure> {
        pending().await
    }

    #[resilient(timeout = "1s", read_only)]
    async fn look(&self) -> Result<CallToolResult, Failure> {
        pending().await
    }
}

#[resilient(timeout = "2s")]
#[tool_router]
impl ByHand {
    /// Is counted by the hook.
    #[resilient(timeout = "60s")]
    #[tool(annotations(read_only_hint = true))]
    async fn by_hand_routed(&self) -> Result<String, Failure> {
        tokio::time::sleep(Duration::from_secs(40)).await;
        Ok("routed".into())
    }

    /// Is called without the router.
    #[resilient(timeout = "1s")]
    #[tool(annotations(read_only_hint = false))]
    async fn by_hand_direct(&self) -> Result<CallToolResult, Failure> {
        pending().await
    }
}

#[resilient(timeout = "3s")]
#[tool_handler]
impl ServerHandler for ByHand {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, McpError> {
        match &*request.name {
            "panics" => panic!("private"),
            "ok" => Ok(CallToolResult::success(vec![ContentBlock::text("ok")]).into()),
            "command" => self.command().await.into_call_tool_result(),
            "look" => self.look().await.into_call_tool_result(),
            "asked" => Ok(self.command().await?.into()),
            "by_hand_direct" => self.by_hand_direct().await.into_call_tool_result(),
            "refuses" => Err(McpError::invalid_request("no", None)),
            _ => Self::tool_router().call(ToolCallContext::new(self, request, context)).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_tool_that_is_written_by_hand_answers_with_an_id_as_a_tool_does() {
    let client = connect(ByHand).await;
    let panicked = call(&client, "panics", &json!({})).await;
    assert_eq!((panicked.is_error, &meta(&panicked, ERROR)["code"]), (Some(true), &json!("INTERNAL")));
    assert!(meta(&panicked, ERROR)["correlation_id"].is_string());
    let ok = call(&client, "ok", &json!({})).await;
    assert!(meta(&ok, CALL)["correlation_id"].is_string(), "{ok:?}");
    for tool in ["command", "asked", "by_hand_direct"] {
        let command = call(&client, tool, &json!({})).await;
        let (error, shown) = (meta(&command, ERROR), text(&command));
        assert_eq!((command.is_error, &error["kind"]), (Some(true), &json!("timeout")), "{tool}: {command:?}");
        assert!(error["correlation_id"].is_string(), "{tool}: {error}");
        assert!(shown.contains("may have taken effect") && !shown.contains("again later"), "{tool}: {shown}");
        assert_eq!(error["retryable"], false, "{tool}: {error}");
    }
    let look = call(&client, "look", &json!({})).await;
    assert_eq!(meta(&look, ERROR)["retryable"], true, "it only reads: {look:?}");
    let refused = super::refused(client.call_tool(request("refuses", &json!({}))).await);
    assert!(refused.1["correlation_id"].is_string());
}

/// In a separate process: the statistics of a method count all servers.
#[tokio::test(start_paused = true)]
async fn a_hook_inside_it_counts_alone_and_keeps_its_timeout() {
    if ran_in_a_child() {
        return;
    }
    let client = connect(ByHand).await;
    let routed = call(&client, "by_hand_routed", &json!({})).await;
    assert_eq!(text(&routed), "routed", "40 s, beyond the timeouts of the handler and its block");
    assert_ne!(meta(&routed, CALL)["attempts"], Value::Null);
    call(&client, "by_hand_direct", &json!({})).await;
    call(&client, "ok", &json!({})).await;
    call(&client, "panics", &json!({})).await;
    client.call_tool(request("unknown", &json!({}))).await.expect_err("no such tool");
    let counted = Registry::global().tool("by_hand_routed").expect("the tool");
    assert_eq!((counted.calls(), counted.in_flight), (1, 0));
    let counted = Registry::global().tool("by_hand_direct").expect("the tool");
    assert_eq!((counted.calls(), counted.in_flight), (1, 0));
    let text = prometheus::global_text();
    let series: Vec<_> = text
        .lines()
        .filter_map(|line| {
            line.strip_prefix("mcp_server_operation_duration_seconds_count{mcp_method_name=\"tools/call\",")
        })
        .filter(|line| !line.ends_with(" 0"))
        .collect();
    assert_eq!(
        series,
        [
            "gen_ai_tool_name=\"by_hand_direct\",error_type=\"timeout\"} 1",
            "gen_ai_tool_name=\"by_hand_routed\",error_type=\"\"} 1",
            "gen_ai_tool_name=\"\",error_type=\"\"} 2",
            "gen_ai_tool_name=\"\",error_type=\"tool_error\"} 1",
        ],
        "{text}"
    );
}

#[derive(Debug, Clone)]
struct Limited;

#[tool_router]
impl Limited {
    /// Never answers.
    #[tool]
    async fn limited_hangs(&self) -> String {
        pending().await
    }
}

#[resilient]
impl ServerHandler for Limited {
    /// The attribute of the method may limit it.
    #[resilient(timeout = "2s")]
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, McpError> {
        Self::tool_router().call(ToolCallContext::new(self, request, context)).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_its_own_attribute_holds() {
    let client = connect(Limited).await;
    let began = tokio::time::Instant::now();
    let hung = call(&client, "limited_hangs", &json!({})).await;
    assert_eq!((meta(&hung, ERROR)["kind"].as_str(), began.elapsed().as_secs()), (Some("timeout"), 2), "{hung:?}");
}
