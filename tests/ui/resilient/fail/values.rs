use resilient_runtime::{resilient, ResilienceError};

// rule 16
#[resilient(timeout = "30")]
async fn no_unit() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 16, one of each: 6 mistakes
#[resilient(
    timeout = "30 parsecs",
    attempt_timeout = "-1s",
    retry(base = "1.1234567891s", cap = "99999999999999999999s"),
    bulkhead(max = 1, queue = 1, wait = ""),
    breaker(name = "durations", open = "0s"),
    read_only
)]
async fn durations() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 17: 2 mistakes
#[resilient(timeout = "25h", attempt_timeout = "1us")]
async fn out_of_range() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 18
#[resilient(retry = 0, read_only)]
async fn no_retry() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 18
#[resilient(retry = 11, read_only)]
async fn many_retries() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 19, not finite
#[resilient(retry(factor = 1e400), read_only)]
async fn endless() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 19: 2 mistakes
#[resilient(retry(max = 3, factor = 0.5, base = "60s"), read_only)]
async fn shrinking() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 20: 4 mistakes
#[resilient(retry(jitter = ful, on(timeout, timeout, not_found, unavailble)), read_only)]
async fn words() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 20, in other shapes: 2 mistakes
#[resilient(retry(jitter = "full"), read_only)]
async fn quoted() -> Result<u32, ResilienceError> {
    Ok(1)
}

#[resilient(retry(jitter = 0.5), read_only)]
async fn no_word() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 20, empty
#[resilient(retry(on()), read_only)]
async fn no_words() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 22: 3 mistakes
#[resilient(breaker(name = "a b", failures = 0, open = "1ms"))]
async fn breaker() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 26: 2 mistakes
#[resilient(cache(max = 0))]
async fn cache() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 26
#[resilient(fallback = cached, cache(stale_if_error = "0s"))]
async fn no_age() -> Result<u32, ResilienceError> {
    Ok(1)
}

// beside the rules, whose answers they are: 2 mistakes
#[resilient(fallback = cached, cache(scope = everybody))]
async fn everybody() -> Result<u32, ResilienceError> {
    Ok(1)
}

#[resilient(fallback = cached, cache(scope = share))]
async fn slip() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 27, without a retry
#[resilient(timeout = "5s", attempt_timeout = "6s")]
async fn never_reached() -> Result<u32, ResilienceError> {
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

// rule 18, less than none
#[resilient(retry = -1, read_only)]
async fn negative() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 18, more than fits
#[resilient(retry(max = 99999999999), read_only)]
async fn too_many_to_count() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 22, less than none
#[resilient(breaker(name = "negative", failures = -1))]
async fn negative_failures() -> Result<u32, ResilienceError> {
    Ok(1)
}

fn main() {}
