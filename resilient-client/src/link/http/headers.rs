//! The headers that repeat parts of a message, so that what is between client and server can read them.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::message::Message;

pub(super) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
pub(super) const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// The first protocol version with [`METHOD`] and [`NAME`], and without sessions.
const FIRST_MODERN: &str = "2026-07-28";

/// Returns whether a protocol version belongs to the era without sessions.
pub(super) fn is_modern(version: &str) -> bool {
    version >= FIRST_MODERN
}

/// The parts of the parameters that headers repeat.
#[derive(Deserialize, Default)]
pub(super) struct Addressed<'m> {
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<&'m RawValue>,
    #[serde(borrow, default)]
    name: Option<&'m RawValue>,
    #[serde(borrow, default)]
    uri: Option<&'m RawValue>,
    #[serde(borrow, default, rename = "taskId")]
    task: Option<&'m RawValue>,
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    version: String,
}

impl<'m> Addressed<'m> {
    pub(super) fn of(message: &'m Message) -> Self {
        message.read_params().unwrap_or_default()
    }

    /// Returns the protocol version that the message itself names.
    pub(super) fn version(&self) -> Option<String> {
        serde_json::from_str::<Meta>(self.meta?.get()).ok().map(|meta| meta.version)
    }

    /// Returns what a message with this method is about: a tool, a prompt, a resource or a task.
    pub(super) fn name(&self, method: &str) -> Option<String> {
        let name = match method {
            "tools/call" | "prompts/get" => self.name,
            "resources/read" | "resources/subscribe" | "resources/unsubscribe" => self.uri,
            "tasks/get" | "tasks/update" | "tasks/cancel" => self.task,
            _ => None,
        };
        serde_json::from_str(name?.get()).ok()
    }
}

/// Adds the headers of the modern era.
pub(super) fn add_standard(headers: &mut HeaderMap, method: &str, name: Option<&str>) {
    add(headers, METHOD, method);
    if let Some(name) = name {
        add(headers, NAME, &encoded(name));
    }
}

/// Adds a header. Without the header, the server rejects the message, so a value that is not valid needs no error here.
pub(super) fn add(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// The form of a value that a header cannot carry as it is.
const START: &str = "=?base64?";
const END: &str = "?=";

/// Encodes a value that a header cannot carry as it is.
pub(super) fn encoded(value: &str) -> Cow<'_, str> {
    let is_printable = value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let looks_encoded = value.starts_with(START) && value.ends_with(END);
    if is_printable && !looks_encoded && value.trim_matches(' ') == value {
        return Cow::Borrowed(value);
    }
    Cow::Owned(format!("{START}{}{END}", BASE64_STANDARD.encode(value)))
}

/// Decodes what [`encoded`] returns. Returns `None` if the value has the form and is not valid Base64 of a text.
pub(super) fn decoded(value: &str) -> Option<Cow<'_, str>> {
    let Some(inner) = value.strip_prefix(START).and_then(|inner| inner.strip_suffix(END)) else {
        return Some(Cow::Borrowed(value));
    };
    String::from_utf8(BASE64_STANDARD.decode(inner).ok()?).ok().map(Cow::Owned)
}
