//! Expressions that see the parameters: `log_args` and the keys of limits and of last good answers.

use resilient_runtime::{ResilienceError, resilient};
use rmcp::{tool, tool_router};

struct Request {
    team_id: u32,
    api_key: String,
}

// rule 4, the shape of `log_args`: 2 mistakes
#[resilient(log_args = 3)]
async fn no_list(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(log_args())]
async fn empty(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 10
struct Server;

#[resilient(log_args(number))]
#[tool_router]
impl Server {
    /// Answers.
    #[tool]
    async fn answer(&self) -> Result<String, ResilienceError> {
        Ok(String::new())
    }
}

// rule 36
#[resilient(fallback = cached, cache(scope = shared, key = 7))]
async fn the_same_for_all(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 37, a secret
#[resilient(log_args(request.team_id, request.api_key))]
async fn secret(request: Request) -> Result<u32, ResilienceError> {
    drop(request.api_key);
    Ok(request.team_id)
}

// rule 37, no parameter
#[resilient(log_args(zone))]
async fn no_parameter(number: u32) -> Result<u32, ResilienceError> {
    Ok(number)
}

// rule 37, no parameters at all
#[resilient(log_args(zone))]
async fn no_parameters() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 43, `mut` and `ref`: 2 mistakes
#[resilient(log_args(number))]
async fn mutable(mut number: u32) -> Result<u32, ResilienceError> {
    number += 1;
    Ok(number)
}

#[resilient(rate_limit(rate = "1/1s", key = team_id))]
async fn by_reference(Request { ref team_id, .. }: Request) -> Result<u32, ResilienceError> {
    Ok(*team_id)
}

fn main() {
    let _ = (no_list(1), empty(1), Server.answer(), the_same_for_all(1), no_parameter(1), no_parameters());
    let request = || Request { team_id: 1, api_key: String::new() };
    let _ = (secret(request()), mutable(1), by_reference(request()));
}
