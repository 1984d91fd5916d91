//! Why a call has no result.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use resilient_policy::Effect;
use resilient_runtime::error::WireError;
use resilient_runtime::{Classify, ErrorKind, ResilienceError, ToolError};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::tool::Facts;
use crate::failure::Failure;
use crate::message::Message;

/// Why a call has no result.
///
/// It is a [`ToolError`]: its kind, its text for the model, how long to wait, and whether the call may have taken effect.
#[derive(Debug)]
pub struct CallError {
    cause: Cause,
    /// What a repetition of the call does.
    effect: Effect,
    /// Whether the server may have acted on an attempt.
    may_have_run: bool,
    retries_itself: bool,
    attempts: u32,
    /// The server that was called.
    server: Option<Arc<str>>,
    /// The tools that were tried as well, in vain.
    tried: Vec<String>,
}

#[derive(Debug)]
pub(super) enum Cause {
    /// The server did not answer.
    Failed(Failure),
    /// The server answered with an error.
    Answered(Box<Answered>),
    /// The call was rejected, cancelled, or took too long.
    Resilience(ResilienceError),
}

impl Cause {
    /// Returns whether it depends on the effect of the tool whether the call may be repeated.
    pub(super) fn depends_on_effect(&self) -> bool {
        match self {
            Self::Failed(failure) => failure.may_have_run && failure.kind.is_retryable(),
            Self::Answered(answered) => !answered.is_own && !answered.is_final && answered.kind.is_retryable(),
            Self::Resilience(_) => false,
        }
    }
}

/// A response that is no success.
#[derive(Debug)]
pub(super) struct Answered {
    response: Message,
    kind: ErrorKind,
    retry_after: Option<Duration>,
    /// Whether it is a result with `isError`: the tool's own report, which says nothing about the server.
    is_own: bool,
    /// Whether the server of `resilient-runtime` has retried by itself.
    is_final: bool,
    /// Whether a server of `resilient-runtime` says that it did nothing.
    was_rejected: bool,
    text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolResult<'m> {
    #[serde(default)]
    is_error: bool,
    #[serde(default)]
    content: Vec<Content>,
    #[serde(borrow, default, rename = "_meta")]
    meta: Option<&'m RawValue>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
struct RpcError<'m> {
    code: i64,
    #[serde(default)]
    message: String,
    #[serde(borrow, default)]
    data: Option<&'m RawValue>,
}

/// Reads the error that servers of `resilient-runtime` put into `_meta` of a result, or into the data of an error.
fn ours(meta: Option<&RawValue>) -> Option<WireError> {
    WireError::from_meta_json(meta?.get())
}

impl Answered {
    /// Returns the response, if it is a success.
    pub(super) fn read(response: Message) -> Result<Message, Cause> {
        if let Some(result) = response.result() {
            // Most results are not errors, and are not read.
            if !result.contains("\"isError\"") {
                return Ok(response);
            }
            let Ok(read) = serde_json::from_str::<ToolResult<'_>>(result) else { return Ok(response) };
            if !read.is_error {
                return Ok(response);
            }
            let ours = ours(read.meta);
            let text = read.content.into_iter().map(|content| content.text).next().unwrap_or_default();
            let kind = ours.as_ref().map_or(ErrorKind::FailedPrecondition, |ours| ours.kind);
            return Err(Cause::Answered(Box::new(Self::new(response, kind, ours, true, text))));
        }
        let error: Option<RpcError<'_>> = response.error().and_then(|error| serde_json::from_str(error).ok());
        let Some(RpcError { code, message, data }) = error else {
            let text = String::from("the server answered with neither a result nor an error");
            return Err(Cause::Answered(Box::new(Self::new(response, ErrorKind::BadResponse, None, false, text))));
        };
        let ours = ours(data);
        let by_code = match code {
            -32_700 | -32_600 | -32_602 => ErrorKind::InvalidInput,
            -32_601 | -32_002 => ErrorKind::NotFound,
            // What the server says when it cannot reach what it needs.
            _ => ErrorKind::Unavailable,
        };
        let kind = ours.as_ref().map_or(by_code, |ours| ours.kind);
        Err(Cause::Answered(Box::new(Self::new(response, kind, ours, false, message))))
    }

    fn new(response: Message, kind: ErrorKind, ours: Option<WireError>, is_own: bool, text: String) -> Self {
        let is_final = ours.is_some();
        let was_rejected = ours.as_ref().and_then(WireError::performed) == Some(false);
        let retry_after = ours.and_then(|ours| ours.retry_after);
        Self { response, kind, retry_after, is_own, is_final, was_rejected, text }
    }
}

impl CallError {
    pub(super) const fn new(cause: Cause, effect: Effect) -> Self {
        Self { cause, effect, may_have_run: false, retries_itself: false, attempts: 0, server: None, tried: Vec::new() }
    }

    /// Creates the error of a call that reached no server.
    pub(crate) const fn not_sent(failure: Failure) -> Self {
        Self::new(Cause::Failed(failure), Effect::Unknown)
    }

