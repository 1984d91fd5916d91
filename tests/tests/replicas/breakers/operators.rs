//! What the routes for operators show of breakers that replicas share.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use resilient_runtime::Guard;
use resilient_runtime::health::Health;
use resilient_runtime::http::Admin;
use serde_json::{Value, json};
use tokio::time::sleep;
use tower::ServiceExt;

use super::board::Outage;
use super::{Board, KNOWN, Replica, SETTINGS, elsewhere, shared};

static SHOP: Guard = Guard::new("shown-shop", shared("shown-shop", SETTINGS));

/// Returns what a route answers.
async fn get(replica: &Replica, path: &str, accept: &str) -> String {
    let routes = Admin::new(Arc::new(Health::of(&replica.registry))).router();
    let request = Request::get(path).header("host", "localhost").header("accept", accept);
    let answer = routes.oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer");
    let body = to_bytes(answer.into_body(), usize::MAX).await.expect("a body");
    String::from_utf8(body.to_vec()).expect("a text")
}

async fn json_of(replica: &Replica, path: &str) -> Value {
    serde_json::from_str(&get(replica, path, "application/json").await).expect("JSON")
}

const ARMED: &str = "armed: the next failure opens it";

#[tokio::test(start_paused = true)]
async fn an_armed_breaker_is_shown_as_such_until_a_success() {
    let board = Board::default();
    let [replica] = Replica::several(&board, &SHOP);
    for is_armed in [false, true, false] {
        if is_armed {
            board.opened_elsewhere("shown-shop", elsewhere(1));
        }
        sleep(KNOWN).await;
        let shown = &json_of(&replica, "/breakers").await["breakers"][0];
        assert_eq!((&shown["state"], &shown["armed"]), (&json!("closed"), &json!(is_armed)), "{shown:#}");
        assert_eq!(shown["consecutive_failures"], 0);
        assert_eq!(get(&replica, "/status", "text/html").await.contains(ARMED), is_armed);
        assert!(!replica.call(true).await);
    }
}

#[tokio::test(start_paused = true)]
async fn the_status_says_what_works_without_the_shared_state_while_that_is_so() {
    let board = Board::default();
    let [replica] = Replica::several(&board, &SHOP);
    for outage in [None, Some(Outage::Hangs), None] {
        board.set_outage(outage);
        sleep(KNOWN * 3).await;
        let status = json_of(&replica, "/status").await;
        let expected = outage.map(|_| json!(["breaker"]));
        assert_eq!(status.get("degraded"), expected.as_ref(), "{status:#}");
        let page = get(&replica, "/status", "text/html").await;
        let shown = "<dt>Without the shared state</dt><dd><span class=\"warn\">breaker</span>";
        assert_eq!(page.contains(shown), outage.is_some(), "{page}");
    }
}
