//! `authorize` above a handler: it runs before each request that follows the handshake.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use resilient_runtime::export::prometheus;
use resilient_runtime::{McpError, ResilienceError, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::in_process::connect;
use rmcp::model::{
    JsonObject, ListResourcesResult, PaginatedRequestParams, PingRequest, ReadResourceRequestParams,
    ReadResourceResponse, ReadResourceResult, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};

use super::refused;

#[derive(Debug, thiserror::Error, McpError)]
enum Denied {
    #[error("the token of {0} has expired")]
    #[mcp(kind = unauthenticated)]
    Expired(String),
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

#[derive(Debug, Clone, Default)]
struct Closed {
    runs: Arc<AtomicU32>,
}

impl Closed {
    async fn may_ask(&self, request: &RequestContext<RoleServer>, parameters: &JsonObject) -> Result<(), Denied> {
        match parameters.get("uri").and_then(|uri| uri.as_str()) {
            Some("hangs") => std::future::pending().await,
            Some("panics") => panic!("private"),
            Some("open") => Ok(()),
            _ => Err(Denied::Expired(request.id.to_string())),
        }
    }
}

#[resilient(timeout = "2s", authorize = Self::may_ask)]
impl ServerHandler for Closed {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_resources().build())
    }

    async fn ping(&self, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        Ok(())
    }

    #[resilient(retry = 1, breaker(name = "requests-authorize"))]
    async fn read_resource(
        &self,
        _: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        Ok(ReadResourceResult::new(Vec::new()).into())
    }

    fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> impl Future<Output = Result<ListResourcesResult, ErrorData>> + Send + '_ {
        self.runs.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok(ListResourcesResult::default()))
    }
}

/// In a separate process: the statistics of a method count all servers.
#[tokio::test(start_paused = true)]
async fn a_request_that_is_refused_runs_nothing() {
    if ran_in_a_child() {
        return;
    }
    let server = Closed::default();
    let client = connect(server.clone()).await;
    let read = |uri: &'static str| client.read_resource(ReadResourceRequestParams::new(uri));
    let (_, error) = refused(read("closed").await);
    assert_eq!((&error["kind"], &error["code"]), (&"unauthenticated".into(), &"EXPIRED".into()), "{error}");
    assert!(error["correlation_id"].is_string(), "{error}");
    let (_, error) = refused(client.list_resources(None).await);
    assert_eq!(error["kind"], "unauthenticated", "{error}");
    let began = tokio::time::Instant::now();
    let (_, error) = refused(read("hangs").await);
    assert_eq!((&error["kind"], began.elapsed().as_secs()), (&"timeout".into(), 2), "{error}");
    let (_, error) = refused(read("panics").await);
    assert_eq!(error["code"], "INTERNAL", "{error}");
    assert_eq!(server.runs.load(Ordering::Relaxed), 0);
    read("open").await.expect("authorized");
    assert_eq!(server.runs.load(Ordering::Relaxed), 1);
    client.send_request(PingRequest::default().into()).await.expect("nothing to authorize");
    let text = prometheus::global_text();
    for line in [
        "resilient_errors_total{tool=\"request resources/read\",code=\"EXPIRED\",kind=\"unauthenticated\",",
        "resilient_errors_total{tool=\"request resources/list\",code=\"EXPIRED\",kind=\"unauthenticated\",",
    ] {
        assert!(text.lines().any(|known| known.starts_with(line)), "{line}: {text}");
    }
}
