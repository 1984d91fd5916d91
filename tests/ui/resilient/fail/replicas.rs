//! `distributed`: what replicas of a server share.

use resilient_runtime::{ResilienceError, resilient};
use rmcp::{tool, tool_router};

// rule 75
#[resilient(rate_limit(rate = "100/1s", burst = 10, distributed))]
async fn no_name() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 75, beside another mistake: 2 mistakes
#[resilient(rate_limit(rate = "100/1s", burst = 0, key = caller, distributed))]
async fn no_name_and_no_burst() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 75, on a breaker with a key: 2 mistakes
#[resilient(breaker(name = "make", key = id, distributed), rate_limit(rate = "1/1s", distributed))]
async fn keys(id: u32) -> Result<u32, ResilienceError> {
    Ok(id)
}

// rule 1: 2 mistakes
#[resilient(breaker(name = "make", distribute), rate_limit(rate = "1/1s", name = "search", distribut))]
async fn slips() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 1, where it has no meaning: 4 mistakes
#[resilient(
    bulkhead(max = 5, name = "make", distributed),
    retry(max = 1, distributed),
    cache(fresh = "1s", distributed),
    distributed,
    read_only
)]
async fn others() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 2
#[resilient(breaker(name = "make", distributed, failures = 9, distributed))]
async fn twice() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 4: 2 mistakes
#[resilient(breaker(name = "make", distributed = true), rate_limit(rate = "1/1s", name = "a", distributed = "yes"))]
async fn values() -> Result<u32, ResilienceError> {
    Ok(1)
}

struct Wrong;

// rule 75, once for all tools
#[resilient(rate_limit(rate = "100/1s", distributed), breaker(failures = 9, distributed))]
#[tool_router]
impl Wrong {
    /// Answers.
    #[tool]
    async fn one(&self) -> Result<String, ResilienceError> {
        Ok("1".into())
    }

    /// Answers.
    #[tool]
    async fn other(&self) -> Result<String, ResilienceError> {
        Ok("1".into())
    }
}

fn main() {
    let _ = (no_name(), no_name_and_no_burst(), keys(1), slips(), others(), twice(), values());
    let _ = (Wrong.one(), Wrong.other());
}
