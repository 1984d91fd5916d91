//! The responses of a server with the hook to the only client of a process, in paused time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::{CallContext, Outcome, Registry, resilient};
use resilient_tests::alone::ran_in_a_child;
use resilient_tests::failure::Failure;
use resilient_tests::in_process::{call, connect};
use resilient_tests::wire::{CALL, ERROR, meta, text};
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::{CallToolResult, ContentBlock};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Asked {
    id: u32,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Told {
    id: u32,
}

#[derive(Debug, Clone, Default)]
struct Server {
    down: Arc<AtomicBool>,
    runs: Arc<AtomicU32>,
}

impl Server {
    fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    #[resilient(fallback = cached, timeout = "2s")]
    async fn look_up(&self, id: u32) -> Result<u32, Failure> {
        if self.is_down() { Err(Failure::Down) } else { Ok(id) }
    }
}

#[resilient(timeout = "1s")]
#[tool_router(router = tools)]
impl Server {
    /// Is cached under its own name.
    #[resilient(fallback = cached)]
    #[tool]
    async fn kept(&self, Parameters(Asked { id }): Parameters<Asked>) -> Result<Json<Told>, Failure> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        if self.is_down() { Err(Failure::Down) } else { Ok(Json(Told { id })) }
    }

    /// Is cached under another name, and counted under a third.
    #[resilient(fallback = cached, name = "shop.renamed")]
    #[tool(name = "renamed_tool")]
    async fn renamed(&self, Parameters(Asked { id }): Parameters<Asked>) -> Result<Json<Told>, Failure> {
        if self.is_down() { Err(Failure::Down) } else { Ok(Json(Told { id })) }
    }

    /// Calls a function that caches its responses.
    #[resilient(fallback = cached)]
    #[tool]
    async fn asks(&self, Parameters(Asked { id }): Parameters<Asked>) -> Result<Json<Told>, Failure> {
        self.look_up(id).await.map(|id| Json(Told { id }))
    }

    /// Hangs, and returns rmcp's own result type.
    #[tool(annotations(read_only_hint = false))]
    async fn hangs(&self) -> CallToolResult {
        std::future::pending().await
    }

    /// Is rejected, and returns rmcp's own result type.
    #[resilient(breaker(name = "isolated-tool"))]
    #[tool(annotations(read_only_hint = false))]
    async fn rejected(&self) -> CallToolResult {
        CallToolResult::success(vec![ContentBlock::text("ran")])
    }

    /// Warns, fails, warns again.
    #[resilient(retry(max = 1, base = "1ms", jitter = off), read_only)]
    #[tool]
    async fn warns(&self) -> Result<String, Failure> {
        let attempt = CallContext::current().map_or(0, |context| {
            context.warn(format!("attempt {}", context.attempt()));
            context.attempt()
        });
        if attempt == 1 { Err(Failure::Down) } else { Ok("done".into()) }
    }
}

#[resilient]
#[tool_handler(router = Self::tools())]
impl ServerHandler for Server {}

/// In a separate process: the only client of a process needs no principal.
#[tokio::test(start_paused = true)]
async fn an_instrumented_server_tells_its_client_what_happened() {
    if ran_in_a_child() {
        return;
    }
    let server = Server::default();
    let client = connect(server.clone()).await;

    // An old response is served and disclosed, whatever else clients send meanwhile.
    for tool in ["kept", "renamed_tool"] {
        server.down.store(false, Ordering::Relaxed);
        let fresh = call(&client, tool, &json!({"id": 7})).await;
        assert_eq!(meta(&fresh, CALL)["attempts"], 1, "{tool}");
        assert_eq!(meta(&fresh, CALL)["degraded"], Value::Null, "{tool}");
        server.down.store(true, Ordering::Relaxed);
        for _ in 0..2 {
            let old = call(&client, tool, &json!({"id": 7})).await;
            assert_eq!(old.structured_content, Some(json!({"id": 7})), "{tool}");
            let told = meta(&old, CALL);
            assert_eq!((&told["degraded"], &told["source"]), (&json!(true), &json!("cache")), "{tool}: {told}");
            assert!(text(&old).contains("not a fresh one (unavailable)"), "{tool}: {}", text(&old));
            let mistaken = call(&client, tool, &json!({"id": "seven"})).await;
            assert_eq!(meta(&mistaken, ERROR)["code"], "INVALID_ARGUMENTS", "{tool}");
        }
        let other = call(&client, tool, &json!({"id": 8})).await;
        assert_eq!(meta(&other, ERROR)["code"], "DOWN", "{tool}: other arguments");
        assert_eq!(meta(&other, ERROR)["retryable"], true, "{tool}: `fallback = cached` says that it reads");
    }

    // It is counted only under the name in the attribute.
    let counted = Registry::global().tool("shop.renamed").expect("counted");
    assert_eq!((counted.outcome(Outcome::Ok), counted.outcome(Outcome::Fallback)), (1, 2));
    assert_eq!((counted.in_flight, counted.outcome(Outcome::Error)), (0, 3), "what never came to the function too");
    assert!(Registry::global().tool("renamed_tool").is_none());

    // An old response of a function that the tool called is disclosed, and not treated as a fresh one.
    server.down.store(false, Ordering::Relaxed);
    call(&client, "asks", &json!({"id": 1})).await;
    tokio::time::advance(Duration::from_secs(60)).await;
    server.down.store(true, Ordering::Relaxed);
    let old = call(&client, "asks", &json!({"id": 1})).await;
    assert_eq!(old.structured_content, Some(json!({"id": 1})));
    assert!(meta(&old, CALL)["age_ms"].as_u64().is_some_and(|age| age >= 60_000), "{}", meta(&old, CALL));

    // A tool with rmcp's own result type reports a write like a tool with a `Result`.
    let hung = call(&client, "hangs", &json!({})).await;
    assert_eq!(meta(&hung, ERROR)["attempts"], 1);
    assert!(text(&hung).contains("It may have taken effect"), "{}", text(&hung));
    assert!(text(&hung).contains("within 1s"), "{}", text(&hung));
    call(&client, "rejected", &json!({})).await;
    Registry::global().breaker("isolated-tool").expect("bound").isolate();
    let rejected = call(&client, "rejected", &json!({})).await;
    assert_eq!(
        meta(&rejected, ERROR)["details"],
        json!({"breaker": "isolated-tool", "state": "isolated", "performed": false})
    );
    assert!(text(&rejected).contains("Nothing was changed."), "{}", text(&rejected));

    // Warnings of a failed attempt do not apply to the response.
    let warned = call(&client, "warns", &json!({})).await;
    assert_eq!(meta(&warned, CALL)["warnings"], json!(["attempt 2"]));

    // With a second client, and both unauthenticated, old responses are not served, because their owner is unknown.
    let second = connect(server.clone()).await;
    let theirs = call(&second, "kept", &json!({"id": 7})).await;
    assert_eq!(meta(&theirs, ERROR)["code"], "DOWN", "not the answer of the first client");
}
