use resilient_runtime::{Breaker, McpError, ResilienceError, resilient};
use resilient_runtime::policy::BreakerSettings;
use rmcp::handler::server::tool::Extension;
use rmcp::handler::server::wrapper::Parameters;

#[derive(Debug, thiserror::Error, McpError)]
#[error("alone")]
#[mcp(kind = internal)]
struct Alone;

// rule 11
#[resilient]
async fn no_result() -> u32 {
    1
}

// rule 12, both: 2 mistakes
#[resilient]
async fn no_mcp_error() -> Result<u32, String> {
    Ok(1)
}

// rule 12, no `McpError`
struct Foreign;

impl From<ResilienceError> for Foreign {
    fn from(_: ResilienceError) -> Self {
        Self
    }
}

#[resilient]
async fn foreign() -> Result<u32, Foreign> {
    Ok(1)
}

// rule 12, no `From<ResilienceError>`
#[resilient]
async fn no_resilience() -> Result<u32, Alone> {
    Ok(1)
}

// rule 38
struct NoClone;

#[resilient(retry = 1, read_only)]
async fn not_clone(number: u32, argument: NoClone) -> Result<u32, ResilienceError> {
    drop(argument);
    Ok(number)
}

// rule 38, for a fallback
async fn instead(_: NoClone, _: &ResilienceError) -> Result<u32, ResilienceError> {
    Ok(1)
}

#[resilient(fallback = instead)]
async fn not_clone_for_a_fallback(argument: NoClone) -> Result<u32, ResilienceError> {
    drop(argument);
    Ok(1)
}

// rule 39
#[resilient(retry = 1, read_only)]
async fn changed(number: &mut u32) -> Result<u32, ResilienceError> {
    *number += 1;
    Ok(*number)
}

// rule 42
#[resilient(fallback = cached)]
async fn answer_not_clone(number: u32) -> Result<NoClone, ResilienceError> {
    let _ = number;
    Ok(NoClone)
}

// rule 39, the receiver
impl NoClone {
    #[resilient(retry = 1, read_only)]
    async fn changed(&mut self) -> Result<u32, ResilienceError> {
        Ok(1)
    }

    #[resilient(retry = 1, read_only)]
    async fn kept(&self) -> Result<u32, ResilienceError> {
        Ok(1)
    }
}

// rule 39, the receiver used up
impl NoClone {
    #[resilient(retry = 1, read_only)]
    async fn used_up(self) -> Result<u32, ResilienceError> {
        Ok(1)
    }
}

// rule 38, what an extractor holds: 2 mistakes
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Asked {
    number: u32,
}

#[resilient(retry = 1, read_only)]
async fn asked(Parameters(Asked { number }): Parameters<Asked>) -> Result<u32, ResilienceError> {
    Ok(number)
}

#[resilient(retry = 1, read_only)]
async fn extension(Extension(held): Extension<NoClone>) -> Result<u32, ResilienceError> {
    drop(held);
    Ok(1)
}

// rule 38, what holds a type parameter of the block: 3 mistakes
struct Holds<T>(T);

impl<T: ToString + Send + Sync + 'static> Holds<T> {
    #[resilient(retry = 1, read_only)]
    async fn itself(&self, shown: T) -> Result<String, ResilienceError> {
        Ok(shown.to_string())
    }

    #[resilient(retry = 1, read_only)]
    async fn within(&self, shown: Vec<T>) -> Result<u32, ResilienceError> {
        drop(shown);
        Ok(1)
    }

    #[resilient(fallback = cached, cache(key = 1))]
    async fn answer(&self, number: T) -> Result<T, ResilienceError> {
        Ok(number)
    }
}

// rule 39, a boxed closure
#[resilient(retry = 1, read_only)]
async fn boxed(closure: Box<dyn Fn() -> u32 + Send + Sync>) -> Result<u32, ResilienceError> {
    Ok(closure())
}

// rule 42, an argument
#[resilient(fallback = cached)]
async fn not_hash(number: f64) -> Result<u32, ResilienceError> {
    let _ = number;
    Ok(1)
}

// rule 43, what is not `Hash`, and what is not `Display`: 2 mistakes
#[resilient(rate_limit(rate = "1/1s", key = ratio))]
async fn key_not_hash(ratio: f64) -> Result<u32, ResilienceError> {
    let _ = ratio;
    Ok(1)
}

#[resilient(log_args(numbers))]
async fn not_display(numbers: Vec<u32>) -> Result<u32, ResilienceError> {
    drop(numbers);
    Ok(1)
}

// rule 44
static NO_BREAKER: BreakerSettings = BreakerSettings::new();
static A_BREAKER: Breaker = Breaker::new("a", BreakerSettings::new());

#[resilient(breaker = NO_BREAKER)]
async fn no_breaker() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 44, a `const`
const A_CONST: Breaker = Breaker::new("a-const", BreakerSettings::new());

#[resilient(breaker = A_CONST)]
async fn a_const() -> Result<u32, ResilienceError> {
    Ok(1)
}

// rule 44, nothing is wrong with a `static`: 0 mistakes
#[resilient(breaker = A_BREAKER)]
async fn a_breaker() -> Result<u32, ResilienceError> {
    Ok(1)
}

// beside the rules, the body's own mistake
#[resilient]
async fn in_the_body() -> Result<u32, ResilienceError> {
    Ok("text")
}

// beside the rules, a return type that is left to rustc
#[resilient]
async fn left_open(number: u32) -> Result<_, ResilienceError> {
    Ok(number)
}

// beside the rules, one name for two arguments
#[resilient(retry = 1, read_only)]
async fn twice(number: u32, number: u32) -> Result<u32, ResilienceError> {
    Ok(1)
}

fn main() {}
