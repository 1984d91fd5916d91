//! `classify`, `timeout(max, from)` and `retry(before)` as a client sees them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::breaker::BreakerState;
use resilient_runtime::{McpError, Outcome, Registry, ResilienceError, resilient};
use resilient_tests::in_process::{call, connect};
use resilient_tests::wire::{CALL, ERROR, error, meta, text};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ContentBlock};
use rmcp::{tool, tool_router};
use serde_json::{Value, json};
use tokio::time::Instant;

#[derive(Debug, thiserror::Error, McpError)]
enum Failure {
    #[error("the token is not valid any more")]
    #[mcp(kind = unauthenticated)]
    Expired,
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

#[derive(Clone, serde::Deserialize, schemars::JsonSchema)]
struct Build {
    /// The longest time to wait, in seconds.
    wait: Option<u64>,
}

#[derive(Default)]
struct Shop {
    token: AtomicU32,
}

#[resilient(timeout = "9s")]
#[tool_router(server_handler)]
impl Shop {
    /// Fails as rmcp recommends it.
    #[resilient(classify = tool_error, breaker(name = "classified_tool", failures = 2))]
    #[tool(annotations(read_only_hint = true))]
    async fn closed(&self) -> CallToolResult {
        CallToolResult::error(vec![ContentBlock::text("the shop is closed")])
    }

    /// Hangs.
    #[resilient(timeout(max = "120s", from = build.wait.map(Duration::from_secs)))]
    #[tool(annotations(read_only_hint = true))]
    async fn build(&self, Parameters(build): Parameters<Build>) -> Result<String, Failure> {
        tokio::time::sleep(Duration::from_secs(9_999)).await;
        Ok(format!("waited {:?}", build.wait))
    }

    /// Needs a new token at each call.
    #[resilient(retry(max = 1, base = "1s", on(unauthenticated), before = Self::renew))]
    #[tool(annotations(read_only_hint = true))]
    async fn orders(&self) -> Result<String, Failure> {
        if self.token.swap(0, Ordering::Relaxed) == 0 { Err(Failure::Expired) } else { Ok("none yet".into()) }
    }
}

impl Shop {
    async fn renew(&self, _: &Failure) -> Result<(), Failure> {
        tokio::task::yield_now().await;
        self.token.store(1, Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_with_is_error_opens_the_breaker_and_is_passed_on_as_it_is() {
    let client = connect(Shop::default()).await;
    for _ in 0..2 {
        let answer = call(&client, "closed", &json!({})).await;
        assert_eq!((answer.is_error, text(&answer)), (Some(true), "the shop is closed".to_owned()));
        assert_eq!(meta(&answer, ERROR), Value::Null);
    }
    let breaker = Registry::global().breaker("classified_tool").expect("a breaker");
    assert_eq!(breaker.snapshot().state, BreakerState::Open);
    assert_eq!(error(&call(&client, "closed", &json!({})).await)["kind"], "circuit_open");
    let read = Registry::global().tool("closed").expect("a tool");
    assert_eq!((read.outcome(Outcome::Error), read.outcome(Outcome::Rejected)), (2, 1));
    let errors: Vec<_> = read.errors.iter().map(|error| (&*error.code, error.count)).collect();
    assert!(errors.contains(&("BAD_RESPONSE", 2)), "{errors:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_can_request_a_limit_up_to_the_longest_one() {
    let client = connect(Shop::default()).await;
    for (arguments, limit) in [(json!({ "wait": 20 }), "22s"), (json!({ "wait": 600 }), "2m"), (json!({}), "2m")] {
        let started = Instant::now();
        let answer = call(&client, "build", &arguments).await;
        assert!(text(&answer).contains(&format!("within {limit}")), "{arguments}: {}", text(&answer));
        assert!(started.elapsed() >= Duration::from_secs(22));
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_the_retry() {
    let client = connect(Shop::default()).await;
    let answer = call(&client, "orders", &json!({})).await;
    assert_eq!(text(&answer), "none yet");
    assert_eq!(meta(&answer, CALL)["attempts"], 2);
}
