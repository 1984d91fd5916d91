//! The routers for axum over real HTTP: the response of each route in each state, metrics that agree with the clients,
//! and no private text in any response.

mod admin;
mod breakers;
mod connections;
mod routes;
mod shop;

use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use resilient_tests::faults::PRIVATE;
use resilient_tests::loopback::{self, no_delay};
use serde_json::Value;
use tokio::net::TcpListener;

/// Serves on a loopback port.
pub(crate) async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(axum::serve(listener.tap_io(no_delay), app).into_future());
    origin
}

async fn get(origin: &str, path: &str) -> (u16, String) {
    let client = loopback::client().timeout(Duration::from_secs(20)).build().expect("a client");
    let answer = client.get(format!("{origin}{path}")).send().await.expect("an answer");
    let status = answer.status().as_u16();
    // axum itself creates the other responses.
    assert!(matches!(status, 404 | 405) || answer.headers()["cache-control"] == "no-store", "{path}");
    (status, answer.text().await.expect("a text"))
}

pub(crate) async fn json_of(origin: &str, path: &str) -> (u16, Value) {
    let (status, text) = get(origin, path).await;
    (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}")))
}
