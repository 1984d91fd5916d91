//! A server with any number of tools, and its status page.
//!
//! The tool `fail` fails with the text of its argument; the others do nothing.

use std::{error::Error, ffi::OsString, process::ExitCode, sync::Arc, time::Instant};

use axum::{
    Router,
    extract::Request,
    http::HeaderValue,
    middleware::{Next, from_fn},
    response::Response,
    serve::ListenerExt,
};
use resilient_runtime::{McpError, ResilienceError, health::Health, http, mcp, resilient};
use rmcp::{
    ServerHandler,
    handler::server::{
        router::tool::{ToolRoute, ToolRouter},
        wrapper::Parameters,
    },
    model::{CallToolResult, ContentBlock, Tool},
    tool, tool_handler, tool_router,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, json};
use tokio::net::TcpListener;

#[derive(Clone)]
struct Many {
    tools: ToolRouter<Self>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Say {
    text: String,
}

/// An error with the client's text.
#[derive(Debug, thiserror::Error, McpError)]
enum Failure {
    #[error("{0}")]
    #[mcp(kind = failed_precondition)]
    Said(String),
    #[error(transparent)]
    #[mcp(transparent)]
    Resilience(#[from] ResilienceError),
}

#[resilient(timeout = "5s")]
#[tool_router]
impl Many {
    /// Fails with this text.
    #[tool(annotations(read_only_hint = true))]
    async fn fail(&self, Parameters(Say { text }): Parameters<Say>) -> Result<String, Failure> {
        Err(Failure::Said(text))
    }
}

impl Many {
    fn new(count: usize) -> Self {
        let mut tools = Self::tool_router();
        for number in 0..count {
            let tool = Tool::new(format!("tool_{number:04}"), "Does nothing.", Map::new());
            tools.add_route(ToolRoute::new_dyn(tool, |_| {
                Box::pin(async { Ok(CallToolResult::success(vec![ContentBlock::text("done")]).into()) })
            }));
        }
        Self { tools: mcp::instrument(tools) }
    }
}

#[resilient]
#[tool_handler(name = "many", router = self.tools)]
impl ServerHandler for Many {}

/// Runs the server. The argument is the number of tools besides `fail`.
pub(crate) fn main(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let count = args.next().and_then(|count| count.to_str()?.parse().ok());
    crate::exit_code(serve(count.unwrap_or_default()))
}

#[tokio::main]
async fn serve(count: usize) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let mut config = StreamableHttpServerConfig::default().with_json_response(true);
    config.allowed_hosts.push(address.to_string());
    let many = Many::new(count);
    let mcp = StreamableHttpService::new(move || Ok(many.clone()), Arc::new(LocalSessionManager::default()), config);
    let health = Arc::new(Health::new());
    let operators = http::Admin::new(Arc::clone(&health)).router().layer(from_fn(measure));
    let app = Router::new().route_service("/mcp", mcp).merge(operators).merge(http::router(health));
    eprintln!("{}", json!({ "address": format!("http://{address}") }));
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, app).await?)
}

/// Adds the milliseconds that the response took to a header.
async fn measure(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let mut response = next.run(request).await;
    let timing = format!("total;dur={}", begun.elapsed().as_secs_f64() * 1_000.0);
    if let Ok(timing) = HeaderValue::from_str(&timing) {
        response.headers_mut().insert("server-timing", timing);
    }
    response
}
