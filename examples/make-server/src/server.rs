//! The server, with `#[resilient]` on its tools.

use resilient_runtime::{mcp, resilient};
use rmcp::{
    Json, ServerHandler,
    handler::server::{router::tool::ToolRouter, wrapper::Parameters},
    tool, tool_handler, tool_router,
};

use super::{
    api::MakeApi,
    error::MakeError,
    types::{Connections, Execution, GetScenario, ListConnections, ListScenarios, RunScenario, Scenario, Scenarios},
};

/// Make for MCP clients.
#[derive(Clone, Debug)]
pub struct MakeServer {
    api: MakeApi,
}

impl MakeServer {
    /// Creates a server that uses this client.
    #[must_use]
    pub fn new(api: MakeApi) -> Self {
        Self { api }
    }

    /// The router of all tools, with `deferred_status` and `deferred_cancel`.
    #[must_use]
    pub fn tools() -> ToolRouter<Self> {
        Self::tool_router() + mcp::deferred_tools()
    }
}

// An agent waits for its tools, so an error after 8 s is better than one after 30 s. All tools share one breaker,
// because they share the upstream. If it opens in one replica of the server, the others open theirs at the next failure.
#[resilient(timeout = "8s", attempt_timeout = "2s", breaker(name = "make", open = "5s", distributed))]
#[tool_router]
impl MakeServer {
    /// List the scenarios of a team: ids, names, schedules and whether they are active.
    #[resilient(retry(max = 3, base = "100ms", cap = "1s"), fallback = cached)]
    #[tool(annotations(title = "List scenarios", read_only_hint = true, open_world_hint = true))]
    async fn list_scenarios(
        &self,
        Parameters(ListScenarios { team_id, limit }): Parameters<ListScenarios>,
    ) -> Result<Json<Scenarios>, MakeError> {
        self.api.scenarios(team_id, limit).await.map(Json)
    }

    /// Show one scenario: its schedule, its next run, whether an error stopped it and how many executions wait to be
    /// resolved.
    #[resilient(retry(max = 3, base = "100ms", cap = "1s"), fallback = cached)]
    #[tool(annotations(title = "Show a scenario", read_only_hint = true, open_world_hint = true))]
    async fn get_scenario(
        &self,
        Parameters(GetScenario { id }): Parameters<GetScenario>,
    ) -> Result<Json<Scenario>, MakeError> {
        self.api.scenario(id).await.map(Json)
    }

    /// Run a scenario now. Each call starts a separate run and may send mails, change data or cost money.
    // No `retry`: a request without a response may have started the run.
    //
    // `fallback = deferred`: a run with a key that Make cannot start now is stored, and started by the worker within an
    // hour, because a run that is much later than requested may surprise. Without a key it is not stored. The scenario
    // gets the key, because a run may be started twice: a timeout does not show whether Make has started it.
    //
    // `distributed`: all replicas of the server together start this many runs. More with a key are started a little later.
    #[resilient(
        rate_limit(rate = "20/1s", burst = 40, name = "make_runs", distributed),
        fallback = deferred,
        deferred(tries = 6, ttl = "1h", key = idempotency_key)
    )]
    #[tool(annotations(
        title = "Run a scenario",
        read_only_hint = false,
        destructive_hint = true,
        idempotent_hint = false,
        open_world_hint = true
    ))]
    async fn run_scenario(
        &self,
        Parameters(RunScenario { id, idempotency_key }): Parameters<RunScenario>,
    ) -> Result<Json<Execution>, MakeError> {
        self.api.run(id, idempotency_key.as_ref()).await.map(Json)
    }

    /// List the connections of a team: the accounts at other services that its scenarios use, and when they expire.
    #[resilient(retry(max = 3, base = "100ms", cap = "1s"), fallback = cached)]
    #[tool(annotations(title = "List connections", read_only_hint = true, open_world_hint = true))]
    async fn list_connections(
        &self,
        Parameters(ListConnections { team_id }): Parameters<ListConnections>,
    ) -> Result<Json<Connections>, MakeError> {
        self.api.connections(team_id).await.map(Json)
    }
}

#[resilient]
#[tool_handler(
    name = "make",
    router = Self::tools(),
    instructions = "Scenarios are automations in Make. Find ids with list_scenarios. When an answer says that it is old, Make could not \
                    be reached and the data are from before; say so when you use them. When an answer begins with \
                    ACCEPTED_FOR_LATER, nothing was done yet, and this server does it later: do not repeat the call, and ask \
                    deferred_status later."
)]
impl ServerHandler for MakeServer {}
