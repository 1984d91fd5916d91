//! Mistakes that affect several parts of an expansion: each is reported once.

use resilient_runtime::{McpError, ResilienceError, resilient};
use rmcp::model::CallToolResult;
use rmcp::{ServerHandler, tool, tool_handler, tool_router};

#[derive(Debug, thiserror::Error, McpError)]
#[error("alone")]
#[mcp(kind = internal)]
struct Alone;

struct Foreign;

impl From<ResilienceError> for Foreign {
    fn from(_: ResilienceError) -> Self {
        Self
    }
}

// rule 11, a fallback of each form beside an answer that is no `Result`: 3 mistakes
async fn number(_: &ResilienceError) -> u32 {
    1
}

#[resilient(fallback = number)]
async fn of_a_function() -> u32 {
    1
}

#[resilient(fallback = cached)]
async fn of_the_cache() -> u32 {
    1
}

#[resilient(fallback = value(1))]
async fn of_a_value() -> u32 {
    1
}

// rule 11, several fallbacks of a tool whose answer is no `Result`
struct Answers;

#[tool_router]
impl Answers {
    #[resilient(fallback = [cached, Self::instead])]
    #[tool(annotations(read_only_hint = true))]
    async fn answer(&self) -> CallToolResult {
        CallToolResult::success(vec![])
    }

    async fn instead(&self, _: &ResilienceError) -> CallToolResult {
        CallToolResult::success(vec![])
    }
}

// rule 12, a fallback of each form beside an error type without `From<ResilienceError>`: 3 mistakes
async fn alone(_: &Alone) -> Result<u32, Alone> {
    Ok(1)
}

#[resilient(fallback = alone)]
async fn alone_by_a_function() -> Result<u32, Alone> {
    Ok(1)
}

#[resilient(fallback = cached)]
async fn alone_by_the_cache() -> Result<u32, Alone> {
    Ok(1)
}

#[resilient(fallback = value(1))]
async fn alone_by_a_value() -> Result<u32, Alone> {
    Ok(1)
}

// rule 12, every fallback and a retry beside an error type without `McpError`
async fn foreign(_: u32, _: &Foreign) -> Result<u32, Foreign> {
    Ok(1)
}

#[resilient(retry = 2, fallback = [cached, foreign, value(2)])]
async fn foreign_by_all(number: u32) -> Result<u32, Foreign> {
    Ok(number)
}

// rule 12, a fallback beside an error type without both: 2 mistakes
async fn text(_: &String) -> Result<u32, String> {
    Ok(1)
}

#[resilient(fallback = [text, cached])]
async fn neither() -> Result<u32, String> {
    Ok(1)
}

// rule 14, a crate that is not there
#[resilient(crate = ::nope, retry = 2, read_only, breaker = "nope", log_args(number), fallback = cached)]
async fn nowhere(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 14, a crate that is not there, for a block
struct Nowhere;

#[resilient(crate = ::nope)]
#[tool_router(server_handler)]
impl Nowhere {
    #[tool]
    async fn one(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    #[resilient(timeout = "2s")]
    #[tool]
    async fn two(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

// beside the rules, a word that `#[tool_router]` does not know: rmcp says so
#[derive(Clone)]
struct Typo;

#[resilient]
#[tool_router(servr_handler)]
impl Typo {
    #[tool]
    async fn one(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

#[tool_handler]
impl ServerHandler for Typo {}

// beside the rules, a block without tools: rmcp says so
struct Empty;

#[resilient]
#[tool_router]
impl Empty {
    fn helper(&self) {}
}

fn main() {}
