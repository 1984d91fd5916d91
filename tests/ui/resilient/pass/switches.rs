//! The keys `feature` and `critical` on every kind of tool, and on a block.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

use resilient_runtime::{McpError, ResilienceError, resilient};
use rmcp::model::PromptMessage;
use rmcp::{ErrorData, prompt, prompt_router, tool, tool_router};

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

#[resilient(timeout = "5s", feature = "files")]
#[tool_router(router = tools)]
#[prompt_router]
#[allow(clippy::missing_const_for_fn, clippy::trivially_copy_pass_by_ref, clippy::unused_self)]
impl Server {
    /// Has the feature of its block.
    #[tool]
    async fn inherits(&self) -> Result<String, Failure> {
        Ok(String::new())
    }

    /// Has the feature of its block.
    #[tool]
    async fn inherits_text(&self) -> String {
        String::new()
    }

    /// Has the feature of its block.
    #[tool]
    fn inherits_sync(&self) -> String {
        String::new()
    }

    /// Has the feature of its block.
    #[tool]
    fn inherits_associated() -> Result<String, Failure> {
        Err(Failure::Resilience(ResilienceError::Cancelled))
    }

    /// Has other features.
    #[resilient(feature = ["exports", "full-text.v2"], critical)]
    #[tool]
    async fn guarded(&self) -> Result<String, Failure> {
        Ok(String::new())
    }

    /// Has another feature.
    #[resilient(feature = "exports", critical)]
    #[tool]
    async fn text(&self) -> String {
        String::new()
    }

    /// Has another feature.
    #[resilient(feature = "exports", critical)]
    #[tool]
    fn sync(&self) -> String {
        String::new()
    }

    /// Has no feature.
    #[resilient(feature = none)]
    #[tool]
    async fn none(&self) -> Result<String, Failure> {
        Ok(String::new())
    }

    /// Has no feature.
    #[resilient(feature = none,)]
    #[tool]
    fn none_sync(&self) -> String {
        String::new()
    }

    /// Has no feature.
    #[resilient(skip)]
    #[tool]
    fn skipped(&self) -> String {
        String::new()
    }

    /// A prompt has no features.
    #[prompt]
    async fn greet(&self) -> Result<Vec<PromptMessage>, ErrorData> {
        Ok(Vec::new())
    }
}

#[derive(Debug, Clone, Copy)]
struct Single;

#[resilient(feature = ["exports"])]
#[tool_router(server_handler)]
impl Single {
    /// Is critical.
    #[cfg_attr(all(), resilient(critical))]
    #[tool]
    fn under_a_condition() -> String {
        "up".to_owned()
    }
}

fn main() {
    assert_eq!(Server::tools().map.len(), 10);
    assert_eq!(Server::prompt_router().map.len(), 1);
    assert_eq!(Single::tool_router().map.len(), 1);
}
