//! A server whose tools fail in every way that a tool can.

#![allow(clippy::unused_self, clippy::unused_async, reason = "a tool has to be an async method")]

use std::process::ExitCode;
use std::time::Duration;

use resilient_runtime::{McpError, ResilienceError, mcp, resilient};
use rmcp::handler::server::router::tool::{ToolRoute, ToolRouter};
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::{CallToolResult, ContentBlock, JsonObject, Tool};
use rmcp::{ErrorData, ServiceExt, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A text that no client may read.
pub const PRIVATE: &str = "private-7d1c-must-never-be-seen";

/// The errors of the server.
#[derive(Debug, thiserror::Error, McpError)]
#[mcp(prefix = "FAULT")]
pub enum Fault {
    /// The upstream is down, and its text is private.
    #[error("upstream said {text}")]
    #[mcp(kind = unavailable)]
    Down {
        /// The text of the upstream.
        text: String,
    },
    /// A caller's mistake.
    #[error("no thing {id}")]
    #[mcp(kind = not_found, hint = "Use thing 1 instead of {id}.")]
    NoThing {
        /// Which thing.
        #[mcp(detail)]
        id: u64,
    },
    /// An error whose own text panics.
    #[error("{}", panics(.0))]
    #[mcp(kind = invalid_input, public)]
    Unspeakable(String),
    /// Timeouts and open breakers.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

/// The text of an error whose `Display` panics, unless it is empty.
///
/// # Panics
/// With the text.
#[must_use]
pub fn panics(text: &str) -> String {
    assert!(text.is_empty(), "{text}");
    String::new()
}

/// The arguments of a call for a thing.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Thing {
    /// Which thing.
    pub id: u64,
}

/// Arguments whose deserialization panics.
#[derive(Debug, Clone, JsonSchema)]
pub struct Explosive {
    /// Anything.
    pub text: String,
}

impl<'de> Deserialize<'de> for Explosive {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("arguments with {PRIVATE}")
    }
}

/// An answer with a schema.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Answer {
    /// A text.
    pub text: String,
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("a drop with {PRIVATE}");
    }
}

/// The server.
#[derive(Debug, Clone, Default)]
pub struct Faults;

#[resilient(timeout = "500ms")]
#[tool_router(server_handler, vis = "pub")]
impl Faults {
    /// Answers.
    #[tool(annotations(read_only_hint = true))]
    async fn well(&self, Parameters(thing): Parameters<Thing>) -> Result<Json<Answer>, Fault> {
        if thing.id == 0 {
            return Err(Fault::NoThing { id: 0 });
        }
        Ok(Json(Answer { text: format!("thing {}", thing.id) }))
    }

    /// Panics before it waits.
    #[tool]
    async fn panic_in_body(&self) -> Result<String, Fault> {
        panic!("a body with {PRIVATE}")
    }

    /// Panics after it has waited.
    #[tool]
    async fn panic_after_await(&self) -> Result<String, Fault> {
        tokio::time::sleep(Duration::from_millis(5)).await;
        panic!("a body with {PRIVATE}")
    }

    /// Panics while its arguments are deserialized.
    #[tool]
    async fn panic_in_arguments(&self, Parameters(explosive): Parameters<Explosive>) -> Result<String, Fault> {
        Ok(explosive.text)
    }

    /// Panics while it is dropped at its timeout.
    #[tool]
    async fn panic_in_drop(&self) -> Result<String, Fault> {
        let _bomb = PanicsWhenDropped;
        std::future::pending().await
    }

    /// Returns an error whose `Display` panics.
    #[tool]
    async fn panic_in_display(&self) -> Result<String, Fault> {
        Err(Fault::Unspeakable(PRIVATE.into()))
    }

    /// Panics without being async: it has the hook alone.
    #[tool]
    fn panic_in_sync(&self) -> String {
        panic!("a sync tool with {PRIVATE}")
    }

    /// Panics with only the hook.
    #[resilient(skip)]
    #[tool]
    async fn panic_unguarded(&self) -> Result<String, ErrorData> {
        panic!("an unguarded tool with {PRIVATE}")
    }

    /// Puts a panic's text into its error, as `JoinError` does.
    #[tool]
    async fn panic_in_task(&self) -> Result<String, Fault> {
        let joined = tokio::spawn(async { panic!("a task with {PRIVATE}") }).await;
        let text: String = joined.map_or_else(|error| error.to_string(), |()| String::new());
        Err(Fault::Down { text })
    }

    /// Never answers.
    #[tool(annotations(read_only_hint = true))]
    async fn hang(&self) -> Result<String, Fault> {
        std::future::pending().await
    }

    /// Never answers, and may have changed something.
    #[tool(annotations(read_only_hint = false))]
    async fn hang_write(&self) -> Result<String, Fault> {
        std::future::pending().await
    }

    /// Always fails, behind a breaker that opens after two failures.
    #[resilient(breaker(name = "faults", failures = 2, open = "27s"))]
    #[tool(annotations(read_only_hint = false))]
    async fn fail(&self) -> Result<String, Fault> {
        Err(Fault::Down { text: PRIVATE.into() })
    }

    /// Fails in the form that rmcp itself uses.
    #[tool]
    async fn protocol_error(&self) -> Result<String, ErrorData> {
        Err(ErrorData::invalid_request("not today", None))
    }

    /// Returns a result that says that it failed.
    #[tool]
    async fn own_error(&self) -> CallToolResult {
        CallToolResult::error(vec![ContentBlock::text("the tool's own words")])
    }

    /// Hangs in the form that rmcp itself uses.
    #[tool]
    async fn hang_protocol(&self) -> Result<String, ErrorData> {
        std::future::pending().await
    }

    /// Logs a line that has the correlation id of the call.
    #[tool]
    async fn log(&self) -> Result<String, Fault> {
        tracing::info!(api_key = "hunter2", "hello from the tool");
        Ok("logged".into())
    }
}

/// Installs the TLS provider that the HTTP clients of this workspace need.
pub fn provide_tls() {
    // Another test may have installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Adds hundreds of tools to the server. Their series exist without a call.
#[must_use]
pub fn serve_many_stdio() -> ExitCode {
    let mut many = ToolRouter::<Faults>::new();
    for n in 0..300 {
        let tool = Tool::new(format!("one of many {n}"), "Answers.", JsonObject::new());
        many.add_route(ToolRoute::new_dyn(tool, |_| Box::pin(async { Ok(CallToolResult::default().into()) })));
    }
    drop(mcp::instrument(many));
    serve_stdio()
}

/// Serves over stdio until the client disconnects, with the log on stderr.
#[must_use]
pub fn serve_stdio() -> ExitCode {
    provide_tls();
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    let ended = runtime.block_on(async {
        // In the runtime, where nothing may block. The second call has no effect.
        let _logging = resilient_runtime::logging::init();
        let _same = resilient_runtime::logging::init();
        let running = Faults.serve(rmcp::transport::io::stdio()).await?;
        running.waiting().await?;
        Ok::<_, Box<dyn std::error::Error>>(())
    });
    if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
