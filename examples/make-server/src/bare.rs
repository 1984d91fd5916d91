//! The same tools without `#[resilient]`: an error is a string, and a tool calls its upstream directly.

use rmcp::{Json, ServerHandler, handler::server::wrapper::Parameters, tool, tool_handler, tool_router};

use super::{
    api::MakeApi,
    types::{Connections, Execution, GetScenario, ListConnections, ListScenarios, RunScenario, Scenario, Scenarios},
};

/// Make for MCP clients, without `#[resilient]`.
#[derive(Clone, Debug)]
pub struct BareServer {
    api: MakeApi,
}

impl BareServer {
    /// Creates a server that uses this client.
    #[must_use]
    pub fn new(api: MakeApi) -> Self {
        Self { api }
    }
}

#[tool_router]
impl BareServer {
    /// List the scenarios of a team.
    #[tool(annotations(read_only_hint = true))]
    async fn list_scenarios(
        &self,
        Parameters(ListScenarios { team_id, limit }): Parameters<ListScenarios>,
    ) -> Result<Json<Scenarios>, String> {
        self.api.scenarios(team_id, limit).await.map(Json).map_err(|error| error.to_string())
    }

    /// Show one scenario.
    #[tool(annotations(read_only_hint = true))]
    async fn get_scenario(
        &self,
        Parameters(GetScenario { id }): Parameters<GetScenario>,
    ) -> Result<Json<Scenario>, String> {
        self.api.scenario(id).await.map(Json).map_err(|error| error.to_string())
    }

    /// Run a scenario now.
    #[tool(annotations(read_only_hint = false, idempotent_hint = false))]
    async fn run_scenario(
        &self,
        Parameters(RunScenario { id, idempotency_key }): Parameters<RunScenario>,
    ) -> Result<Json<Execution>, String> {
        self.api.run(id, idempotency_key.as_ref()).await.map(Json).map_err(|error| error.to_string())
    }

    /// List the connections of a team.
    #[tool(annotations(read_only_hint = true))]
    async fn list_connections(
        &self,
        Parameters(ListConnections { team_id }): Parameters<ListConnections>,
    ) -> Result<Json<Connections>, String> {
        self.api.connections(team_id).await.map(Json).map_err(|error| error.to_string())
    }
}

#[tool_handler(name = "make-bare")]
impl ServerHandler for BareServer {}
