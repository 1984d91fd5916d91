//! Refused events: the status that says whether a repetition may help.

use std::{borrow::Cow, time::Duration};

use axum::{
    Json,
    http::{
        HeaderValue, StatusCode,
        header::{RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use resilient_runtime::{Classify, ErrorKind, ToolError};
use serde_json::json;

use crate::error::MakeError;

/// The delay before a repetition if no better one is known.
const DELAY: Duration = Duration::from_secs(10);

/// The delay before a repetition of an event that is being taken.
const SHORT_DELAY: Duration = Duration::from_secs(1);

/// A refused event. Its text does not contain anything that the event contains.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    retry_after: Option<Duration>,
}

impl Refusal {
    /// The secret is missing or wrong.
    pub(super) fn secret() -> Self {
        Self::body(StatusCode::UNAUTHORIZED, "expected `Authorization: Bearer` with the secret of this webhook")
    }

    /// The event cannot be read. A repetition would be the same.
    pub(super) fn body(status: StatusCode, message: &'static str) -> Self {
        Self { status, code: "WEBHOOK_REFUSED".into(), message: message.into(), retry_after: None }
    }

    /// The first delivery of the event has not ended.
    pub(super) fn being_taken() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: "WEBHOOK_BEING_TAKEN".into(),
            message: "this event is being taken".into(),
            retry_after: Some(SHORT_DELAY),
        }
    }

    /// The work failed, or was not begun.
    pub(super) fn of(error: &MakeError) -> Self {
        let status = status(error.kind());
        let may_help = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        Self {
            status,
            code: error.code(),
            message: error.public_message().into_owned().into(),
            retry_after: may_help.then(|| error.retry_after().unwrap_or(DELAY)),
        }
    }
}

/// The status for an error. Statuses below 500, except 429, end the repetitions of the sender.
fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        // The event names what does not exist, or is wrong in another way.
        ErrorKind::InvalidInput | ErrorKind::NotFound | ErrorKind::FailedPrecondition => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        ErrorKind::Conflict => StatusCode::CONFLICT,
        // Too fast for Make, or for the rate limit of this server.
        ErrorKind::RateLimited | ErrorKind::Overloaded => StatusCode::TOO_MANY_REQUESTS,
        // Make or this server cannot take it now; that includes a token of this server that Make refuses.
        ErrorKind::Timeout
        | ErrorKind::Connection
        | ErrorKind::Unavailable
        | ErrorKind::BadResponse
        | ErrorKind::CircuitOpen
        | ErrorKind::Unauthenticated
        | ErrorKind::PermissionDenied
        | ErrorKind::QuotaExceeded
        | ErrorKind::ReadOnly
        | ErrorKind::Disabled
        | ErrorKind::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
        // A bug.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        tracing::warn!(event = "webhook.refused", status = self.status.as_u16(), code = &*self.code);
        let body = json!({ "taken": false, "code": self.code, "message": self.message });
        let mut response = (self.status, Json(body)).into_response();
        if let Some(delay) = self.retry_after {
            let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
            response.headers_mut().insert(RETRY_AFTER, seconds.max(1).into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"webhooks\""));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use resilient_runtime::error::Fault;

    use super::*;

    #[test]
    fn only_what_the_sender_has_to_change_ends_its_repetitions() {
        for kind in ErrorKind::ALL {
            let ends = status(*kind).is_client_error() && status(*kind) != StatusCode::TOO_MANY_REQUESTS;
            // Make denies the permission to the token of this server, not to the sender.
            let is_event = kind.fault() == Fault::Caller && *kind != ErrorKind::PermissionDenied;
            assert_eq!(ends, is_event, "{kind:?}");
            assert!(!(ends && kind.is_retryable()), "{kind:?}");
        }
    }

    #[test]
    fn a_repetition_that_may_help_has_a_delay_of_whole_seconds() {
        let delay = |error: &MakeError| {
            let response = Refusal::of(error).into_response();
            response.headers().get(RETRY_AFTER).map(|value| value.to_str().unwrap().to_owned())
        };
        let limited = |wait| MakeError::RateLimited { wait };
        assert_eq!(delay(&limited(Some(Duration::from_millis(1_200)))).as_deref(), Some("2"));
        assert_eq!(delay(&limited(Some(Duration::ZERO))).as_deref(), Some("1"));
        assert_eq!(delay(&limited(None)).as_deref(), Some("10"));
        assert_eq!(delay(&MakeError::NoSuchScenario { id: 1 }), None);
    }
}
