//! The gate before `/mcp`: it knows which requests are being answered, and lets none in once it is closed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use tokio::time::sleep;
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

/// A gate that is open until it is closed.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate {
    inside: TaskTracker,
    /// How many requests have come, whether they were let in or not.
    came: Arc<AtomicU64>,
}

impl Gate {
    /// Lets nobody in from now on.
    pub(super) fn close(&self) {
        self.inside.close();
    }

    /// Waits until it is closed and every request that it had let in is answered to the last byte, or has lost its client.
    pub(super) async fn empty(&self) {
        self.inside.wait().await;
    }

    /// How many are inside.
    pub(super) fn inside(&self) -> usize {
        self.inside.len()
    }

    /// Waits until no request has come for this long.
    pub(super) async fn quiet(&self, pause: Duration) {
        let mut came = self.came.load(Ordering::Relaxed);
        loop {
            sleep(pause).await;
            let now = self.came.load(Ordering::Relaxed);
            if now == came {
                return;
            }
            came = now;
        }
    }
}

/// Lets a request through, or not.
pub(super) async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    // First inside, then the question: who is let in is seen by whoever closed the gate.
    let inside = gate.inside.token();
    gate.came.fetch_add(1, Ordering::Relaxed);
    if gate.inside.is_closed() {
        let refusal = "This server is stopping. The call was not performed.\n";
        return (StatusCode::SERVICE_UNAVAILABLE, refusal).into_response();
    }
    if request.method() == Method::GET {
        // A stream on which the server may speak up: it answers nothing, and ends with its session.
        drop(inside);
        return next.run(request).await;
    }
    let (head, body) = next.run(request).await.into_parts();
    let body = body.into_data_stream().inspect(move |_| {
        let _: &TaskTrackerToken = &inside;
    });
    Response::from_parts(head, Body::from_stream(body))
}

/// While the server stops, every answer closes its connection: a client that kept it open would send its next request
/// into a connection that is about to end, and get no answer.
pub(super) async fn close_connection(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if gate.inside.is_closed() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
