use resilient_runtime::{ResilienceError, resilient};

// rule 40
#[resilient(fallback = not_there)]
async fn missing(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 44
#[resilient(breaker = NOT_THERE)]
async fn no_breaker() -> Result<u32, ResilienceError> {
    Ok(1)
}

fn main() {}
