use resilient_runtime::{ResilienceError, resilient};

// rule 63, per cent: 3 mistakes
#[resilient(retry(budget = 20%), read_only)]
async fn case_1_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(breaker(name = "a", rate = 50%))]
async fn case_1_1(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(breaker(name = "a", slow = "2s", slow_rate = 7%))]
async fn case_1_2(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 63, paths: 3 mistakes
#[resilient(fallback = Self::)]
async fn case_2_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(fallback = [cached, Self::])]
async fn case_2_1(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(breaker = crate::)]
async fn case_2_2(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 63, expressions: 5 mistakes
#[resilient(log_args(number.))]
async fn case_3_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(log_args(number.pow(2), number +))]
async fn case_3_1(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(fallback = value(number *))]
async fn case_3_2(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(breaker(name = "b", key = number &&))]
async fn case_3_3(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(cache(key = number.), fallback = cached)]
async fn case_3_4(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 63, values: 3 mistakes
#[resilient(timeout = -)]
async fn case_4_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(retry = -)]
async fn case_4_1(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(rate_limit = !)]
async fn case_4_2(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 63, beside another mistake: 2 mistakes
#[resilient(timeout = -, attempt_timeout = "0s")]
async fn case_5_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 63, another sign for `=`: 5 mistakes
#[resilient(timeout => "30s")]
async fn case_6_0(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(timeout == "30s")]
async fn case_6_1(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(timeout: "30s")]
async fn case_6_2(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(timeout := "30s")]
async fn case_6_3(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(retry(max: 3), read_only)]
async fn case_6_4(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

struct Server;

// rule 63, of rmcp's own list
#[resilient]
#[rmcp::tool_router(router = Self::)]
impl Server {
    /// Reads.
    #[rmcp::tool]
    async fn read(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

fn main() {}
