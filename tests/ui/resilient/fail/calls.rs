use std::time::Duration;

use resilient_runtime::{ErrorKind, ResilienceError, resilient};
use rmcp::model::CallToolResult;
use rmcp::{tool, tool_router};

struct Server;

struct Blocked;

struct Text;

struct Pages;

fn is_down(answer: &u32) -> Option<ErrorKind> {
    (*answer == 0).then_some(ErrorKind::Unavailable)
}

async fn renew(_: &ResilienceError) -> Result<(), ResilienceError> {
    Ok(())
}

// rule 10, what one tool alone can have: 3 mistakes
#[resilient(timeout(max = "60s", from = wait), retry(max = 2, before = renew), classify = is_down)]
#[tool_router]
impl Blocked {
    /// Wait.
    #[tool(annotations(read_only_hint = true))]
    async fn wait(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

// rule 4, a path in quotes: 2 mistakes
#[resilient(classify = "is_down")]
async fn quoted() -> Result<u32, ResilienceError> {
    Ok(1)
}

#[resilient(retry(before = "renew"), read_only)]
async fn quoted_before() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 4, a call: 2 mistakes
#[resilient(classify = is_down(&1))]
async fn called() -> Result<u32, ResilienceError> {
    Ok(1)
}

#[resilient(retry(max = 2, before = renew()), read_only)]
async fn called_before() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 4, no function: 3 mistakes
#[resilient(classify)]
async fn nothing() -> Result<u32, ResilienceError> {
    Ok(1)
}

#[resilient(classify = |answer| None)]
async fn closure() -> Result<u32, ResilienceError> {
    Ok(1)
}

#[resilient(retry(before(renew)), read_only)]
async fn list() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 4, a limit without a key
#[resilient(timeout("60s"))]
async fn keyless() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 4, no limit
#[resilient(timeout())]
async fn no_limit() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 4, no expression
#[resilient(timeout(max = "60s", from))]
async fn no_expression() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 1, a part that `timeout` does not have
#[resilient(timeout(max = "60s", form = None))]
async fn misspelt() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 17
#[resilient(timeout(max = "25h", from = wait))]
async fn too_long(wait: Option<Duration>) -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 11, a tool that the hook limits: 2 mistakes
#[resilient]
#[tool_router]
impl Text {
    /// Wait.
    #[resilient(timeout(max = "60s", from = None), classify = is_down)]
    #[tool]
    async fn wait(&self) -> String {
        String::new()
    }
}

// rule 11, a failure that is no error
#[resilient(retry(max = 2, before = renew), read_only)]
async fn no_error() -> CallToolResult {
    CallToolResult::success(Vec::new())
}

// rule 43, in `from`
#[resilient(timeout(max = "60s", from = wait))]
async fn moved(mut wait: Option<Duration>) -> Result<u32, ResilienceError> {
    wait.take();
    Ok(1)
}

// rule 69, no such function: 2 mistakes
impl Server {
    #[resilient(classify = Self::no_classification)]
    async fn not_found(&self) -> Result<u32, ResilienceError> {
        Ok(1)
    }

    #[resilient(retry(max = 2, before = Self::no_renewal), read_only)]
    async fn not_found_before(&self) -> Result<u32, ResilienceError> {
        Ok(1)
    }
}

// rule 69, another value
#[resilient(classify = is_down)]
async fn another_value() -> Result<String, ResilienceError> {
    Ok(String::new())
}

// rule 69, another result
fn is_wrong(_: &u32) -> bool {
    true
}

#[resilient(classify = is_wrong)]
async fn another_result() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 69, async
async fn is_slow(_: &u32) -> Option<ErrorKind> {
    None
}

#[resilient(classify = is_slow)]
async fn asynchronous() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 69, `tool_error` for another value
#[resilient(classify = tool_error)]
async fn no_result() -> Result<String, ResilienceError> {
    Ok(String::new())
}

// rule 69, not async
fn renew_now(_: &ResilienceError) -> Result<(), ResilienceError> {
    Ok(())
}

#[resilient(retry(max = 2, before = renew_now), read_only)]
async fn not_async() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 69, no parameter
async fn renew_alone() -> Result<(), ResilienceError> {
    Ok(())
}

#[resilient(retry(max = 2, before = renew_alone), read_only)]
async fn no_parameter() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 69, another error
async fn renew_text(_: &String) -> Result<(), ResilienceError> {
    Ok(())
}

#[resilient(retry(max = 2, before = renew_text), read_only)]
async fn another_error() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 69, another answer
async fn renew_token(_: &ResilienceError) -> Result<String, ResilienceError> {
    Ok(String::new())
}

#[resilient(retry(max = 2, before = renew_token), read_only)]
async fn another_answer() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 69, a method that gets `self` and does not take it
impl Server {
    async fn renew(_: &ResilienceError) -> Result<(), ResilienceError> {
        Ok(())
    }

    #[resilient(retry(max = 2, before = Self::renew), read_only)]
    async fn method(&self) -> Result<u32, ResilienceError> {
        Ok(1)
    }
}

// rule 70, no longest limit
#[resilient(timeout(from = wait))]
async fn endless(wait: Option<Duration>) -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 70, no `Option`
#[resilient(timeout(max = "60s", from = Duration::from_secs(*wait)))]
async fn no_option(wait: u64) -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 71
#[resilient(retry(max = 2, on(unauthenticated)), read_only)]
async fn not_renewed() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 71, of a block
#[resilient(retry(max = 2, on(timeout, unauthenticated)))]
#[tool_router]
impl Pages {
    /// Read.
    #[tool(annotations(read_only_hint = true))]
    async fn read(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

fn main() {}
