//! The feature `testing`, as authors of servers use it: faults, labs, assertions, tools over MCP.

#![allow(clippy::unused_async, reason = "a guarded function is async, whatever it does")]

mod answers;
mod assertions;
mod callers;
mod contradictions;
mod faults;
mod labs;
mod refusal;
mod seeds;
mod tools;

use resilient_runtime::{McpError, ResilienceError};

#[derive(Debug, Clone, PartialEq, thiserror::Error, McpError)]
enum Error {
    #[error("no {0}")]
    #[mcp(kind = not_found)]
    NotFound(u32),
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}
