//! The key `authorize`: what a client reads that may not call a tool, and what is counted.

mod gateway;
mod limits;
mod refreshed;
mod requested;
mod unhooked;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::{McpError, mcp, resilient};
use resilient_tests::failure::Failure;
use resilient_tests::in_process::{authenticate, request, serve, with_meta};
use resilient_tests::wire::{CALL, error, meta, text};
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{CallToolRequestParams, CallToolResponse, CallToolResult, JsonObject};
use rmcp::service::{RequestContext, RoleClient, RunningService};
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt, tool, tool_handler, tool_router};
use serde_json::{Value, json};
use tokio::time::sleep;

/// Why a call is refused.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "WIKI")]
enum Refused {
    #[error("the token `{0}` has expired")]
    #[mcp(kind = permission_denied, message = "the token has expired")]
    Expired(String),
    #[error("the identity provider is down")]
    #[mcp(kind = unavailable)]
    ProviderDown,
}

#[derive(Debug, Clone, Default)]
struct Wiki {
    is_down: Arc<AtomicBool>,
    runs: Arc<AtomicU32>,
    checks: Arc<AtomicU32>,
    own_checks: Arc<AtomicU32>,
}

/// Returns the token of a request, as a server reads it from the headers of an HTTP request.
fn token(request: &RequestContext<RoleServer>) -> &str {
    request.meta.0.0.get("token").and_then(Value::as_str).unwrap_or("valid")
}

impl Wiki {
    async fn check(&self, request: &RequestContext<RoleServer>, arguments: &JsonObject) -> Result<(), Refused> {
        self.checks.fetch_add(1, Ordering::Relaxed);
        match token(request) {
            "valid" if arguments.get("page") != Some(&json!("secret")) => Ok(()),
            "slow" => {
                sleep(Duration::from_secs(3)).await;
                Ok(())
            }
            "hangs" => std::future::pending().await,
            "panics" => panic!("a private text"),
            "provider" => Err(Refused::ProviderDown),
            other => Err(Refused::Expired(other.to_owned())),
        }
    }

    fn ran(&self) -> u32 {
        self.runs.fetch_add(1, Ordering::Relaxed)
    }
}

/// The own function of a tool: not among the methods of the server.
async fn own(wiki: &Wiki, request: &RequestContext<RoleServer>, _: &JsonObject) -> Result<(), ErrorData> {
    wiki.own_checks.fetch_add(1, Ordering::Relaxed);
    sleep(Duration::from_millis(1)).await;
    let may = request.meta.0.0.get("editor").is_some();
    may.then_some(()).ok_or_else(|| ErrorData::invalid_request("only editors may do this", None))
}

#[resilient(authorize = Self::check, timeout = "5s")]
#[tool_router(router = wiki_tools)]
impl Wiki {
    /// Keeps its answers.
    #[resilient(fallback = cached)]
    #[tool]
    async fn wiki_read(&self) -> Result<String, Failure> {
        self.ran();
        if self.is_down.load(Ordering::Relaxed) { Err(Failure::Down) } else { Ok("the page".into()) }
    }

    /// Hangs, and has a fallback.
    #[resilient(fallback = Self::instead)]
    #[tool]
    async fn wiki_hangs(&self) -> Result<String, Failure> {
        self.ran();
        std::future::pending().await
    }

    /// Has no policy but the timeout of the hook.
    #[tool]
    async fn wiki_text(&self) -> String {
        sleep(Duration::from_secs(if self.ran() == 0 { 0 } else { 60 })).await;
        "text".into()
    }

    /// Is not async.
    #[tool]
    fn wiki_sync(&self) -> String {
        self.ran();
        "sync".into()
    }

    /// Has a raw name, and is not async.
    #[tool]
    fn r#final(&self) -> String {
        self.ran();
        "final".into()
    }

    /// Has a raw name and its own check.
    #[resilient(authorize = own)]
    #[tool]
    fn r#become(&self) -> String {
        self.ran();
        "become".into()
    }

    /// Refuses the keys of its block.
    #[resilient(skip)]
    #[tool]
    async fn wiki_skips(&self) -> Result<String, Failure> {
        self.ran();
        Ok("skips".into())
    }

    /// Has its own check in addition.
    #[resilient(authorize = own)]
    #[tool(name = "wiki_edit_page")]
    async fn wiki_edit(&self) -> Result<String, Failure> {
        self.ran();
        // Calls another tool directly, which does not check again.
        self.wiki_read().await
    }

    /// Is not async, and has its own check in addition.
    #[resilient(authorize = own)]
    #[tool]
    fn wiki_edit_sync(&self) -> String {
        self.ran();
        "edited".into()
    }
}

use resilient_runtime::resilient as guard;

/// Its own keys are where the block cannot see them.
#[resilient]
#[tool_router(router = unseen_tools)]
impl Wiki {
    /// Under another name.
    #[guard(authorize = own)]
    #[tool]
    async fn wiki_renamed(&self) -> Result<String, Failure> {
        self.ran();
        Ok("renamed".into())
    }

    /// In `cfg_attr`.
    #[cfg_attr(all(), resilient(authorize = own))]
    #[tool]
    fn wiki_present(&self) -> String {
        self.ran();
        "present".into()
    }

    /// In a `cfg_attr` that is not there.
    #[cfg_attr(any(), resilient(authorize = own))]
    #[tool]
    fn wiki_absent(&self) -> String {
        self.ran();
        "absent".into()
    }
}

