//! Requests that are refused: a status, and the reason as a JSON-RPC error.

use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// The text is not JSON.
pub(super) const PARSE_ERROR: i32 = -32_700;
/// The JSON is not a message, or not one that is expected here.
pub(super) const INVALID_REQUEST: i32 = -32_600;
/// The method does not exist.
pub(super) const METHOD_NOT_FOUND: i32 = -32_601;
/// The parameters lack something.
pub(super) const INVALID_PARAMS: i32 = -32_602;
/// A header contradicts the message.
pub(super) const HEADER_MISMATCH: i32 = -32_020;
/// The protocol version is not supported.
pub(super) const UNSUPPORTED_VERSION: i32 = -32_022;
/// Any other error of this server.
const SERVER_ERROR: i32 = -32_000;

/// A request that is refused.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: i32,
    text: Cow<'static, str>,
    /// The id of the request as JSON, if it is known.
    id: Option<Box<str>>,
    data: Option<Box<Value>>,
    header: Option<(&'static str, &'static str)>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code: SERVER_ERROR, text: text.into(), id: None, data: None, header: None }
    }

    /// Refuses a malformed request, with this code of JSON-RPC.
    pub(super) fn bad_request(code: i32, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, ..Self::new(StatusCode::BAD_REQUEST, text) }
    }

    /// Refuses a method that the protocol version does not have.
    pub(super) fn method_not_found(method: &str) -> Self {
        let refusal = Self::new(StatusCode::NOT_FOUND, "Method not found");
        Self { code: METHOD_NOT_FOUND, ..refusal }.with_data(method.into())
    }

    pub(super) fn with_id(self, id: Option<&str>) -> Self {
        Self { id: id.map(Into::into), ..self }
    }

    pub(super) fn with_data(self, data: Value) -> Self {
        Self { data: Some(Box::new(data)), ..self }
    }

    pub(super) fn with_header(self, name: &'static str, value: &'static str) -> Self {
        Self { header: Some((name, value)), ..self }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut error = json!({ "code": self.code, "message": self.text });
        if let Some(data) = self.data {
            error["data"] = *data;
        }
        let id: Option<&RawValue> = self.id.as_deref().and_then(|id| serde_json::from_str(id).ok());
        let body = json!({ "jsonrpc": "2.0", "id": id, "error": error });
        tracing::debug!(event = "http.refused", status = self.status.as_u16(), reason = &*self.text);
        let mut response = (self.status, Json(body)).into_response();
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        response
    }
}
