//! Kept answers and the switches of an operator.

use std::sync::Arc;
use std::time::Duration;

use resilient_policy::{GateSettings, Switches};
use resilient_runtime::gate::Level;
use resilient_runtime::statistics::Rejected;
use resilient_runtime::{Outcome, Registry, resilient};
use resilient_tests::in_process::{Client, call, connect};
use resilient_tests::wire::{CALL, error, meta, text};
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::upstream::{Does, TAKES, Upstream, answer, settle};
use crate::error::Error;

/// Ages at which an answer is fresh, stale, and only a fallback.
const FRESH: Duration = Duration::from_secs(5);
const STALE: Duration = Duration::from_secs(30);
const OLD: Duration = Duration::from_secs(100);

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Ask {
    number: u32,
}

#[derive(Debug, Clone, Default)]
struct Server {
    upstream: Arc<Upstream>,
    registry: Arc<Registry>,
}

#[resilient(timeout = "30s")]
#[tool_router(router = tools)]
impl Server {
    /// Keeps its answers for calls while they are fresh or stale.
    #[resilient(cache(fresh = "10s", stale_while_revalidate = "60s"))]
    #[tool(annotations(read_only_hint = true))]
    async fn switched_read(&self, Parameters(Ask { number }): Parameters<Ask>) -> Result<String, Error> {
        self.upstream.request(number).await
    }

    /// Its refresh may wait for a retry.
    #[resilient(
        cache(fresh = "10s", stale_while_revalidate = "60s"),
        retry(max = 1, base = "5s", jitter = off, budget = none)
    )]
    #[tool(annotations(read_only_hint = true))]
    async fn switched_retry(&self, Parameters(Ask { number }): Parameters<Ask>) -> Result<String, Error> {
        self.upstream.request(number).await
    }

    /// Keeps its answers for errors too.
    #[resilient(cache(fresh = "10s", stale_while_revalidate = "60s", stale_if_error = "1h"), fallback = cached)]
    #[tool(annotations(read_only_hint = true))]
    async fn switched_fallback(&self, Parameters(Ask { number }): Parameters<Ask>) -> Result<String, Error> {
        self.upstream.request(number).await
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

async fn ask(client: &Client, tool: &'static str) -> CallToolResult {
    call(client, tool, &json!({ "number": 1 })).await
}

/// A server that has kept an answer of both tools, and its client.
async fn primed() -> (Server, Client) {
    let server = Server::default();
    let client = connect(server.clone()).await;
    for tool in ["switched_read", "switched_fallback"] {
        assert_eq!(ask(&client, tool).await.is_error, Some(false), "{tool}");
    }
    (server, client)
}

#[tokio::test(start_paused = true)]
async fn in_cache_only_what_is_kept_answers_and_nothing_runs() {
    for (age, read, fallback) in [(FRESH, true, true), (STALE, true, true), (OLD, false, true)] {
        let (server, client) = primed().await;
        sleep(age).await;
        server.registry.gate().set_level(Some(Level::Minimal)).expect("set");
        for (tool, number, is_kept) in [("switched_read", 1, read), ("switched_fallback", 2, fallback)] {
            let started = Instant::now();
            let answered = ask(&client, tool).await;
            assert_eq!(started.elapsed(), Duration::ZERO, "{tool} at {age:?}");
            if is_kept {
                assert!(text(&answered).starts_with(&answer(1, number)), "{tool} at {age:?}: {}", text(&answered));
                assert_eq!(meta(&answered, CALL)["source"], "cache", "{tool} at {age:?}");
                assert_eq!(meta(&answered, CALL)["attempts"], 0, "{tool} at {age:?}");
            } else {
                assert_eq!(error(&answered)["code"], "CACHE_ONLY", "{tool} at {age:?}");
            }
            let unknown = call(&client, tool, &json!({ "number": 2 })).await;
            assert_eq!(error(&unknown)["code"], "CACHE_ONLY", "{tool} at {age:?}: {}", text(&unknown));
        }
        sleep(2 * TAKES).await;
        assert_eq!(server.upstream.requests(), 2, "no refresh at {age:?}");
        server.registry.gate().set_level(None).expect("set");
        assert_eq!(ask(&client, "switched_read").await.is_error, Some(false));
        sleep(2 * TAKES).await;
        assert_eq!(server.upstream.requests(), 2 + u32::from(age > FRESH), "later calls refresh it at {age:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_is_off_serves_no_kept_answer() {
    let (server, client) = primed().await;
    server.registry.gate().switch_tool("switched_read", false).expect("known");
    server.registry.gate().switch_tool("switched_fallback", false).expect("known");
    for age in [FRESH, STALE, OLD] {
        sleep(age).await;
        for tool in ["switched_read", "switched_fallback"] {
            let refused = ask(&client, tool).await;
            assert_eq!(error(&refused)["kind"], "disabled", "{tool}: {}", text(&refused));
        }
    }
    assert_eq!(server.upstream.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_switch_for_writes_leaves_reads_their_cache() {
    let (server, client) = primed().await;
    let switches = Switches { read_only: true, ..Switches::default() };
    server.registry.gate().__start(GateSettings { switches, ..GateSettings::default() });
    sleep(FRESH).await;
    let started = Instant::now();
    assert_eq!(text(&ask(&client, "switched_read").await), answer(1, 1));
    assert_eq!((started.elapsed(), server.upstream.requests()), (Duration::ZERO, 2));
}

#[tokio::test(start_paused = true)]
async fn beyond_the_limit_on_calls_in_flight_what_is_kept_answers_without_a_refresh() {
    let server = Server::default();
    let client = Arc::new(connect(server.clone()).await);
    assert_eq!(text(&ask(&client, "switched_fallback").await), answer(1, 1));
    let mut settings = GateSettings::default();
    settings.levels.effect_mut(Level::Degraded).concurrency = Some(1);
    settings.level = Some(Level::Degraded);
    server.registry.gate().__start(settings);
    sleep(STALE).await;
    let running = {
        let client = Arc::clone(&client);
        tokio::spawn(async move { call(&client, "switched_read", &json!({ "number": 3 })).await })
    };
    settle().await;
    let kept = ask(&client, "switched_fallback").await;
    assert!(text(&kept).starts_with(&answer(1, 1)), "{}", text(&kept));
    sleep(2 * TAKES).await;
    assert_eq!(server.upstream.requests(), 2, "that of the call in flight");
    assert_eq!(text(&running.await.expect("no panic")), answer(3, 2));
    let read = server.registry.tool("switched_fallback").expect("bound");
    assert_eq!((read.rejected(Rejected::Concurrency), read.outcome(Outcome::Rejected), read.attempts), (1, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_waits_for_its_retry_ends_once_its_tool_is_off() {
    let server = Server::default();
    let client = connect(server.clone()).await;
    assert_eq!(text(&ask(&client, "switched_retry").await), answer(1, 1));
    sleep(STALE).await;
    server.upstream.does(Does::Fail(Error::Down));
    assert_eq!(text(&ask(&client, "switched_retry").await), answer(1, 1));
    sleep(2 * TAKES).await;
    assert_eq!(server.upstream.requests(), 2);
    server.registry.gate().switch_tool("switched_retry", false).expect("known");
    sleep(10 * TAKES).await;
    assert_eq!(server.upstream.requests(), 2, "no retry");
}
