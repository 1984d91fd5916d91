//! Writes that invalidate a read, one by one.

use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::{Registry, ResilienceError, resilient};
use resilient_tests::in_process::{Client, call, connect};
use resilient_tests::wire::{error, text};
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{CallToolRequestParams, CallToolResponse};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_router};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::error::Error;
use crate::reads::upstream::{Does, TAKES, Upstream, answer, until};

/// A server with two services: one is read, and one is written to.
#[derive(Debug, Clone, Default)]
struct Server {
    read: Arc<Upstream>,
    written: Arc<Upstream>,
    registry: Arc<Registry>,
}

#[resilient(timeout = "30s")]
#[tool_router(router = tools)]
impl Server {
    /// Is invalidated.
    #[resilient(cache(fresh = "1h", stale_if_error = "2h"), fallback = cached)]
    #[tool(annotations(read_only_hint = true))]
    async fn single_read(&self) -> Result<String, Error> {
        self.read.request(1).await
    }

    /// Is not invalidated.
    #[resilient(cache(fresh = "1h"))]
    #[tool(annotations(read_only_hint = true))]
    async fn single_other(&self) -> Result<String, Error> {
        self.read.request(2).await
    }

    /// Writes.
    #[resilient(invalidates = "single_read", timeout = "5s")]
    #[tool(annotations(read_only_hint = false))]
    async fn single_write(&self) -> Result<String, Error> {
        self.written.request(3).await
    }

    /// Writes, and its route has another name than its method.
    #[resilient(invalidates = "single_read")]
    #[tool(name = "single.renamed", annotations(read_only_hint = false))]
    async fn single_renamed(&self) -> Result<String, Error> {
        self.written.request(4).await
    }

    /// Writes by a call of another tool's function.
    #[tool(annotations(read_only_hint = false))]
    async fn single_nested(&self) -> Result<String, Error> {
        self.single_write().await
    }

    /// Writes nothing that is read here.
    #[tool(annotations(read_only_hint = false))]
    async fn single_unrelated(&self) -> Result<String, Error> {
        self.written.request(5).await
    }
}

impl ServerHandler for Server {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.registry.clone().scope(Self::tools().call(ToolCallContext::new(self, request, context))).await
    }
}

async fn ask(client: &Client, tool: &'static str) -> String {
    text(&call(client, tool, &json!({})).await)
}

/// A server that has kept an answer of both reads, and its client.
async fn primed() -> (Server, Client) {
    let server = Server::default();
    let client = connect(server.clone()).await;
    assert_eq!(ask(&client, "single_read").await, answer(1, 1));
    assert_eq!(ask(&client, "single_other").await, answer(2, 2));
    assert_eq!(ask(&client, "single_read").await, answer(1, 1));
    (server, client)
}

#[tokio::test(start_paused = true)]
async fn a_write_invalidates_the_reads_that_it_names_however_it_ends() {
    let fails = || Does::Fail(Error::Down);
    for (tool, does) in [
        ("single_write", Does::Answer),
        ("single_write", fails()),
        ("single_write", Does::Panic),
        ("single_write", Does::Hang),
        ("single.renamed", Does::Answer),
        ("single_nested", Does::Answer),
        ("single_nested", Does::Hang),
    ] {
        let (server, client) = primed().await;
        server.written.does(does.clone());
        call(&client, tool, &json!({})).await;
        assert_eq!(ask(&client, "single_read").await, answer(1, 3), "{tool}: {does:?}");
        assert_eq!(ask(&client, "single_read").await, answer(1, 3), "{tool}: {does:?}: it is kept again");
        assert_eq!(ask(&client, "single_other").await, answer(2, 2), "{tool}: {does:?}");
    }
    let (_server, client) = primed().await;
    ask(&client, "single_unrelated").await;
    assert_eq!(ask(&client, "single_read").await, answer(1, 1), "that write names no read");
}

#[tokio::test(start_paused = true)]
async fn what_a_write_has_invalidated_is_no_fallback_either() {
    let (server, client) = primed().await;
    server.read.does(Does::Fail(Error::Down));
    ask(&client, "single_write").await;
    let failed = call(&client, "single_read", &json!({})).await;
    assert_eq!(error(&failed)["kind"], "unavailable", "{}", text(&failed));
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_body_never_ran_invalidates_nothing() {
    let (server, client) = primed().await;
    server.registry.gate().switch_tool("single_write", false).expect("known");
    assert!(ask(&client, "single_write").await.starts_with("DISABLED"));
    assert_eq!((ask(&client, "single_read").await, server.written.requests()), (answer(1, 1), 0));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_dropped_or_has_no_route_invalidates_too() {
    let (server, client) = primed().await;
    let write = server.registry.clone().scope(server.single_write());
    assert!(tokio::time::timeout(TAKES / 2, write).await.is_err(), "it is dropped");
    assert_eq!(ask(&client, "single_read").await, answer(1, 3));
    let never_polled = server.registry.clone().scope(server.single_write());
    drop(never_polled);
    assert_eq!(ask(&client, "single_read").await, answer(1, 3), "it never began");
    server.registry.clone().scope(server.single_write()).await.expect("written");
    assert_eq!(ask(&client, "single_read").await, answer(1, 4));
}

#[tokio::test(start_paused = true)]
async fn a_read_during_a_write_is_answered_and_not_kept_beyond_it() {
    let (server, client) = primed().await;
    server.written.takes(4 * TAKES);
    let reads = async {
        until(|| server.written.running() == 1).await;
        assert_eq!(ask(&client, "single_read").await, answer(1, 3), "the answer from before the write is not served");
        ask(&client, "single_read").await
    };
    let (_, during) = tokio::join!(ask(&client, "single_write"), reads);
    assert!(during == answer(1, 3) || during == answer(1, 4), "{during}");
    let after = ask(&client, "single_read").await;
    assert!(after != answer(1, 3) && after != during, "it began before the end of the write: {after}");
}

#[tokio::test(start_paused = true)]
async fn a_call_after_a_write_does_not_follow_a_read_that_began_before_its_end() {
    let (server, client) = primed().await;
    ask(&client, "single_write").await;
    server.read.takes(10 * TAKES);
    let started = Instant::now();
    let later = async {
        sleep(TAKES).await;
        ask(&client, "single_write").await;
        let joined = ask(&client, "single_read").await;
        (joined, started.elapsed())
    };
    let (before, after) = tokio::join!(ask(&client, "single_read"), later);
    assert_eq!(before, answer(1, 3), "it has its own answer");
    assert_eq!(after, (answer(1, 4), 12 * TAKES));
    assert_eq!(ask(&client, "single_read").await, answer(1, 4), "the later one is kept");
    assert_eq!(server.read.most_at_once(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_times_out_invalidates_at_its_end_too() {
    let (server, client) = primed().await;
    server.written.does(Does::Hang);
    let during = async {
        sleep(2 * TAKES).await;
        ask(&client, "single_read").await
    };
    let nothing = json!({});
    let (written, during) = tokio::join!(call(&client, "single_write", &nothing), during);
    assert_eq!((error(&written)["kind"].as_str(), during), (Some("timeout"), answer(1, 3)));
    assert_eq!(ask(&client, "single_read").await, answer(1, 4));
    let timed_out = server.registry.clone().scope(server.single_write()).await;
    assert!(matches!(timed_out, Err(Error::Resilience(ResilienceError::Timeout { .. }))), "{timed_out:?}");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(ask(&client, "single_read").await, answer(1, 5));
}
