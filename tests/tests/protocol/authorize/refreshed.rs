//! What the refresh of a kept answer may call.

#![allow(clippy::unused_self, clippy::unused_async, reason = "a check has to be an async method")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::{Registry, resilient};
use resilient_tests::failure::Failure;
use resilient_tests::in_process::{authenticate, call, connect};
use resilient_tests::wire::text;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{CallToolRequestParams, CallToolResponse, JsonObject};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_router};
use serde_json::json;
use tokio::time::sleep;

#[derive(Debug, Clone, Default)]
struct Notes {
    registry: Arc<Registry>,
    runs: Arc<AtomicU32>,
}

impl Notes {
    async fn check(&self, _: &RequestContext<RoleServer>, _: &JsonObject) -> Result<(), Failure> {
        Ok(())
    }
}

#[resilient]
#[tool_router(router = notes_router)]
impl Notes {
    /// Needs an authorized request.
    #[resilient(authorize = Self::check)]
    #[tool]
    async fn notes_private(&self) -> Result<String, Failure> {
        Ok(format!("private {}", self.runs.fetch_add(1, Ordering::Relaxed)))
    }

    /// Is called by anyone, and reads what needs an authorized request.
    #[resilient(cache(fresh = "10s", stale_while_revalidate = "1h"))]
    #[tool]
    async fn notes_public(&self) -> Result<String, Failure> {
        Ok(self.notes_private().await.unwrap_or_else(|_| "refused".into()))
    }

    /// Is authorized itself.
    #[resilient(authorize = Self::check, cache(fresh = "10s", stale_while_revalidate = "1h"))]
    #[tool]
    async fn notes_all(&self) -> Result<String, Failure> {
        self.notes_private().await
    }
}

impl ServerHandler for Notes {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        mut context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        authenticate(&mut context);
        self.registry.clone().scope(Self::notes_router().call(ToolCallContext::new(self, request, context))).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_is_authorized_if_the_call_that_began_it_was() {
    let client = connect(Notes::default()).await;
    for (tool, expected) in [("notes_public", ["refused"; 2]), ("notes_all", ["private 0", "private 1"])] {
        let ask = async || text(&call(&client, tool, &json!({})).await);
        assert_eq!(ask().await, expected[0]);
        sleep(Duration::from_secs(20)).await;
        assert_eq!(ask().await, expected[0], "stale");
        sleep(Duration::from_secs(1)).await;
        assert_eq!(ask().await, expected[1], "refreshed");
    }
}
