//! A handler with a `call_tool` of the user's.

use resilient_runtime::{resilient, testing};
use resilient_tests::in_process::{authenticate, connect, request, with_meta};
use resilient_tests::wire::text;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{CallToolRequestParams, CallToolResponse, Tool};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::json;
use tokio::time::timeout;

use super::shop::{SECOND, Shop, serve};

/// A shop that panics when it looks up a tool.
#[derive(Debug, Clone)]
struct Unlisted(Shop);

#[resilient]
impl ServerHandler for Unlisted {
    fn get_tool(&self, name: &str) -> Option<Tool> {
        panic!("no list has {name}")
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        mut context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        authenticate(&mut context);
        Shop::tool_router().call(ToolCallContext::new(&self.0, request, context)).await
    }
}

#[test]
fn a_look_up_of_a_tool_that_panics_costs_no_answer() {
    testing::run(async |lab| {
        let served = serve(lab).await;
        let client = connect(Unlisted(served.shop.clone())).await;
        for (is_down, answer) in [(false, "placed k"), (true, "ACCEPTED_FOR_LATER")] {
            served.upstream().down(is_down);
            let request = with_meta(request("order", &json!({ "key": "k" })), &[("user", "ann")]);
            let answered = timeout(SECOND * 60, client.call_tool(request)).await.expect("an answer").unwrap();
            assert!(text(&answered).starts_with(answer), "{answered:?}");
        }
    });
}
