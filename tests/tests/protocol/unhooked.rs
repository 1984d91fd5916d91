//! Tools without the hook that receive the request as an argument: their responses have the metadata of the call.

use resilient_runtime::resilient;
use resilient_tests::failure::Failure;
use resilient_tests::in_process::{self, Client};
use resilient_tests::wire::ERROR;
use rmcp::model::CallToolRequestParams;
use rmcp::service::RequestContext;
use rmcp::{RoleServer, tool, tool_router};
use serde_json::Value;

struct Shop;

#[tool_router(server_handler)]
impl Shop {
    /// Times out, and the pipeline answers.
    #[resilient(timeout = "20ms", read_only)]
    #[tool]
    async fn unhooked_hangs(&self, context: RequestContext<RoleServer>) -> Result<String, rmcp::ErrorData> {
        std::future::pending::<()>().await;
        Ok(context.id.to_string())
    }

    /// Fails, and its fallback fails as well.
    #[resilient(timeout = "20ms", fallback = instead, read_only)]
    #[tool]
    async fn unhooked_fails(&self, context: RequestContext<RoleServer>) -> Result<String, Failure> {
        if context.ct.is_cancelled() { Ok(String::new()) } else { Err(Failure::Down) }
    }
}

#[expect(clippy::unused_async, reason = "a fallback is")]
async fn instead(_: RequestContext<RoleServer>, _: &Failure) -> Result<String, Failure> {
    Err(Failure::Down)
}

async fn told(client: &Client, tool: &'static str) -> Value {
    match client.call_tool(CallToolRequestParams::new(tool)).await {
        Ok(answer) => answer.meta.expect("meta").0[ERROR].clone(),
        Err(rmcp::ServiceError::McpError(error)) => error.data.expect("data")[ERROR].clone(),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_the_pipeline_makes_has_the_id_of_the_request() {
    let client = in_process::connect(Shop).await;
    let hangs = told(&client, "unhooked_hangs").await;
    assert_eq!(hangs["kind"], "timeout");
    assert!(hangs["correlation_id"].is_string(), "{hangs}");
    assert_eq!(hangs["retryable"], true, "it only reads: {hangs}");
}

#[tokio::test(start_paused = true)]
async fn an_error_that_nothing_could_answer_for_is_told_as_what_it_is() {
    let client = in_process::connect(Shop).await;
    let fails = told(&client, "unhooked_fails").await;
    assert_eq!(fails["kind"], "unavailable", "{fails}");
}
