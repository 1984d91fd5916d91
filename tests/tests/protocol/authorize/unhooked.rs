//! Tools with `authorize` whose routes are made by hand, or that are called without a route.

use std::sync::atomic::Ordering;

use resilient_runtime::{ResilienceError, mcp, resilient};
use resilient_tests::failure::Failure;
use resilient_tests::in_process::request;
use resilient_tests::logs::{Events, listen};
use resilient_tests::wire::error;
use rmcp::handler::server::router::tool::{ToolRoute, ToolRouter};
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{CallToolRequestParams, CallToolResponse, JsonObject};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_router};
use serde_json::json;
use tracing_subscriber::layer::SubscriberExt as _;

use super::{Refused, Wiki, call, connect};

/// Calls the functions of tools by itself, without their hooks.
#[derive(Debug, Clone)]
struct ByHand(Wiki);

#[resilient(authorize = Self::check)]
#[tool_router(router = unused_tools)]
impl ByHand {
    /// Is called by hand.
    #[tool]
    async fn wiki_by_hand(&self) -> Result<String, Failure> {
        self.0.ran();
        Ok("done".into())
    }

    async fn check(&self, request: &RequestContext<RoleServer>, arguments: &JsonObject) -> Result<(), Refused> {
        self.0.check(request, arguments).await
    }
}

impl ServerHandler for ByHand {
    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        use rmcp::handler::server::tool::IntoCallToolResult as _;
        self.wiki_by_hand().await.into_call_tool_result()
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_hook_a_guarded_function_answers_with_an_error_and_logs_it_once() {
    let events = Events::default();
    let _log = listen(tracing_subscriber::registry().with(events.clone()));
    let wiki = ByHand(Wiki::default());
    assert!(ByHand::unused_tools().has_route("wiki_by_hand"));
    let direct = wiki.wiki_by_hand().await.expect_err("nothing has authorized it");
    assert!(matches!(direct, Failure::Resilience(ResilienceError::Unauthorized)), "{direct}");
    let client = connect(wiki.clone()).await;
    let answer = client.call_tool(request("wiki_by_hand", &json!({}))).await.expect("an answer");
    assert_eq!(error(&answer)["kind"], "internal");
    assert_eq!(error(&answer)["retryable"], false);
    assert_eq!(wiki.0.runs.load(Ordering::Relaxed), 0);
    let logged = events.seen().iter().filter(|event| event.contains("authorization.missing")).count();
    assert_eq!(logged, 1);
}

#[tokio::test(start_paused = true)]
async fn a_route_that_is_made_by_hand_is_authorized_by_its_name() {
    #[derive(Debug, Clone)]
    struct Handmade(Wiki, ToolRouter<Wiki>);

    impl ServerHandler for Handmade {
        async fn call_tool(
            &self,
            request: CallToolRequestParams,
            context: RequestContext<RoleServer>,
        ) -> Result<CallToolResponse, ErrorData> {
            self.1.call(ToolCallContext::new(&self.0, request, context)).await
        }
    }

    assert!(Wiki::wiki_tools().has_route("wiki_sync"));
    let mut router = ToolRouter::new();
    router.add_route(ToolRoute::new(Wiki::wiki_sync_tool_attr(), Wiki::wiki_sync));
    // Its name is unknown, and it fails closed.
    let mut renamed = Wiki::wiki_read_tool_attr();
    renamed.name = "wiki_other".into();
    router.add_route(ToolRoute::new(renamed, Wiki::wiki_read));
    let wiki = Wiki::default();
    let client = connect(Handmade(wiki.clone(), mcp::instrument(router))).await;
    assert_eq!(error(&call(&client, "wiki_sync", &[("token", "old")]).await)["code"], "WIKI_EXPIRED");
    assert_eq!(call(&client, "wiki_sync", &[]).await.is_error, Some(false));
    assert_eq!(error(&call(&client, "wiki_other", &[]).await)["kind"], "internal");
    assert_eq!(wiki.runs.load(Ordering::Relaxed), 1);
}
