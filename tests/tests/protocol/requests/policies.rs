//! Methods of a handler with policies of their own, and limits of the block.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::{Registry, resilient};
use resilient_tests::in_process::{connect, connect_without_session};
use rmcp::model::{
    ClientRequest, CustomRequest, CustomResult, ListResourcesResult, PaginatedRequestParams, ReadResourceRequestParams,
    ReadResourceResponse, ReadResourceResult, ServerCapabilities, ServerConfig, SubscriptionFilter,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{ErrorData as McpError, RoleServer, ServerHandler};

use super::refused;

#[derive(Debug, Clone, Default)]
struct Guarded {
    reads: Arc<AtomicU32>,
}

#[resilient(timeout = "2s", rate_limit = "2/1h")]
impl ServerHandler for Guarded {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_resources().enable_tools().enable_tool_list_changed();
        ServerConfig::new(capabilities.build())
    }

    #[resilient(retry(max = 2, base = "1ms", jitter = off, on(internal)), timeout = "4s", rate_limit = none)]
    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, McpError> {
        match (self.reads.fetch_add(1, Ordering::Relaxed), &*request.uri) {
            (_, "hangs") => std::future::pending().await,
            (0 | 1, _) => Err(McpError::internal_error("not yet", None)),
            _ => Ok(ReadResourceResult::new(Vec::new()).into()),
        }
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, McpError> {
        Ok(ListResourcesResult::default())
    }

    #[resilient(breaker(failures = 1), rate_limit = none)]
    async fn on_custom_request(
        &self,
        _: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, McpError> {
        std::future::pending().await
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), McpError> {
        // Longer than every timeout.
        tokio::time::sleep(Duration::from_secs(600)).await;
        context.sink().notify_tool_list_changed().await.map_err(|_| McpError::internal_error("gone", None))?;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_method_is_retried_and_limited_by_its_own_keys() {
    let server = Guarded::default();
    let client = connect(server.clone()).await;
    client.read_resource(ReadResourceRequestParams::new("x")).await.expect("the third attempt answers");
    assert_eq!(server.reads.load(Ordering::Relaxed), 3);
    let began = tokio::time::Instant::now();
    let (code, error) = refused(client.read_resource(ReadResourceRequestParams::new("hangs")).await);
    assert_eq!((code, &error["kind"], began.elapsed().as_secs()), (-32603, &"timeout".into(), 2), "{error}");
    assert_eq!((&error["attempts"], &error["details"]["scope"]), (&1.into(), &"attempt".into()), "{error}");
    let counted =
        Registry::global().functions().into_iter().find(|(name, _)| name.ends_with("policies::read_resource"));
    assert_eq!(counted.map(|(_, read)| (read.calls(), read.in_flight)), Some((2, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_the_block_is_per_method() {
    let client = connect(Guarded::default()).await;
    client.list_resources(None).await.expect("the first");
    client.list_resources(None).await.expect("the second");
    let (_, error) = refused(client.list_resources(None).await);
    assert_eq!(error["kind"], "overloaded", "{error}");
    assert!(error["retry_after_ms"].is_u64() && error["correlation_id"].is_string(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_breaker_of_a_method_opens() {
    async fn set(client: &resilient_tests::in_process::Client) -> serde_json::Value {
        refused(client.send_request(ClientRequest::CustomRequest(CustomRequest::new("x/set", None))).await).1
    }
    let client = connect(Guarded::default()).await;
    assert_eq!(set(&client).await["kind"], "timeout");
    assert_eq!(set(&client).await["kind"], "circuit_open");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_lives_longer_than_the_timeout() {
    let client = connect_without_session(Guarded::default()).await;
    let mut subscription =
        client.listen(SubscriptionFilter::builder().tools_list_changed().build()).await.expect("accepted");
    let began = tokio::time::Instant::now();
    assert!(subscription.next().await.expect("lives").is_some());
    assert!(subscription.next().await.expect("ends gracefully").is_none());
    assert_eq!(began.elapsed().as_secs(), 600);
}
