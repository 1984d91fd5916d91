//! What several replicas of a server share, in paused time: each replica has a registry, and all have one store in memory.

mod breakers;
mod limits;

use resilient_runtime::{McpError, ResilienceError};

/// The error type of the functions under test.
#[derive(Debug, Clone, PartialEq, thiserror::Error, McpError)]
enum Error {
    #[error("no {0}")]
    #[mcp(kind = not_found)]
    NotFound(u32),
    #[error("down")]
    #[mcp(kind = unavailable)]
    Down,
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}
