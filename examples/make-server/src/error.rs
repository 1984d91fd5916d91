//! The errors of the tools, and what clients see of them.

use std::time::Duration;

use resilient_runtime::{McpError, ResilienceError};

/// Why a tool failed.
///
/// The text of `#[error]` is for the log; the kind decides whether a client sees it. Make's own text never reaches a
/// client.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "MAKE")]
pub enum MakeError {
    /// No scenario with this id is visible to the token.
    #[error("no scenario {id}")]
    #[mcp(kind = not_found, hint = "Call list_scenarios for valid ids.")]
    NoSuchScenario {
        /// The requested id.
        #[mcp(detail)]
        id: u64,
    },

    /// The organization's requests per minute are used up.
    #[error("Make's rate limit is used up")]
    #[mcp(kind = rate_limited)]
    RateLimited {
        /// The delay of Make's `Retry-After`, if any.
        #[mcp(retry_after)]
        wait: Option<Duration>,
    },

    /// Make rejects the token.
    #[error("Make refused the token: {body}")]
    #[mcp(
        kind = unauthenticated,
        message = "This server's Make token is missing a scope, expired or wrong.",
        hint = "Tell the operator to check MAKE_API_TOKEN; another call will not help."
    )]
    TokenRefused {
        /// The body of the response.
        body: String,
    },

    /// Any other error status.
    #[error("Make answered with HTTP {status}: {body}")]
    #[mcp(message = "Make answered with HTTP status {status}.")]
    Upstream {
        /// The HTTP status, which decides the kind.
        #[mcp(status, detail)]
        status: u16,
        /// The delay of Make's `Retry-After`, if any; with 503 as with 429.
        #[mcp(retry_after)]
        wait: Option<Duration>,
        /// The body of the response.
        body: String,
    },

    /// A success whose body does not follow the API.
    #[error("Make's answer cannot be read")]
    #[mcp(kind = bad_response)]
    BadResponse(#[source] serde_json::Error),

    /// There was no response.
    #[error("cannot reach Make")]
    Http(
        #[from]
        #[mcp(classify)]
        reqwest::Error,
    ),

    /// A policy ended the call: timeout, open breaker, panic.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}
