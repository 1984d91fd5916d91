use resilient_runtime::{ResilienceError, resilient};

// rule 40, no such function
#[resilient(fallback = not_there)]
async fn not_found(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 40, no such function in a module
#[resilient(fallback = self::not_there)]
async fn not_found_there(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 44
#[resilient(breaker = NOT_THERE)]
async fn no_breaker() -> Result<u32, ResilienceError> {
    Ok(1)
}

fn main() {}
