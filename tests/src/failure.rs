//! The error of tools that only have to fail.

use resilient_runtime::{McpError, ResilienceError};

/// One that is the upstream's fault, one that is the caller's, and what the pipeline answers with.
#[derive(Debug, thiserror::Error, McpError)]
pub enum Failure {
    /// Retried, and counted by breakers.
    #[error("down")]
    #[mcp(kind = unavailable)]
    Down,
    /// Neutral.
    #[error("missing")]
    #[mcp(kind = not_found)]
    Missing,
    /// Timeouts, rejections, panics.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}
