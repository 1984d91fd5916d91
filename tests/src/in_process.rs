//! A server and its client in one process, so that a test can pause their clock.

use std::borrow::Cow;

use resilient_runtime::identity::Principal;
use rmcp::model::{CallToolRequestParams, CallToolResult, ProtocolVersion, RequestMetaObject};
use rmcp::service::{RequestContext, RoleClient, RunningService};
use rmcp::{ClientLifecycleMode, ClientServiceExt as _, RoleServer, ServerHandler, ServiceExt};
use serde_json::{Value, json};
use tokio::io::DuplexStream;

/// The client of such a server.
pub type Client = RunningService<RoleClient, ()>;

/// Serves in a spawned task, and returns the client's end of the transport.
///
/// # Panics
/// The task panics if no client initializes the session.
#[must_use]
pub fn serve<S: ServerHandler>(server: S) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move {
        let running = server.serve(theirs).await.expect("a client");
        running.waiting().await.expect("no panic");
    });
    ours
}

/// Serves, and initializes a session as its client.
///
/// # Panics
/// If the server does not answer the initialization.
pub async fn connect<S: ServerHandler>(server: S) -> Client {
    ().serve(serve(server)).await.expect("a server")
}

/// Serves, and is a client of the newest protocol, which has no session but subscriptions.
///
/// # Panics
/// If the server does not answer.
pub async fn connect_without_session<S: ServerHandler>(server: S) -> Client {
    let mode = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
    ().serve_with_lifecycle(serve(server), mode).await.expect("a server")
}

/// A call of this tool, with the members of this object.
#[must_use]
pub fn request(tool: impl Into<Cow<'static, str>>, arguments: &Value) -> CallToolRequestParams {
    CallToolRequestParams::new(tool).with_arguments(arguments.as_object().cloned().unwrap_or_default())
}

/// The same call with these members of `_meta`.
#[must_use]
pub fn with_meta(mut request: CallToolRequestParams, members: &[(&str, &str)]) -> CallToolRequestParams {
    let mut meta = RequestMetaObject::new();
    meta.0.0.extend(members.iter().map(|(key, value)| ((*key).to_owned(), json!(value))));
    request.meta = Some(meta);
    request
}

/// Calls this tool.
///
/// # Panics
/// If the answer is a protocol error.
pub async fn call(client: &Client, tool: &'static str, arguments: &Value) -> CallToolResult {
    client.call_tool(request(tool, arguments)).await.expect("an answer")
}

/// Takes the principal of a call from the member `user` of `_meta`, as a server does that authenticates its clients.
pub fn authenticate(context: &mut RequestContext<RoleServer>) {
    if let Some(user) = context.meta.0.0.get("user").and_then(Value::as_str).map(Principal::new) {
        context.extensions.insert(user);
    }
}
