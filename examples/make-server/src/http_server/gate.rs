//! A gate before `/mcp` that tracks running requests and rejects new ones once it is closed.

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

/// A gate, initially open.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate {
    inside: TaskTracker,
    /// The number of requests so far, accepted or rejected.
    came: Arc<AtomicU64>,
}

impl Gate {
    /// Rejects all requests from now on.
    pub(super) fn close(&self) {
        self.inside.close();
    }

    /// Waits until the gate is closed and every accepted request has its whole response, or has lost its client.
    pub(super) async fn empty(&self) {
        self.inside.wait().await;
    }

    /// The number of running requests.
    pub(super) fn inside(&self) -> usize {
        self.inside.len()
    }

    /// Waits until no request has arrived for this long.
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

/// Accepts or rejects a request.
pub(super) async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    // Counted before the check, so that the shutdown waits for every accepted request.
    let inside = gate.inside.token();
    gate.came.fetch_add(1, Ordering::Relaxed);
    if gate.inside.is_closed() {
        let refusal = "This server is stopping. The call was not performed.\n";
        return (StatusCode::SERVICE_UNAVAILABLE, refusal).into_response();
    }
    if request.method() == Method::GET {
        // A stream for messages of the server, not a response to a call: it ends with its session.
        drop(inside);
        return next.run(request).await;
    }
    let (head, body) = next.run(request).await.into_parts();
    let body = body.into_data_stream().inspect(move |_| {
        let _: &TaskTrackerToken = &inside;
    });
    Response::from_parts(head, Body::from_stream(body))
}

/// Closes connections during shutdown, with a header of the response. Otherwise a client would send its next request on
/// a connection that is about to end, and receive no response.
pub(super) async fn close_connection(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if gate.inside.is_closed() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
