//! The body of a change: the fields of a JSON object or of a form.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::refusal::Refusal;
use crate::access_token::AccessToken;
use crate::redact;
use crate::statistics::AdminRefusal;

/// The maximum size of a body.
const LARGEST: usize = 4 * 1024;
/// The time within which a body must have arrived.
const LONGEST: Duration = Duration::from_secs(5);
/// The maximum number of characters of `by`.
const LONGEST_BY: usize = 64;

const FORM: &str = "application/x-www-form-urlencoded";

/// The fields of a body.
#[derive(Clone, Default)]
pub(super) struct Fields {
    values: Map<String, Value>,
    /// Who makes the change, as claimed.
    pub(super) by: Option<String>,
    /// Whether the body is a form, which a browser sends and a person reads the answer of.
    pub(super) is_form: bool,
}

impl Fields {
    pub(super) fn may_be_form(headers: &HeaderMap) -> bool {
        content_type(headers).is_some_and(|is| is == FORM)
    }

    /// Reads the body of a request.
    pub(super) async fn read(request: &mut Request) -> Result<Self, Refusal> {
        let content_type = content_type(request.headers());
        let mut body = Request::new(std::mem::take(request.body_mut()));
        DefaultBodyLimit::max(LARGEST).apply(&mut body);
        let bytes = match timeout(LONGEST, Bytes::from_request(body, &())).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                let text = format!("the body has more than {LARGEST} bytes");
                return Err(Refusal::new(AdminRefusal::BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE, text));
            }
            Ok(Err(_)) => return Err(Refusal::body("the body could not be read")),
            Err(_) => {
                let text = "the body did not arrive in time";
                return Err(Refusal::new(AdminRefusal::BodyTimeout, StatusCode::REQUEST_TIMEOUT, text));
            }
        };
        match content_type.as_deref() {
            Some("application/json") => {
                let values = serde_json::from_slice(&bytes).map_err(|_| Refusal::body("expected an object in JSON"))?;
                Ok(Self { values, by: None, is_form: false })
            }
            Some(FORM) => form(&bytes),
            None if bytes.is_empty() => Ok(Self::default()),
            _ => {
                let text = format!("expected `application/json` or `{FORM}`");
                Err(Refusal::new(AdminRefusal::Body, StatusCode::UNSUPPORTED_MEDIA_TYPE, text))
            }
        }
    }

    /// Removes and returns the token of a form.
    pub(super) fn take_token(&mut self) -> Option<String> {
        match self.values.remove("token") {
            Some(Value::String(token)) => Some(token),
            _ => None,
        }
    }

    /// Takes who makes the change out of the fields.
    pub(super) fn take_by(&mut self, token: &AccessToken) -> Result<(), Refusal> {
        // A form may repeat the token that the header has as well.
        if self.is_form {
            self.values.remove("token");
        }
        let by = match self.values.remove("by") {
            None => return Ok(()),
            Some(Value::String(by)) if by.chars().count() <= LONGEST_BY && !token.is_in(&by) => by,
            Some(_) => {
                let text = format!("expected `by` to be a text of at most {LONGEST_BY} characters, without secrets");
                return Err(Refusal::body(text));
            }
        };
        self.by = Some(redact::fit(&by)).filter(|by| !by.is_empty());
        Ok(())
    }

    /// Reads the fields, of which none may be unknown.
    pub(super) fn parse<T: DeserializeOwned>(self, expected: &'static str) -> Result<T, Refusal> {
        // The error of the parser is not repeated, because it may contain what the body contains.
        serde_json::from_value(Value::Object(self.values)).map_err(|_| Refusal::body(expected))
    }
}

fn form(bytes: &[u8]) -> Result<Fields, Refusal> {
    let mut values = Map::new();
    for (name, value) in form_urlencoded::parse(bytes) {
        let value = match (&*name, &*value) {
            ("enabled", "true") => Value::Bool(true),
            ("enabled", "false") => Value::Bool(false),
            (_, text) => text.into(),
        };
        if values.insert(name.into_owned(), value).is_some() {
            return Err(Refusal::body("expected each field once"));
        }
    }
    Ok(Fields { values, by: None, is_form: true })
}

/// Returns the media type without its parameters.
fn content_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().unwrap_or_default();
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}
