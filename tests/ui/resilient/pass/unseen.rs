//! Attributes that a block cannot see, and inner attributes in an annotated body.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

use resilient_runtime::resilient as guard;
use resilient_runtime::{ResilienceError, resilient};
use rmcp::{tool, tool_router};

/// A server.
#[derive(Debug, Clone, Copy)]
pub struct Server;

#[resilient(timeout = "5s", breaker = "unseen")]
#[tool_router]
#[allow(clippy::trivially_copy_pass_by_ref, clippy::unused_self)]
impl Server {
    /// Under a condition.
    #[cfg_attr(all(), resilient(retry = 1))]
    #[tool(annotations(read_only_hint = true))]
    async fn conditional(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Under a condition that does not hold.
    #[cfg_attr(any(), resilient(timeout = "1s"))]
    #[tool]
    async fn without(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Under another name.
    #[guard(timeout = "1s", name = "unseen.renamed")]
    #[tool]
    async fn renamed(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Without keys.
    #[guard]
    #[tool]
    async fn bare(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Cannot carry an error.
    #[guard(timeout = "1s")]
    #[tool]
    async fn text(&self) -> String {
        String::new()
    }

    /// Opts out under a condition.
    #[cfg_attr(all(), resilient(skip))]
    #[tool]
    async fn skipped(&self) -> Result<String, String> {
        Ok(String::new())
    }

    /// Opts out under another name.
    #[guard(skip)]
    #[tool]
    async fn skipped_text(&self) -> String {
        String::new()
    }

    /// Has inner attributes.
    #[tool]
    async fn inner(&self) -> Result<String, ResilienceError> {
        #![allow(unused_variables)]
        let unused = 1;
        Ok(String::new())
    }

    /// Has inner attributes, and cannot carry an error.
    #[resilient(timeout = "1s")]
    #[tool]
    async fn inner_text(&self) -> String {
        #![allow(unused_variables)]
        let unused = 1;
        String::new()
    }

    #[tool]
    async fn described_inside(&self) -> Result<String, ResilienceError> {
        //! Is described in its body.
        #![allow(unused_variables)]
        let unused = 1;
        Ok(String::new())
    }
}

/// A function with documentation in its body, too.
///
/// # Errors
///
/// Those of the pipeline.
#[resilient(retry = 1, read_only)]
pub async fn free(number: u32) -> Result<u32, ResilienceError> {
    //! More of it.
    #![allow(unused_variables)]
    let unused = 1;
    Ok(number)
}

fn main() {
    let tools = Server::tool_router().list_all();
    assert_eq!(tools.len(), 10);
    let description = |name: &str| {
        let tool = tools.iter().find(|tool| tool.name == name);
        tool.and_then(|tool| tool.description.clone()).unwrap_or_default()
    };
    assert_eq!(description("inner"), "Has inner attributes.");
    assert_eq!(description("described_inside"), "Is described in its body.");
    drop(free(1));
}
