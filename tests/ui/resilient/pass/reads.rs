//! The key `cache` with each of its parts, and the key `invalidates`.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

use resilient_runtime::{McpError, ResilienceError, resilient};
use rmcp::{tool, tool_router};

/// The error.
#[derive(Debug, thiserror::Error, McpError)]
pub enum Failure {
    /// An error of the pipeline.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

#[derive(Debug, Clone, Copy)]
struct Server;

#[resilient(timeout = "5s")]
#[tool_router]
#[allow(clippy::trivially_copy_pass_by_ref, clippy::unused_self)]
impl Server {
    /// Lists. A written age may equal the next longer one of an error.
    #[resilient(fallback = cached, retry = 1, cache(fresh = "1h", stale_if_error = "1h"))]
    #[tool]
    async fn list(&self) -> Result<String, Failure> {
        Ok(String::new())
    }

    /// Searches. `fresh` declares that the tool reads, so that it may be retried.
    #[resilient(retry = 1, cache(fresh = "90m", stale_while_revalidate = "3h", max = 9, max_bytes = "1.5MiB"))]
    #[tool(name = "full.search")]
    async fn search(&self) -> Result<String, Failure> {
        Ok(String::new())
    }

    /// The block does not see the keys of this tool.
    #[cfg_attr(all(), resilient(cache(fresh = "1m")))]
    #[tool]
    async fn under_a_condition(&self) -> Result<String, Failure> {
        Ok(String::new())
    }

    /// Adds.
    #[resilient(invalidates = "list")]
    #[tool]
    async fn add(&self) -> Result<String, Failure> {
        Ok(String::new())
    }

    /// Deletes.
    #[resilient(retry = 1, idempotent, invalidates = ["list", "full.search", "under_a_condition"],)]
    #[tool(annotations(destructive_hint = true))]
    async fn delete(&self) -> Result<String, Failure> {
        Ok(String::new())
    }
}

/// A function outside of a block can name any tool.
#[resilient(invalidates = ["list", "elsewhere"])]
async fn function() -> Result<u32, ResilienceError> {
    Ok(1)
}

fn main() {
    assert_eq!(Server::tool_router().map.len(), 5);
    drop(function());
}
