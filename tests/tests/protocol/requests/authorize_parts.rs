//! `authorize` above a handler whose methods call each other, tools, and the methods of another server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use resilient_runtime::{CallContext, McpError, ResilienceError, resilient};
use resilient_tests::in_process::{Client, call, connect, connect_without_session, request};
use resilient_tests::wire::text;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientRequest, CustomRequest, CustomResult, JsonObject,
    ListResourcesResult, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult,
    ServerCapabilities, ServerConfig, SubscriptionFilter,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_router};
use serde_json::json;

use super::refused;

#[derive(Debug, thiserror::Error, McpError)]
enum Denied {
    #[error("closed")]
    #[mcp(kind = permission_denied)]
    Closed,
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

#[derive(Debug, Clone, Default)]
struct Shelf {
    runs: Arc<AtomicU32>,
    checks: Arc<AtomicU32>,
}

impl Shelf {
    async fn may_ask(&self, _: &RequestContext<RoleServer>, parameters: &JsonObject) -> Result<(), Denied> {
        self.checks.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        let is_refused = match (parameters.get("uri"), parameters.get("page")) {
            (Some(uri), _) => uri == "closed",
            (_, Some(page)) => page == "front",
            _ => parameters.contains_key("notifications"),
        };
        if is_refused { Err(Denied::Closed) } else { Ok(()) }
    }

    async fn is_admin(&self, _: &RequestContext<RoleServer>, _: &JsonObject) -> Result<(), Denied> {
        tokio::task::yield_now().await;
        Err(Denied::Closed)
    }

    async fn may_look(&self, _: &RequestContext<RoleServer>, _: &JsonObject) -> Result<(), Denied> {
        tokio::task::yield_now().await;
        Ok(())
    }
}

#[resilient]
#[tool_router]
impl Shelf {
    /// Deletes all books.
    #[resilient(authorize = Self::is_admin)]
    #[tool(annotations(read_only_hint = false))]
    async fn shelf_delete(&self) -> Result<String, Denied> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        Ok("deleted".into())
    }

    /// Returns the milliseconds that are left.
    #[resilient(authorize = Self::may_look, timeout = "60s")]
    #[tool(annotations(read_only_hint = true))]
    async fn shelf_deadline(&self) -> Result<String, Denied> {
        Ok(left())
    }

    /// Is not guarded.
    #[resilient(authorize = Self::may_look)]
    #[tool(annotations(read_only_hint = true))]
    async fn shelf_unguarded(&self) -> String {
        left()
    }
}

/// Returns the milliseconds until the deadline.
fn left() -> String {
    let deadline = CallContext::current().and_then(|call| call.deadline());
    deadline.map_or_else(|| "endless".into(), |end| (end - tokio::time::Instant::now()).as_millis().to_string())
}

#[resilient(authorize = Self::may_ask)]
impl ServerHandler for Shelf {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_resources().enable_tools().enable_tool_list_changed();
        ServerConfig::new(capabilities.build())
    }

    #[resilient(timeout = "2s")]
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let uri = request.arguments.as_ref().and_then(|arguments| arguments.get("uri")?.as_str()).unwrap_or_default();
        match &*request.name {
            "fetch" => {
                // The second one is checked too.
                self.read_resource(ReadResourceRequestParams::new("open"), context.clone()).await?;
                self.read_resource(ReadResourceRequestParams::new(uri), context).await?;
            }
            "fetch_guarded" => {
                let cursor = PaginatedRequestParams::default().with_cursor(Some(uri.into()));
                self.list_resources(Some(cursor), context).await?;
            }
            _ => return Self::tool_router().call(ToolCallContext::new(self, request, context)).await,
        }
        Ok(CallToolResult::success(Vec::new()).into())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        if request.uri == "twice" {
            self.list_resources(None, context).await?;
        }
        Ok(ReadResourceResult::new(Vec::new()).into())
    }

    #[resilient(rate_limit = "100/1s")]
    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        Ok(ListResourcesResult::default())
    }

    async fn on_custom_request(
        &self,
        _: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        Ok(CustomResult::new(json!({ "text": self.shelf_delete().await? })))
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        context.sink().notify_tool_list_changed().await.map_err(|_| ErrorData::internal_error("gone", None))
    }
}

