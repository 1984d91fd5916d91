//! The errors of tools that only have to fail.

use resilient_runtime::{McpError, ResilienceError};

/// An error of the upstream, one of the caller, and those of the pipeline.
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

/// The error of a shop: its codes have a prefix, and its variants carry a text.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "SHOP")]
pub enum ShopError {
    /// Retried, and counted by breakers. The text is private.
    #[error("down: {0}")]
    #[mcp(kind = unavailable)]
    Down(String),
    /// Neutral. The text is public.
    #[error("no {0}")]
    #[mcp(kind = not_found)]
    Missing(String),
    /// The upstream rejects the call.
    #[error("full")]
    #[mcp(kind = overloaded)]
    Full,
    /// A JSON-RPC error of this server. The text is private.
    #[error("private {0}")]
    #[mcp(kind = internal, message = "a public message", protocol = -33001)]
    Protocol(String),
    /// A JSON-RPC error by the caller's fault. The text is private.
    #[error("private {0}")]
    #[mcp(kind = invalid_input, message = "the caller's fault", protocol = -32602)]
    Caller(String),
    /// Timeouts, rejections, panics.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}
