//! The first attempt of a tool that the hook calls: it is made at once, in the context of its request.

use resilient_runtime::statistics::AttemptOutcome;
use resilient_runtime::{CallContext, Outcome, Registry, resilient};
use resilient_tests::failure::Failure;
use resilient_tests::in_process::{call, connect};
use resilient_tests::wire::{CALL, meta, text};
use rmcp::model::CallToolResult;
use rmcp::{tool, tool_router};
use serde_json::json;
use tokio::task::yield_now;

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
