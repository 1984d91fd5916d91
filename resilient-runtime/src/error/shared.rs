//! An error of a call, as concurrent calls that share its run get it.

use std::sync::Arc;
use std::time::Duration;

use resilient_policy::{ErrorKind, Severity};
use serde_json::{Map, Value};

use super::{Failure, ToolError};

/// The error of another call, whose run of the function this call has shared: what clients and programs may read of it.
///
/// See [`ResilienceError::Shared`](super::ResilienceError::Shared). Its properties are those of the
/// [`ToolError`] that contains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedError(Arc<Facts>);

/// The properties of the error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(super) kind: ErrorKind,
    pub(super) code: String,
    text: String,
    pub(super) hint: Option<String>,
    pub(super) retry_after: Option<Duration>,
    pub(super) retry_override: Option<bool>,
    pub(super) retryable: bool,
    pub(super) trips_breaker: bool,
    pub(super) falls_back: bool,
    pub(super) was_not_performed: bool,
    pub(super) severity: Severity,
    pub(super) details: Map<String, Value>,
    pub(super) protocol_code: Option<i32>,
}

impl SharedError {
    /// Reads the properties of an error.
    pub(crate) fn of<E: ToolError + ?Sized>(error: &E) -> Self {
        let Failure { kind, retry_after, retry_override, trips_breaker, falls_back } = Failure::of(error);
        Self(Arc::new(Facts {
            kind,
            code: error.code().into_owned(),
            text: error.public_message().into_owned(),
            hint: error.hint().map(std::borrow::Cow::into_owned),
            retry_after,
            retry_override,
            retryable: error.is_retryable(),
            trips_breaker,
            falls_back,
            was_not_performed: error.was_not_performed(),
            severity: error.severity(),
            details: error.details(),
            protocol_code: error.protocol_code(),
        }))
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.0
    }

    /// Returns the text that a client may read.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }
}
