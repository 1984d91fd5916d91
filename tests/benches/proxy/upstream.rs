//! The MCP server behind every proxy: one tool on rmcp that returns its argument, as users write it.

use std::io;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::serve::ListenerExt;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::transport::stdio;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, ServiceExt, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
struct Text {
    text: String,
}

struct Echo;

#[tool_router]
impl Echo {
    /// Returns the text.
    #[tool(annotations(read_only_hint = true))]
    async fn echo(&self, Parameters(Text { text }): Parameters<Text>) -> String {
        text
    }
}

#[tool_handler(router = ECHO)]
impl ServerHandler for Echo {}

static ECHO: LazyLock<ToolRouter<Echo>> = LazyLock::new(Echo::tool_router);

/// Serves over stdin and stdout until the client closes them.
pub(crate) fn serve_stdio() -> io::Result<()> {
    Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let running = Echo.serve(stdio()).await.map_err(io::Error::other)?;
        running.waiting().await.map_err(io::Error::other)?;
        Ok(())
    })
}

/// Serves streamable HTTP on this port of the loopback address, until the process is killed.
pub(crate) fn serve_http(port: u16) -> io::Result<()> {
    Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        // Without this, each response waits for the client's delayed acknowledgement, 40 ms.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        let sessions = Arc::new(LocalSessionManager::default());
        let service = StreamableHttpService::new(|| Ok(Echo), sessions, StreamableHttpServerConfig::default());
        axum::serve(listener, Router::new().route_service("/mcp", service)).await
    })
}