impl Wiki {
    #[expect(clippy::unused_async, reason = "a fallback is")]
    async fn instead(&self, _: &Failure) -> Result<String, Failure> {
        Ok("instead".into())
    }

    /// Returns both routers as one, whose routes have a second hook.
    fn all() -> ToolRouter<Self> {
        mcp::instrument(Self::wiki_tools() + Self::unseen_tools())
    }
}

#[resilient]
#[tool_handler(router = Self::all())]
impl ServerHandler for Wiki {}

/// The tools that the block's function authorizes, and nothing else.
const TOOLS: [&str; 6] = ["wiki_read", "wiki_hangs", "wiki_text", "wiki_sync", "wiki_skips", "r#final"];

type Client = RunningService<RoleClient, ()>;

async fn connect(server: impl ServerHandler) -> Client {
    ().serve(serve(server)).await.expect("a server")
}

async fn call(client: &Client, tool: &'static str, meta: &[(&str, &str)]) -> CallToolResult {
    client.call_tool(with_meta(request(tool, &json!({})), meta)).await.expect("an answer")
}

/// A server that sets the principal of a call, so that answers are kept for each user.
#[derive(Debug, Clone)]
struct Authenticated(Wiki);

impl ServerHandler for Authenticated {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        mut context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        authenticate(&mut context);
        Wiki::wiki_tools().call(ToolCallContext::new(&self.0, request, context)).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_whose_token_has_expired_reads_no_kept_answer() {
    let wiki = Wiki::default();
    let client = connect(Authenticated(wiki.clone())).await;
    let alice = ("user", "alice");
    assert_eq!(text(&call(&client, "wiki_read", &[alice]).await), "the page");
    wiki.is_down.store(true, Ordering::Relaxed);
    let kept = call(&client, "wiki_read", &[alice]).await;
    assert!(text(&kept).starts_with("the page"), "{kept:?}");
    assert_eq!(meta(&kept, CALL)["source"], "cache");
    assert_eq!(wiki.runs.load(Ordering::Relaxed), 2);
    let refused = call(&client, "wiki_read", &[alice, ("token", "old")]).await;
    assert_eq!(refused.is_error, Some(true));
    let refused_error = error(&refused);
    assert_eq!((&refused_error["code"], &refused_error["kind"]), (&json!("WIKI_EXPIRED"), &json!("permission_denied")));
    assert!(!format!("{refused:?}").contains("the page"), "{refused:?}");
    assert!(!text(&refused).contains("old"), "the text of the error is private");
    assert_eq!(wiki.runs.load(Ordering::Relaxed), 2, "the body does not run");
}

#[tokio::test(start_paused = true)]
async fn the_function_of_a_block_authorizes_every_tool_of_it_once() {
    let wiki = Wiki::default();
    let client = connect(wiki.clone()).await;
    for (number, tool) in (1..).zip(TOOLS) {
        let refused = call(&client, tool, &[("token", "old")]).await;
        assert_eq!(error(&refused)["code"], "WIKI_EXPIRED", "{tool}");
        assert_eq!(wiki.checks.load(Ordering::Relaxed), number, "once, although the route has two hooks: {tool}");
    }
    assert_eq!(wiki.runs.load(Ordering::Relaxed), 0);
    for (number, tool) in (7..).zip(["wiki_text", "wiki_sync", "wiki_read", "wiki_skips"]) {
        assert_eq!(call(&client, tool, &[]).await.is_error, Some(false), "{tool}");
        assert_eq!(wiki.checks.load(Ordering::Relaxed), number, "{tool}");
    }
    let arguments = request("wiki_sync", &json!({ "page": "secret" }));
    let refused = client.call_tool(arguments).await.expect("an answer");
    assert_eq!(error(&refused)["code"], "WIKI_EXPIRED", "the function reads the arguments");
}

#[tokio::test(start_paused = true)]
async fn the_function_of_a_tool_runs_in_addition_and_a_nested_call_repeats_nothing() {
    let wiki = Wiki::default();
    let client = connect(wiki.clone()).await;
    let editor = ("editor", "yes");
    for tool in ["wiki_edit_page", "wiki_edit_sync"] {
        assert_eq!(error(&call(&client, tool, &[("token", "old"), editor]).await)["code"], "WIKI_EXPIRED", "{tool}");
        let refused = client.call_tool(request(tool, &json!({}))).await.expect_err("a JSON-RPC error");
        assert!(refused.to_string().contains("only editors may do this"), "{tool}: {refused}");
        assert_eq!(call(&client, tool, &[editor]).await.is_error, Some(false), "{tool}");
    }
    client.call_tool(request("r#become", &json!({}))).await.expect_err("a JSON-RPC error");
    assert_eq!(wiki.checks.load(Ordering::Relaxed), 7);
    assert_eq!(wiki.own_checks.load(Ordering::Relaxed), 5);
    assert_eq!(wiki.runs.load(Ordering::Relaxed), 3, "of which one is the nested call");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_the_block_cannot_see_is_applied_if_it_is_there() {
    let wiki = Wiki::default();
    let client = connect(wiki.clone()).await;
    for tool in ["wiki_renamed", "wiki_present"] {
        client.call_tool(request(tool, &json!({}))).await.expect_err("a JSON-RPC error");
        assert_eq!(call(&client, tool, &[("editor", "yes")]).await.is_error, Some(false), "{tool}");
    }
    assert_eq!(call(&client, "wiki_absent", &[]).await.is_error, Some(false));
    assert_eq!((wiki.own_checks.load(Ordering::Relaxed), wiki.runs.load(Ordering::Relaxed)), (4, 3));
}
