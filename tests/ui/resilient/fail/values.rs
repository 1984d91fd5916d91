use resilient_runtime::{resilient, ResilienceError};

// rule 16
#[resilient(timeout = "30")]
async fn no_unit() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 17
#[resilient(timeout = "25h", attempt_timeout = "1us")]
async fn out_of_range() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 18
#[resilient(retry = 0, read_only)]
async fn no_retry() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 19
#[resilient(retry(max = 3, factor = 0.5, base = "60s"), read_only)]
async fn shrinking() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 20
#[resilient(retry(jitter = ful, on(timeout, timeout, not_found, unavailble)), read_only)]
async fn words() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 22
#[resilient(breaker(name = "a b", failures = 0, open = "1ms"))]
async fn breaker() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 26
#[resilient(cache(max = 0))]
async fn cache() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 27
#[resilient(timeout = "5s", attempt_timeout = "5s", retry = 1, read_only)]
async fn no_room() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 28
#[resilient(timeout = "5s", retry = 5, read_only)]
async fn never_starts() -> Result<u32, ResilienceError> {
    Ok(1)
}

fn main() {
    let _ = (no_unit(), out_of_range(), no_retry(), shrinking(), words(), breaker(), cache(), no_room(), never_starts());
}
