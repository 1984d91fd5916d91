//! The routes: five of Make, and two that control the upstream.

use std::{collections::HashMap, str::FromStr, sync::Arc};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

use super::{
    Shared, data,
    misbehave::{misbehave, refusal},
    phase::Phase,
};

/// Make's default page size.
const DEFAULT_LIMIT: u64 = 10;

/// The script applies to everything under Make's base path, but not to the controls.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    let make = Router::new()
        .route("/scenarios", get(list_scenarios))
        .route("/scenarios/{id}", get(get_scenario))
        .route("/scenarios/{id}/run", post(run_scenario))
        .route("/connections", get(list_connections))
        .route("/organizations", get(list_organizations))
        .layer(from_fn_with_state(Arc::clone(&shared), misbehave));
    Router::new()
        .nest("/api/v2", make)
        .route("/demo/phase/{name}", post(enter_phase))
        .route("/demo/stats", get(stats))
        .with_state(shared)
}

type Parameters = Query<HashMap<String, String>>;

async fn list_scenarios(State(shared): State<Arc<Shared>>, Query(query): Parameters) -> Response {
    let Some(team) = number(&query, "teamId") else {
        return refusal(StatusCode::BAD_REQUEST, "teamId or organizationId is required.");
    };
    let limit = number(&query, "pg[limit]").unwrap_or(DEFAULT_LIMIT);
    Json(data::scenarios(team, limit, shared.ledger.revision())).into_response()
}

async fn get_scenario(State(shared): State<Arc<Shared>>, Path(id): Path<u64>) -> Response {
    match data::scenario(id, shared.ledger.revision()) {
        Some(scenario) => Json(scenario).into_response(),
        None => refusal(StatusCode::NOT_FOUND, "Scenario not found."),
    }
}

/// The scenarios of the demo recognise a repeated run by their input `idempotency_key`.
async fn run_scenario(State(shared): State<Arc<Shared>>, Path(id): Path<u64>, body: Option<Json<Value>>) -> Response {
    let key = body.as_ref().and_then(|Json(body)| body["data"]["idempotency_key"].as_str());
    if data::exists(id) {
        Json(json!({ "executionId": shared.ledger.executed(id, key) })).into_response()
    } else {
        refusal(StatusCode::NOT_FOUND, "Scenario not found.")
    }
}

async fn list_connections(State(shared): State<Arc<Shared>>, Query(query): Parameters) -> Response {
    match number(&query, "teamId") {
        Some(team) => Json(data::connections(team, shared.ledger.revision())).into_response(),
        None => refusal(StatusCode::BAD_REQUEST, "teamId is required."),
    }
}

async fn list_organizations() -> Response {
    Json(json!({ "organizations": [{ "id": 1, "name": "Somebody's" }] })).into_response()
}

async fn enter_phase(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> Response {
    match Phase::from_str(&name) {
        Ok(phase) => Json(json!({ "phase": phase.name(), "revision": shared.ledger.enter(phase) })).into_response(),
        Err(error) => (StatusCode::NOT_FOUND, error.to_string()).into_response(),
    }
}

async fn stats(State(shared): State<Arc<Shared>>) -> Response {
    Json(shared.ledger.stats()).into_response()
}

fn number(query: &HashMap<String, String>, key: &str) -> Option<u64> {
    query.get(key)?.parse().ok()
}
