//! The memory of a server does not grow with the number of calls. In a separate process, because it measures the memory
//! of the process.

use std::sync::{Arc, Mutex};

use resilient_runtime::{Outcome, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::failure::ShopError;
use resilient_tests::in_process;
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
use tokio_util::sync::CancellationToken;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Ask {
    id: u64,
}

/// Keeps the context of the first request.
#[derive(Default)]
struct Shop(Mutex<Option<RequestContext<RoleServer>>>);

#[resilient]
#[tool_router]
impl Shop {
    /// Has every part that stores state per argument: responses, breakers, limits, errors.
    #[resilient(
        fallback = cached,
        breaker(name = "shop", failures = 5, key = req.id),
        bulkhead(max = 4, name = "shop"),
        rate_limit(rate = "100/1s", key = req.id),
        log_args(req.id)
    )]
    #[tool(annotations(read_only_hint = true))]
    async fn look_up(&self, Parameters(req): Parameters<Ask>) -> Result<String, ShopError> {
        match req.id % 10 {
            0 => Err(ShopError::Missing(format!("item {}", req.id))),
            1 => Err(ShopError::Down(format!("at {}", req.id))),
            _ => Ok(format!("item {}", req.id)),
        }
    }
}

impl ServerHandler for Shop {
    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        *self.0.lock().expect("not poisoned") = Some(context);
        Err(ErrorData::internal_error("kept", None))
    }
}

/// The resident memory of this process in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().strip_suffix(" kB").and_then(|kib| kib.parse().ok()).expect("a number")
}

/// Calls through the hook, but not through the transport, which belongs to rmcp.
async fn ask(shop: &Arc<Shop>, router: &ToolRouter<Shop>, context: &RequestContext<RoleServer>, id: u64) -> bool {
    let arguments = json!({ "id": id }).as_object().expect("an object").clone();
    let asked = CallToolRequestParams::new("look_up").with_arguments(arguments);
    let mut context = context.clone();
    context.ct = CancellationToken::new();
    context.meta.0.0.insert(CORRELATION.into(), json!(format!("call-{id}")));
    let answered = router.call(ToolCallContext::new(&**shop, asked, context)).await.expect("an answer");
    let CallToolResponse::Complete(answer) = answered else { panic!("{answered:?}") };
    answer.is_error != Some(true)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_million_calls_memory_is_what_it_was_after_ten_thousand() {
    if ran_in_a_child() {
        return;
    }
    let shop = Arc::new(Shop::default());
    let client = in_process::connect(Arc::clone(&shop)).await;
    client.call_tool(CallToolRequestParams::new("look_up")).await.expect_err("it keeps the context");
    let context = shop.0.lock().expect("not poisoned").clone().expect("a context");
    // Two tasks make half of the calls each.
    let all = async |ids: std::ops::Range<u64>| {
        let half = |odd: u64| {
            let (shop, context, ids) = (Arc::clone(&shop), context.clone(), ids.clone());
            tokio::spawn(async move {
                let router = Shop::tool_router();
                let mut good = 0_u64;
                for id in ids.filter(|id| id / 10 % 2 == odd) {
                    good += u64::from(ask(&shop, &router, &context, id).await);
                }
                good
            })
        };
        let (even, odd) = (half(0), half(1));
        even.await.expect("no panic") + odd.await.expect("no panic")
    };
    assert_eq!(all(0..10_000).await, 8_000);
    let before = resident();
    assert_eq!(all(10_000..1_000_000).await, 792_000);
    let grown = resident().saturating_sub(before);
    assert!(grown <= 8 * 1_024, "{grown} KiB more than {before} KiB");
    let counted = resilient_runtime::Registry::global().tool("look_up").expect("counted");
    assert_eq!((counted.calls(), counted.outcome(Outcome::Ok)), (1_000_000, 800_000));
}
