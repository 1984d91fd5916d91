//! The routes for operators, on loopback, for those alone who ask for a loopback host.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Router,
    extract::Request,
    http::{StatusCode, header, uri::Authority},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use resilient_runtime::{health::Health, http};

pub(super) fn router(health: Arc<Health>) -> Router {
    http::admin_router(health).layer(from_fn(local))
}

/// A browser on this machine can be made to ask this address in the name of a page (DNS rebinding): then the
/// `Host` is the page's.
async fn local(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    let is_local = host.is_some_and(|host| {
        let host = host.host().trim_matches(['[', ']']);
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    });
    if is_local { next.run(request).await } else { StatusCode::FORBIDDEN.into_response() }
}
