use resilient_runtime::{ResilienceError, resilient};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};

// rule 4, the shape of `profile`: 2 mistakes
#[resilient(profile = make)]
async fn no_text() -> Result<u32, ResilienceError> {
    Ok(1)
}

#[resilient(profile("make"))]
async fn no_value() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 47, there is no file
#[resilient(profile = "make")]
async fn no_file() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 47, on a block
struct Server;

#[resilient(profile = "make")]
#[tool_router]
impl Server {
    /// Answers.
    #[tool]
    async fn one(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Answers.
    #[tool]
    async fn other(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

// rule 48
struct Differing;

#[resilient]
#[tool_router]
impl Differing {
    /// Answers.
    #[resilient(breaker(name = "make", failures = 3))]
    #[tool]
    async fn one(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Answers.
    #[resilient(breaker(name = "make", failures = 4, open = "5s"))]
    #[tool]
    async fn other(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

// rule 76, a key of tools above a handler
struct Handler;

#[resilient]
#[tool_router]
impl Handler {
    /// Answers.
    #[tool]
    async fn one(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

#[resilient(timeout = "1s", breaker = "make")]
#[tool_handler]
impl ServerHandler for Handler {}

fn main() {
    let _ = (no_text(), no_value(), no_file(), Server.one(), Server.other(), Differing.one(), Differing.other());
    let _ = Handler.one();
}