    /// Sets the server that was called.
    pub(crate) fn of_server(mut self, name: &str) -> Self {
        self.server = Some(name.into());
        self
    }

    /// Sets the tools that were tried as well.
    pub(crate) fn after(mut self, tried: Vec<String>) -> Self {
        self.tried = tried;
        self
    }

    /// Creates the error of one attempt.
    pub(super) fn of(cause: Cause, facts: Facts) -> Self {
        let may_have_run = match &cause {
            Cause::Failed(failure) => failure.may_have_run,
            Cause::Answered(answered) => !answered.was_rejected,
            Cause::Resilience(_) => false,
        };
        let error = Self::new(cause, facts.effect);
        Self { may_have_run, retries_itself: facts.retries_itself, attempts: 1, ..error }
    }

    /// Completes the error of a call. The server may have acted on any of the attempts.
    pub(super) fn about(mut self, id: &str, facts: Facts, attempts: u32, may_have_run: bool) -> Self {
        self.effect = facts.effect;
        self.attempts = attempts;
        if let Cause::Answered(answered) = &mut self.cause {
            answered.response = answered.response.with_id(id);
        }
        self.may_have_run |= may_have_run;
        self
    }

    /// Returns the response of the server, if it answered with an error: it is passed on unchanged.
    #[must_use]
    pub const fn response(&self) -> Option<&Message> {
        match &self.cause {
            Cause::Answered(answered) => Some(&answered.response),
            _ => None,
        }
    }

    /// Returns the number of attempts.
    #[must_use]
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Returns what a repetition of the call does, as far as the tool is trusted.
    #[must_use]
    pub const fn effect(&self) -> Effect {
        self.effect
    }

    /// Returns whether the call may have taken effect.
    #[must_use]
    pub const fn may_have_run(&self) -> bool {
        self.may_have_run
    }

    /// Returns the name of the server that was called. `None`, if the name of the tool led to no server.
    #[must_use]
    pub fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    /// Returns the tools that were tried as well, in vain.
    #[must_use]
    pub fn tried(&self) -> &[String] {
        &self.tried
    }
}

impl From<ResilienceError> for CallError {
    fn from(error: ResilienceError) -> Self {
        Self::new(Cause::Resilience(error), Effect::Unknown)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Failed(failure) => failure.fmt(f),
            Cause::Answered(answered) => f.write_str(&answered.text),
            Cause::Resilience(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CallError {}

impl Classify for CallError {
    fn kind(&self) -> ErrorKind {
        match &self.cause {
            Cause::Failed(failure) => failure.kind,
            Cause::Answered(answered) => answered.kind,
            Cause::Resilience(error) => error.kind(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match &self.cause {
            Cause::Failed(failure) => failure.retry_after,
            Cause::Answered(answered) => answered.retry_after,
            Cause::Resilience(error) => error.retry_after(),
        }
    }

    fn was_not_performed(&self) -> bool {
        !self.may_have_run
    }
}

impl ToolError for CallError {
    fn code(&self) -> Cow<'static, str> {
        match &self.cause {
            Cause::Failed(failure) => failure.code(),
            Cause::Answered(answered) if answered.is_own => "TOOL_ERROR".into(),
            Cause::Answered(answered) => format!("SERVER_{}", answered.kind.as_str().to_uppercase()).into(),
            Cause::Resilience(error) => error.code(),
        }
    }

    fn public_message(&self) -> Cow<'_, str> {
        match &self.cause {
            Cause::Failed(failure) => failure.public_message(),
            Cause::Answered(answered) => Cow::Borrowed(&answered.text),
            Cause::Resilience(error) => error.public_message(),
        }
    }

    /// Decides alone: what was not processed may be sent again, and the rest only if the tool may be repeated.
    fn retry_override(&self) -> Option<bool> {
        match &self.cause {
            Cause::Failed(failure) => {
                Some(failure.kind.is_retryable() && (self.effect.is_repeatable() || !failure.may_have_run))
            }
            Cause::Answered(answered) => {
                let is_retried = answered.is_own || answered.is_final || self.retries_itself;
                Some(self.effect.is_repeatable() && !is_retried && answered.kind.is_retryable())
            }
            Cause::Resilience(error) => error.retry_override(),
        }
    }

    fn trips_breaker(&self) -> bool {
        match &self.cause {
            // The breaker of the connection counts what did not reach the server, and each loss once: a loss fails all calls.
            Cause::Failed(failure) => {
                failure.may_have_run && failure.kind != ErrorKind::Connection && failure.kind.trips_breaker()
            }
            Cause::Answered(answered) => !answered.is_own && answered.kind.trips_breaker(),
            Cause::Resilience(error) => error.trips_breaker(),
        }
    }

    fn as_resilience(&self) -> Option<&ResilienceError> {
        match &self.cause {
            Cause::Resilience(error) => Some(error),
            _ => None,
        }
    }
}
