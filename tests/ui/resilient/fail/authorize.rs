//! The key `authorize`.

use resilient_runtime::{ResilienceError, resilient};
use rmcp::model::JsonObject;
use rmcp::service::RequestContext;
use rmcp::{RoleServer, prompt, prompt_router, tool, tool_router};

struct Server;

impl Server {
    async fn check(&self, _: &RequestContext<RoleServer>, _: &JsonObject) -> Result<(), ResilienceError> {
        Ok(())
    }

    fn sync(&self, _: &RequestContext<RoleServer>, _: &JsonObject) -> Result<(), ResilienceError> {
        Ok(())
    }

    async fn only_self(&self) -> Result<(), ResilienceError> {
        Ok(())
    }

    async fn arguments_first(&self, _: &JsonObject, _: &RequestContext<RoleServer>) -> Result<(), ResilienceError> {
        Ok(())
    }

    async fn a_bool(&self, _: &RequestContext<RoleServer>, _: &JsonObject) -> bool {
        true
    }

    async fn an_answer(&self, _: &RequestContext<RoleServer>, _: &JsonObject) -> Result<bool, ResilienceError> {
        Ok(true)
    }

    async fn no_tool_error(&self, _: &RequestContext<RoleServer>, _: &JsonObject) -> Result<(), std::fmt::Error> {
        Ok(())
    }
}

#[resilient(authorize = Self::check)]
#[tool_router]
impl Server {
    // rule 69, not found
    /// Lists.
    #[resilient(authorize = Self::chek)]
    #[tool]
    async fn missing(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 69, not async
    /// Lists.
    #[resilient(authorize = Self::sync)]
    #[tool]
    async fn waits_for_nothing(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 69, too few parameters
    /// Lists.
    #[resilient(authorize = Self::only_self)]
    #[tool]
    async fn few(&self) -> String {
        String::new()
    }

    // rule 69, other parameters
    /// Lists.
    #[resilient(authorize = Self::arguments_first)]
    #[tool]
    fn others(&self) -> String {
        String::new()
    }

    // rule 69, not a result
    /// Lists.
    #[resilient(authorize = Self::a_bool)]
    #[tool]
    async fn not_a_result(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 69, a result with a value
    /// Lists.
    #[resilient(authorize = Self::an_answer)]
    #[tool]
    async fn with_a_value(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 69, an error that is no `ToolError`
    /// Lists.
    #[resilient(authorize = Self::no_tool_error)]
    #[tool]
    async fn with_another_error(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 69, `none`
    /// Lists.
    #[resilient(authorize = none)]
    #[tool]
    async fn refuses(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 4, alone
    /// Lists.
    #[resilient(authorize)]
    #[tool]
    async fn alone(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 4, a call
    /// Lists.
    #[resilient(authorize = Self::check())]
    #[tool]
    async fn called(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 64, a path in quotes
    /// Lists.
    #[resilient(authorize = "Self::check")]
    #[tool]
    async fn quoted(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 15
    /// Lists.
    #[resilient(skip, authorize = Self::check)]
    #[tool]
    async fn skipped(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

struct Block;

// rule 69, on a block
#[resilient(authorize = Self::check_all)]
#[tool_router]
impl Block {
    /// Lists.
    #[tool]
    async fn one(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

struct Unguarded;

#[tool_router]
impl Unguarded {
    // rule 69, on a tool of a block without the attribute
    /// Lists.
    #[resilient(authorize = check)]
    #[tool]
    async fn one(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

// rule 69, on what is no tool
#[resilient(authorize = check)]
async fn no_tool() -> Result<u32, ResilienceError> {
    Ok(1)
}

struct Prompts;

#[prompt_router]
impl Prompts {
    // rule 69, on a prompt
    /// Greets.
    #[resilient(authorize = check)]
    #[prompt]
    async fn greet(&self) -> Result<Vec<rmcp::model::PromptMessage>, rmcp::ErrorData> {
        Ok(Vec::new())
    }
}

struct Mixed;

// rule 69, on a block with prompts
#[resilient(authorize = Self::check)]
#[tool_router]
#[prompt_router]
impl Mixed {
    async fn check(&self, _: &RequestContext<RoleServer>, _: &JsonObject) -> Result<(), ResilienceError> {
        Ok(())
    }

    /// Lists.
    #[tool]
    async fn one(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Greets.
    #[prompt]
    async fn greet(&self) -> Result<Vec<rmcp::model::PromptMessage>, rmcp::ErrorData> {
        Ok(Vec::new())
    }
}

fn main() {
    let _ = (Mixed::tool_router(), Mixed::prompt_router());
    let _ = (Server::tool_router(), Block::tool_router(), Unguarded::tool_router(), no_tool(), Prompts::prompt_router());
}
