//! Carries the span of an HTTP request to the calls in it.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;

/// Carries the span of an HTTP request to the calls in it, for `axum::middleware::from_fn`.
///
/// rmcp runs tools in separate tasks, in which that span is not the current one. Add this layer inside the layer that
/// opens the span, that is above it:
///
/// ```
/// use axum::middleware::{Next, from_fn};
/// use tracing::Instrument as _;
///
/// # let mcp = axum::routing::get(async || {});
/// let app: axum::Router = axum::Router::new()
///     .route("/mcp", mcp) // your `StreamableHttpService`
///     .layer(from_fn(resilient_runtime::otel::carry_span))
///     // Or `tower_http`'s `TraceLayer`:
///     .layer(from_fn(async |request, next: Next| next.run(request).instrument(tracing::info_span!("http")).await));
/// # let _ = app;
/// ```
///
/// In a server without axum, put an `opentelemetry::trace::SpanContext` into the extensions of the HTTP request
/// instead.
pub async fn carry_span(mut request: Request, next: Next) -> Response {
    if let Some(enclosing) = crate::trace::otel::current() {
        request.extensions_mut().insert(enclosing);
    }
    next.run(request).await
}
