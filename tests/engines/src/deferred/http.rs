//! Streamable HTTP on a free loopback port, for one user.

use std::{error::Error, sync::Arc};

use axum::{Extension, Router, serve::ListenerExt};
use resilient_runtime::identity::Principal;
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use serde_json::json;
use tokio::net::TcpListener;

/// Serves until the process ends. The first line on stderr with an `address` says where.
pub(super) async fn serve(server: impl ServerHandler + Clone) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let mut config = StreamableHttpServerConfig::default().with_json_response(true);
    config.allowed_hosts.push(address.to_string());
    let mcp = StreamableHttpService::new(move || Ok(server.clone()), Arc::new(LocalSessionManager::default()), config);
    // What authentication does in other servers.
    let user = Extension(Principal::new("user 4711"));
    eprintln!("{}", json!({ "address": format!("http://{address}") }));
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, Router::new().route_service("/mcp", mcp).layer(user)).await?)
}
