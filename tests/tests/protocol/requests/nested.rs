//! Methods that others call, errors whose drop panics, and tools whose routes have no hook: every request is answered.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use resilient_runtime::export::prometheus;
use resilient_runtime::{CallContext, McpError, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::in_process::{call, connect, request, serve};
use resilient_tests::wire::{CALL, ERROR, meta, text};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientRequest, ContentBlock, JsonObject,
    ListResourcesResult, PaginatedRequestParams, ProgressNotificationParam, ReadResourceRequestParams,
    ReadResourceResponse, ReadResourceResult, Request, ServerCapabilities, ServerConfig,
};
use rmcp::service::{NotificationContext, PeerRequestOptions, RequestContext, RoleClient};
use rmcp::{ClientHandler, ErrorData, RoleServer, ServerHandler, ServiceExt as _};
use rmcp::{tool, tool_handler, tool_router};
use serde_json::json;

use super::refused;

/// An error that panics when it is dropped.
#[derive(Debug, thiserror::Error, McpError)]
enum Sharp {
    #[error("closed")]
    #[mcp(kind = unauthenticated)]
    Closed,
}

impl Drop for Sharp {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "a private text");
    }
}

#[derive(Debug, Clone)]
struct Nested;

impl Nested {
    #[expect(clippy::unused_async, reason = "it authorizes")]
    async fn check(&self, _: &RequestContext<RoleServer>, parameters: &JsonObject) -> Result<(), Sharp> {
        let uri = parameters.get("uri").and_then(|uri| uri.as_str());
        if uri == Some("closed") { Err(Sharp::Closed) } else { Ok(()) }
    }
}

#[resilient(timeout = "1s")]
#[tool_router]
impl Nested {
    /// Reports less than the handler around it.
    #[tool]
    async fn nested_progress(&self) -> String {
        progress(0.2).await;
        progress(11.0).await;
        "done".into()
    }
}

async fn progress(value: f64) {
    CallContext::current().expect("a context").progress(value, None, None).await;
}

#[resilient(authorize = Self::check)]
impl ServerHandler for Nested {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_resources().build())
    }

    #[resilient(rate_limit = "100/1s", timeout = "1s")]
    async fn read_resource(
        &self,
        _: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        tokio::time::sleep(Duration::from_secs(5)).await;
        Ok(ReadResourceResult::new(Vec::new()).into())
    }

    #[resilient(timeout = "1s")]
    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        panic!("a private text")
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        match &*request.name {
            "guarded" => {
                let read = self.read_resource(ReadResourceRequestParams::new("open"), context).await;
                read.expect_err("slow");
            }
            "unguarded" => {
                self.list_resources(None, context).await.expect_err("panics");
            }
            _ => {
                progress(10.0).await;
                return Self::tool_router().call(ToolCallContext::new(self, request, context)).await;
            }
        }
        Ok(CallToolResult::success(vec![ContentBlock::text("from elsewhere")]).into())
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_whose_drop_panics_is_the_answer_all_the_same() {
    let client = connect(Nested).await;
    let (_, error) = refused(client.read_resource(ReadResourceRequestParams::new("closed")).await);
    assert_eq!(error["kind"], "unauthenticated", "{error}");
}

/// In a separate process: the statistics of a method count all servers.
#[tokio::test(start_paused = true)]
async fn a_nested_method_changes_neither_the_outcome_nor_the_label_of_the_request() {
    if ran_in_a_child() {
        return;
    }
    let client = connect(Nested).await;
    for tool in ["guarded", "unguarded"] {
        assert_eq!(text(&call(&client, tool, &json!({})).await), "from elsewhere");
    }
    let shown = prometheus::global_text();
    let line = "mcp_server_operation_duration_seconds_count{mcp_method_name=\"tools/call\",gen_ai_tool_name=\"\",\
                error_type=\"\"} 2";
    assert!(shown.lines().any(|known| known == line), "{shown}");
}

/// A client that keeps the values of the notifications it receives.
#[derive(Debug, Clone, Default)]
struct Listener(Arc<Mutex<Vec<f64>>>);

impl ClientHandler for Listener {
    async fn on_progress(&self, params: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.0.lock().expect("no panic").push(params.progress);
    }
}

#[tokio::test(start_paused = true)]
async fn progress_of_a_handler_and_of_a_hook_inside_it_increases() {
    let listener = Listener::default();
    let client = listener.clone().serve(serve(Nested)).await.expect("a server");
    let call = ClientRequest::CallToolRequest(Request::new(request("nested_progress", &json!({}))));
    let sent = client.send_cancellable_request(call, PeerRequestOptions::no_options()).await.expect("sent");
    sent.await_response().await.expect("an answer");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(*listener.0.lock().expect("no panic"), [10.0, 11.0]);
}

/// The router is a field, and its routes have no hook.
#[derive(Debug, Clone)]
struct Field {
    router: ToolRouter<Self>,
}

#[tool_router]
impl Field {
    /// Panics.
    #[tool]
    async fn field_panics(&self) -> String {
        panic!("a private text")
    }

    /// Works.
    #[tool]
    async fn field_works(&self) -> String {
        "works".into()
    }
}

#[resilient]
#[tool_handler(router = self.router)]
impl ServerHandler for Field {}

#[tokio::test(start_paused = true)]
async fn tools_of_a_router_in_a_field_are_answered_with_an_id() {
    let client = connect(Field { router: Field::tool_router() }).await;
    let panicked = call(&client, "field_panics", &json!({})).await;
    assert_eq!((panicked.is_error, &meta(&panicked, ERROR)["code"]), (Some(true), &json!("INTERNAL")));
    assert!(meta(&panicked, ERROR)["correlation_id"].is_string());
    let works = call(&client, "field_works", &json!({})).await;
    assert_eq!(text(&works), "works");
    assert!(meta(&works, CALL)["correlation_id"].is_string());
}

/// The timeout depends on the parameters.
#[derive(Debug, Clone)]
struct Patient;

#[resilient]
impl ServerHandler for Patient {
    #[resilient(timeout(max = "60s", from = Some(Duration::from_secs(request.uri.len() as u64))))]
    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let _ = request;
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_from_the_parameters_of_a_request_holds() {
    let client = connect(Patient).await;
    let began = tokio::time::Instant::now();
    let (_, error) = refused(client.read_resource(ReadResourceRequestParams::new("xyz")).await);
    assert_eq!((&error["kind"], began.elapsed().as_secs()), (&"timeout".into(), 3), "{error}");
}
