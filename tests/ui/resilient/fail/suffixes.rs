use resilient_runtime::{ResilienceError, resilient};

// rule 62, durations: 8 mistakes
#[resilient(timeout = 1m)]
async fn case_1_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(timeout = 60s)]
async fn case_1_1(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(attempt_timeout = 0.2m)]
async fn case_1_2(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(timeout = 5min)]
async fn case_1_3(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(timeout = 1h30m)]
async fn case_1_4(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(timeout = 5x)]
async fn case_1_5(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(timeout = 0s)]
async fn case_1_6(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(timeout = "30s"x)]
async fn case_1_7(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 62, numbers: 8 mistakes
#[resilient(retry = 3s, read_only)]
async fn case_2_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(retry(max = 3x), read_only)]
async fn case_2_1(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(bulkhead = 5s)]
async fn case_2_2(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(bulkhead(max = 5s))]
async fn case_2_3(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(retry(factor = 2x), read_only)]
async fn case_2_4(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(retry(factor = 1.5x), read_only)]
async fn case_2_5(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(breaker(name = "a", failures = 5u32))]
async fn case_2_6(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(cache(max = 7k), fallback = cached)]
async fn case_2_7(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 62, a window is of results or of time: 3 mistakes
#[resilient(breaker(name = "b", rate = 0.5, window = 60s))]
async fn case_3_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(breaker(name = "b", rate = 0.5, window = 60u32))]
async fn case_3_1(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(breaker(name = "b", rate = 0.5, window = "60s"x))]
async fn case_3_2(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 62, shares: 3 mistakes
#[resilient(breaker(name = "c", rate = 0.5f))]
async fn case_4_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(breaker(name = "c", rate = 0.5, slow = 2s))]
async fn case_4_1(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(retry(max = 1, budget = "20%"x), read_only)]
async fn case_4_2(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 62, texts: 6 mistakes
#[resilient(breaker = "d"x)]
async fn case_5_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(name = "e"x)]
async fn case_5_1(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(profile = 3s)]
async fn case_5_2(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(retry_unsafe = "why"x, retry = 1)]
async fn case_5_3(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(rate_limit = "100/1s"x)]
async fn case_5_4(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(rate_limit = 100/1s)]
async fn case_5_5(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 62, without a key
#[resilient(retry(3s), read_only)]
async fn case_6_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

fn main() {}
