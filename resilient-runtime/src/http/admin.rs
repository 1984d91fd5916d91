//! The router for operators: the last errors and the breakers.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;

use super::now;
use crate::health::Health;
use crate::view::{Breakers, Errors};

/// The number of errors that are shown if the query sets no `limit`. The highest limit is the number of errors that are
/// stored.
const LIMIT: usize = 100;
const HIGHEST_LIMIT: usize = 1_000;

/// Creates the router for operators, which shows recent errors and the state of the breakers.
///
/// **Bind it to loopback, or put it behind authentication; never serve it beside `/mcp` to all clients.** It shows the
/// error texts of all clients, whereas each client could read only its own.
///
/// | route | body |
/// |---|---|
/// | `/errors?tool=NAME&limit=N` | `errors`, newest first: `at_unix_ms`, `correlation_id` (under which the log contains the rest), `tool`, `code`, `kind`, `text` (which the client could read), `attempts`. `groups`, by tool and code, the one with the latest error first: `count` of all errors, `first_unix_ms`, `last_unix_ms` |
/// | `/breakers` | `breakers`, by name: `state`, `since_unix_ms` (absent before the first transition), `retry_after_ms` (absent if the breaker does not reject, or for no set time), its counters, and its last 20 `transitions`, newest first |
///
/// Without `tool`, `/errors` returns the errors of all tools; `limit` is 1 to 1,000, by default 100. Any other query
/// gets status 400. The callers are not shown. The breakers of one name's partition keys are one entry: the state is
/// that of the worst key, counts and transitions are those of all keys, and `keys` is the number of keys in each state.
/// The keys themselves are not shown.
///
/// Both routes read the registry of `health`, and run no checks.
///
/// ```
/// use std::sync::Arc;
/// use resilient_runtime::{health::Health, http};
///
/// let operators: axum::Router = http::admin_router(Arc::new(Health::new()));
/// // let listener = TcpListener::bind("127.0.0.1:8001").await?.tap_io(|stream| { let _ = stream.set_nodelay(true); });
/// // axum::serve(listener, operators).await?;
/// # drop(operators);
/// ```
pub fn admin_router<S: Clone + Send + Sync + 'static>(health: Arc<Health>) -> Router<S> {
    Router::new().route("/errors", get(errors)).route("/breakers", get(breakers)).with_state(health)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorsQuery {
    tool: Option<String>,
    limit: Option<usize>,
}

async fn errors(State(health): State<Arc<Health>>, query: Result<Query<ErrorsQuery>, QueryRejection>) -> Response {
    // The error does not repeat the query, which may contain anything.
    let query = query.ok().filter(|query| query.limit.is_none_or(|limit| (1..=HIGHEST_LIMIT).contains(&limit)));
    let Some(Query(ErrorsQuery { tool, limit })) = query else {
        let error =
            format!("expected `tool`, a tool's name, and `limit`, a number from 1 to {HIGHEST_LIMIT}, or neither");
        return now(StatusCode::BAD_REQUEST, json!({ "error": error }));
    };
    now(StatusCode::OK, Errors::of(health.registry(), tool.as_deref(), limit.unwrap_or(LIMIT), |_| true))
}

async fn breakers(State(health): State<Arc<Health>>) -> Response {
    now(StatusCode::OK, Breakers::of(health.registry()))
}
