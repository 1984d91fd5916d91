//! A server with reads of a slow service.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::{CallContext, McpError, Registry, ResilienceError, resilient};
use resilient_tests::in_process::{Client, authenticate, connect};
use rmcp::handler::server::tool::{RequestState, ToolCallContext};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::sleep;

/// How long a body takes.
pub(super) const TAKES: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub(super) struct Ask {
    key: u32,
    /// Whether the service fails.
    #[serde(default)]
    fails: bool,
}

/// An error that is not `Clone`, with everything that a client sees.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "SHOP")]
pub(super) enum Failure {
    #[error("private")]
    #[mcp(kind = rate_limited, hint = "Order {item} elsewhere.", severity = high)]
    TooFast {
        #[mcp(detail)]
        item: u32,
        #[mcp(retry_after)]
        wait: Duration,
    },
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

/// An error that keeps nothing of an error of the framework.
#[derive(Debug, thiserror::Error, McpError)]
pub(super) enum Lossy {
    #[error("mine")]
    #[mcp(kind = quota_exceeded)]
    Own,
    #[error("lost")]
    #[mcp(kind = internal)]
    Lost,
}

impl From<ResilienceError> for Lossy {
    fn from(_: ResilienceError) -> Self {
        Self::Lost
    }
}

/// The server. Its clients authenticate with the member `user` of `_meta`.
#[derive(Debug, Clone, Default)]
pub(super) struct Shop {
    pub(super) registry: Arc<Registry>,
    pub(super) runs: Arc<AtomicU32>,
    /// Set while the service is down.
    pub(super) down: Arc<AtomicBool>,
}

#[resilient(timeout = "30s")]
#[tool_router(router = tools)]
impl Shop {
    /// Fresh, stale, and kept for errors.
    #[resilient(
        cache(fresh = "10s", stale_while_revalidate = "60s", stale_if_error = "1h", key = ask.key),
        fallback = cached
    )]
    #[tool(annotations(read_only_hint = true))]
    async fn stock(&self, Parameters(ask): Parameters<Ask>) -> Result<String, Failure> {
        self.ask(ask).await
    }

    /// Warns of each of its answers.
    #[resilient(cache(fresh = "10s", stale_while_revalidate = "60s", key = ask.key))]
    #[tool(annotations(read_only_hint = true))]
    async fn warns(&self, Parameters(ask): Parameters<Ask>) -> Result<String, Failure> {
        let run = self.ask(ask).await;
        CallContext::current().expect("a context").warn("the list was cut");
        run
    }

    /// Warns of its answers, and keeps them for errors alone.
    #[resilient(fallback = cached)]
    #[tool(annotations(read_only_hint = true))]
    async fn warns_for_errors(&self) -> Result<String, Failure> {
        self.warn()
    }

    /// Warns of its answers, and keeps them.
    #[resilient(fallback = cached, cache(fresh = "10s"))]
    #[tool(annotations(read_only_hint = true))]
    async fn warns_for_all(&self) -> Result<String, Failure> {
        self.warn()
    }

    /// Depends on more than its arguments.
    #[resilient(cache(fresh = "10s"))]
    #[tool(annotations(read_only_hint = true))]
    async fn follows_up(&self, RequestState(state): RequestState) -> Result<String, Failure> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        Ok(state.unwrap_or_default())
    }

    /// Depends on more than its key.
    #[resilient(cache(fresh = "10s", key = 1))]
    #[tool(annotations(read_only_hint = true))]
    async fn follows_up_by_key(&self, RequestState(state): RequestState) -> Result<String, Failure> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        Ok(state.unwrap_or_default())
    }

    /// Has an error that keeps nothing of the framework's errors.
    #[resilient(cache(fresh = "10s", key = ask.key))]
    #[tool(annotations(read_only_hint = true))]
    async fn lossy(&self, Parameters(ask): Parameters<Ask>) -> Result<String, Lossy> {
        self.ask(ask).await.map_err(|_| Lossy::Own)
    }

    /// Has the errors of rmcp, which are `Clone`.
    #[resilient(cache(fresh = "10s", key = ask.key))]
    #[tool(annotations(read_only_hint = true))]
    async fn plain(&self, Parameters(ask): Parameters<Ask>) -> Result<CallToolResult, ErrorData> {
        match self.ask(ask).await {
            Ok(text) => Ok(CallToolResult::success(vec![ContentBlock::text(text)])),
            Err(_) => Err(ErrorData::invalid_params("mine", None)),
        }
    }

    /// Answers early if its client cancels the call.
    #[resilient(cache(fresh = "10s"))]
    #[tool(annotations(read_only_hint = true))]
    async fn gives_up(&self, context: RequestContext<RoleServer>) -> Result<String, Failure> {
        tokio::select! {
            () = context.ct.cancelled() => Ok("given up".into()),
            () = sleep(TAKES) => Ok("whole".into()),
        }
    }

    /// Has an error result, as rmcp teaches it.
    #[resilient(cache(fresh = "10s"))]
    #[tool(annotations(read_only_hint = true))]
    async fn error_result(&self) -> Result<CallToolResult, ErrorData> {
        let run = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(CallToolResult::error(vec![ContentBlock::text(format!("run {run}"))]))
    }
}

impl Shop {
    async fn ask(&self, ask: Ask) -> Result<String, Failure> {
        let run = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
        sleep(TAKES).await;
        if ask.fails || self.down.load(Ordering::Relaxed) {
            return Err(Failure::TooFast { item: ask.key, wait: Duration::from_secs(7) });
        }
        Ok(format!("{} by run {run}", ask.key))
    }

    fn warn(&self) -> Result<String, Failure> {
        if self.down.load(Ordering::Relaxed) {
            return Err(Failure::TooFast { item: 7, wait: Duration::from_secs(7) });
        }
        CallContext::current().expect("a context").warn("the list was cut");
        Ok("half of it".into())
    }

    pub(super) fn runs(&self) -> u32 {
        self.runs.load(Ordering::Relaxed)
    }

    /// Creates a server and its client.
    pub(super) async fn connected() -> (Self, Arc<Client>) {
        let shop = Self::default();
        let client = connect(shop.clone()).await;
        (shop, Arc::new(client))
    }
}

impl ServerHandler for Shop {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        mut context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        authenticate(&mut context);
        self.registry.clone().scope(Self::tools().call(ToolCallContext::new(self, request, context))).await
    }
}
