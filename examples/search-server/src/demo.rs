//! A simulation of both search services: a small library, and failures on request.
//!
//! With the word `tavily:503` in the query the first engine responds with that status; with `searxng:hang` the second
//! never responds. Each service ignores the words of the other.

use std::{collections::HashMap, future::pending};

use axum::{
    Json, Router,
    extract::Query,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

/// The only key that the first engine accepts.
pub const DEMO_KEY: &str = "demo-key-81c4-must-never-be-seen";

/// The `Retry-After` of a response with 429, in seconds.
pub const WAIT: u64 = 7;

/// Title, address and text of each page.
const LIBRARY: [(&str, &str, &str); 4] = [
    (
        "Circuit breakers",
        "https://library.example/breakers",
        "A breaker stops asking a service that has failed too often, and asks again after a while.",
    ),
    (
        "Retries and their cost",
        "https://library.example/retries",
        "A retry helps when a failure passes quickly; many retries at once make an outage longer.",
    ),
    (
        "Deadlines",
        "https://library.example/deadlines",
        "A deadline covers the whole of a call, with every retry in it.",
    ),
    ("Tea", "https://library.example/tea", "Green tea is brewed with water that no longer boils."),
];

/// The first engine below `/tavily`, the second below `/searxng`.
pub fn routes() -> Router {
    Router::new().route("/tavily/search", post(tavily)).route("/searxng/search", get(searxng))
}

async fn tavily(headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if sent.strip_prefix("Bearer ") != Some(DEMO_KEY) {
        // Some services repeat the key in the error.
        return (StatusCode::UNAUTHORIZED, format!("invalid key in `{sent}`")).into_response();
    }
    let limit = body["max_results"].as_u64().and_then(|limit| limit.try_into().ok()).unwrap_or(5);
    answer("tavily:", body["query"].as_str().unwrap_or_default(), limit).await
}

async fn searxng(Query(query): Query<HashMap<String, String>>) -> Response {
    if query.get("format").is_none_or(|format| format != "json") {
        return StatusCode::FORBIDDEN.into_response();
    }
    answer("searxng:", query.get("q").map_or("", String::as_str), usize::MAX).await
}

async fn answer(engine: &str, query: &str, limit: usize) -> Response {
    let mut orders = query.split_whitespace().filter_map(|word| word.strip_prefix(engine));
    if let Some(order) = orders.next() {
        let Ok(status) = order.parse().map_err(drop).and_then(|code| StatusCode::from_u16(code).map_err(drop)) else {
            return pending().await;
        };
        return (status, [(header::RETRY_AFTER, WAIT.to_string())], "node 7 must-never-be-seen").into_response();
    }
    let words: Vec<_> = query.split_whitespace().filter(|word| !word.contains(':')).map(str::to_lowercase).collect();
    let fits = |text: &str| words.iter().any(|word| text.to_lowercase().contains(word));
    let found = LIBRARY.into_iter().filter(|(title, _, text)| fits(title) || fits(text)).take(limit);
    let results: Vec<_> =
        found.map(|(title, url, content)| json!({ "title": title, "url": url, "content": content })).collect();
    Json(json!({ "query": query, "results": results })).into_response()
}
