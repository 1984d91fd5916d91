//! The last errors and the breakers, for operators.

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

/// How many errors are shown, unless the query says otherwise: a number up to the most that are kept.
const LIMIT: usize = 100;
const HIGHEST_LIMIT: usize = 1_000;

/// What operators ask: what went wrong lately, and where the breakers stand. **Bind it to loopback, or put
/// it behind authentication; never serve it beside `/mcp` to everybody.** What it tells is what clients
/// could read, but each of them only its own part of it.
///
/// | route | body |
/// |---|---|
/// | `/errors?tool=NAME&limit=N` | `errors`, newest first: `at_unix_ms`, `correlation_id` (under which the log has the rest), `tool`, `code`, `kind`, `text` (what the client could read), `attempts`. `groups`, by tool and code, the last that happened first: `count` of all there have been, `first_unix_ms`, `last_unix_ms` |
/// | `/breakers` | `breakers`, by name: `state`, `since_unix_ms` (absent where it never moved), `retry_after_ms` (absent where it rejects for no set time, or no more), what it has counted, and its last 20 `transitions`, newest first |
///
/// Without `tool` the errors are those of all; `limit` is 1 to 1,000, by default 100. Another query gets 400.
/// Whose call it was is not told. The breakers of the keys of one name are one, that of the key which stands
/// worst, with the counts and transitions of all that there are; `keys` says how many stand where. No key is
/// shown.
///
/// The registry is that of the health, which is not asked for anything else.
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
struct Asked {
    tool: Option<String>,
    limit: Option<usize>,
}

async fn errors(State(health): State<Arc<Health>>, asked: Result<Query<Asked>, QueryRejection>) -> Response {
    // What was sent is not repeated: it is not ours to show.
    let asked = asked.ok().filter(|asked| asked.limit.is_none_or(|limit| (1..=HIGHEST_LIMIT).contains(&limit)));
    let Some(Query(Asked { tool, limit })) = asked else {
        let error =
            format!("expected `tool`, a tool's name, and `limit`, a number from 1 to {HIGHEST_LIMIT}, or neither");
        return now(StatusCode::BAD_REQUEST, json!({ "error": error }));
    };
    now(StatusCode::OK, Errors::of(health.registry(), tool.as_deref(), limit.unwrap_or(LIMIT), |_| true))
}

async fn breakers(State(health): State<Arc<Health>>) -> Response {
    now(StatusCode::OK, Breakers::of(health.registry()))
}
