//! A server and its client in one process, so that a test can stop their clock.

use std::borrow::Cow;

use rmcp::model::{CallToolRequestParams, CallToolResult};
use rmcp::service::{RoleClient, RunningService};
use rmcp::{ServerHandler, ServiceExt};
use serde_json::Value;
use tokio::io::DuplexStream;

/// The client of such a server.
pub type Client = RunningService<RoleClient, ()>;

/// Serves in a task of its own, and gives the client's end of the line.
///
/// # Panics
/// The task does where no client greets it.
#[must_use]
pub fn serve<S: ServerHandler>(server: S) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move {
        let running = server.serve(theirs).await.expect("a client");
        running.waiting().await.expect("no panic");
    });
    ours
}

/// Serves, and greets the server as its client.
///
/// # Panics
/// Where the server does not answer the greeting.
pub async fn connect<S: ServerHandler>(server: S) -> Client {
    ().serve(serve(server)).await.expect("a server")
}

/// A call of this tool, with the members of this object.
#[must_use]
pub fn request(tool: impl Into<Cow<'static, str>>, arguments: &Value) -> CallToolRequestParams {
    CallToolRequestParams::new(tool).with_arguments(arguments.as_object().cloned().unwrap_or_default())
}

/// Calls this tool.
///
/// # Panics
/// Where the answer is a protocol error.
pub async fn call(client: &Client, tool: &'static str, arguments: &Value) -> CallToolResult {
    client.call_tool(request(tool, arguments)).await.expect("an answer")
}

/// What `_meta` holds under this key; null if it holds nothing.
#[must_use]
pub fn meta(result: &CallToolResult, key: &str) -> Value {
    result.meta.as_ref().and_then(|meta| meta.0.get(key)).cloned().unwrap_or_default()
}

/// What the model reads.
#[must_use]
pub fn text(result: &CallToolResult) -> String {
    result.content.iter().filter_map(|block| Some(block.as_text()?.text.clone())).collect::<Vec<_>>().join("\n")
}
