//! Errors as clients receive them: an object for programs and a text for the model.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::time::Duration;

use resilient_policy::{Effect, ErrorKind, format_duration};
use serde_json::{Map, Value, json};

use super::{ToolError, public_text};
use crate::Classify;
use crate::classify::LONGEST_RETRY_AFTER;
use crate::clock::saturating_millis;

macro_rules! meta_key {
    ($name:literal) => {
        concat!("io.crates.resilient-runtime/", $name)
    };
}

/// The `_meta` key of an error.
///
/// ```
/// // `{ "code": "SHOP_NO_SUCH_ORDER", "kind": "not_found", "retryable": false, .. }` stands under
/// assert_eq!(resilient_runtime::error::ERROR_META, "io.crates.resilient-runtime/error");
/// ```
pub const ERROR_META: &str = meta_key!("error");
/// The `_meta` key of a successful call.
pub const CALL_META: &str = meta_key!("call");
/// The `_meta` key of a tool's policy in the tool list.
pub const POLICY_META: &str = meta_key!("policy");
/// The `_meta` key in which a client may send its own correlation id.
pub const CORRELATION_META: &str = meta_key!("correlation-id");

/// The note of an error after which nothing was changed.
pub(crate) const NOTHING_CHANGED: &str = "Nothing was changed.";

/// An error in the form in which clients receive it, for programs that forward calls: read from the response of a
/// server of this crate, or created for a response that they make.
///
/// The object is in `_meta` of a result with `isError`, or in `data` of a JSON-RPC error, under [`ERROR_META`]. The
/// [text](Self::text) is the content of the result, or the message of the JSON-RPC error.
///
/// ```
/// use std::time::Duration;
/// use resilient_runtime::ErrorKind;
/// use resilient_runtime::error::{ERROR_META, WireError};
/// use resilient_runtime::policy::Effect;
///
/// let error = WireError::new("SERVER_GONE", ErrorKind::Connection, "the server `files` has ended")
///     .retry_after(Duration::from_secs(2))
///     .may_have_run(Effect::Writes);
/// assert_eq!(
///     error.text(),
///     "SERVER_GONE: the server `files` has ended. It may have taken effect; check before repeating it. Do not retry \
///      before 2s."
/// );
/// let meta = serde_json::json!({ ERROR_META: error.to_object() });
/// assert_eq!(WireError::from_meta(&meta).unwrap().retry_after, Some(Duration::from_secs(2)));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct WireError {
    /// The stable code for programs.
    pub code: String,
    /// The kind.
    pub kind: ErrorKind,
    /// The message. The object does not contain it.
    pub message: String,
    /// The sentences about what the call may have done. The object does not contain them.
    pub note: Option<String>,
    /// Whether it makes sense to repeat the call.
    pub retryable: bool,
    /// The time for which the call should not be repeated.
    pub retry_after: Option<Duration>,
    /// Advice for the model.
    pub hint: Option<String>,
    /// The number of times the body was run, if the call has ended.
    pub attempts: Option<u32>,
    /// The id under which the log of the server has the details.
    pub correlation_id: Option<String>,
    /// Why the error was not retried, in one word.
    pub reason: Option<String>,
    /// Public facts for programs. `performed` is `false` if the call certainly did not run.
    pub details: Map<String, Value>,
}

impl WireError {
    /// Creates an error with the hint of its kind, which is retryable if the kind is. Texts are cleaned like those of
    /// any error: secrets are masked, and they have at most 1,000 characters.
    #[must_use]
    pub fn new(code: impl Into<String>, kind: ErrorKind, message: impl AsRef<str>) -> Self {
        Self {
            code: public_text(&code.into()),
            kind,
            message: public_text(message.as_ref()),
            note: None,
            retryable: kind.is_retryable(),
            retry_after: None,
            hint: Some(kind.default_hint().into()),
            attempts: None,
            correlation_id: None,
            reason: None,
            details: Map::new(),
        }
    }

