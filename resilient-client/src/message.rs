//! One JSON-RPC message: its text, and the positions of the parts that are interpreted.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::string::FromUtf8Error;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// A JSON-RPC message. It keeps the text that was received, so that what is not interpreted passes unchanged.
///
/// ```
/// use resilient_client::Message;
///
/// let call = Message::parse(r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo"}}"#)?;
/// assert_eq!((call.method(), call.id(), call.params()), (Some("tools/call"), Some("7"), Some(r#"{"name":"echo"}"#)));
/// assert_eq!(call.with_id("\"a\"").text(), call.text().replace('7', "\"a\""));
/// # Ok::<(), resilient_client::NotAMessage>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    text: Box<str>,
    method: Option<Box<str>>,
    id: Option<Range<usize>>,
    params: Option<Range<usize>>,
    outcome: Option<Outcome>,
}

/// The part of a response that says how the request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Result(Range<usize>),
    Error(Range<usize>),
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// It has an id and a method, and needs a response.
    Request,
    /// It has a method and no id.
    Notification,
    /// It has the id of a request, and a result or an error.
    Response,
}

/// The error for a text that is not a JSON-RPC message. It does not contain the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON-RPC message")]
pub struct NotAMessage;

#[derive(Deserialize)]
struct Parts<'t> {
    #[serde(borrow, default, deserialize_with = "raw")]
    id: Option<&'t RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'t, str>>,
    #[serde(borrow, default, deserialize_with = "raw")]
    params: Option<&'t RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    result: Option<&'t RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    error: Option<&'t RawValue>,
}

/// The parts of a text that is a message.
struct Positions {
    method: Option<Box<str>>,
    id: Option<Range<usize>>,
    params: Option<Range<usize>>,
    outcome: Option<Outcome>,
}

impl Positions {
    fn of(self, text: Box<str>) -> Message {
        let Self { method, id, params, outcome } = self;
        Message { text, method, id, params, outcome }
    }
}

