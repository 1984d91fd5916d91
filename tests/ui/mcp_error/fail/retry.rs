//! The time after which to retry.

use std::time::Duration;

use resilient_runtime::McpError;

// rule 55
#[derive(Debug, thiserror::Error, McpError)]
#[error("later")]
#[mcp(kind = rate_limited)]
struct TwoWaits {
    #[mcp(retry_after)]
    soft: Duration,
    #[mcp(retry_after)]
    hard: Option<Duration>,
}

// rule 59: 2 mistakes
#[derive(Debug, thiserror::Error, McpError)]
enum Pointless {
    #[error("not here")]
    #[mcp(kind = not_found, retryable = true)]
    NotFound,
    #[error("nobody waits")]
    #[mcp(kind = cancelled, retryable = false)]
    Cancelled,
    #[error("fine, somebody else may be done by then")]
    #[mcp(kind = conflict, retryable = true)]
    Conflict,
}

fn main() {}
