use resilient_runtime::{ResilienceError, resilient};
use rmcp::{tool, tool_router};

// rule 4: 2 mistakes
#[resilient(bulkhead = "20", rate_limit = 100)]
async fn wrong_shapes() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 4: 2 mistakes
#[resilient(bulkhead, rate_limit(rate = 5))]
async fn no_values() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 4: 2 mistakes
#[resilient(bulkhead(queue = 5), rate_limit(burst = 5))]
async fn parts_missing() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 1: 3 mistakes
#[resilient(bulkhead(mx = 5), rate_limit(rate = "1/1s", bust = 5), timeouts = "1s")]
async fn unknown() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 3
#[resilient(bulkhead = 5, bulkhead(max = 5))]
async fn two_spellings() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 22: 2 mistakes
#[resilient(bulkhead(max = 5, name = "a b"), rate_limit(rate = "1/1s", name = ""))]
async fn names() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 24
#[resilient(bulkhead = 0)]
async fn no_slots() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 24: 2 mistakes
#[resilient(bulkhead(max = 0, wait = "1s"))]
async fn nobody_queues() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 24
#[resilient(bulkhead(max = 5, queue = 0, wait = "1s"))]
async fn queue_of_none() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 25
#[resilient(rate_limit = "100")]
async fn no_period() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 25
#[resilient(rate_limit = "100/s")]
async fn no_number() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 25
#[resilient(rate_limit = "many/1s")]
async fn no_calls() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 25
#[resilient(rate_limit = "0/1s")]
async fn zero_calls() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 25: 2 mistakes
#[resilient(rate_limit(rate = "1/25h", burst = 0))]
async fn long_and_empty() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 25
#[resilient(rate_limit(rate = "1/24h", burst = 400))]
async fn longer_than_a_year() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 32
#[resilient(timeout = "5s", bulkhead(max = 5, queue = 5, wait = "5s"))]
async fn no_time_left() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 24: 2 mistakes
#[resilient(bulkhead(max = 5, max_keys = 3), breaker(failures = 3, max_keys = 3))]
async fn bounds_without_keys() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 25: 2 mistakes
#[resilient(rate_limit(rate = "1/1s", max_keys = 0))]
async fn no_key_and_no_room() -> Result<u32, ResilienceError> {
    Ok(1)
}

struct Keyed;

// rule 10: 3 mistakes
#[resilient(
    breaker(name = "keyed", key = id),
    bulkhead(max = 5, key = id),
    rate_limit(rate = "1/1s", key = id)
)]
#[tool_router]
impl Keyed {
    /// Answers.
    #[tool]
    async fn answers(&self) -> Result<String, ResilienceError> {
        Ok("1".into())
    }
}

struct Wrong;

// rule 24, once for all tools: 3 mistakes
#[resilient(bulkhead = 0, rate_limit(rate = "0/1s", name = "a b"))]
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
    let _ = (wrong_shapes(), no_values(), parts_missing(), unknown(), two_spellings(), names(), no_slots());
    let _ = (nobody_queues(), queue_of_none(), no_period(), no_number(), no_calls(), zero_calls());
    let _ = (long_and_empty(), longer_than_a_year(), no_time_left(), bounds_without_keys(), no_key_and_no_room(), Keyed.answers(), Wrong.one(), Wrong.other());
}
