//! `classify`, `timeout(max, from)` and `retry(before)` on functions of all shapes.
#![deny(warnings, clippy::pedantic, clippy::nursery, missing_docs, unused)]
#![allow(clippy::unused_async, reason = "a function before a retry has to be async")]
#![allow(clippy::trivially_copy_pass_by_ref, reason = "`classify` reads its value by reference")]

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use resilient_runtime::{ErrorKind, ResilienceError, ToolError, resilient};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResponse, CallToolResult};
use rmcp::{tool, tool_router};

#[derive(Clone, serde::Deserialize, schemars::JsonSchema)]
struct Wait {
    seconds: Option<u64>,
}

#[derive(Clone)]
struct Server {
    token: Arc<str>,
}

#[resilient(timeout(max = "60s"), retry(max = 1, base = "10ms"))]
#[tool_router(server_handler)]
impl Server {
    /// Wait.
    #[resilient(
        timeout(max = "120s", from = wait.seconds.map(Duration::from_secs)),
        retry(max = 1, before = Self::renew, on(unauthenticated, timeout)),
        classify = Self::is_empty,
        fallback = value(String::new()),
        log_args(wait.seconds.unwrap_or_default())
    )]
    #[tool(annotations(read_only_hint = true))]
    async fn wait(&self, Parameters(wait): Parameters<Wait>) -> Result<String, ResilienceError> {
        Ok(format!("{:?}", wait.seconds))
    }

    /// Report.
    #[resilient(classify = tool_error, retry = none)]
    #[tool]
    async fn report(&self) -> CallToolResult {
        CallToolResult::success(Vec::new())
    }

    /// Respond.
    #[resilient(classify = tool_error)]
    #[tool(annotations(idempotent_hint = true))]
    async fn respond(&self) -> Result<CallToolResponse, ResilienceError> {
        Ok(CallToolResult::success(Vec::new()).into())
    }

    /// Show.
    #[resilient(classify = tool_error)]
    #[tool(annotations(idempotent_hint = true))]
    async fn show(&self) -> Result<CallToolResult, ResilienceError> {
        Ok(CallToolResult::success(Vec::new()))
    }
}

impl Server {
    fn is_empty(answer: &str) -> Option<ErrorKind> {
        answer.is_empty().then_some(ErrorKind::BadResponse)
    }

    async fn renew(&self, error: &ResilienceError) -> Result<(), ResilienceError> {
        if self.token.is_empty() { Err(error.clone()) } else { Ok(()) }
    }

    async fn reconnect(_: &ResilienceError) -> Result<(), ResilienceError> {
        Ok(())
    }

    #[resilient(retry(max = 1, before = Self::reconnect), read_only)]
    async fn without_receiver(count: u32) -> Result<u32, ResilienceError> {
        Ok(count)
    }

    #[resilient(retry(max = 1, before = renew), read_only, classify = is_zero)]
    async fn by_a_path(&self, name: String, text: &str) -> Result<usize, ResilienceError> {
        Ok(name.len() + text.len())
    }
}

fn is_zero(count: &usize) -> Option<ErrorKind> {
    (*count == 0).then_some(ErrorKind::BadResponse)
}

async fn renew<E: ToolError + Clone + Send + Sync>(error: &E) -> Result<(), E> {
    Err(error.clone())
}

#[resilient(retry(max = 1, before = renew), timeout(max = "9s", from = wait), read_only)]
async fn generic<E>(wait: Option<Duration>, error: E) -> Result<Duration, E>
where
    E: ToolError + Clone + From<ResilienceError> + Send + Sync,
{
    wait.ok_or(error)
}

fn is_blank(text: &str) -> Option<ErrorKind> {
    text.trim().is_empty().then_some(ErrorKind::BadResponse)
}

#[resilient(classify = is_blank, retry(max = 1, before = renew), read_only)]
async fn borrowed(text: &str) -> Result<Cow<'_, str>, ResilienceError> {
    Ok(text.into())
}

fn tool_error(count: &u32) -> Option<ErrorKind> {
    (*count == 0).then_some(ErrorKind::BadResponse)
}

#[resilient(classify = self::tool_error)]
async fn named(count: u32) -> Result<u32, ResilienceError> {
    Ok(count)
}

macro_rules! guarded {
    ($classify:path, $before:path, $from:expr) => {
        #[resilient(classify = $classify, retry(max = 1, before = $before), timeout(max = "9s", from = $from), read_only)]
        async fn by_macro() -> Result<usize, ResilienceError> {
            Ok(1)
        }
    };
}

guarded!(is_zero, Server::reconnect, Some(Duration::from_secs(1)));

fn main() {
    let server = Server { token: "t".into() };
    let _ = (
        server.wait(Parameters(Wait { seconds: Some(1) })),
        server.report(),
        server.respond(),
        server.show(),
        Server::without_receiver(1),
        server.by_a_path(String::new(), ""),
    );
    let _ = (generic(None, ResilienceError::Cancelled), borrowed(""), named(1), by_macro());
}
