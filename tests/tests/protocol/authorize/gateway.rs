//! A tool that calls the router of another server whose tool has the same name.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use resilient_runtime::{mcp, resilient};
use resilient_tests::failure::Failure;
use resilient_tests::wire::error;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, JsonObject};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_handler, tool_router};

use super::{Refused, call, connect, token};

/// A server, and the one behind it. Each lets other tokens through.
#[derive(Debug, Clone, Default)]
struct Gateway {
    lets: &'static str,
    behind: Option<Arc<Self>>,
    checks: Arc<AtomicU32>,
    runs: Arc<AtomicU32>,
}

impl Gateway {
    async fn check(&self, request: &RequestContext<RoleServer>, _: &JsonObject) -> Result<(), Refused> {
        self.checks.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
        let token = token(request);
        if self.lets.contains(token) { Ok(()) } else { Err(Refused::Expired(token.to_owned())) }
    }

    fn again(&self) -> Pin<Box<dyn Future<Output = Result<String, Failure>> + Send + '_>> {
        Box::pin(self.gateway_again())
    }

    /// Returns a router whose routes have two hooks.
    fn tools() -> ToolRouter<Self> {
        mcp::instrument(Self::gateway_tools())
    }
}

#[resilient(authorize = Self::check)]
#[tool_router(router = gateway_tools)]
impl Gateway {
    /// Searches.
    #[tool(annotations(read_only_hint = true))]
    async fn gateway_search(&self, context: RequestContext<RoleServer>) -> Result<CallToolResult, ErrorData> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let Some(behind) = self.behind.as_deref() else {
            return Ok(CallToolResult::success(Vec::new()));
        };
        let router = Self::tools();
        let call = ToolCallContext::new(behind, CallToolRequestParams::new("gateway_search"), context);
        match router.call(call).await? {
            CallToolResponse::Complete(result) => Ok(result),
            other => Err(ErrorData::internal_error(format!("{other:?}"), None)),
        }
    }

    /// Calls a function of the same tool directly.
    #[tool(annotations(read_only_hint = true))]
    async fn gateway_again(&self) -> Result<String, Failure> {
        if self.runs.fetch_add(1, Ordering::Relaxed) == 0 { self.again().await } else { Ok("2".into()) }
    }
}

#[resilient]
#[tool_handler(router = Self::tools())]
impl ServerHandler for Gateway {}

#[tokio::test(start_paused = true)]
async fn another_server_authorizes_the_call_by_its_own_function() {
    let behind = Arc::new(Gateway { lets: "second", ..Gateway::default() });
    let gateway = Gateway { lets: "first second", behind: Some(Arc::clone(&behind)), ..Gateway::default() };
    let client = connect(gateway.clone()).await;
    let refused = call(&client, "gateway_search", &[("token", "first")]).await;
    assert_eq!(error(&refused)["code"], "WIKI_EXPIRED", "{refused:?}");
    assert_eq!((gateway.runs.load(Ordering::Relaxed), behind.runs.load(Ordering::Relaxed)), (1, 0));
    let answer = call(&client, "gateway_search", &[("token", "second")]).await;
    assert_eq!(answer.is_error, Some(false), "{answer:?}");
    assert_eq!(behind.runs.load(Ordering::Relaxed), 1);
    let checks = (gateway.checks.load(Ordering::Relaxed), behind.checks.load(Ordering::Relaxed));
    assert_eq!(checks, (2, 2), "once for each server, although the routes have two hooks");
}

#[tokio::test(start_paused = true)]
async fn a_nested_direct_call_of_the_same_tool_is_not_authorized_again() {
    let gateway = Gateway { lets: "valid", ..Gateway::default() };
    let client = connect(gateway.clone()).await;
    let answer = call(&client, "gateway_again", &[]).await;
    assert_eq!(answer.is_error, Some(false), "{answer:?}");
    assert_eq!((gateway.checks.load(Ordering::Relaxed), gateway.runs.load(Ordering::Relaxed)), (1, 2));
}
