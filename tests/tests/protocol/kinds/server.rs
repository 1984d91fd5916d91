//! A server whose tools fail with every kind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use resilient_runtime::{McpError, ResilienceError, resilient};
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::PromptMessage;
use rmcp::{ErrorData, ServerHandler, prompt, prompt_handler, prompt_router, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

/// The source of every error here, which no client may read.
#[derive(Debug, thiserror::Error)]
#[error("the cause, for the log alone")]
struct Cause;

macro_rules! every_kind {
    ($($kind:ident)*) => {
        /// One error of each kind, with all defaults.
        #[derive(Debug, thiserror::Error, McpError)]
        #[allow(non_camel_case_types)]
        enum Every {
            $(#[error("the error's own text")] #[mcp(kind = $kind)] $kind(#[source] Cause),)*
            #[error(transparent)]
            #[mcp(transparent)]
            Resilience(#[from] ResilienceError),
        }

        impl Every {
            fn of(kind: &str) -> Option<Self> {
                match kind {
                    $(stringify!($kind) => Some(Self::$kind(Cause)),)*
                    _ => None,
                }
            }
        }
    };
}
every_kind!(invalid_input not_found conflict failed_precondition permission_denied unauthenticated quota_exceeded
    rate_limited timeout connection unavailable bad_response circuit_open overloaded read_only disabled cancelled
    internal);

/// The error of the guide's example, and one that becomes a JSON-RPC error.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "SHOP")]
enum ShopError {
    #[error("the shop asks to wait: {body}")]
    #[mcp(kind = rate_limited)]
    TooFast {
        #[mcp(detail)]
        order: u64,
        #[mcp(retry_after)]
        wait: Duration,
        body: String,
    },
    #[error("order {order} is not yours")]
    #[mcp(kind = failed_precondition, protocol = -33001, hint = "Call log_in first.")]
    NotLoggedIn {
        #[mcp(detail)]
        order: u64,
    },
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Asked {
    kind: String,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Server {
    pub(super) down: Arc<AtomicBool>,
    pub(super) runs: Arc<AtomicU32>,
}

#[resilient(timeout = "10s")]
#[tool_router(router = tools)]
#[allow(clippy::unused_self, clippy::unused_async, reason = "a tool has to be an async method")]
impl Server {
    /// Fails with the requested kind.
    #[tool(annotations(read_only_hint = true))]
    async fn fails(&self, Parameters(Asked { kind }): Parameters<Asked>) -> Result<String, Every> {
        Every::of(&kind).map_or_else(|| Ok("no such kind".into()), Err)
    }

    /// The guide's example.
    #[tool(annotations(read_only_hint = true))]
    async fn get_order(&self) -> Result<String, ShopError> {
        Err(ShopError::TooFast { order: 7, wait: Duration::from_secs(30), body: "slow down, tenant 12".into() })
    }

    /// Fails with a JSON-RPC error.
    #[tool(annotations(read_only_hint = true))]
    async fn protocol(&self) -> Result<String, ShopError> {
        Err(ShopError::NotLoggedIn { order: 7 })
    }

    /// Never answers, and may have changed something.
    #[resilient(timeout = "2s")]
    #[tool(annotations(read_only_hint = false))]
    async fn hangs(&self) -> Result<String, Every> {
        std::future::pending().await
    }

    /// Is not run once its breaker is open.
    #[resilient(breaker(name = "kinds-open", failures = 1, open = "27s"))]
    #[tool(annotations(read_only_hint = false))]
    async fn breaks(&self) -> Result<String, Every> {
        Err(Every::unavailable(Cause))
    }

    /// Is rate-limited at the second call.
    #[resilient(rate_limit = "1/1m")]
    #[tool(annotations(read_only_hint = false))]
    async fn rarely(&self) -> Result<String, Every> {
        Ok("done".into())
    }

    /// Panics.
    #[tool]
    async fn panics(&self) -> Result<String, Every> {
        panic!("the panic's own text, for the log alone")
    }

    /// Fails when the caller is wrong and when the service is down.
    #[resilient(breaker(name = "kinds-mistakes", failures = 3), retry(max = 1, base = "1ms", jitter = off))]
    #[tool(annotations(read_only_hint = true))]
    async fn mistakes(&self, Parameters(Asked { kind }): Parameters<Asked>) -> Result<String, Every> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        if self.down.load(Ordering::Relaxed) {
            return Err(Every::unavailable(Cause));
        }
        Every::of(&kind).map_or_else(|| Ok("done".into()), Err)
    }
}

#[prompt_router]
#[allow(clippy::unused_self, clippy::unused_async, reason = "a prompt has to be an async method")]
impl Server {
    /// Fails as a prompt: no response type can report the failure.
    #[resilient(timeout = "10s")]
    #[prompt]
    async fn summary(&self) -> Result<Vec<PromptMessage>, ErrorData> {
        Err(Every::not_found(Cause))?
    }
}

#[resilient]
#[tool_handler(router = Self::tools())]
#[prompt_handler(router = Self::prompt_router())]
impl ServerHandler for Server {}
