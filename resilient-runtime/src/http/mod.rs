//! Routers for axum: what an orchestrator and Prometheus ask a server, and what its operators do.
//!
//! ```
//! use std::sync::Arc;
//! use resilient_runtime::{health::Health, http};
//!
//! let health = Arc::new(Health::new());
//! // Beside the rest of the application:
//! let public: axum::Router = axum::Router::new().merge(http::router(Arc::clone(&health)));
//! // On an address that only operators reach:
//! let admin: axum::Router = http::admin_router(Arc::clone(&health));
//! // When the server is told to stop, before it waits for the calls that are running:
//! health.drain();
//! # let _ = (public, admin);
//! ```
//!
//! The routes answer `GET` and `HEAD`, read no body, and are not to be kept by caches. A handler whose
//! client has gone is dropped; the checks that it waited for go on, for whoever asks next.
//!
//! None of them asks who is asking. The messages of checks of your own are shown as they are, but for
//! secrets: what nobody else may know belongs into their details, which are left out here.

mod admin;
mod probes;

pub use admin::admin_router;
pub use probes::router;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// An answer that holds at this moment alone.
fn now(status: StatusCode, body: impl Serialize) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
