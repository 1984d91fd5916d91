//! The embedded shop: its responses, and the script of its failures.

use std::{
    collections::HashMap,
    future::pending,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json, Router,
    extract::{Path, Query, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use serde_json::{Value, json};

/// The number of requests for each path.
type Asked = Arc<Mutex<HashMap<String, u32>>>;

/// Whether the `nth` request for a path succeeds, counted from 1.
fn is_well(path: &str, nth: u32) -> bool {
    match path {
        "/orders/2" => nth > 2,
        "/orders/3" => nth == 1,
        "/orders/4" | "/orders/2/address" | "/orders/2/reminders" => nth > 1,
        "/orders/5" | "/prices/2" | "/recommendations/2" => false,
        _ => true,
    }
}

/// The `Retry-After` of a failed request, in seconds.
fn retry_after(path: &str) -> Option<&'static str> {
    match path {
        "/orders/4" => Some("3"),
        "/orders/5" => Some("120"),
        _ => None,
    }
}

pub(super) fn routes() -> Router {
    let asked = Asked::default();
    Router::new()
        .route("/orders/{id}", get(order))
        .route("/orders/{id}/address", put(async || Json(json!({ "says": "changed" }))))
        .route("/orders/{id}/reminders", post(async || Json(json!({ "says": "reminded" }))))
        .route("/prices/{id}", get(async |Path(id): Path<u64>| Json(json!({ "cents": 900 + id }))))
        .route("/list-prices/{id}", get(async |Path(id): Path<u64>| Json(json!({ "cents": 1000 + id }))))
        .route("/recommendations/{id}", get(async || Json(json!({ "titles": ["Walden", "Middlemarch"] }))))
        .route("/search", get(search))
        .route("/invoices/{id}", get(invoice))
        .layer(middleware::from_fn_with_state(asked, fail_by_script))
}

async fn fail_by_script(State(asked): State<Asked>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let nth = {
        let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        let nth = asked.entry(path.clone()).or_default();
        *nth += 1;
        *nth
    };
    if is_well(&path, nth) {
        next.run(request).await
    } else {
        let mut answer = (StatusCode::SERVICE_UNAVAILABLE, "shelf 12 is on fire").into_response();
        if let Some(seconds) = retry_after(&path) {
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        answer
    }
}

async fn order(Path(id): Path<u64>) -> Result<Json<Value>, StatusCode> {
    if (1..=5).contains(&id) { Ok(Json(json!({ "id": id, "state": "sent" }))) } else { Err(StatusCode::NOT_FOUND) }
}

async fn search(Query(query): Query<HashMap<String, String>>) -> Json<Value> {
    let words = query.get("words").map(String::as_str).unwrap_or_default();
    Json(json!({ "titles": [format!("All about {words}")] }))
}

/// The invoice of order 2 never arrives.
async fn invoice(Path(id): Path<u64>) -> Json<Value> {
    if id == 2 {
        pending::<()>().await;
    }
    Json(json!({ "text": format!("Invoice of order {id}") }))
}
