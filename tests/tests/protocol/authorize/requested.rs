//! The time that the arguments of an authorized call request.

#![allow(clippy::unused_self, reason = "a check has to be a method")]

use std::time::Duration;

use resilient_runtime::resilient;
use resilient_tests::failure::Failure;
use resilient_tests::in_process::{call, connect};
use resilient_tests::wire::error;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::JsonObject;
use rmcp::service::RequestContext;
use rmcp::{RoleServer, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Wait {
    seconds: u64,
}

#[derive(Debug, Clone, Default)]
struct Waits;

impl Waits {
    async fn check(&self, _: &RequestContext<RoleServer>, _: &JsonObject) -> Result<(), Failure> {
        sleep(Duration::from_secs(3)).await;
        Ok(())
    }
}

#[resilient(authorize = Self::check)]
#[tool_router(server_handler)]
impl Waits {
    /// Waits.
    #[resilient(timeout(max = "120s", from = Some(Duration::from_secs(wait.seconds))), read_only)]
    #[tool]
    async fn authorized_wait(&self, Parameters(wait): Parameters<Wait>) -> Result<String, Failure> {
        let _ = wait;
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn an_authorized_call_ends_at_the_requested_limit() {
    let client = connect(Waits).await;
    for (seconds, limit) in [(10, 11_000), (600, 120_000)] {
        let answer = call(&client, "authorized_wait", &json!({ "seconds": seconds })).await;
        assert_eq!(error(&answer)["details"]["limit_ms"], json!(limit));
    }
}
