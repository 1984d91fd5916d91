use resilient_runtime::{resilient, Breaker, BreakerSettings, McpError, ResilienceError};

#[derive(Debug, thiserror::Error, McpError)]
#[error("alone")]
#[mcp(kind = internal)]
struct Alone;

// rule 11
#[resilient]
async fn no_result() -> u32 {
    1
}

// rule 12
#[resilient]
async fn no_mcp_error() -> Result<u32, String> {
    Ok(1)
}

// rule 12
#[resilient]
async fn no_resilience() -> Result<u32, Alone> {
    Ok(1)
}

// rule 38
struct NoClone;

#[resilient(retry = 1, read_only)]
async fn not_clone(number: u32, argument: NoClone) -> Result<u32, ResilienceError> {
    drop(argument);
    Ok(number)
}

// rule 39
#[resilient(retry = 1, read_only)]
async fn changed(number: &mut u32) -> Result<u32, ResilienceError> {
    *number += 1;
    Ok(*number)
}

// rule 40
fn plain(_: u32, _: &ResilienceError) -> Result<u32, ResilienceError> {
    Ok(1)
}

#[resilient(fallback = plain)]
async fn not_async(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 40
async fn alone(_: &ResilienceError) -> Result<u32, ResilienceError> {
    Ok(1)
}

#[resilient(fallback = alone)]
async fn wrong_count(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 40
async fn text(_: u32, _: &ResilienceError) -> Result<String, ResilienceError> {
    Ok(String::new())
}

#[resilient(fallback = text)]
async fn wrong_answer(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 41
#[resilient(fallback = value("seven"))]
async fn wrong_value(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 42
#[resilient(fallback = cached)]
async fn answer_not_clone(number: u32) -> Result<NoClone, ResilienceError> {
    let _ = number;
    Ok(NoClone)
}

// rule 42
#[resilient(fallback = cached)]
async fn not_hash(number: f64) -> Result<u32, ResilienceError> {
    let _ = number;
    Ok(1)
}

// rule 44
static NO_BREAKER: BreakerSettings = BreakerSettings::new();
static A_BREAKER: Breaker = Breaker::new("a", BreakerSettings::new());

#[resilient(breaker = NO_BREAKER)]
async fn no_breaker() -> Result<u32, ResilienceError> {
    Ok(1)
}

#[resilient(breaker = A_BREAKER)]
async fn a_breaker() -> Result<u32, ResilienceError> {
    Ok(1)
}

// the body's own mistakes
#[resilient]
async fn in_the_body() -> Result<u32, ResilienceError> {
    Ok("text")
}

fn main() {}
