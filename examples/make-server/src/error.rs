//! What can go wrong between a tool and Make, and what a client may know of it.

use std::time::Duration;

use resilient_runtime::{McpError, ResilienceError};

/// Every way in which a tool of this server fails.
///
/// The text of `#[error]` is for the log; the kind decides whether a client sees it. Nothing that Make wrote reaches an answer.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "MAKE")]
pub enum MakeError {
    /// The id belongs to no scenario that the token may see.
    #[error("no scenario {id}")]
    #[mcp(kind = not_found, hint = "Call list_scenarios for valid ids.")]
    NoSuchScenario {
        /// The id that was asked for.
        #[mcp(detail)]
        id: u64,
    },

    /// The organization's requests of this minute are used up.
    #[error("Make's rate limit is used up")]
    #[mcp(kind = rate_limited)]
    RateLimited {
        /// What Make's `Retry-After` says, if it says something.
        #[mcp(retry_after)]
        wait: Option<Duration>,
    },

    /// Make does not accept the token.
    #[error("Make refused the token: {body}")]
    #[mcp(
        kind = unauthenticated,
        message = "This server's Make token is missing a scope, expired or wrong.",
        hint = "Tell the operator to check MAKE_API_TOKEN; another call will not help."
    )]
    TokenRefused {
        /// What Make wrote.
        body: String,
    },

    /// Any other status that is not a success.
    #[error("Make answered with HTTP {status}: {body}")]
    #[mcp(message = "Make answered with HTTP status {status}.")]
    Upstream {
        /// The HTTP status; the kind follows from it.
        #[mcp(status, detail)]
        status: u16,
        /// What Make's `Retry-After` says, if it says something: with 503 as with 429.
        #[mcp(retry_after)]
        wait: Option<Duration>,
        /// What Make wrote.
        body: String,
    },

    /// A success whose body is not what the API promises.
    #[error("Make's answer cannot be read")]
    #[mcp(kind = bad_response)]
    BadResponse(#[source] serde_json::Error),

    /// No answer was had at all.
    #[error("cannot reach Make")]
    Http(
        #[from]
        #[mcp(classify)]
        reqwest::Error,
    ),

    /// The call was ended by its policy: timeout, open breaker, panic.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}
