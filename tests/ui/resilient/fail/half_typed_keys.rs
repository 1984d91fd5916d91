use resilient_runtime::{ResilienceError, resilient};
use rmcp::{tool, tool_router};

// rule 5
#[resilient(retry = )]
async fn no_value() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 1
#[resilient(timeout = "1s", bre)]
async fn half_a_key() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 4
#[resilient(timeout = "1s", breaker)]
async fn no_value_yet() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 5
#[resilient(timeout = "1s", breaker =)]
async fn no_value_at_the_end() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 5
#[resilient(retry(max = ), read_only)]
async fn no_value_inside() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 5
#[resilient(timeout "1s")]
async fn no_equals() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 5
#[resilient(timeout = "1s" name = "x")]
async fn no_comma() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 5
#[resilient(, timeout = "1s")]
async fn nothing_before_a_comma() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 5
#[resilient("1s")]
async fn no_key() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 4, a value for the attribute itself
#[resilient = "1s"]
async fn no_list() -> Result<u32, ResilienceError> {
    Ok(1)
}

struct Server;

// rule 5, on a block
#[resilient(timeout = )]
#[tool_router]
impl Server {
    /// Reads.
    #[tool]
    async fn read(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 1, on a tool of a block
    /// Reads.
    #[resilient(tim)]
    #[tool]
    async fn read_more(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

// beside the rules, nothing else is wrong: callers still find them: 0 mistakes
async fn caller() -> Result<u32, ResilienceError> {
    let _ = Server.read().await?.len() + Server.read_more().await?.len() + Server::tool_router().list_all().len();
    let sum = no_value().await? + half_a_key().await? + no_value_yet().await? + no_value_at_the_end().await?;
    let more = no_value_inside().await? + no_equals().await? + no_comma().await? + nothing_before_a_comma().await?;
    Ok(sum + more + no_key().await? + no_list().await?)
}

fn main() {
    drop(caller());
}