    /// Sets the time for which the call should not be repeated.
    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Notes that the call may have run although there is no response, and that its tool has this effect. If it is not
    /// safe to repeat the call, the error is not retryable, and the hint of its kind is removed: it may advise to.
    #[must_use]
    pub fn may_have_run(mut self, effect: Effect) -> Self {
        self.note = effect_note(effect).map(Into::into);
        self.retryable &= effect.is_repeatable();
        if self.note.is_some() {
            self.hint = self.hint.filter(|hint| hint != self.kind.default_hint());
        }
        self
    }

    /// Notes that the call certainly did not run.
    #[must_use]
    pub fn not_performed(mut self) -> Self {
        self.note = Some(NOTHING_CHANGED.into());
        self.details.insert("performed".into(), json!(false));
        self
    }

    /// Reads an error from the `_meta` of a result or the `data` of a JSON-RPC error. Returns `None` if there is none
    /// of this crate, or one of an unknown kind. The wait is at most [`LONGEST_RETRY_AFTER`].
    #[must_use]
    pub fn from_meta(meta: &Value) -> Option<Self> {
        Self::from_object(meta.get(ERROR_META)?)
    }

    /// Like [`from_meta`](Self::from_meta), from JSON, such as that of a `serde_json::value::RawValue`. Text without
    /// such an error is not parsed.
    #[must_use]
    pub fn from_meta_json(meta: &str) -> Option<Self> {
        if !meta.contains(ERROR_META) {
            return None;
        }
        Self::from_meta(&serde_json::from_str(meta).ok()?)
    }

    /// Reads the object of an error.
    pub(crate) fn from_object(object: &Value) -> Option<Self> {
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        let owned = |name: &str| text(name).map(ToOwned::to_owned);
        let number = |name: &str| object.get(name).and_then(Value::as_u64);
        Some(Self {
            code: owned("code")?,
            kind: text("kind")?.parse().ok()?,
            message: String::new(),
            note: None,
            retryable: object.get("retryable").and_then(Value::as_bool).unwrap_or(false),
            retry_after: number("retry_after_ms").map(|wait| Duration::from_millis(wait).min(LONGEST_RETRY_AFTER)),
            hint: owned("hint"),
            attempts: number("attempts").and_then(|attempts| attempts.try_into().ok()),
            correlation_id: owned("correlation_id"),
            reason: owned("reason"),
            details: object.get("details").and_then(Value::as_object).cloned().unwrap_or_default(),
        })
    }

    /// Returns whether the call ran, as far as the error says: `Some(false)` if it certainly did not.
    #[must_use]
    pub fn performed(&self) -> Option<bool> {
        self.details.get("performed").and_then(Value::as_bool)
    }

    /// Returns the object for programs, which belongs under [`ERROR_META`].
    #[must_use]
    pub fn to_object(&self) -> Map<String, Value> {
        let mut object = Map::new();
        object.insert("code".into(), json!(self.code));
        object.insert("kind".into(), json!(self.kind.as_str()));
        object.insert("retryable".into(), json!(self.retryable));
        if let Some(wait) = self.retry_after {
            object.insert("retry_after_ms".into(), json!(saturating_millis(wait)));
        }
        if let Some(hint) = &self.hint {
            object.insert("hint".into(), json!(hint));
        }
        if let Some(attempts) = self.attempts {
            object.insert("attempts".into(), json!(attempts));
        }
        if let Some(id) = &self.correlation_id {
            object.insert("correlation_id".into(), json!(id));
        }
        if let Some(reason) = &self.reason {
            object.insert("reason".into(), json!(reason));
        }
        if !self.details.is_empty() {
            object.insert("details".into(), Value::Object(self.details.clone()));
        }
        object
    }

    /// Returns the text for the model: the code, the message, what the call may have done, when to repeat it at the
    /// earliest, the hint, and the correlation id.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}: {}", self.code, sentence(&self.message));
        if let Some(note) = &self.note {
            text.push(' ');
            text.push_str(note);
        }
        // Writing to a `String` cannot fail.
        if let Some(wait) = self.retry_after.filter(|wait| !wait.is_zero()) {
            let _ = write!(text, " Do not retry before {}.", in_seconds(wait));
        }
        if let Some(hint) = &self.hint {
            text.push(' ');
            text.push_str(&sentence(hint));
        }
        if let Some(id) = &self.correlation_id {
            let _ = write!(text, " (correlation id {id})");
        }
        text
    }
}

