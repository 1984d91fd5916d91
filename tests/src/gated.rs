//! A server in a separate registry, with tools of every kind: what its gate admits, and what it does not.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use resilient_runtime::health::Health;
use resilient_runtime::{CallContext, Guard, Policy, Registry, mcp, resilient};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolRequestParams, CallToolResponse, ListToolsResult, PaginatedRequestParams};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_router};

use crate::failure::Failure;

/// How long the bodies of async tools take.
pub const TAKES: Duration = Duration::from_millis(50);

/// The arguments of the tools that have some.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
pub struct Key {
    key: u32,
}

/// The server.
#[derive(Debug, Clone)]
pub struct Gated {
    registry: Arc<Registry>,
    router: Arc<ToolRouter<Self>>,
    bodies: Arc<Bodies>,
}

/// The bodies that have run.
#[derive(Debug, Default)]
pub struct Bodies {
    /// All bodies, apart from those of [`WAITS`].
    pub ran: AtomicU32,
    /// The bodies of [`WAITS`], each attempt.
    pub waited: AtomicU32,
    /// The guarded functions and guards within them.
    pub nested: AtomicU32,
    /// The bodies that ran although a switch forbade it.
    pub forbidden: AtomicU32,
}

/// The tools that write or may write, and those that read. The first tool that reads has a cache.
pub const WRITES: [&str; 6] = ["write", "unhinted", "write_sync", "write_text", "write_skipped", "write_by_hand"];
/// See [`WRITES`].
pub const READS: [&str; 6] = ["read_cached", "read", "read_sync", "read_text", "read_skipped", "read_by_hand"];

/// The tools whose bodies may begin later than their calls, or several times. The last one reads.
pub const WAITS: [&str; 3] = ["write_queued", "write_retried", "read_queued"];

#[resilient(timeout = "5s", name = "gated.nested")]
async fn nested(bodies: &Bodies) -> Result<(), Failure> {
    bodies.nested.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

static NESTED: Guard = Guard::new("gated.guard", Policy::new());

#[resilient(timeout = "30s")]
#[tool_router(router = tools)]
impl Gated {
    /// Writes.
    #[tool(annotations(read_only_hint = false))]
    async fn write(&self) -> Result<String, Failure> {
        self.writes().await
    }

    /// May write: it has no hint.
    #[tool]
    async fn unhinted(&self) -> Result<String, Failure> {
        self.writes().await
    }

    /// Writes.
    #[tool]
    fn write_sync(&self) -> String {
        self.begins(true);
        "done".into()
    }

    /// Writes.
    #[tool(annotations(destructive_hint = true))]
    async fn write_text(&self) -> String {
        self.writes().await.unwrap_or_default()
    }

    /// Writes, without a policy.
    #[resilient(skip)]
    #[tool]
    async fn write_skipped(&self) -> Result<String, Failure> {
        self.writes().await
    }

    /// Writes, one call at a time.
    #[resilient(bulkhead(max = 1, queue = 100))]
    #[tool]
    async fn write_queued(&self) -> Result<String, Failure> {
        self.counts(true, &self.bodies.waited);
        self.body().await
    }

    /// Writes, and fails twice.
    #[resilient(retry(max = 2, base = "40ms", jitter = off, budget = none), idempotent)]
    #[tool]
    async fn write_retried(&self) -> Result<String, Failure> {
        self.counts(true, &self.bodies.waited);
        let attempt = CallContext::current().map_or(0, |context| context.attempt());
        if attempt < 3 { Err(Failure::Down) } else { self.body().await }
    }

    /// Reads, one call at a time.
    #[resilient(bulkhead(max = 1, queue = 100), read_only)]
    #[tool]
    async fn read_queued(&self) -> Result<String, Failure> {
        self.counts(false, &self.bodies.waited);
        self.body().await
    }

    /// Reads, and keeps its answers.
    #[resilient(fallback = cached)]
    #[tool(annotations(read_only_hint = true))]
    async fn read_cached(&self, Parameters(Key { key }): Parameters<Key>) -> Result<String, Failure> {
        self.reads().await.map(|_| format!("kept {key}"))
    }

    /// Reads.
    #[resilient(read_only)]
    #[tool]
    async fn read(&self) -> Result<String, Failure> {
        self.reads().await
    }

    /// Reads.
    #[tool(annotations(read_only_hint = true))]
    fn read_sync(&self) -> String {
        self.begins(false);
        "done".into()
    }

    /// Reads.
    #[tool(annotations(read_only_hint = true))]
    async fn read_text(&self) -> String {
        self.reads().await.unwrap_or_default()
    }

    /// Reads, without a policy.
    #[resilient(skip)]
    #[tool(annotations(read_only_hint = true))]
    async fn read_skipped(&self) -> Result<String, Failure> {
        self.reads().await
    }
}

#[tool_router(router = by_hand)]
impl Gated {
    /// Writes.
    #[tool]
    async fn write_by_hand(&self) -> Result<String, Failure> {
        self.writes().await
    }

    /// Reads.
    #[tool(annotations(read_only_hint = true))]
    async fn read_by_hand(&self) -> Result<String, Failure> {
        self.reads().await
    }
}

impl Gated {
    /// Creates the server, with a router that is put together of all tools, in a new registry.
    #[must_use]
    pub fn new() -> Self {
        Self::of(Self::router(), Arc::new(Registry::new()))
    }

    /// Creates the server with this router.
    #[must_use]
    pub fn of(router: ToolRouter<Self>, registry: Arc<Registry>) -> Self {
        Self { registry, router: Arc::new(router), bodies: Arc::default() }
    }

    /// Returns a router with all tools, and the ready-made ones.
    #[must_use]
    pub fn router() -> ToolRouter<Self> {
        static HEALTH: LazyLock<Arc<Health>> = LazyLock::new(|| Arc::new(Health::new()));
        Self::tools() + mcp::instrument(Self::by_hand()) + mcp::operator_tools(&HEALTH)
    }

    /// Returns a router with the tools of the annotated block.
    #[must_use]
    pub fn tools_of_block() -> ToolRouter<Self> {
        Self::tools()
    }

    /// Calls the function of a tool that writes, without a route.
    ///
    /// # Errors
    /// Those of the tool.
    pub async fn called_directly(&self) -> Result<String, Failure> {
        self.unhinted().await
    }

    /// Returns the registry of the server.
    #[must_use]
    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry)
    }

    /// Returns the bodies that have run.
    #[must_use]
    pub fn bodies(&self) -> Arc<Bodies> {
        Arc::clone(&self.bodies)
    }

    /// Begins a body, and records it.
    pub fn begins(&self, writes: bool) {
        self.counts(writes, &self.bodies.ran);
    }

    fn counts(&self, writes: bool, bodies: &AtomicU32) {
        let state = self.registry.gate().state();
        bodies.fetch_add(1, Ordering::Relaxed);
        if if writes { state.read_only.is_some() } else { state.cache_only } {
            self.bodies.forbidden.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn writes(&self) -> Result<String, Failure> {
        self.begins(true);
        self.body().await
    }

    async fn reads(&self) -> Result<String, Failure> {
        self.begins(false);
        self.body().await
    }

    async fn body(&self) -> Result<String, Failure> {
        tokio::time::sleep(TAKES).await;
        nested(&self.bodies).await?;
        NESTED.call(async || Ok::<_, Failure>(())).await?;
        Ok("done".into())
    }
}

impl Default for Gated {
    fn default() -> Self {
        Self::new()
    }
}

impl ServerHandler for Gated {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.registry().scope(self.router.call(ToolCallContext::new(self, request, context))).await
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.router.list_all()))
    }
}
