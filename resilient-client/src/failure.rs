//! Why a request to a server has no answer.

use std::borrow::Cow;
use std::time::Duration;

use resilient_runtime::{Classify, ErrorKind, ToolError};

use crate::link::{Reason, SendError};

/// Why a request to a server has no answer: what happened, whether the server may have acted on the request, and when to
/// repeat it.
///
/// The text is written for people and models. Secrets in what the server wrote are masked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct Failure {
    /// The kind, which decides about retries and breakers.
    pub kind: ErrorKind,
    /// What happened, in one sentence.
    pub message: String,
    /// Whether the server may have acted on the request. If not, the request can be repeated, even if it writes.
    pub may_have_run: bool,
    /// How long the server asked to wait.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// Creates a failure.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>, may_have_run: bool) -> Self {
        Self { kind, message: message.into(), may_have_run, retry_after: None }
    }

    /// Creates the failure of a request that was not sent.
    pub(crate) fn not_sent(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::new(kind, message, false)
    }

    /// Creates the failure of a handshake that took too long.
    pub(crate) fn no_handshake(limit: Duration) -> Self {
        let message = format!("the server did not answer `initialize` within {} s", limit.as_secs());
        Self::not_sent(ErrorKind::Timeout, message)
    }

    /// Creates the failure of a request that was sent.
    pub(crate) fn sent(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::new(kind, message, true)
    }
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        let kind = match error.reason {
            Reason::Lost | Reason::SessionEnded => ErrorKind::Connection,
            Reason::Unauthorized => ErrorKind::Unauthenticated,
            Reason::TooManyRequests => ErrorKind::RateLimited,
            Reason::Unavailable => ErrorKind::Unavailable,
            Reason::Unexpected => ErrorKind::BadResponse,
        };
        let SendError { message, is_unprocessed, retry_after, .. } = error;
        Self { kind, message, may_have_run: !is_unprocessed, retry_after }
    }
}

impl Classify for Failure {
    fn kind(&self) -> ErrorKind {
        self.kind
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    fn was_not_performed(&self) -> bool {
        !self.may_have_run
    }
}

impl ToolError for Failure {
    /// `SERVER_` and the kind.
    fn code(&self) -> Cow<'static, str> {
        Cow::Owned(format!("SERVER_{}", self.kind.as_str().to_uppercase()))
    }

    fn public_message(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.message)
    }
}
