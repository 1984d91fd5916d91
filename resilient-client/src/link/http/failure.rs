//! Why a message was not delivered, as sentences and classes.

use std::time::Duration;

use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use resilient_runtime::classify::parse_retry_after;
use resilient_runtime::redact;

use crate::lines::MAX_MESSAGE;
use crate::link::http::client::root;
use crate::link::{Reason, SendError};

/// How many characters of a body an error shows.
const EXCERPT: usize = 200;

/// How many bytes of a body are searched for them.
const SEARCHED: usize = 4 * EXCERPT;

fn unprocessed(reason: Reason, message: String) -> SendError {
    SendError { message, reason, is_unprocessed: true, retry_after: None }
}

fn unknown(reason: Reason, message: String) -> SendError {
    SendError { message, reason, is_unprocessed: false, retry_after: None }
}

/// The link cannot be opened.
pub(super) fn unusable(why: &str) -> SendError {
    unprocessed(Reason::Unexpected, format!("the HTTP client cannot be built: {why}"))
}

/// The link was closed before or during an exchange.
pub(super) fn closed(is_unprocessed: bool) -> SendError {
    let message = "the connection to the server was closed".into();
    SendError { message, reason: Reason::Lost, is_unprocessed, retry_after: None }
}

/// The stream that should have carried the response has ended.
pub(super) fn lost(why: &str) -> SendError {
    unknown(Reason::Lost, format!("the server's stream ended before the response came: {why}"))
}

/// A connection could not be made, or broke. `origin` is the scheme, host and port of the server.
pub(super) fn transport(origin: &str, error: &reqwest::Error) -> SendError {
    let why = root(error);
    if error.is_connect() {
        unprocessed(Reason::Lost, format!("cannot connect to {origin}: {why}"))
    } else if error.is_builder() {
        unprocessed(Reason::Unexpected, format!("the request cannot be built: {why}"))
    } else {
        unknown(Reason::Lost, format!("the connection to {origin} broke before the response came: {why}"))
    }
}

/// The response exceeded the limit.
pub(super) fn too_long() -> SendError {
    let limit = MAX_MESSAGE / (1024 * 1024);
    unknown(Reason::Unexpected, format!("the server's response is larger than {limit} MiB"))
}

/// The server answered a request with a successful status and without a response.
pub(super) fn unanswered(status: StatusCode, body: &[u8]) -> SendError {
    let number = status.as_u16();
    unknown(Reason::Unexpected, with_excerpt(format!("the server sent no response (HTTP status {number})"), body))
}

/// The server answered with the status of an error.
pub(super) fn refused(status: StatusCode, headers: &HeaderMap, body: &[u8], has_session: bool) -> SendError {
    let (what, reason, is_unprocessed) = match status.as_u16() {
        404 if has_session => ("the server does not know the session", Reason::SessionEnded, true),
        400 if has_session && is_about_session(body) => {
            ("the server does not accept the session", Reason::SessionEnded, true)
        }
        401 => ("the server requires credentials", Reason::Unauthorized, true),
        403 => ("the server refuses access", Reason::Unauthorized, true),
        429 => ("the server limits the rate of requests", Reason::TooManyRequests, true),
        // A proxy may send these after the server has begun to process the request.
        502..=504 => ("the server is not available", Reason::Unavailable, false),
        300..=399 => ("the server redirects elsewhere, which the client does not follow", Reason::Unexpected, false),
        _ => ("the server rejected the request", Reason::Unexpected, false),
    };
    let mut message = format!("{what} (HTTP status {})", status.as_u16());
    if let Some(target) = target(status, headers) {
        message = format!("{message} to {target}");
    }
    let retry_after = retry_after(headers).filter(|_| matches!(reason, Reason::TooManyRequests | Reason::Unavailable));
    SendError { message: with_excerpt(message, body), reason, is_unprocessed, retry_after }
}

/// Returns how long the server asked to wait.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    parse_retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?)
}

/// Returns the origin that a redirect names. Its other parts may contain secrets.
fn target(status: StatusCode, headers: &HeaderMap) -> Option<String> {
    let location = headers.get(LOCATION).filter(|_| status.is_redirection())?;
    Some(Url::parse(location.to_str().ok()?).ok()?.origin().ascii_serialization())
}

/// What servers say with status 400 of a session that they do not know, in lower case and without the last full stop.
const UNKNOWN_SESSION: [&str; 7] = [
    "bad request: no valid session id provided",
    "bad request: server not initialized",
    "invalid or missing session id",
    "invalid session id",
    "no valid session id provided",
    "server not initialized",
    "session not found",
];

/// Some servers answer requests of sessions that they do not know with status 400, as text or as an error without the id
/// of a request. A tool may speak of sessions too, so only the exact words of transports count.
pub(super) fn is_about_session(body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Refusal {
        #[serde(default)]
        id: Option<serde_json::Value>,
        error: Said,
    }
    #[derive(serde::Deserialize)]
    struct Said {
        #[serde(rename = "code")]
        _code: i64,
        message: String,
    }
    let says = |text: &str| UNKNOWN_SESSION.contains(&text.trim().trim_end_matches('.').to_lowercase().as_str());
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => refusal.id.is_none_or(|id| id == "server-error") && says(&refusal.error.message),
        Err(_) => std::str::from_utf8(body).is_ok_and(says),
    }
}

/// Adds the beginning of the body, with secrets masked.
fn with_excerpt(message: String, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(SEARCHED)]);
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    let masked = redact::text(&words.join(" "));
    if masked.is_empty() {
        return message;
    }
    let end = masked.char_indices().nth(EXCERPT).map_or(masked.len(), |(end, _)| end);
    let more = if end < masked.len() { "…" } else { "" };
    format!("{message}: {}{more}", &masked[..end])
}
