//! The routes for operators, on loopback and only for a loopback `Host`.

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

/// Rejects requests with another `Host`. A web page can make a browser on this machine send requests to this address
/// (DNS rebinding); the `Host` is that of the page then.
async fn local(request: Request, next: Next) -> Response {
    // Exactly one valid `Host` (RFC 9112, 3.2).
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return StatusCode::BAD_REQUEST.into_response() };
    let host = host.to_str().ok().filter(|host| !host.contains('@'));
    let Some(host) = host.and_then(|host| host.parse::<Authority>().ok()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    // The host of a target in absolute form takes precedence (3.2.2).
    if is_local(&host) && request.uri().authority().is_none_or(is_local) {
        next.run(request).await
    } else {
        StatusCode::FORBIDDEN.into_response()
    }
}

/// Whether the host is a name or an address that always refers to this machine.
fn is_local(authority: &Authority) -> bool {
    let host = authority.host().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
