//! The keys `feature` and `critical`.

use resilient_runtime::{ResilienceError, resilient};
use rmcp::{prompt, prompt_router, tool, tool_router};

struct Server;

// rule 10, `critical`
#[resilient(critical)]
#[tool_router]
impl Server {
    // rule 65, no feature
    /// Exports.
    #[resilient(feature = [])]
    #[tool]
    async fn nothing(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 65, an empty name, one that is no name, and one that is written twice: 3 mistakes
    /// Exports.
    #[resilient(feature = ["", "all exports", "slow", "slow"])]
    #[tool]
    async fn names(&self) -> String {
        String::new()
    }

    // rule 65, on a tool that is not async
    /// Exports.
    #[resilient(feature = "")]
    #[tool]
    fn sync(&self) -> String {
        String::new()
    }

    // rule 4, without quotes
    /// Exports.
    #[resilient(feature = exports)]
    #[tool]
    async fn word(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 4, in brackets
    /// Exports.
    #[resilient(feature("exports"))]
    #[tool]
    async fn brackets(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 4, a value that `critical` does not have
    /// Exports.
    #[resilient(critical = true)]
    #[tool]
    async fn value(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 64, `none`
    /// Exports.
    #[resilient(feature = "none")]
    #[tool]
    async fn none(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 15: 2 mistakes
    /// Exports.
    #[resilient(skip, feature = "exports", critical)]
    #[tool]
    async fn skipped(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

// rule 65, on a block
struct Block;

#[resilient(feature = "all exports")]
#[tool_router]
impl Block {
    /// Exports.
    #[tool]
    async fn one(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Exports.
    #[tool]
    fn sync(&self) -> String {
        String::new()
    }
}

// rule 11, on what is no tool: 2 mistakes
#[resilient(feature = "exports", critical)]
async fn no_tool() -> Result<u32, ResilienceError> {
    Ok(1)
}

struct Unguarded;

#[tool_router]
impl Unguarded {
    // rule 11, on a tool without the hook: 2 mistakes
    /// Exports.
    #[resilient(feature = "exports", critical)]
    #[tool]
    async fn one(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

struct Prompts;

#[prompt_router]
impl Prompts {
    // rule 11, on a prompt
    /// Greets.
    #[resilient(critical)]
    #[prompt]
    async fn greet(&self) -> Result<Vec<rmcp::model::PromptMessage>, rmcp::ErrorData> {
        Ok(Vec::new())
    }
}

fn main() {
    let _ = (Server::tool_router(), Block::tool_router(), no_tool(), Unguarded::tool_router(), Prompts::prompt_router());
}
