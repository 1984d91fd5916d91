//! The server over HTTP, behind a layer that knows the users of access tokens.

use std::error::Error;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use resilient_runtime::identity::Principal;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;

use super::Records;

/// Serves until the process ends. The log has the address.
pub(super) async fn serve(server: Records) -> Result<(), Box<dyn Error>> {
    let (sessions, config) = (Arc::new(LocalSessionManager::default()), StreamableHttpServerConfig::default());
    let health = Arc::clone(&server.health);
    let mcp = StreamableHttpService::new(move || Ok(server.clone()), sessions, config);
    let routes = Router::new()
        .route_service("/mcp", mcp)
        .layer(from_fn(authenticate))
        .merge(resilient_runtime::http::router(health));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    eprintln!("address: http://{}", listener.local_addr()?);
    axum::serve(listener, routes).await?;
    Ok(())
}

/// Accepts tokens of the form `USER.ANYTHING`.
async fn authenticate(mut request: Request, next: Next) -> Response {
    let token = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let user = token.and_then(|token| token.strip_prefix("Bearer ")?.split_once('.')).map(|(user, _)| user);
    let Some(principal) = user.map(Principal::new) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    request.extensions_mut().insert(principal);
    next.run(request).await
}
