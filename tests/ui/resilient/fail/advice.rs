use resilient_runtime::{ResilienceError, resilient};
use rmcp::{prompt, prompt_router, tool, tool_router};

struct Server;

// rule 25, with a unit in words
#[resilient(rate_limit = "100/sec")]
async fn in_words() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 25, with a number without its unit
#[resilient(rate_limit = "100/60")]
async fn no_unit() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 25, with a period of no time
#[resilient(rate_limit = "100/0")]
async fn no_period() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 16, zero without a unit
#[resilient(timeout = "0")]
async fn zero() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 14, from this module
#[resilient(crate = self::runtime)]
async fn from_here() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 14, in quotes
#[resilient(crate = "resilient_runtime")]
async fn quoted() -> Result<u32, ResilienceError> {
    Ok(1)
}

#[tool_router]
impl Server {
    // rule 33, beside an annotation that says that it writes
    #[resilient(retry = 3)]
    #[tool(annotations(read_only_hint = false))]
    async fn writes(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 33, beside annotations that leave one way out
    #[resilient(retry = 3)]
    #[tool(annotations(read_only_hint = false, idempotent_hint = false))]
    async fn writes_each_time(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

// rule 38, a type parameter
#[resilient(retry = 3, read_only)]
async fn generic<T: ToString>(shown: T) -> Result<String, ResilienceError> {
    Ok(shown.to_string())
}

// rule 38, `impl Trait`
#[resilient(retry = 3, read_only)]
async fn nameless(shown: impl ToString) -> Result<String, ResilienceError> {
    Ok(shown.to_string())
}

// rule 69, on a block of prompts
#[resilient(authorize = Self::check)]
#[prompt_router]
impl Server {
    #[prompt]
    async fn greet(&self) -> Vec<rmcp::model::PromptMessage> {
        Vec::new()
    }
}

// rule 28, no retry fits
#[resilient(timeout = "400ms", retry = 3, read_only)]
async fn none_fits() -> Result<u32, ResilienceError> {
    Ok(1)
}

fn main() {}
