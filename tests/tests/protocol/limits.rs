//! The responses of a server with limits, in paused time.

use std::time::Duration;

use resilient_runtime::statistics::Rejected;
use resilient_runtime::{Outcome, Registry, resilient};
use resilient_tests::failure::Failure;
use resilient_tests::in_process::{Client, authenticate, connect, request, with_meta};
use resilient_tests::wire::{error, text};
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, ClientRequest, Request};
use rmcp::service::{PeerRequestOptions, RequestContext};
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_router};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

#[derive(Debug, Clone)]
struct Server;

#[resilient(bulkhead(max = 1, queue = 1, wait = "30s"), rate_limit(rate = "60/1h", burst = 2), timeout = "60s")]
#[tool_router(router = tools)]
impl Server {
    /// Is limited for each caller.
    #[resilient(rate_limit(rate = "1/1m", key = caller), bulkhead = none)]
    #[tool(annotations(read_only_hint = false))]
    async fn by_caller(&self) -> Result<String, Failure> {
        Ok("done".into())
    }

    /// Inherits both limits.
    #[tool]
    async fn inherits(&self) -> Result<String, Failure> {
        Ok("done".into())
    }

    /// Inherits both limits, and has its own of each.
    #[tool]
    async fn inherits_too(&self) -> Result<String, Failure> {
        Ok("done".into())
    }

    /// Takes long, one call at a time.
    #[resilient(rate_limit = none, bulkhead(max = 1, queue = 1), timeout = "5s")]
    #[tool(annotations(read_only_hint = false))]
    async fn one_at_a_time(&self) -> Result<String, Failure> {
        sleep(Duration::from_secs(60)).await;
        Ok("done".into())
    }
}

impl ServerHandler for Server {
    /// Authenticates the caller.
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        mut context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        authenticate(&mut context);
        Self::tools().call(ToolCallContext::new(self, request, context)).await
    }
}

async fn call_as(client: &Client, user: Option<&str>, tool: &'static str) -> CallToolResult {
    let members = user.map(|user| ("user", user));
    client.call_tool(with_meta(request(tool, &json!({})), members.as_slice())).await.expect("an answer")
}

#[tokio::test(start_paused = true)]
async fn each_caller_has_a_limit_of_its_own_and_is_told_when_to_come_back() {
    let client = connect(Server).await;
    for user in [Some("ann"), Some("ben"), None] {
        assert_eq!(call_as(&client, user, "by_caller").await.is_error, Some(false), "{user:?}");
        let rejected = call_as(&client, user, "by_caller").await;
        let mut error = error(&rejected);
        error.as_object_mut().expect("an object").remove("hint");
        assert_eq!(
            error,
            json!({
                "code": "OVERLOADED", "kind": "overloaded", "retryable": false, "retry_after_ms": 60_000, "attempts": 0,
                "details": {"limit": "rate_limit", "performed": false},
            }),
            "{user:?}"
        );
        let text = text(&rejected);
        assert!(text.starts_with("OVERLOADED: this tool was called too often. Nothing was changed. "), "{text}");
        assert!(text.contains("Do not retry before 1m."), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_tools_of_a_block_have_limits_of_their_own() {
    let client = connect(Server).await;
    for tool in ["inherits", "inherits_too"] {
        for _ in 0..2 {
            assert_eq!(call_as(&client, None, tool).await.is_error, Some(false), "{tool}");
        }
        assert_eq!(error(&call_as(&client, None, tool).await)["details"]["limit"], "rate_limit", "{tool}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_cancels_in_the_queue_leaves_it_and_who_never_ran_changed_nothing() {
    let client = connect(Server).await;
    let in_line = |waiting| async move {
        while Registry::global().tool("one_at_a_time").is_none_or(|read| read.waiting != waiting) {
            tokio::task::yield_now().await;
        }
    };
    let running = call_as(&client, None, "one_at_a_time");
    let others = async {
        tokio::task::yield_now().await;
        let request = ClientRequest::CallToolRequest(Request::new(CallToolRequestParams::new("one_at_a_time")));
        let options = PeerRequestOptions::no_options();
        let gives_up = client.send_cancellable_request(request, options).await.expect("sent");
        in_line(1).await;
        let full = call_as(&client, None, "one_at_a_time").await;
        assert_eq!(error(&full)["details"], json!({"limit": "bulkhead", "performed": false}));
        assert_eq!(error(&full)["retry_after_ms"], Value::Null, "when there is a slot is not known");
        gives_up.cancel(None).await.expect("cancelled");
        in_line(0).await;

        let started = Instant::now();
        let late = call_as(&client, None, "one_at_a_time").await;
        assert_eq!(started.elapsed(), Duration::from_secs(5));
        assert_eq!(error(&late)["kind"], "timeout");
        late
    };
    let (ran, late) = tokio::join!(running, others);
    assert!(text(&ran).contains("It may have taken effect; check before repeating it."), "{}", text(&ran));
    // Both ended at the same moment: the permit arrived when no time was left.
    assert!(text(&late).contains("Nothing was changed."), "{}", text(&late));
    assert_eq!(error(&late)["details"]["performed"], false);

    let read = Registry::global().tool("one_at_a_time").expect("a tool");
    assert_eq!((read.outcome(Outcome::Cancelled), read.outcome(Outcome::Timeout)), (1, 2));
    assert_eq!((read.outcome(Outcome::Rejected), read.rejected(Rejected::Bulkhead)), (1, 1));
    assert_eq!((read.attempts, read.in_flight, read.waiting), (1, 0, 0));
}
