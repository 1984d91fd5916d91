//! The errors of a search, and what clients see of them.

use std::time::Duration;

use resilient_runtime::{McpError, ResilienceError};

use super::types::{Engine, LONGEST_QUERY};

/// Why a search failed.
///
/// A hint says what the model can still do for its user. The text of an engine never reaches a client.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "SEARCH")]
pub enum SearchError {
    /// The query is empty or too long.
    #[error("the query has {length} characters, expected 1 to {LONGEST_QUERY}")]
    #[mcp(kind = invalid_input, hint = "Search for the few words that matter most.")]
    Query {
        /// Its number of characters.
        #[mcp(detail)]
        length: usize,
    },

    /// The engine rejects the key. Its response may repeat the key, so the body is dropped.
    // No fallback: it would hide the wrong key.
    #[error("{engine} refused the key")]
    #[mcp(
        kind = unauthenticated,
        message = "The search service did not accept this server's key.",
        hint = "Tell the operator to check TAVILY_API_KEY; another search will not help. Use another source until then."
    )]
    KeyRefused {
        /// The engine.
        engine: Engine,
    },

    /// Too many searches in a short time.
    #[error("{engine} limits the rate of searches")]
    #[mcp(
        kind = rate_limited,
        message = "Too many searches in a short time.",
        hint = "Search less often: one search with better words instead of several. The operator can also get a larger plan."
    )]
    RateLimited {
        /// The engine.
        engine: Engine,
        /// The delay of its `Retry-After`, if any.
        #[mcp(retry_after)]
        wait: Option<Duration>,
    },

    /// The quota of the plan is used up.
    #[error("{engine}'s plan is used up")]
    #[mcp(kind = quota_exceeded)]
    PlanUsedUp {
        /// The engine.
        engine: Engine,
    },

    /// The engine responded with a server error.
    #[error("{engine} answered with HTTP {status}: {body}")]
    #[mcp(
        message = "The search service is unavailable at the moment (HTTP status {status}).",
        hint = "Try again later, or answer from what you know, and tell the user that nothing was looked up and recent things may be missing."
    )]
    Down {
        /// The engine.
        engine: Engine,
        /// The HTTP status, 500 or above, which decides the kind.
        #[mcp(status, detail)]
        status: u16,
        /// The delay of its `Retry-After`, if any.
        #[mcp(retry_after)]
        wait: Option<Duration>,
        /// The body of the response.
        body: String,
    },

    /// The engine rejects the request.
    #[error("{engine} answered with HTTP {status}: {body}")]
    #[mcp(
        message = "The search service refused the search (HTTP status {status}).",
        hint = "Leave out operators and special characters, or search in another way."
    )]
    Refused {
        /// The engine.
        engine: Engine,
        /// The HTTP status, which decides the kind.
        #[mcp(status, detail)]
        status: u16,
        /// The body of the response.
        body: String,
    },

    /// A success whose body does not follow the API.
    #[error("{engine}'s answer cannot be read")]
    #[mcp(kind = bad_response)]
    BadResponse {
        /// The engine.
        engine: Engine,
        /// The position of the syntax error.
        source: serde_json::Error,
    },

    /// There was no response.
    #[error("cannot reach {engine}")]
    #[mcp(
        hint = "Try again later, or answer from what you know, and tell the user that nothing was looked up and recent things may be missing."
    )]
    Unreachable {
        /// The engine.
        engine: Engine,
        /// The cause.
        #[mcp(classify)]
        source: reqwest::Error,
    },

    /// A policy ended the call: timeout, open breaker, panic.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}
