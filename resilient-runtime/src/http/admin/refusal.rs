//! A refused request: its response, its event and its count.

use std::borrow::Cow;
use std::time::Duration;

#[cfg(feature = "status-page")]
use axum::Extension;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
#[cfg(feature = "status-page")]
use axum::response::IntoResponse as _;
use axum::response::Response;
use serde::Serialize;
use serde_json::json;

use crate::http::now;
use crate::panics::catch_panic;
use crate::registry::Registry;
use crate::statistics::AdminRefusal;

/// Why a request was refused, and how it is answered. The text never repeats what the request contained.
pub(super) struct Refusal {
    pub(super) reason: AdminRefusal,
    pub(super) status: StatusCode,
    pub(super) text: Cow<'static, str>,
    headers: Vec<(axum::http::HeaderName, HeaderValue)>,
}

impl Refusal {
    pub(super) fn new(reason: AdminRefusal, status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, status, text: text.into(), headers: Vec::new() }
    }

    /// A request without the token. Only requests that change nothing accept Basic.
    pub(super) fn unauthorized(reason: AdminRefusal, accepts_basic: bool) -> Self {
        let text = if accepts_basic {
            "expected the token of this server, as bearer token or as password of HTTP Basic"
        } else {
            "expected the token of this server, as bearer token or as the field `token` of a form"
        };
        let mut refusal = Self::new(reason, StatusCode::UNAUTHORIZED, text);
        let bearer = HeaderValue::from_static("Bearer realm=\"operators\"");
        refusal.headers.push((WWW_AUTHENTICATE, bearer));
        if accepts_basic {
            let basic = HeaderValue::from_static("Basic realm=\"operators\", charset=\"UTF-8\"");
            refusal.headers.push((WWW_AUTHENTICATE, basic));
        }
        refusal
    }

    /// A request after too many wrong tokens.
    pub(super) fn too_many(left: Duration) -> Self {
        let text = "too many wrong tokens; try again later";
        let mut refusal = Self::new(AdminRefusal::RateLimit, StatusCode::TOO_MANY_REQUESTS, text);
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        refusal.headers.push((RETRY_AFTER, seconds.into()));
        refusal
    }

    /// A body that is not as expected.
    pub(super) fn body(expected: impl Into<Cow<'static, str>>) -> Self {
        Self::new(AdminRefusal::Body, StatusCode::BAD_REQUEST, expected)
    }

    /// Counts and logs the refusal, and builds the response.
    pub(super) fn respond(self, registry: &Registry) -> Response {
        let Self { reason, status, text, headers } = self;
        record(registry, reason, None);
        let mut response = respond(status, json!({ "error": text }), vec![text.into_owned()]);
        for (name, value) in headers {
            response.headers_mut().append(name, value);
        }
        response
    }
}

/// What is wrong with a request, as one or more sentences: an extension of the response, for the page that shows it.
#[cfg(feature = "status-page")]
#[derive(Debug, Clone)]
pub(super) struct Problem(pub(super) Vec<String>);

/// Builds a response that says what is wrong: with this body, or with these texts if a person reads it.
pub(super) fn respond(status: StatusCode, body: impl Serialize, texts: Vec<String>) -> Response {
    let response = now(status, body);
    #[cfg(feature = "status-page")]
    let response = (Extension(Problem(texts)), response).into_response();
    #[cfg(not(feature = "status-page"))]
    drop(texts);
    response
}

/// Counts and logs a refusal, with who claims to have sent the request.
pub(super) fn record(registry: &Registry, reason: AdminRefusal, by: Option<&str>) {
    registry.admin_refusals.add(reason);
    catch_panic(|| tracing::warn!(event = "admin.refused", reason = reason.as_str(), by));
}
