use resilient_runtime::{ResilienceError, resilient};

// rule 21
#[resilient(retry(max = 1, budget = "120%"), read_only)]
async fn too_much() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 21, its shape
#[resilient(retry(max = 1, budget = 0.2), read_only)]
async fn no_share() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 22: 3 mistakes
#[resilient(breaker(name = "a", rate = 1.5, window = 0, min_calls = 0))]
async fn out_of_range() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 22
#[resilient(breaker(name = "b", rate = 0.5, window = 10, min_calls = 11))]
async fn never_enough() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 22: 5 mistakes
#[resilient(breaker(name = "", slow = "1s", slow_rate = 0, probes = 0, successes = 0, open = "25h"))]
async fn nothing_in_range() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 22
#[resilient(breaker = "a-name-that-goes-on-and-on-and-on-until-nobody-can-read-it-any-more")]
async fn long_name() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 23
#[resilient(breaker(name = "c", failures = 3, rate = 0.5))]
async fn two_ways() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 23: 3 mistakes
#[resilient(breaker(name = "d", window = 10, min_calls = 5, slow_rate = 0.5))]
async fn no_rate() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 23
#[resilient(breaker(name = "e", rate = 0.5, window = "500ms"))]
async fn too_short() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 30
#[resilient(breaker(name = "f", failures = 3), retry = 2, read_only)]
async fn one_call_alone() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 31
#[resilient(breaker(name = "g", rate = 0.5, window = "3s"), attempt_timeout = "2s")]
async fn window_too_small() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 31
#[resilient(breaker(name = "h", slow = "2s"), attempt_timeout = "2s")]
async fn never_slow() -> Result<u32, ResilienceError> {
    Ok(1)
}

fn main() {}