/// A server that passes requests on to another one, and lets every request through.
#[derive(Debug, Clone)]
struct Gateway(Shelf);

impl Gateway {
    async fn may_ask(&self, _: &RequestContext<RoleServer>, _: &JsonObject) -> Result<(), Denied> {
        tokio::task::yield_now().await;
        Ok(())
    }
}

#[resilient(authorize = Self::may_ask)]
impl ServerHandler for Gateway {
    fn get_info(&self) -> ServerConfig {
        self.0.get_info()
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.0.read_resource(request, context).await
    }
}

async fn fetch(client: &Client, tool: &'static str, uri: &str) -> Result<CallToolResult, rmcp::ServiceError> {
    client.call_tool(request(tool, &json!({ "uri": uri }))).await
}

#[tokio::test(start_paused = true)]
async fn a_method_that_a_call_tool_calls_is_authorized_each_time() {
    let server = Shelf::default();
    let client = connect(server.clone()).await;
    let (_, error) = refused(fetch(&client, "fetch", "closed").await);
    assert_eq!(error["kind"], "permission_denied", "{error}");
    assert_eq!(server.runs.load(Ordering::Relaxed), 1, "the first one alone");
    fetch(&client, "fetch", "open").await.expect("authorized");
    fetch(&client, "fetch_guarded", "open").await.expect("authorized");
    assert_eq!(server.checks.load(Ordering::Relaxed), 5);
}

#[tokio::test(start_paused = true)]
async fn a_method_within_an_authorized_one_is_not_authorized_again_unless_it_is_of_another_server() {
    let server = Shelf::default();
    let client = connect(server.clone()).await;
    client.read_resource(ReadResourceRequestParams::new("twice")).await.expect("authorized");
    assert_eq!((server.checks.load(Ordering::Relaxed), server.runs.load(Ordering::Relaxed)), (1, 2));
    let client = connect(Gateway(server.clone())).await;
    let (_, error) = refused(client.read_resource(ReadResourceRequestParams::new("closed")).await);
    assert_eq!(error["kind"], "permission_denied", "{error}");
    assert_eq!((server.checks.load(Ordering::Relaxed), server.runs.load(Ordering::Relaxed)), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_authorizes_is_no_call_of_a_tool_and_a_custom_request_is_judged_by_its_parameters() {
    let server = Shelf::default();
    let client = connect(server.clone()).await;
    let custom = async |parameters| {
        let sent = CustomRequest::new("x/run", Some(parameters));
        refused(client.send_request(ClientRequest::CustomRequest(sent)).await).1
    };
    assert_eq!(custom(json!({ "page": "front" })).await["kind"], "permission_denied");
    assert_eq!(server.runs.load(Ordering::Relaxed), 0);
    assert_eq!(custom(json!({ "page": "back" })).await["kind"], "internal", "nothing has authorized the tool");
    assert_eq!(server.runs.load(Ordering::Relaxed), 1, "the method, and not the tool");
}

#[tokio::test(start_paused = true)]
async fn an_authorized_tool_keeps_the_deadline_of_the_method_around_it() {
    let client = connect(Shelf::default()).await;
    for tool in ["shelf_deadline", "shelf_unguarded"] {
        let left = text(&call(&client, tool, &json!({})).await);
        assert!(left.parse().is_ok_and(|left| (1_900..=2_000).contains(&left)), "{tool}: {left}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_is_authorized() {
    let server = Shelf::default();
    let client = connect_without_session(server.clone()).await;
    let mut subscription =
        client.listen(SubscriptionFilter::builder().tools_list_changed().build()).await.expect("acknowledged");
    let ended = subscription.next().await;
    assert!(!matches!(ended, Ok(Some(_))), "no notification: {ended:?}");
    assert_eq!((server.runs.load(Ordering::Relaxed), server.checks.load(Ordering::Relaxed)), (0, 1));
}
