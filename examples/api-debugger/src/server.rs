//! The server, with `#[resilient]` on its tools.

use resilient_runtime::{ErrorKind, resilient};
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
    /// The demo's upstream. Dropping it stops it.
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
    /// Send one HTTP request and show the response: status, duration, headers and the beginning of the body. Redirects
    /// are shown, not followed.
    // Every response is returned as it is, including 404 and 500. A host that does not respond costs each call ten
    // seconds, which the breaker avoids. `classify` makes the breaker and the metrics count a response of a gateway
    // without an API behind it, too. Each origin has its own breaker, so that failures of `https` do not affect `http`.
    //
    // No `retry`: for debugging the first response matters, and a POST may have taken effect. No fallback: an old
    // response would mislead. Only the host of the URL is logged, because paths and queries may contain tokens.
    #[resilient(
        timeout = "10s",
        breaker(name = "api-host", failures = 3, open = "30s", key = request.origin()),
        classify = gateway_failure,
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

/// The kind of a response that says that the API did not see the request. The client gets the whole response in any
/// case. A 500 is the API's own response: it is what the model debugs.
fn gateway_failure(Json(answer): &Json<Answer>) -> Option<ErrorKind> {
    match answer.status() {
        429 => Some(ErrorKind::RateLimited),
        502..=504 => Some(ErrorKind::Unavailable),
        _ => None,
    }
}

#[resilient]
#[tool_handler(
    name = "api-debugger",
    instructions = "An answer with a status of 400 or more is a result: the API was reached and said so. An error of the tool means that \
                    there was no answer, or that the request was not sent."
)]
impl ServerHandler for ApiDebugger {}
