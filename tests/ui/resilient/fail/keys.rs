use resilient_runtime::{resilient, ResilienceError};
use rmcp::{tool, tool_router};

// rule 1: 2 mistakes
#[resilient(retri = 3, banana = 1)]
async fn unknown() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 2
#[resilient(timeout = "1s", timeout = "2s")]
async fn twice() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 3
#[resilient(retry = 1, retry(max = 2), read_only)]
async fn two_spellings() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 4: 6 mistakes
#[resilient(retry = "3", timeout = 30, breaker = 5, fallback = "cached", cache = 7, name = cached)]
async fn wrong_shapes() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 5: 2 mistakes
#[resilient(retry = , timeout = "0s")]
async fn syntax() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 14
#[resilient(crate = resilient_runtime)]
async fn relative() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 15
struct Skipping;

#[resilient]
#[tool_router]
impl Skipping {
    /// Answers.
    #[resilient(skip, timeout = "1s")]
    #[tool]
    async fn skipped(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

// rule 15, on what is no tool
#[resilient(skip)]
async fn no_tool() -> Result<u32, ResilienceError> {
    Ok(1)
}

fn main() {
    let _ = (unknown(), twice(), two_spellings(), wrong_shapes(), syntax(), relative(), Skipping.skipped(), no_tool());
}
