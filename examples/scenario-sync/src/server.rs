//! The server: a read, and a write that is accepted for later while the service is down.

use resilient_runtime::{mcp, resilient};
use rmcp::{
    Json, ServerHandler,
    handler::server::{router::tool::ToolRouter, wrapper::Parameters},
    tool, tool_handler, tool_router,
};

use super::{
    client::ScenarioApi,
    error::SyncError,
    sync::synchronise,
    types::{Scenarios, SyncResult, SyncScenarios},
};

/// Synchronises scenarios for MCP clients. Cheap to clone: the worker that delivers deferred writes has a clone.
#[derive(Clone, Debug)]
pub struct ScenarioSync {
    api: ScenarioApi,
}

#[resilient(timeout = "10s", breaker(name = "scenarios", open = "10s"))]
#[tool_router(vis = "pub(crate)")]
impl ScenarioSync {
    /// List all scenarios with their versions.
    #[resilient(retry(max = 2, base = "100ms"), fallback = cached)]
    #[tool(annotations(title = "List scenarios", read_only_hint = true, open_world_hint = true))]
    async fn list_scenarios(&self) -> Result<Json<Scenarios>, SyncError> {
        self.api.list().await.map(Json)
    }

    /// Write changes of several scenarios. The result lists what succeeded, what failed, and what was changed at the
    /// service as well.
    // `fallback = deferred`: while the service is down or limits the rate, the call is stored, the model gets a receipt,
    // and the worker of this process makes the call later.
    //
    // `key`: a second call with the same id is the same synchronisation. The service gets the id too, because a
    // delivery may happen twice: the process may die between the effect and the record of it. The other parts have
    // their defaults: 8 tries, 30 s to 30 min apart, for at most 24 h, then a dead letter.
    #[resilient(
        retry(max = 1, base = "200ms"),
        fallback = deferred,
        deferred(key = sync.request_id)
    )]
    #[tool(annotations(
        title = "Synchronise scenarios",
        read_only_hint = false,
        destructive_hint = true,
        idempotent_hint = true,
        open_world_hint = true
    ))]
    async fn sync_scenarios(&self, Parameters(sync): Parameters<SyncScenarios>) -> Result<Json<SyncResult>, SyncError> {
        synchronise(&self.api, &sync).await.map(Json)
    }
}

impl ScenarioSync {
    /// Creates a server that uses this client.
    #[must_use]
    pub fn new(api: ScenarioApi) -> Self {
        Self { api }
    }

    /// The router of all tools, with `deferred_status` and `deferred_cancel`.
    pub(crate) fn tools() -> ToolRouter<Self> {
        Self::tool_router() + mcp::deferred_tools()
    }
}

#[resilient]
#[tool_handler(
    name = "scenario-sync",
    router = Self::tools(),
    instructions = "Call list_scenarios for the versions before you change something. When an answer begins with ACCEPTED_FOR_LATER, \
                    the changes are not made yet, and this server makes them later: do not send them again, tell the user, and ask \
                    deferred_status later."
)]
impl ServerHandler for ScenarioSync {}
