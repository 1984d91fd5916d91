//! Values that clients send add no series. In a separate process, because it compares all series of the process.

use std::collections::BTreeSet;

use resilient_runtime::export::prometheus;
use resilient_runtime::identity::Principal;
use resilient_runtime::{Registry, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::failure::ShopError;
use resilient_tests::in_process::{self, authenticate, request, with_meta};
use resilient_tests::scrape::scrape;
use resilient_tests::wire::CORRELATION;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolRequestParams, CallToolResponse};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Ask {
    what: String,
    text: String,
}

/// A server that authenticates its users.
struct Shop(ToolRouter<Self>);

#[resilient]
#[tool_router(router = tools)]
impl Shop {
    /// Ends as its argument says.
    #[resilient(timeout = "2s", breaker(name = "shop", failures = 100))]
    #[tool(annotations(read_only_hint = true))]
    async fn ask(&self, Parameters(Ask { what, text }): Parameters<Ask>) -> Result<String, ShopError> {
        match what.as_str() {
            "ok" => Ok(text),
            "down" => Err(ShopError::Down(text)),
            _ => Err(ShopError::Missing(text)),
        }
    }
}

impl ServerHandler for Shop {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        mut context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        authenticate(&mut context);
        self.0.call(ToolCallContext::new(self, request, context)).await
    }
}

#[tokio::test(start_paused = true)]
async fn arguments_users_ids_and_texts_add_no_series() {
    if ran_in_a_child() {
        return;
    }
    let client = in_process::connect(Shop(Shop::tools())).await;
    let round = async |n: u32| {
        for what in ["ok", "down", "missing"] {
            let arguments = json!({ "what": what, "text": format!("text {n}") });
            let members = [("user", &*format!("user {n}")), (CORRELATION, &*format!("id-{n}"))];
            client.call_tool(with_meta(request("ask", &arguments), &members)).await.expect("an answer");
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
    // Users and texts are in the recent errors, which list single calls for operators.
    let recent = Registry::global().recent_errors();
    assert!(recent[0].text.contains("text 3333") || recent[1].text.contains("text 3333"), "{recent:?}");
    assert_eq!(recent[0].principal.as_ref().map(Principal::as_str), Some("user 3333"));
}
