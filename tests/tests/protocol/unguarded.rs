//! Tools with only the hook, and tools whose name in the statistics differs from the name that clients call.

use std::time::Duration;

use resilient_runtime::export::prometheus;
use resilient_runtime::health::{CheckStatus, Health};
use resilient_runtime::{ErrorKind, Outcome, Registry, resilient};
use resilient_tests::failure::ShopError;
use resilient_tests::in_process::{self, Client};
use resilient_tests::scrape::scrape;
use rmcp::model::{CallToolRequestParams, CallToolResult, ClientRequest, ContentBlock, Request};
use rmcp::service::PeerRequestOptions;
use rmcp::{tool, tool_router};

struct Shop;

#[resilient]
#[tool_router(server_handler)]
impl Shop {
    /// Fails, without a policy.
    #[resilient(skip)]
    #[tool]
    async fn unguarded_fails(&self) -> Result<String, ShopError> {
        Err(ShopError::Down("password=hunter2".into()))
    }

    /// Returns a result that reports a failure.
    #[resilient(skip)]
    #[tool]
    async fn unguarded_says_so(&self) -> CallToolResult {
        CallToolResult::error(vec![ContentBlock::text("as you wished")])
    }

    /// Takes five seconds, even after the client has cancelled.
    #[resilient(skip)]
    #[tool]
    async fn unguarded_slow(&self) -> Result<String, ShopError> {
        tokio::time::sleep(Duration::from_secs(5)).await;
        Ok(String::new())
    }

    /// Fails because a dependency is full.
    #[tool]
    async fn behind_a_full_one(&self) -> Result<String, ShopError> {
        Err(ShopError::Full)
    }

    /// Has another name in the statistics.
    #[resilient(name = "shop.counted")]
    #[tool(name = "called")]
    async fn counted(&self) -> Result<String, ShopError> {
        Err(ShopError::Down("password=hunter2".into()))
    }
}

async fn call(client: &Client, tool: &'static str) -> bool {
    client.call_tool(CallToolRequestParams::new(tool)).await.expect("an answer").is_error == Some(true)
}

#[tokio::test(start_paused = true)]
async fn what_has_no_policy_fails_as_its_answer_says() {
    let client = in_process::connect(Shop).await;
    for _ in 0..3 {
        assert!(call(&client, "unguarded_fails").await && call(&client, "unguarded_says_so").await);
    }
    let read = Registry::global().tool("unguarded_fails").expect("counted");
    assert_eq!((read.failures(), read.consecutive_failures, read.excused), (3, 3, 0));
    let error = &read.errors[0];
    assert_eq!((&*error.code, error.kind, error.count), ("SHOP_DOWN", ErrorKind::Unavailable, 3));
    let recent = Registry::global().recent_errors();
    let kept = recent.iter().find(|error| &*error.tool == "unguarded_fails").expect("kept");
    assert!(kept.text.starts_with("SHOP_DOWN: the service behind this tool is unavailable"), "{}", kept.text);
    let own = Registry::global().tool("unguarded_says_so").expect("counted");
    assert_eq!((own.failures(), own.outcome(Outcome::Error), own.errors.len()), (0, 3, 0));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_after_the_client_gave_up_is_none() {
    let client = in_process::connect(Shop).await;
    let request = ClientRequest::CallToolRequest(Request::new(CallToolRequestParams::new("unguarded_slow")));
    let sent = client.send_cancellable_request(request, PeerRequestOptions::no_options()).await.expect("sent");
    tokio::time::sleep(Duration::from_secs(1)).await;
    sent.cancel(None).await.expect("told");
    tokio::time::sleep(Duration::from_secs(10)).await;
    let read = Registry::global().tool("unguarded_slow").expect("counted");
    assert_eq!((read.outcome(Outcome::Cancelled), read.outcome(Outcome::Ok), read.in_flight), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_dependency_that_says_it_is_full_is_no_limit_of_ours() {
    let client = in_process::connect(Shop).await;
    assert!(call(&client, "behind_a_full_one").await);
    let recent = Registry::global().recent_errors();
    assert!(recent.iter().any(|error| &*error.tool == "behind_a_full_one"));
}

#[tokio::test(start_paused = true)]
async fn a_tool_is_found_by_the_name_that_clients_know() {
    let client = in_process::connect(Shop).await;
    assert!(call(&client, "called").await);
    let read = Registry::global().tool("shop.counted").expect("counted");
    assert_eq!((read.served_as.as_deref(), read.failures()), (Some("called"), 1));
    let series = scrape(&prometheus::global_text());
    let operation = |tool: &str| {
        let series = series.get(&format!(
            "mcp_server_operation_duration_seconds_count{{error_type=tool_error,gen_ai_tool_name={tool},mcp_method_name=tools/call}}"
        ));
        series.map(ToString::to_string)
    };
    assert_eq!((operation("called").as_deref(), operation("shop.counted")), (Some("1"), None));
    for name in ["called", "shop.counted"] {
        let report = Health::new().critical_tool(name).report_now().await;
        let found = report.tools.iter().find(|tool| tool.tool == "shop.counted").expect("a tool");
        assert!(found.critical, "{name}");
        let known = report.checks.iter().find(|check| check.name == "critical_tools").expect("a check");
        assert_eq!(known.status, CheckStatus::Pass, "{name}: {}", known.message);
    }
}
