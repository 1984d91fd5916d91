//! Routers for axum: one for orchestrators and Prometheus, one for operators.
//!
//! ```
//! use std::sync::Arc;
//! use resilient_runtime::{health::Health, http};
//!
//! let health = Arc::new(Health::new());
//! // Beside the other routes of the application:
//! let public: axum::Router = axum::Router::new().merge(http::router(Arc::clone(&health)));
//! // On an address that only operators reach:
//! let admin: axum::Router = http::Admin::new(Arc::clone(&health)).router();
//! // When the server begins to stop, before it waits for running calls:
//! health.drain();
//! # let _ = (public, admin);
//! ```
//!
//! The routes of [`router`] answer `GET` and `HEAD`, read no body, and forbid caching. If the client disconnects, the
//! handler is dropped, but the checks that it waited for continue and serve the next request. They do not authenticate
//! callers: that is for the routes of [`Admin`]. The messages of your checks are shown unchanged, except that secrets are
//! masked. Put confidential information into a check's details, which these routes leave out.

mod admin;
mod probes;

pub use admin::{Admin, InvalidToken};
pub use probes::router;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Builds a response that must not be cached.
fn now(status: StatusCode, body: impl Serialize) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
