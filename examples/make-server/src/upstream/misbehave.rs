//! The layer in front of Make's routes: it counts every request and injects the fault of the script.

use std::{future::pending, sync::Arc};

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{
    PANIC_HEADER, PANIC_TEXT, PRIVATE_TEXT, Shared,
    phase::Fault,
    stats::{Entry, Ledger},
    wire::Cut,
};

/// The maximum size of a response that [`Fault::BrokenJson`] truncates.
const LARGEST_ANSWER: usize = 1 << 20;

pub(super) async fn misbehave(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: Request,
    next: Next,
) -> Response {
    let visit = Visit::begin(&shared.ledger, request.method() == Method::POST);
    if !authorized(&shared, &request) {
        visit.end(Fault::None);
        return refusal(StatusCode::UNAUTHORIZED, "Access denied.");
    }
    let fault = visit.entry.phase.fault(shared.seed, visit.entry.number);
    let answer = match fault {
        Fault::None => next.run(request).await,
        Fault::Slow(wait) => {
            tokio::time::sleep(wait).await;
            next.run(request).await
        }
        Fault::RateLimited(seconds) => {
            let mut answer = refusal(StatusCode::TOO_MANY_REQUESTS, "Requests limit for organization exceeded.");
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            answer
        }
        Fault::InternalError => refusal(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error."),
        Fault::Unavailable => refusal(StatusCode::SERVICE_UNAVAILABLE, "Service unavailable."),
        Fault::Hang => pending().await,
        Fault::BrokenJson => halved(next.run(request).await).await,
        Fault::Drop => {
            cut.now();
            StatusCode::OK.into_response()
        }
        Fault::ToolPanic => {
            let mut answer = next.run(request).await;
            answer.headers_mut().insert(PANIC_HEADER, HeaderValue::from_static(PANIC_TEXT));
            answer
        }
    };
    visit.end(fault);
    answer
}

/// A running request. Dropping it before the response counts as abandoned: the server drops the handler when the client
/// disconnects.
struct Visit<'a> {
    ledger: &'a Ledger,
    entry: Entry,
    ended: bool,
}

impl<'a> Visit<'a> {
    fn begin(ledger: &'a Ledger, run: bool) -> Self {
        Self { ledger, entry: ledger.arrived(run), ended: false }
    }

    fn end(mut self, fault: Fault) {
        self.ended = true;
        self.ledger.done(&self.entry, fault);
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.ledger.abandoned(&self.entry);
        }
    }
}

fn authorized(shared: &Shared, request: &Request) -> bool {
    let sent = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    sent.and_then(|value| value.strip_prefix("Token ")) == Some(shared.token.as_str())
}

/// An error response like Make's, with a private text. Tests prove that the text stays in the log.
pub(super) fn refusal(status: StatusCode, message: &str) -> Response {
    let body = json!({ "message": message, "code": format!("SC{}", status.as_u16()), "detail": PRIVATE_TEXT });
    (status, Json(body)).into_response()
}

async fn halved(answer: Response) -> Response {
    let (mut head, body) = answer.into_parts();
    let Ok(bytes) = to_bytes(body, LARGEST_ANSWER).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    head.headers.remove(header::CONTENT_LENGTH);
    let half = bytes.len() / 2;
    Response::from_parts(head, Body::from(bytes.slice(..half)))
}