/// Reads a value that is there, even if it is `null`.
fn raw<'de: 't, 't, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'t RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl Message {
    /// Reads one message.
    ///
    /// # Errors
    /// [`NotAMessage`] for a text that is not a JSON object, and for an object that is neither a request, nor a
    /// notification, nor a response. The id of a request or a response must be a string or a number.
    pub fn parse(text: impl Into<Box<str>>) -> Result<Self, NotAMessage> {
        let text = text.into();
        let positions = Self::parts(&text).ok_or(NotAMessage)?;
        Ok(positions.of(text))
    }

    /// Finds the parts of a message.
    fn parts(text: &str) -> Option<Positions> {
        // Serde would also read an array of the parts.
        if !text.trim_start().starts_with('{') {
            return None;
        }
        let parts: Parts<'_> = serde_json::from_str(text).ok()?;
        let range = |part: &RawValue| range_of(text, part.get());
        let id = parts.id.filter(|id| is_id(id.get()));
        let outcome = match (parts.result, parts.error) {
            (Some(result), None) => Some(Outcome::Result(range(result))),
            (None, Some(error)) if error.get().starts_with('{') => Some(Outcome::Error(range(error))),
            _ => None,
        };
        let is_message = match &parts.method {
            Some(_) => parts.result.is_none() && parts.error.is_none() && parts.id.is_none() == id.is_none(),
            None => id.is_some() && outcome.is_some(),
        };
        let method = parts.method.map(|method| method.into_owned().into_boxed_str());
        is_message.then(|| Positions { method, id: id.map(range), params: parts.params.map(range), outcome })
    }

    /// Reads one message, or the messages of a batch, which the protocol version 2025-03-26 allows.
    ///
    /// # Errors
    /// [`NotAMessage`], if any of them is not one.
    pub fn parse_batch(text: &str) -> Result<Vec<Self>, NotAMessage> {
        if !text.trim_start().starts_with('[') {
            return Self::parse(text).map(|message| vec![message]);
        }
        let parts: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| NotAMessage)?;
        parts.into_iter().map(|part| Self::parse(part.get())).collect()
    }

    /// Reads a line: one message or a batch.
    ///
    /// # Errors
    /// The bytes, if they are neither.
    pub fn parse_line(line: Vec<u8>) -> Result<Vec<Self>, Vec<u8>> {
        let text = String::from_utf8(line).map_err(FromUtf8Error::into_bytes)?;
        if text.trim_start().starts_with('[') {
            return Self::parse_batch(&text).map_err(|_| text.into_bytes());
        }
        match Self::parts(&text) {
            Some(parts) => Ok(vec![parts.of(text.into_boxed_str())]),
            None => Err(text.into_bytes()),
        }
    }

    /// Creates a request. `id` and `params` are JSON.
    #[must_use]
    pub fn request(id: &str, method: &str, params: &Value) -> Self {
        let method = json!(method);
        Self::built(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":{method},"params":{params}}}"#))
    }

    /// Creates a notification.
    #[must_use]
    pub fn notification(method: &str, params: &Value) -> Self {
        let method = json!(method);
        Self::built(format!(r#"{{"jsonrpc":"2.0","method":{method},"params":{params}}}"#))
    }

    /// Creates the notification that cancels a request. `id` is JSON.
    #[must_use]
    pub fn cancelled(id: &str, reason: &str) -> Self {
        let id: Box<RawValue> = serde_json::from_str(id).unwrap_or_default();
        Self::notification("notifications/cancelled", &json!({ "requestId": id, "reason": reason }))
    }

    /// Creates a successful response. `id` and `result` are JSON.
    #[must_use]
    pub fn result_of(id: &str, result: &str) -> Self {
        Self::built(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#))
    }

    /// Creates an error response. `id` is JSON.
    #[must_use]
    pub fn error_of(id: &str, code: i32, message: &str, data: Option<&Value>) -> Self {
        let mut error = json!({ "code": code, "message": message });
        if let Some(data) = data {
            error["data"] = data.clone();
        }
        Self::built(format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#))
    }

    /// Reads what this module has written. An `id` that is not JSON becomes `0`.
    fn built(text: String) -> Self {
        debug_assert!(Self::parse(text.as_str()).is_ok(), "{text}");
        Self::parse(text).unwrap_or(Self { text: "{}".into(), method: None, id: None, params: None, outcome: None })
    }

    /// Returns the text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the text as one line with its line break, as transports over standard input and output need it.
    #[must_use]
    pub fn to_line(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(self.text.len() + 1);
        line.extend_from_slice(self.text.as_bytes());
        // Line breaks between the tokens of a JSON text are spaces.
        line.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
        line.push(b'\n');
        line
    }

    /// Returns what the message is.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        match (&self.method, &self.id) {
            (Some(_), Some(_)) => MessageKind::Request,
            (Some(_), None) => MessageKind::Notification,
            (None, _) => MessageKind::Response,
        }
    }

    /// Returns the method of a request or a notification.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// Returns the id as JSON: `7` or `"a"`.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.part(self.id.as_ref())
    }

    /// Returns the parameters as JSON.
    #[must_use]
    pub fn params(&self) -> Option<&str> {
        self.part(self.params.as_ref())
    }

    /// Returns the result of a response as JSON.
    #[must_use]
    pub fn result(&self) -> Option<&str> {
        match &self.outcome {
            Some(Outcome::Result(range)) => self.part(Some(range)),
            _ => None,
        }
    }

    /// Returns the error of a response as JSON.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        match &self.outcome {
            Some(Outcome::Error(range)) => self.part(Some(range)),
            _ => None,
        }
    }

    /// Reads the parameters. Returns `None` if there are none or they do not have this form.
    #[must_use]
    pub fn read_params<'m, T: Deserialize<'m>>(&'m self) -> Option<T> {
        serde_json::from_str(self.params()?).ok()
    }

    /// Reads the result. Returns `None` if there is none or it does not have this form.
    #[must_use]
    pub fn read_result<'m, T: Deserialize<'m>>(&'m self) -> Option<T> {
        serde_json::from_str(self.result()?).ok()
    }

    /// Returns the message with another id, which is JSON. A notification stays unchanged.
    #[must_use]
    pub fn with_id(&self, id: &str) -> Self {
        match &self.id {
            Some(range) => self.replaced(range.clone(), id),
            None => self.clone(),
        }
    }

    /// Returns the message with `new` in place of `part`, which is a part of [`text`](Self::text): a slice of it, not of
    /// a copy. Both are JSON values. With any other slice, the message stays unchanged.
    #[must_use]
    pub fn with_part(&self, part: &str, new: &str) -> Self {
        let text = self.text.as_bytes().as_ptr_range();
        let inside = part.as_bytes().as_ptr_range();
        if inside.start < text.start || inside.end > text.end {
            return self.clone();
        }
        self.replaced(range_of(&self.text, part), new)
    }

    fn replaced(&self, range: Range<usize>, new: &str) -> Self {
        let text = [&self.text[..range.start], new, &self.text[range.end..]].concat().into_boxed_str();
        // Parts contain the replaced one, are in front of it, or follow it.
        let moved = |offset: usize| if offset >= range.end { offset - range.len() + new.len() } else { offset };
        let shifted = |part: &Range<usize>| moved_start(part, &range, moved)..moved(part.end);
        let outcome = self.outcome.as_ref().map(|outcome| match outcome {
            Outcome::Result(part) => Outcome::Result(shifted(part)),
            Outcome::Error(part) => Outcome::Error(shifted(part)),
        });
        Self {
            text,
            method: self.method.clone(),
            id: self.id.as_ref().map(shifted),
            params: self.params.as_ref().map(shifted),
            outcome,
        }
    }

    fn part(&self, range: Option<&Range<usize>>) -> Option<&str> {
        range.map(|range| &self.text[range.clone()])
    }
}

/// A part that begins where the replaced one begins does not move.
fn moved_start(part: &Range<usize>, replaced: &Range<usize>, moved: impl Fn(usize) -> usize) -> usize {
    if part.start <= replaced.start { part.start } else { moved(part.start) }
}

/// Returns the position of a part, which must be a slice of the text.
fn range_of(text: &str, part: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    start..start + part.len()
}

fn is_id(text: &str) -> bool {
    text.starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
}

impl fmt::Debug for Message {
    /// Shows the method and the id: the rest may be confidential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Message");
        shown.field("kind", &self.kind()).field("method", &self.method()).field("id", &self.id());
        shown.field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}
