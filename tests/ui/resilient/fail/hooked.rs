//! Keys that a tool cannot have because its return type cannot carry an error, and attributes that the
//! block could not see.

use resilient_runtime::resilient as guard;
use resilient_runtime::{ResilienceError, resilient};
use rmcp::{tool, tool_router};

struct Server;

#[resilient]
#[tool_router]
impl Server {
    // rule 11: 3 mistakes
    /// Returns a text.
    #[resilient(retry = 1, breaker = "x", timeout = "1s", attempt_timeout = "500ms")]
    #[tool(annotations(read_only_hint = true))]
    async fn text(&self) -> String {
        String::new()
    }

    // rule 11
    /// Returns nothing.
    #[resilient(bulkhead = 5)]
    #[tool]
    async fn nothing(&self) {}

    // rule 17, at the timeout that the hook would enforce
    /// Returns a text.
    #[resilient(timeout = "25h")]
    #[tool]
    async fn long(&self) -> String {
        String::new()
    }

    // rule 1, under another name
    /// Reads.
    #[guard(timeuot = "1s")]
    #[tool]
    async fn misspelt(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 33, under a condition
    /// Does not declare its effect.
    #[cfg_attr(all(), resilient(retry = 1))]
    #[tool]
    async fn unsafe_retry(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

// rule 8, one of them under another name
struct Twice;

#[resilient]
#[tool_router]
impl Twice {
    /// Reads.
    #[guard(timeout = "1s")]
    #[resilient(timeout = "2s")]
    #[tool]
    async fn twice(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

fn main() {
    let _ = (Server::tool_router(), Twice::tool_router());
}
