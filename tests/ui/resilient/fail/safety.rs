use resilient_runtime::{resilient, ResilienceError};
use rmcp::{tool, tool_router};

struct Server;

// rule 33, inherited
#[resilient(retry = 3)]
#[tool_router]
impl Server {
    /// Changes something.
    #[tool]
    async fn change(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    /// Reads.
    #[tool(annotations(read_only_hint = true))]
    async fn read(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

// rule 33
#[resilient(retry = 3)]
async fn unknown() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 34
#[resilient(retry = 3, retry_unsafe = "")]
async fn no_reason() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 34
#[resilient(retry = 3, read_only, retry_unsafe = "it only reads")]
async fn no_need() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 35
#[resilient(fallback = cached, retry = 3, retry_unsafe = "writes the same thing")]
async fn an_old_answer_to_a_write() -> Result<u32, ResilienceError> {
    Ok(1)
}

struct Annotated;

#[tool_router]
impl Annotated {
    // rule 34, `read_only` beside an annotation that denies it
    /// Writes.
    #[resilient(read_only)]
    #[tool(annotations(read_only_hint = false))]
    async fn no_read(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 34, `idempotent` beside an annotation that denies it
    /// Writes.
    #[resilient(idempotent)]
    #[tool(annotations(idempotent_hint = false))]
    async fn not_idempotent(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 35, an old answer to a write
    /// Writes.
    #[resilient(fallback = cached)]
    #[tool(annotations(read_only_hint = false))]
    async fn writes(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }

    // rule 35, an old answer to a deletion
    /// Deletes.
    #[resilient(fallback = [cached, value(String::new())])]
    #[tool(annotations(destructive_hint = true))]
    async fn deletes(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

fn main() {
    let _ = (unknown(), no_reason(), no_need(), an_old_answer_to_a_write());
}
