//! Whatever clients send, there are as many series as before. In a process of its own, so that each of
//! them is looked at.

use std::collections::BTreeSet;

use resilient_runtime::export::prometheus;
use resilient_runtime::{McpError, Principal, Registry, ResilienceError, mcp, resilient};
use resilient_tests::in_process::{self, request};
use resilient_tests::scrape::scrape;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolRequestParams, CallToolResponse, RequestMetaObject};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, thiserror::Error, McpError)]
enum Failure {
    #[error("down: {0}")]
    #[mcp(kind = unavailable, message = "{0} is down")]
    Down(String),
    #[error("no {0}")]
    #[mcp(kind = not_found)]
    Missing(String),
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Ask {
    what: String,
    text: String,
}

/// A server that knows its users by what they say in `_meta`.
struct Shop(ToolRouter<Self>);

#[resilient]
#[tool_router(router = tools)]
impl Shop {
    /// Does what it is told.
    #[resilient(timeout = "2s", breaker(name = "shop", failures = 100))]
    #[tool(annotations(read_only_hint = true))]
    async fn ask(&self, Parameters(Ask { what, text }): Parameters<Ask>) -> Result<String, Failure> {
        match what.as_str() {
            "ok" => Ok(text),
            "down" => Err(Failure::Down(text)),
            _ => Err(Failure::Missing(text)),
        }
    }
}

impl ServerHandler for Shop {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        mut context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if let Some(user) = context.meta.0.0.get("user").and_then(Value::as_str).map(Principal::new) {
            context.extensions.insert(user);
        }
        self.0.call(ToolCallContext::new(self, request, context)).await
    }
}

#[tokio::test(start_paused = true)]
async fn arguments_users_ids_and_texts_add_no_series() {
    let client = in_process::connect(Shop(Shop::tools())).await;
    let round = async |n: u32| {
        for what in ["ok", "down", "missing"] {
            let arguments = json!({ "what": what, "text": format!("text {n}") });
            let mut asked = request("ask", &arguments);
            let mut meta = RequestMetaObject::default();
            meta.0.0.insert("user".into(), json!(format!("user {n}")));
            meta.0.0.insert(mcp::CORRELATION_META.into(), json!(format!("id-{n}")));
            asked.meta = Some(meta);
            client.call_tool(asked).await.expect("an answer");
        }
    };
    let series = || -> BTreeSet<String> { scrape(&prometheus::global_text()).into_keys().collect() };
    round(0).await;
    let before = series();
    for n in 1..3_334 {
        round(n).await;
    }
    assert_eq!(series(), before);
    let read = scrape(&prometheus::global_text());
    assert_eq!(read["resilient_calls{outcome=ok,tool=ask}"].to_string(), "3334");
    // The users were heard, and the texts were told: they are where an operator finds single calls.
    let recent = Registry::global().recent_errors();
    assert!(recent[0].text.contains("text 3333") || recent[1].text.contains("text 3333"), "{recent:?}");
    assert_eq!(recent[0].principal.as_ref().map(Principal::as_str), Some("user 3333"));
}
