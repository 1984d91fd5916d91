//! The error type of the functions under test.

use std::time::Duration;

use resilient_runtime::{Classify, McpError, ResilienceError};

#[derive(Debug, Clone, PartialEq, thiserror::Error, McpError)]
pub(crate) enum Error {
    #[error("no {0}")]
    #[mcp(kind = not_found)]
    NotFound(u32),
    #[error("down")]
    #[mcp(kind = unavailable)]
    Down,
    #[error("slow down")]
    #[mcp(kind = rate_limited)]
    SlowDown {
        #[mcp(retry_after)]
        wait: Option<Duration>,
    },
    #[error("final")]
    #[mcp(kind = unavailable, retryable = false)]
    Final,
    #[error("nonsense")]
    #[mcp(kind = bad_response)]
    Nonsense,
    #[error("nonsense for ever")]
    #[mcp(kind = bad_response, retryable = false)]
    FinalNonsense,
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

impl Error {
    pub(crate) fn kind_name(&self) -> &'static str {
        self.kind().as_str()
    }
}
