//! Every way to serve tools: one router, two routers, in a field, of free functions; a separate handler
//! with its default router and with a named router.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]

use resilient_runtime::{ResilienceError, resilient};
use rmcp::handler::server::router::prompt::PromptRouter;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::GetPromptResult;
use rmcp::{ErrorData, ServerHandler, prompt, prompt_handler, prompt_router, tool, tool_handler, tool_router};

/// The arguments.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
pub struct Asked {
    /// The value.
    pub number: u32,
}

/// The handler comes with the router.
#[derive(Debug, Clone, Copy)]
pub struct Whole;

#[resilient(timeout = "5s")]
#[tool_router(server_handler)]
impl Whole {
    /// Reads.
    #[tool]
    async fn read(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

/// Two routers, added together.
#[derive(Debug, Clone, Copy)]
pub struct Split;

#[resilient(timeout = "5s", breaker = "split")]
#[tool_router(router = reads, vis = "pub(crate)")]
impl Split {
    /// Reads.
    #[tool]
    async fn read(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

#[resilient(timeout = "5s", breaker = "split")]
#[tool_router(router = r#async, vis = "pub")]
impl Split {
    /// Writes.
    #[tool]
    async fn write(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

#[resilient]
#[tool_handler(router = Self::reads() + Self::r#async())]
impl ServerHandler for Split {}

/// A handler with its default.
#[derive(Debug, Clone, Copy)]
pub struct Default;

#[resilient]
#[tool_router]
impl Default {
    /// Reads.
    #[tool]
    async fn read(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

#[resilient]
#[tool_handler]
impl ServerHandler for Default {}

/// A handler without the attribute.
#[derive(Debug, Clone, Copy)]
pub struct Untouched;

#[resilient]
#[tool_router]
impl Untouched {
    /// Reads.
    #[tool]
    async fn read(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

#[tool_handler]
impl ServerHandler for Untouched {}

// Tools and prompts, each in a field. Not `pub`, because the code that rmcp generates for a prompt is undocumented.
#[derive(Debug, Clone)]
struct Fields {
    tool_router: ToolRouter<Self>,
    prompt_router: PromptRouter<Self>,
}

#[resilient]
#[tool_router]
impl Fields {
    /// Reads.
    #[tool]
    async fn read(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

#[prompt_router]
impl Fields {
    /// Asks.
    #[resilient]
    #[prompt]
    async fn ask(&self) -> Result<GetPromptResult, ErrorData> {
        Ok(GetPromptResult::new(vec![]))
    }
}

#[resilient]
#[tool_handler(router = self.tool_router)]
#[prompt_handler(router = self.prompt_router)]
impl ServerHandler for Fields {}

/// A free function as a route.
#[resilient(retry = 1, breaker = "free")]
#[tool(annotations(idempotent_hint = true))]
async fn free(Parameters(asked): Parameters<Asked>) -> Result<String, ErrorData> {
    Ok(asked.number.to_string())
}

mod prompts {
    use super::{Asked, ErrorData, GetPromptResult, Parameters, prompt, resilient};

    /// A free function as a prompt.
    #[resilient(retry = 1)]
    #[prompt]
    pub async fn free(Parameters(asked): Parameters<Asked>) -> Result<GetPromptResult, ErrorData> {
        let _ = asked.number;
        Ok(GetPromptResult::new(vec![]))
    }
}

fn main() {
    assert_eq!(Whole::tool_router().list_all().len(), 1);
    assert_eq!((Split::reads() + Split::r#async()).list_all().len(), 2);
    assert_eq!(Default::tool_router().list_all().len(), 1);
    assert_eq!(Untouched::tool_router().list_all().len(), 1);
    let fields = Fields { tool_router: Fields::tool_router(), prompt_router: Fields::prompt_router() };
    assert_eq!((fields.tool_router.list_all().len(), fields.prompt_router.list_all().len()), (1, 1));
    let router = ToolRouter::<Whole>::new().with_route((free_tool_attr(), free));
    assert_eq!(resilient_runtime::mcp::instrument(router).list_all().len(), 1);
    let prompts = PromptRouter::<Whole>::new().with_route((prompts::free_prompt_attr(), prompts::free));
    assert_eq!(prompts.list_all().len(), 1);
}
