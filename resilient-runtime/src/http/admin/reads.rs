//! The routes that show something.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::refusal::Refusal;
use crate::connections::ConnectionSnapshot;
use crate::gate::GateState;
use crate::http::now;
use crate::statistics::AdminRefusal;
use crate::view::{Breakers, Errors, Policies};

/// The number of errors that are shown if the query sets no `limit`. The highest limit is the number of errors that are
/// stored.
pub(super) const LIMIT: usize = 100;
pub(super) const HIGHEST_LIMIT: usize = 1_000;

#[cfg(not(feature = "status-page"))]
pub(super) async fn status(State(shared): State<Arc<Shared>>) -> Response {
    state(&shared)
}

/// Answers with what is switched, as JSON.
pub(super) fn state(shared: &Shared) -> Response {
    let registry = shared.registry();
    let status = Status {
        gate: registry.gate.state(),
        connections: registry.connections(),
        #[cfg(feature = "replicas")]
        degraded: registry.degraded_parts(),
    };
    now(StatusCode::OK, status)
}

/// What is switched, and the connections to other servers, if there are any.
#[derive(Serialize)]
struct Status {
    #[serde(flatten)]
    gate: GateState,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    connections: Vec<ConnectionSnapshot>,
    /// What did without the shared state of all replicas when it last needed it.
    #[cfg(feature = "replicas")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    degraded: Vec<&'static str>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorsQuery {
    tool: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn errors(
    State(shared): State<Arc<Shared>>,
    query: Result<Query<ErrorsQuery>, QueryRejection>,
) -> Response {
    // The error does not repeat the query, which may contain anything.
    let query = query.ok().filter(|query| query.limit.is_none_or(|limit| (1..=HIGHEST_LIMIT).contains(&limit)));
    let Some(Query(ErrorsQuery { tool, limit })) = query else {
        let error =
            format!("expected `tool`, a tool's name, and `limit`, a number from 1 to {HIGHEST_LIMIT}, or neither");
        return Refusal::new(AdminRefusal::Query, StatusCode::BAD_REQUEST, error).respond(shared.registry());
    };
    now(StatusCode::OK, Errors::of(shared.registry(), tool.as_deref(), limit.unwrap_or(LIMIT), |_| true))
}

pub(super) async fn breakers(State(shared): State<Arc<Shared>>) -> Response {
    now(StatusCode::OK, Breakers::of(shared.registry()))
}

pub(super) async fn policies(State(shared): State<Arc<Shared>>) -> Response {
    now(StatusCode::OK, Policies::of(shared.registry()))
}
