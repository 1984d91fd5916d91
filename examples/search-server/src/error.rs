//! What can go wrong between the tool and a search engine, and what a client may know of it.

use std::time::Duration;

use resilient_runtime::{McpError, ResilienceError};

use super::types::{Engine, LONGEST_QUERY};

/// Every way in which a search fails.
///
/// A hint says what the model can still do for its user. Nothing that an engine wrote reaches an answer.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "SEARCH")]
pub enum SearchError {
    /// The query is empty or too long.
    #[error("the query has {length} characters, expected 1 to {LONGEST_QUERY}")]
    #[mcp(kind = invalid_input, hint = "Search for the few words that matter most.")]
    Query {
        /// How many characters it has.
        #[mcp(detail)]
        length: usize,
    },

    /// The engine does not accept the key. It may have repeated the key in its answer, so that is not kept.
    // It does not fall back: as long as the second engine answered for the first, nobody would hear of the wrong key.
    #[error("{engine} refused the key")]
    #[mcp(
        kind = unauthenticated,
        message = "The search service did not accept this server's key.",
        hint = "Tell the operator to check TAVILY_API_KEY; another search will not help. Use another source until then."
    )]
    KeyRefused {
        /// Which engine.
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
        /// Which engine.
        engine: Engine,
        /// What its `Retry-After` says, if it says something.
        #[mcp(retry_after)]
        wait: Option<Duration>,
    },

    /// What was paid for is used up.
    #[error("{engine}'s plan is used up")]
    #[mcp(kind = quota_exceeded)]
    PlanUsedUp {
        /// Which engine.
        engine: Engine,
    },

    /// The engine is not well.
    #[error("{engine} answered with HTTP {status}: {body}")]
    #[mcp(
        message = "The search service is unavailable at the moment (HTTP status {status}).",
        hint = "Try again later, or answer from what you know, and tell the user that nothing was looked up and recent things may be missing."
    )]
    Down {
        /// Which engine.
        engine: Engine,
        /// The HTTP status, 500 or above; the kind follows from it.
        #[mcp(status, detail)]
        status: u16,
        /// What its `Retry-After` says, if it says something.
        #[mcp(retry_after)]
        wait: Option<Duration>,
        /// What it wrote.
        body: String,
    },

    /// The engine does not like the request.
    #[error("{engine} answered with HTTP {status}: {body}")]
    #[mcp(
        message = "The search service refused the search (HTTP status {status}).",
        hint = "Leave out operators and special characters, or search in another way."
    )]
    Refused {
        /// Which engine.
        engine: Engine,
        /// The HTTP status; the kind follows from it.
        #[mcp(status, detail)]
        status: u16,
        /// What it wrote.
        body: String,
    },

    /// A success whose body is not what the API promises.
    #[error("{engine}'s answer cannot be read")]
    #[mcp(kind = bad_response)]
    BadResponse {
        /// Which engine.
        engine: Engine,
        /// Where it cannot be read.
        source: serde_json::Error,
    },

    /// No answer was had at all.
    #[error("cannot reach {engine}")]
    #[mcp(
        hint = "Try again later, or answer from what you know, and tell the user that nothing was looked up and recent things may be missing."
    )]
    Unreachable {
        /// Which engine.
        engine: Engine,
        /// Why.
        #[mcp(classify)]
        source: reqwest::Error,
    },

    /// The call was ended by its policy: timeout, open breaker, panic.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}
