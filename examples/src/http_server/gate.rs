//! The gate before `/mcp`: it knows which requests are being answered, and lets none in once it is closed.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

/// A gate that is open until it is closed.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate(TaskTracker);

impl Gate {
    /// Lets nobody in from now on.
    pub(super) fn close(&self) {
        self.0.close();
    }

    /// Waits until it is closed and every request that it had let in is answered to the last byte, or has lost its client.
    pub(super) async fn empty(&self) {
        self.0.wait().await;
    }

    /// How many are inside.
    pub(super) fn inside(&self) -> usize {
        self.0.len()
    }
}

/// Lets a request through, or not.
pub(super) async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    // First inside, then the question: who is let in is seen by whoever closed the gate.
    let inside = gate.0.token();
    if gate.0.is_closed() {
        let refusal = "This server is stopping. The call was not performed.\n";
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::CONNECTION, "close")], refusal).into_response();
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
