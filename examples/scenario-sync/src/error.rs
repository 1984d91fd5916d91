//! The errors of the tools, and what clients see of them.

use std::time::Duration;

use resilient_runtime::{McpError, ResilienceError};

/// Why a call failed as a whole. What is wrong with a single change is in the result instead.
///
/// The kinds decide what happens to a write: `unavailable`, `connection`, `rate_limited` and timeouts are accepted for
/// later, `unauthenticated`, `bad_response` and a refusal are not, because a later attempt would fail in the same way.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "SYNC")]
pub enum SyncError {
    /// The service rejects the token.
    #[error("the service refused the token: {body}")]
    #[mcp(
        kind = unauthenticated,
        message = "This server's token is expired or wrong.",
        hint = "Tell the operator to check SCENARIOS_API_TOKEN; another call will not help."
    )]
    TokenRefused {
        /// The body of the response.
        body: String,
    },

    /// Too many requests in a short time.
    #[error("the service limits the rate of requests")]
    #[mcp(kind = rate_limited)]
    RateLimited {
        /// The delay of its `Retry-After`, if any.
        #[mcp(retry_after)]
        wait: Option<Duration>,
    },

    /// Any other error status.
    #[error("the service answered with HTTP {status}: {body}")]
    #[mcp(message = "The service answered with HTTP status {status}.")]
    Status {
        /// The HTTP status, which decides the kind.
        #[mcp(status, detail)]
        status: u16,
        /// The delay of its `Retry-After`, if any.
        #[mcp(retry_after)]
        wait: Option<Duration>,
        /// The body of the response.
        body: String,
    },

    /// A success whose body does not follow the API.
    #[error("the service's answer cannot be read")]
    #[mcp(kind = bad_response)]
    BadResponse(#[source] serde_json::Error),

    /// There was no response.
    #[error("cannot reach the service")]
    Unreachable(
        #[from]
        #[mcp(classify)]
        reqwest::Error,
    ),

    /// A policy ended the call: timeout, open breaker, panic.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}
