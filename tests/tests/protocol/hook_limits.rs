//! Tools of a block whose return type cannot carry an error: the hook enforces their timeout.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use resilient_runtime::error::TimeoutScope;
use resilient_runtime::{CallContext, Outcome, Registry, ResilienceError, mcp, resilient};
use resilient_tests::in_process::{self, Client};
use resilient_tests::wire::{error, text};
use rmcp::handler::server::wrapper::Json;
use rmcp::model::{CallToolRequestParams, CallToolResult};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use serde_json::json;
use tokio::time::Instant;

const HANGS: Duration = Duration::from_secs(3_600);

#[derive(serde::Serialize, schemars::JsonSchema)]
struct Page {
    number: u32,
}

/// Counts the futures that are dropped while they run.
struct Dropped(&'static AtomicUsize);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

static DROPPED: AtomicUsize = AtomicUsize::new(0);

#[resilient(timeout = "10s", attempt_timeout = "10s")]
async fn inner() -> Result<u32, ResilienceError> {
    tokio::time::sleep(HANGS).await;
    Ok(1)
}

#[derive(Clone)]
struct Shop;

#[resilient(timeout = "2s", breaker = "hook_limits")]
#[tool_router(server_handler)]
impl Shop {
    /// Hangs, and returns a text.
    #[tool]
    async fn text(&self) -> String {
        let _dropped = Dropped(&DROPPED);
        tokio::time::sleep(HANGS).await;
        String::new()
    }

    /// Hangs, and returns structured content.
    #[tool(annotations(read_only_hint = true))]
    async fn page(&self) -> Json<Page> {
        tokio::time::sleep(HANGS).await;
        Json(Page { number: 1 })
    }

    /// Hangs, and returns nothing.
    #[tool]
    async fn nothing(&self) {
        tokio::time::sleep(HANGS).await;
    }

    /// Hangs, and can carry an error.
    #[tool]
    async fn guarded(&self) -> Result<String, ResilienceError> {
        tokio::time::sleep(HANGS).await;
        Ok(String::new())
    }

    /// Sets its own timeout, and another name in statistics.
    #[resilient(timeout = "5s", name = "hook_limits.own", idempotent)]
    #[tool]
    async fn own(&self) -> String {
        tokio::time::sleep(HANGS).await;
        String::new()
    }

    /// Refuses the block's timeout and has the default.
    #[resilient(timeout = none)]
    #[tool]
    async fn default_limit(&self) -> String {
        tokio::time::sleep(HANGS).await;
        String::new()
    }

    /// Opts out.
    #[resilient(skip)]
    #[tool]
    async fn skipped(&self) -> String {
        tokio::time::sleep(Duration::from_secs(60)).await;
        "late".into()
    }

    /// Returns its remaining time, and the duration of a guarded function that it calls.
    #[tool]
    async fn nested(&self) -> String {
        let deadline = CallContext::current().and_then(|call| call.deadline()).expect("a deadline");
        format!("{}", deadline.duration_since(Instant::now()).as_millis())
    }

    /// Waits for a guarded function with a longer timeout.
    #[tool]
    async fn waits(&self) -> String {
        let started = Instant::now();
        let _ = inner().await;
        format!("{}", started.elapsed().as_millis())
    }

    /// Is ready in time.
    #[tool]
    async fn quick(&self) -> String {
        tokio::time::sleep(Duration::from_secs(1)).await;
        "here".into()
    }
}

async fn call(client: &Client, tool: &'static str) -> (CallToolResult, Duration) {
    let started = Instant::now();
    let answer = client.call_tool(CallToolRequestParams::new(tool)).await.expect("an answer");
    (answer, started.elapsed())
}

#[tokio::test(start_paused = true)]
async fn the_timeout_of_a_block_ends_every_async_tool_whatever_it_returns() {
    let client = in_process::connect(Shop).await;
    for tool in ["text", "page", "nothing", "guarded"] {
        let (answer, took) = call(&client, tool).await;
        assert_eq!((answer.is_error, took), (Some(true), Duration::from_secs(2)), "{tool}");
        assert!(text(&answer).starts_with("TIMEOUT: there was no answer within 2s."), "{tool}: {}", text(&answer));
        assert_eq!(error(&answer)["details"], json!({ "scope": "call", "limit_ms": 2_000 }), "{tool}");
    }
    // No other test calls these.
    for tool in ["page", "nothing"] {
        let read = Registry::global().tool(tool).expect("counted");
        let counted = (read.outcome(Outcome::Timeout), read.timeouts(TimeoutScope::Call), read.in_flight, read.calls());
        assert_eq!(counted, (1, 1, 0, 1), "{tool}");
        assert_eq!((&*read.errors[0].code, read.errors[0].count), ("TIMEOUT", 1), "{tool}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_cannot_carry_an_error_answers_a_timeout_as_a_guarded_one_does() {
    let client = in_process::connect(Shop).await;
    let (text_answer, _) = call(&client, "text").await;
    let (guarded, _) = call(&client, "guarded").await;
    assert_eq!(error(&text_answer), error(&guarded));
    let without_id = |answer: &CallToolResult| text(answer).split(" (correlation id").next().map(ToOwned::to_owned);
    assert_eq!(without_id(&text_answer), without_id(&guarded));
}

#[tokio::test(start_paused = true)]
async fn the_future_of_a_tool_that_ran_out_of_time_is_dropped() {
    let client = in_process::connect(Shop).await;
    let before = DROPPED.load(Ordering::Relaxed);
    call(&client, "text").await;
    assert!(DROPPED.load(Ordering::Relaxed) > before);
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_cannot_carry_an_error_can_have_its_own_timeout_name_and_effect() {
    let client = in_process::connect(Shop).await;
    let (answer, took) = call(&client, "own").await;
    assert_eq!((answer.is_error, took), (Some(true), Duration::from_secs(5)));
    assert_eq!(error(&answer)["retryable"], json!(true));
    let read = Registry::global().tool("hook_limits.own").expect("counted");
    assert_eq!((read.outcome(Outcome::Timeout), read.served_as.as_deref()), (1, Some("own")));
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_refuses_the_inherited_timeout_has_the_default_and_one_that_opts_out_has_none() {
    let client = in_process::connect(Shop).await;
    let (answer, took) = call(&client, "default_limit").await;
    assert_eq!((answer.is_error, took), (Some(true), Duration::from_secs(30)));
    let (answer, took) = call(&client, "skipped").await;
    assert_eq!((text(&answer).as_str(), took), ("late", Duration::from_secs(60)));
}

#[tokio::test(start_paused = true)]
async fn what_runs_in_such_a_tool_inherits_its_deadline() {
    let client = in_process::connect(Shop).await;
    assert_eq!(text(&call(&client, "nested").await.0), "2000");
    let (answer, took) = call(&client, "waits").await;
    assert!(took <= Duration::from_secs(2), "{took:?}: {}", text(&answer));
    assert_eq!(text(&call(&client, "quick").await.0), "here");
}

#[tokio::test(start_paused = true)]
async fn clients_read_in_the_list_of_tools_how_long_such_a_tool_may_take() {
    let client = in_process::connect(Shop).await;
    let tools = client.list_all_tools().await.expect("a list");
    let policy = |name: &str| {
        let tool = tools.iter().find(|tool| tool.name == name).expect("a tool");
        tool.meta.as_ref().and_then(|meta| meta.0.get(mcp::POLICY_META).cloned())
    };
    assert_eq!(policy("text").expect("a policy")["answers_within_ms"], json!(2_000));
    assert_eq!(policy("skipped"), None);
}

#[derive(Clone)]
struct Wrapped;

#[resilient(timeout = "2s")]
#[tool_router]
impl Wrapped {
    /// Hangs.
    #[tool]
    async fn wrapped(&self) -> String {
        tokio::time::sleep(HANGS).await;
        String::new()
    }
}

#[tool_handler(router = mcp::instrument(Self::tool_router()))]
impl ServerHandler for Wrapped {}

#[tokio::test(start_paused = true)]
async fn a_router_that_is_instrumented_once_more_keeps_the_limits_of_its_block() {
    let client = in_process::connect(Wrapped).await;
    let (answer, took) = call(&client, "wrapped").await;
    assert_eq!((answer.is_error, took), (Some(true), Duration::from_secs(2)));
}
