//! The server: what a user of `#[resilient]` writes.

use resilient_runtime::resilient;
use rmcp::{Json, ServerHandler, handler::server::wrapper::Parameters, tool, tool_handler, tool_router};

use super::{
    client::{Answer, ApiClient},
    error::ApiError,
    request::TestApi,
};
use crate::upstream::Upstream;

/// Sends HTTP requests for MCP clients.
#[derive(Debug)]
pub struct ApiDebugger {
    client: ApiClient,
    /// The demo's, which ends with the server.
    _upstream: Option<Upstream>,
}

impl ApiDebugger {
    pub(super) fn new(client: ApiClient, upstream: Option<Upstream>) -> Self {
        Self { client, _upstream: upstream }
    }
}

#[resilient]
#[tool_router(vis = "pub")]
impl ApiDebugger {
    /// Send one HTTP request and show the answer: status, duration, headers and the beginning of the body. Redirects are shown, not
    /// followed.
    // Whatever the API answers is what was asked for, a 404 and a 500 too, and counts as a success: only a host that gives no answer
    // costs its callers ten seconds each, and that is what the breaker spares them. Each origin has a breaker of its own: who asks
    // for `https` where there is only `http` shuts nobody out from that.
    //
    // No `retry`: who looks for a fault wants to see what happened the first time, and a POST may have taken effect. No fallback: an
    // old answer would mislead. Of the URL only the host is logged, as paths and queries hold tokens.
    #[resilient(
        timeout = "10s",
        breaker(name = "api-host", failures = 3, open = "30s", key = request.origin()),
        log_args(request.method, request.host())
    )]
    #[tool(annotations(
        title = "Test an API",
        read_only_hint = false,
        destructive_hint = true,
        idempotent_hint = false,
        open_world_hint = true
    ))]
    async fn test_api(&self, Parameters(request): Parameters<TestApi>) -> Result<Json<Answer>, ApiError> {
        self.client.send(request).await.map(Json)
    }
}

#[resilient]
#[tool_handler(
    name = "api-debugger",
    instructions = "An answer with a status of 400 or more is a result: the API was reached and said so. An error of the tool means that \
                    there was no answer, or that the request was not sent."
)]
impl ServerHandler for ApiDebugger {}
