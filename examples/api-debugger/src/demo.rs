//! The demo's upstream: an API with two names, whose paths select the behaviour.

use std::{
    convert::Infallible,
    future::pending,
    io,
    sync::atomic::{AtomicU64, Ordering},
};

use axum::{
    Json, Router,
    body::Body,
    http::{HeaderMap, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
    routing::{get, post},
};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::task::yield_now;

/// The names of the upstream. The domain `.test` is reserved, so they do not exist on the internet.
pub(super) const HOSTS: [&str; 2] = ["api.test", "legacy.test"];

/// The routes, named by their behaviour.
pub(super) fn routes() -> Router {
    Router::new()
        .route("/orders", get(orders))
        .route("/echo", post(echo))
        .route("/broken", get(async || (StatusCode::INTERNAL_SERVER_ERROR, "stack trace of the API under test")))
        .route("/busy", get(busy))
        .route("/silent", get(pending::<StatusCode>))
        .route("/endless", get(async || Body::from_stream(stream::repeat(Ok::<_, Infallible>("and so on, ")))))
        .route("/torn", get(torn))
        .route(
            "/events",
            get(async || Body::from_stream(stream::iter([Ok::<_, Infallible>("event 1")]).chain(stream::pending()))),
        )
        .route("/image", get(async || ([(header::CONTENT_TYPE, "image/png")], b"\x89PNG\r\n\x1a\n".as_slice())))
        .route("/inside", get(async || redirect("http://169.254.169.254/latest/meta-data/")))
        .route("/here", get(async || redirect("/orders")))
}

async fn orders() -> impl IntoResponse {
    let cookies = [(header::SET_COOKIE, "a=1"), (header::SET_COOKIE, "b=2")];
    (AppendHeaders(cookies), Json(json!({ "orders": [{ "id": 1, "state": "sent" }] })))
}

/// Responds with `Retry-After`, and counts the requests.
async fn busy() -> impl IntoResponse {
    static REQUESTS: AtomicU64 = AtomicU64::new(0);
    let number = REQUESTS.fetch_add(1, Ordering::Relaxed) + 1;
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "120")], format!("request {number}"))
}

/// Echoes the request.
async fn echo(headers: HeaderMap, body: String) -> (StatusCode, Json<Value>) {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let arrived = json!({ "body": body, "authorization": header(header::AUTHORIZATION), "host": header(header::HOST) });
    (StatusCode::CREATED, Json(arrived))
}

/// A body that breaks off.
async fn torn() -> Body {
    let rest = async {
        // Lets the first half be sent.
        yield_now().await;
        Err(io::Error::other("and no more"))
    };
    Body::from_stream(stream::iter([Ok("the first half")]).chain(stream::once(rest)))
}

fn redirect(to: &'static str) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
}
