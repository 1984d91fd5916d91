use resilient_runtime::{ResilienceError, resilient};
use rmcp::{tool, tool_router};

// rule 64, none: 9 mistakes
#[resilient(breaker = "none")]
async fn case_1_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(retry = "none")]
async fn case_1_1(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(timeout = "none")]
async fn case_1_2(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(bulkhead = "none")]
async fn case_1_3(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(rate_limit = "none")]
async fn case_1_4(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(profile = "none")]
async fn case_1_5(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(fallback = "none")]
async fn case_1_6(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(cache = "none")]
async fn case_1_7(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(retry(max = 1, budget = "none"), read_only)]
async fn case_1_8(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 64, other words: 7 mistakes
#[resilient(fallback = "cached")]
async fn case_2_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(fallback = ["cached", other])]
async fn case_2_1(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(rate_limit(rate = "1/1s", key = "caller"))]
async fn case_2_2(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(bulkhead(max = 1, key = "caller"))]
async fn case_2_3(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(retry(max = 1, jitter = "full"), read_only)]
async fn case_2_4(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(cache(scope = "shared"), fallback = cached)]
async fn case_2_5(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(retry(max = 1, on("timeout")), read_only)]
async fn case_2_6(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 64, numbers: 6 mistakes
#[resilient(retry = "3", read_only)]
async fn case_3_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(retry(max = "3"), read_only)]
async fn case_3_1(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(retry(factor = "2.5"), read_only)]
async fn case_3_2(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(bulkhead = "20")]
async fn case_3_3(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(breaker(name = "a", rate = "50%"))]
async fn case_3_4(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(breaker(name = "a", rate = 0.5, window = "60"))]
async fn case_3_5(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 22, a name that means something else
#[resilient(breaker(name = "none"))]
async fn case_4_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 20, kinds in other words: 6 mistakes
#[resilient(retry(max = 1, on(ErrorKind::Timeout)), read_only)]
async fn case_5_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(retry(max = 1, on(bad-response)), read_only)]
async fn case_5_1(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(retry(max = 1, on(Timeout)), read_only)]
async fn case_5_2(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}






#[resilient(retry(max = 1, on(timeout, 3)), read_only)]
async fn case_5_4(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(retry(max = 1, on(, timeout)), read_only)]
async fn case_5_5(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(retry(max = 1, on("not_found")), read_only)]
async fn case_5_6(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 4, `None` for `none`: 4 mistakes
#[resilient(fallback = None)]
async fn case_6_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(retry = None)]
async fn case_6_1(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(breaker = None)]
async fn case_6_2(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(retry(max = 1, budget = None), read_only)]
async fn case_6_3(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 4, a name without quotes
#[resilient(breaker = make)]
async fn case_7_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 4, a text for a function: 2 mistakes
#[resilient(fallback = "nothing there")]
async fn case_8_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(retry = "often", read_only)]
async fn case_8_1(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 5, a value without its key: 4 mistakes
#[resilient(retry(3), read_only)]
async fn case_9_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(breaker("make"))]
async fn case_9_1(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(bulkhead(20))]
async fn case_9_2(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(rate_limit("100/1s"))]
async fn case_9_3(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 16, several units and units in words: 3 mistakes
#[resilient(timeout = "1h30m")]
async fn case_10_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(timeout = "5 minutes")]
async fn case_10_1(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(rate_limit = "100/1min")]
async fn case_10_2(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 19, a cap below the first delay
#[resilient(retry(max = 1, cap = "500ms"), read_only)]
async fn case_11_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 30, with a rate: 2 mistakes
#[resilient(retry = 3, read_only, breaker(name = "b", rate = 0.75, window = 4))]
async fn case_12_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(retry = 3, read_only, breaker(name = "b", rate = 0.75, min_calls = 4))]
async fn case_12_1(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 31, slower than the timeout: 2 mistakes
#[resilient(timeout = "5s", breaker(name = "c", slow = "5s"))]
async fn case_13_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(breaker(name = "c", slow = "30s"))]
async fn case_13_1(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 33, beside a value that is wrong: 2 mistakes
#[resilient(timeout = "25h", retry = 3)]
async fn case_14_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 33, beside a value that cannot be read: 2 mistakes
#[resilient(timeout = 25, retry = 3)]
async fn case_15_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

struct Server;

// rule 5, one router under two names
#[resilient]
#[tool_router(router = a, router = b)]
impl Server {
    /// Reads.
    #[tool]
    async fn read(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

struct Slow;

// rule 31, on a block
#[resilient(timeout = "5s", breaker(name = "slow", slow = "5s"))]
#[tool_router]
impl Slow {
    /// Reads.
    #[tool]
    async fn read(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

struct Bare;

#[tool_router]
impl Bare {
    // rule 15, in a block that gives nothing
    /// Reads.
    #[resilient(skip)]
    #[tool]
    async fn read(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

fn main() {}
