//! The first attempt of a tool that the hook calls: it is made at once, in the context of its request.

use std::sync::atomic::{AtomicU32, Ordering};

use resilient_runtime::breaker::BreakerSnapshot;
use resilient_runtime::statistics::{AttemptOutcome, ToolSnapshot};
use resilient_runtime::{CallContext, Outcome, Registry, resilient};
use resilient_tests::failure::Failure;
use resilient_tests::in_process::{call, connect};
use resilient_tests::wire::{CALL, meta, text};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::CallToolResult;
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::task::yield_now;

use super::nothing_listens;

#[resilient(name = "first_poll_inner", timeout = "5s")]
async fn inner(later: bool) -> Result<String, Failure> {
    if later {
        yield_now().await;
    }
    let context = CallContext::current().expect("a context");
    assert_eq!(context.tool(), Some("first_poll"), "the request of the tool");
    Ok(context.correlation_id().to_string())
}

struct Server;

#[resilient(timeout = "1s", retry(max = 1, base = "1ms"), breaker = "first_poll")]
#[tool_router(server_handler)]
impl Server {
    /// Calls another guarded function, and returns the ids of both.
    #[tool(annotations(read_only_hint = true))]
    async fn first_poll(&self) -> Result<String, Failure> {
        let own = || CallContext::current().expect("a context");
        let (id, deadline) = (own().correlation_id().to_string(), own().deadline());
        for later in [false, true] {
            assert_eq!(inner(later).await?, id, "it is part of this call");
            assert_eq!(
                (own().correlation_id().to_string(), own().attempt(), own().deadline()),
                (id.clone(), 1, deadline)
            );
        }
        Ok(id)
    }
}

fn ids(result: &CallToolResult) -> (String, serde_json::Value) {
    (text(result), meta(result, CALL)["correlation_id"].clone())
}

#[tokio::test(start_paused = true)]
async fn a_tool_and_what_it_calls_have_the_context_of_the_request_and_each_is_counted_once() {
    nothing_listens();
    let client = connect(Server).await;
    for _ in 0..3 {
        let result = call(&client, "first_poll", &json!({})).await;
        let (inside, outside) = ids(&result);
        assert_eq!(json!(inside), outside, "the client reads the same id");
        assert_eq!(meta(&result, CALL)["attempts"], json!(1));
        assert!(CallContext::current().is_none());
    }
    let tool = Registry::global().tool("first_poll").expect("bound");
    assert_eq!((tool.calls(), tool.outcome(Outcome::Ok), tool.attempts, tool.in_flight), (3, 3, 3, 0));
    assert_eq!((tool.good_durations.count(), tool.durations().count()), (3, 3));
    let breaker = Registry::global().breaker("first_poll").expect("bound").snapshot();
    assert_eq!((breaker.successes, breaker.failures, breaker.neutral), (3, 0, 0));
    let inner = Registry::global().function("first_poll_inner").expect("bound");
    assert_eq!((inner.calls(), inner.attempts), (6, 6));
    assert_eq!(inner.own_attempts.expect("without a breaker").count(AttemptOutcome::Ok), 6);
}

/// How a call of a tool ends.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
enum End {
    AtOnce,
    Later,
    AfterARetry,
    Error,
    Panic,
    TimedOut,
}

const ENDS: [&str; 6] = ["AtOnce", "Later", "AfterARetry", "Error", "Panic", "TimedOut"];

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Wanted {
    end: End,
}

async fn work(end: End, attempts: &AtomicU32) -> Result<String, Failure> {
    let attempt = attempts.fetch_add(1, Ordering::Relaxed);
    match end {
        End::Later => yield_now().await,
        End::AfterARetry if attempt.is_multiple_of(2) => return Err(Failure::Down),
        End::AtOnce | End::AfterARetry => {}
        End::Error => return Err(Failure::Missing),
        End::Panic => panic!("on purpose"),
        End::TimedOut => std::future::pending().await,
    }
    Ok(format!("{end:?}"))
}

static ATTEMPTS: [AtomicU32; 3] = [const { AtomicU32::new(0) }; 3];

struct Ways;

#[resilient(timeout = "1s", retry(max = 1, base = "1ms"))]
#[tool_router(server_handler)]
impl Ways {
    /// Its first attempt is made in the context of the request.
    #[resilient(breaker = "way_at_once")]
    #[tool(annotations(read_only_hint = true))]
    async fn way_at_once(&self, Parameters(wanted): Parameters<Wanted>) -> Result<String, Failure> {
        work(wanted.end, &ATTEMPTS[0]).await
    }

    /// The context of its first attempt is shared, so that the attempt ends in the state machine.
    #[resilient(breaker = "way_shared")]
    #[tool(annotations(read_only_hint = true))]
    async fn way_shared(&self, Parameters(wanted): Parameters<Wanted>) -> Result<String, Failure> {
        assert!(CallContext::current().is_some());
        work(wanted.end, &ATTEMPTS[1]).await
    }

    /// A limit lets the state machine decide about the first attempt.
    #[resilient(breaker = "way_limited", bulkhead = 4)]
    #[tool(annotations(read_only_hint = true))]
    async fn way_limited(&self, Parameters(wanted): Parameters<Wanted>) -> Result<String, Failure> {
        work(wanted.end, &ATTEMPTS[2]).await
    }
}

/// Returns what the client reads, as text, except the correlation id, which differs.
fn without_id(result: &CallToolResult) -> String {
    let meta = result.meta.as_ref().expect("metadata");
    let id = meta.0.values().find_map(|members| members["correlation_id"].as_str()).expect("an id");
    serde_json::to_string(result).expect("JSON").replace(id, "ID")
}

/// Returns the counts, which are the same whichever way the calls take.
fn counts(tool: &ToolSnapshot, breaker: &BreakerSnapshot) -> (Vec<u64>, Vec<u64>) {
    let outcomes = Outcome::ALL.iter().map(|outcome| tool.outcome(*outcome)).collect();
    let others = vec![
        tool.calls(),
        tool.attempts,
        tool.in_flight,
        tool.retries,
        tool.good_durations.count(),
        tool.durations().count(),
        tool.excused,
        u64::from(tool.consecutive_failures),
        breaker.successes,
        breaker.failures,
        breaker.neutral,
    ];
    (outcomes, others)
}

#[tokio::test(start_paused = true)]
async fn a_tool_is_answered_and_counted_in_the_same_way_whichever_way_its_first_attempt_takes() {
    nothing_listens();
    let client = connect(Ways).await;
    let tools = ["way_at_once", "way_shared", "way_limited"];
    for end in ENDS.iter().chain(&ENDS) {
        let arguments = json!({ "end": end });
        let mut answers = Vec::new();
        for tool in tools {
            answers.push(without_id(&call(&client, tool, &arguments).await));
            assert!(CallContext::current().is_none());
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{end}: {answers:#?}");
    }
    let read = tools.map(|tool| {
        let breaker = Registry::global().breaker(tool).expect("bound").snapshot();
        counts(&Registry::global().tool(tool).expect("bound"), &breaker)
    });
    assert_eq!(read[0], read[1]);
    assert_eq!(read[0], read[2]);
    let tool = Registry::global().tool("way_at_once").expect("bound");
    // An attempt that times out is retried too.
    assert_eq!((tool.calls(), tool.outcome(Outcome::Ok), tool.attempts, tool.retries), (12, 6, 16, 4));
}
