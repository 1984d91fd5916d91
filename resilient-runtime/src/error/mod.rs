//! What an error owes to its readers: a kind, a code, a text for the model, the rest for the log.

mod catalog;
mod resilience;
mod text;

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

use resilient_policy::Severity;
use serde_json::{Map, Value};

pub use catalog::CatalogEntry;
pub use resilience::{LimitKind, ResilienceError, TimeoutScope};
pub(crate) use text::{log_chain, public_text};

use crate::Classify;

/// An error that a tool may answer with.
///
/// Derive it (`#[derive(McpError)]`); every method but [`code`](Self::code) and
/// [`public_message`](Self::public_message) has a default that follows from the kind.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a `#[resilient]` function",
    label = "this error type does not implement `McpError`",
    note = "add `#[derive(McpError)]` beside `thiserror::Error` and say of each variant what kind it is"
)]
pub trait McpError: Error + Classify {
    /// A stable code for programs, in capitals: `MAKE_NO_SUCH_SCENARIO`.
    fn code(&self) -> Cow<'static, str>;

    /// What the client may read about what happened. Never private text.
    fn public_message(&self) -> Cow<'_, str>;

    /// What the model can do about it. Default: the kind's hint.
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.kind().default_hint()))
    }

    /// What this error says of its own about being retried, whatever its kind and whatever the
    /// policy retries. Default: nothing.
    fn retry_override(&self) -> Option<bool> {
        None
    }

    /// Whether the same call may succeed a little later: what the error says of its own, else what
    /// its kind says.
    fn is_retryable(&self) -> bool {
        self.retry_override().unwrap_or_else(|| self.kind().is_retryable())
    }

    /// Whether it counts as a failure for a breaker. Default: the kind's answer.
    fn trips_breaker(&self) -> bool {
        self.kind().trips_breaker()
    }

    /// Whether a fallback may answer instead. Default: the kind's answer.
    fn falls_back(&self) -> bool {
        self.kind().falls_back()
    }

    /// How urgent it is for whoever runs the server. Default: the kind's answer.
    fn severity(&self) -> Severity {
        self.kind().severity()
    }

    /// Public facts for programs, such as the id that was not found. Default: none.
    fn details(&self) -> Map<String, Value> {
        Map::new()
    }

    /// The JSON-RPC code, where the error is to be a protocol error instead of a tool's answer.
    /// Default: none.
    fn protocol_code(&self) -> Option<i32> {
        None
    }

    /// The error of this crate inside, where there is one: a timeout, an open breaker.
    fn as_resilience(&self) -> Option<&ResilienceError> {
        None
    }
}

/// The facts about one error that the pipeline decides by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failure {
    pub(crate) kind: crate::ErrorKind,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) retry_override: Option<bool>,
    pub(crate) trips_breaker: bool,
    pub(crate) falls_back: bool,
}

impl Failure {
    pub(crate) fn of<E: McpError + ?Sized>(error: &E) -> Self {
        Self {
            kind: error.kind(),
            retry_after: error.retry_after(),
            retry_override: error.retry_override(),
            trips_breaker: error.trips_breaker(),
            falls_back: error.falls_back(),
        }
    }
}
