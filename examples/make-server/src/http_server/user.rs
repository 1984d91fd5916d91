//! The user of a request, whom the proxy in front has authenticated.

use axum::{
    extract::{Request, State},
    http::HeaderName,
    middleware::Next,
    response::Response,
};
use resilient_runtime::identity::Principal;

/// Inserts the user that the header names. Deferred runs are bound to the user, not to a token, so that a run is still
/// found after the token was renewed.
pub(super) async fn identify(State(header): State<HeaderName>, mut request: Request, next: Next) -> Response {
    let named = request.headers().get(header).and_then(|user| user.to_str().ok()).map(str::trim);
    if let Some(user) = named.filter(|user| !user.is_empty()).map(Principal::new) {
        request.extensions_mut().insert(user);
    }
    next.run(request).await
}
