//! A server whose writes are deferred while their upstream is down, with a store in a file or elsewhere.

#![allow(clippy::unused_self, clippy::unused_async, reason = "a tool has to be an async method")]

mod held;
mod http;
pub mod kills;
pub mod shared_store;
pub mod steps;
mod upstream;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use resilient_runtime::deferred::{Bounds, DeferredStore};
use resilient_runtime::health::Health;
use resilient_runtime::{McpError, Resilience, ResilienceError, export, mcp, resilient};
use resilient_sqlite::SqliteStore;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{ServerHandler, ServiceExt, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use held::{HOLD, Step};
pub use upstream::{Mode, Upstream};

use crate::loopback;
use held::HeldStore;

/// The variable with the maximum size of the store, in bytes.
pub const BYTES: &str = "RECORDS_BYTES";

/// The name of the server, which its entries carry.
pub const NAME: &str = "records";

/// The header with the key of a request to the upstream.
const KEY: &str = "idempotency-key";

/// A record to write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// The key of the write.
    pub key: String,
    /// The content.
    pub text: String,
}

/// Why a record was not written.
#[derive(Debug, thiserror::Error, McpError)]
pub enum RecordError {
    /// No answer.
    #[error("the upstream does not answer")]
    #[mcp(kind = connection)]
    Silent,
    /// An answer that says that the upstream is down.
    #[error("the upstream is down: {0}")]
    #[mcp(kind = unavailable)]
    Down(StatusCode),
    /// The upstream has another record with this key.
    #[error("the key has another record")]
    #[mcp(kind = conflict)]
    Conflict,
    /// An error of the pipeline.
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

/// The server.
#[derive(Debug, Clone)]
pub struct Records {
    http: reqwest::Client,
    upstream: Arc<str>,
    health: Arc<Health>,
}

#[resilient]
#[tool_router(vis = "pub")]
impl Records {
    /// Writes a record.
    #[resilient(
        timeout = "1s",
        breaker(name = "records", failures = 20, open = "200ms"),
        fallback = deferred,
        deferred(tries = 100, base = "100ms", cap = "1s", ttl = "1h", key = record.key)
    )]
    #[tool(annotations(read_only_hint = false))]
    async fn write(&self, Parameters(record): Parameters<Record>) -> Result<String, RecordError> {
        self.send(record).await
    }

    /// Writes a record, and may take longer than the store waits.
    #[resilient(timeout = "20s", fallback = deferred, deferred(tries = 3, ttl = "10m", key = record.key))]
    #[tool(annotations(read_only_hint = false))]
    async fn write_slowly(&self, Parameters(record): Parameters<Record>) -> Result<String, RecordError> {
        self.send(record).await
    }

    /// Returns a report of the server's health, made now.
    #[tool(annotations(read_only_hint = true))]
    async fn health(&self) -> Result<String, RecordError> {
        let report = self.health.report_now().await;
        Ok(serde_json::to_string(&report).unwrap_or_default())
    }

    /// Returns the metrics of the process.
    #[tool(annotations(read_only_hint = true))]
    async fn metrics(&self) -> Result<String, RecordError> {
        Ok(export::prometheus::global_text())
    }
}

impl Records {
    fn new(upstream: &str) -> Result<Self, reqwest::Error> {
        let http = loopback::client().build()?;
        Ok(Self { http, upstream: upstream.into(), health: Arc::default() })
    }

    /// The tools of the server, and those for receipts.
    fn tools() -> ToolRouter<Self> {
        Self::tool_router() + mcp::deferred_tools()
    }

    async fn send(&self, record: Record) -> Result<String, RecordError> {
        let request = self.http.post(&*self.upstream).header(KEY, &record.key).json(&record);
        let response = request.send().await.map_err(|_| RecordError::Silent)?;
        match response.status() {
            StatusCode::CONFLICT => Err(RecordError::Conflict),
            status if status.is_success() => Ok(format!("written: {}", record.key)),
            status => Err(RecordError::Down(status)),
        }
    }
}

#[resilient]
#[tool_handler(router = Self::tools(), name = "records")]
impl ServerHandler for Records {}

/// Serves over stdio until the client disconnects: `FILE UPSTREAM`. With the argument `http` after them, it serves over
/// HTTP until it is killed.
#[must_use]
pub fn main_from(arguments: impl IntoIterator<Item = String>) -> ExitCode {
    main_with(arguments, |file, bounds| Ok(SqliteStore::with_bounds(file, bounds)?))
}

/// Serves as [`main_from`] does, with another store: `open` receives the first argument and the bounds.
#[must_use]
pub fn main_with<S: DeferredStore>(
    arguments: impl IntoIterator<Item = String>,
    open: impl FnOnce(&str, Bounds) -> Result<S, Box<dyn Error>>,
) -> ExitCode {
    let Ok(runtime) = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() else {
        return ExitCode::FAILURE;
    };
    let ended = runtime.block_on(async {
        let _logging = resilient_runtime::logging::init();
        let ended = serve(arguments.into_iter().collect(), open).await;
        if let Err(error) = &ended {
            tracing::error!("{error}");
        }
        ended
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn serve<S: DeferredStore>(
    arguments: Vec<String>,
    open: impl FnOnce(&str, Bounds) -> Result<S, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let [location, upstream, rest @ ..] = &arguments[..] else {
        return Err("expected the location of the store and the address of the upstream".into());
    };
    let bounds = match std::env::var(BYTES) {
        Ok(bytes) => Bounds { bytes: bytes.parse()?, ..Bounds::default() },
        Err(_) => Bounds::default(),
    };
    let store = HeldStore::from_env(open(location, bounds)?)?;
    let server = Records::new(upstream)?;
    let (health, factory) = (Arc::clone(&server.health), server.clone());
    let _running = Resilience::from_env()
        .tools(Records::tools)
        .health(&health)
        .deferred(store, move || factory.clone())
        .start()?;
    if rest.iter().any(|argument| argument == "http") {
        return http::serve(server).await;
    }
    server.serve(rmcp::transport::io::stdio()).await?.waiting().await?;
    Ok(())
}