/// Returns the sentence about a call of a tool with this effect that may have run, unless it is safe to repeat it.
pub(crate) const fn effect_note(effect: Effect) -> Option<&'static str> {
    match effect {
        Effect::ReadOnly | Effect::Idempotent => None,
        Effect::Writes => Some("It may have taken effect; check before repeating it."),
        Effect::Unknown => Some("If it changes anything, it may have taken effect: check before repeating it."),
    }
}

/// Formats a duration in whole seconds, rounded up, so that waiting that long is sufficient.
pub(crate) fn in_seconds(duration: Duration) -> String {
    let seconds = duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0));
    format_duration(Duration::from_secs(seconds))
}

fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '!', '?', '…']) { text.to_owned() } else { format!("{text}.") }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for WireError {}

impl Classify for WireError {
    fn kind(&self) -> ErrorKind {
        self.kind
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    fn was_not_performed(&self) -> bool {
        self.performed() == Some(false)
    }
}

#[diagnostic::do_not_recommend]
impl ToolError for WireError {
    fn code(&self) -> Cow<'static, str> {
        self.code.clone().into()
    }

    fn public_message(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.message)
    }

    fn hint(&self) -> Option<Cow<'_, str>> {
        self.hint.as_deref().map(Cow::Borrowed)
    }

    fn is_retryable(&self) -> bool {
        self.retryable
    }

    fn details(&self) -> Map<String, Value> {
        self.details.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_read_as_it_was_written() {
        let mut error = WireError::new("GONE", ErrorKind::Connection, "password=hunter2 is gone").not_performed();
        error.attempts = Some(2);
        error.correlation_id = Some("c-1".into());
        error.reason = Some("budget".into());
        assert!(!error.message.contains("hunter2"), "{}", error.message);
        let meta = json!({ ERROR_META: error.to_object() });
        let read = WireError { message: error.message.clone(), note: error.note.clone(), ..error.clone() };
        let from_json = WireError::from_meta_json(&meta.to_string()).expect("an error");
        assert_eq!((from_json.performed(), &from_json.details), (Some(false), &read.details));
        assert_eq!(from_json.to_object(), error.to_object());
        assert_eq!(WireError::from_meta(&meta), Some(from_json));
    }

    #[test]
    fn what_is_no_error_of_this_crate_is_none() {
        for meta in [
            json!({}),
            json!({ ERROR_META: { "correlation_id": "c-1" } }),
            json!({ ERROR_META: { "code": "A", "kind": "of the future" } }),
            json!({ ERROR_META: 7 }),
            json!([ERROR_META]),
        ] {
            assert_eq!(WireError::from_meta(&meta), None, "{meta}");
            assert_eq!(WireError::from_meta_json(&meta.to_string()), None, "{meta}");
        }
        assert_eq!(WireError::from_meta_json(&format!("{{{ERROR_META}")), None);
    }

    #[test]
    fn a_wait_of_another_server_is_bounded() {
        let meta = json!({ ERROR_META: { "code": "A", "kind": "rate_limited", "retry_after_ms": u64::MAX } });
        assert_eq!(WireError::from_meta(&meta).expect("an error").retry_after, Some(LONGEST_RETRY_AFTER));
    }

    #[test]
    fn only_a_call_that_is_safe_to_repeat_stays_retryable_once_it_may_have_run() {
        let error = || WireError::new("A", ErrorKind::Timeout, "too slow");
        let read = error().may_have_run(Effect::ReadOnly);
        assert_eq!((read.retryable, read.note.as_deref()), (true, None));
        for effect in [Effect::Writes, Effect::Unknown] {
            let wrote = error().may_have_run(effect);
            assert!(!wrote.retryable && wrote.hint.is_none() && wrote.text().contains("may have taken effect"));
        }
        assert!(error().not_performed().text().starts_with("A: too slow. Nothing was changed."));
    }
}
