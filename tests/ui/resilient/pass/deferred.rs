//! `fallback = deferred` on tools of all shapes.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]
#![allow(clippy::unused_async, reason = "a tool has to be async")]

use resilient_runtime::{ResilienceError, resilient};
use rmcp::handler::server::tool::ToolName;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::CallToolResult;
use rmcp::{tool, tool_router};

#[derive(Clone, serde::Deserialize, schemars::JsonSchema)]
struct Run {
    scenario: u64,
    request_id: Option<String>,
}

#[derive(Clone)]
struct Server;

#[resilient(timeout = "5s", breaker = "make")]
#[tool_router(server_handler)]
impl Server {
    /// Run a scenario.
    #[resilient(
        fallback = deferred,
        deferred(tries = 8, base = "30s", cap = "30m", ttl = "24h", key = run.request_id, on_exhausted = dead_letter)
    )]
    #[tool]
    async fn run(&self, Parameters(run): Parameters<Run>) -> Result<String, ResilienceError> {
        Ok(run.scenario.to_string())
    }

    /// Run a scenario, with retries and other fallbacks first.
    #[resilient(
        retry = 1,
        retry_unsafe = "the service recognizes the id of the request",
        fallback = [Self::elsewhere, deferred],
        deferred(key = (run.scenario, &run.request_id), on_exhausted = notify),
        log_args(run.scenario)
    )]
    #[tool]
    async fn run_again(
        &self,
        Parameters(run): Parameters<Run>,
        #[allow(unused, reason = "an argument with attributes")] name: ToolName,
    ) -> Result<String, ResilienceError> {
        Ok(run.scenario.to_string())
    }

    /// Stop all scenarios.
    #[resilient(fallback = deferred)]
    #[tool(annotations(idempotent_hint = true))]
    async fn stop(&self) -> Result<CallToolResult, ResilienceError> {
        Ok(CallToolResult::success(Vec::new()))
    }

    /// Start a scenario.
    #[resilient(fallback = [deferred], deferred(tries = 3), idempotent)]
    #[tool]
    async fn start(&self, #[cfg(not(any()))] Parameters(run): Parameters<Run>) -> Result<String, ResilienceError> {
        Ok(run.scenario.to_string())
    }
}

impl Server {
    async fn elsewhere(
        &self,
        run: Parameters<Run>,
        _name: ToolName,
        error: &ResilienceError,
    ) -> Result<String, ResilienceError> {
        if run.0.scenario == 0 { Ok(String::new()) } else { Err(error.clone()) }
    }
}

fn main() {
    assert_eq!(Server::tool_router().map.len(), 4);
}
