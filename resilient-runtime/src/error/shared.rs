//! An error of a call, as concurrent calls that share its run get it.

use std::borrow::Cow;
use std::sync::Arc;

use resilient_policy::Severity;
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
    pub(super) failure: Failure,
    code: String,
    text: String,
    pub(super) hint: Option<String>,
    pub(super) retryable: bool,
    pub(super) was_not_performed: bool,
    pub(super) severity: Severity,
    pub(super) details: Map<String, Value>,
    pub(super) protocol_code: Option<i32>,
}

impl SharedError {
    /// Reads the properties of an error.
    pub(crate) fn of<E: ToolError + ?Sized>(error: &E) -> Self {
        Self(Arc::new(Facts {
            failure: Failure::of(error),
            code: error.code().into_owned(),
            text: error.public_message().into_owned(),
            hint: error.hint().map(Cow::into_owned),
            retryable: error.is_retryable(),
            was_not_performed: error.was_not_performed(),
            severity: error.severity(),
            details: error.details(),
            protocol_code: error.protocol_code(),
        }))
    }

    // Out of line: calls that share nothing pay nothing for it.
    #[cold]
    #[inline(never)]
    pub(super) fn facts(&self) -> &Facts {
        &self.0
    }

    #[cold]
    #[inline(never)]
    pub(super) fn code(&self) -> Cow<'static, str> {
        self.0.code.clone().into()
    }

    /// Returns the text that a client may read.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }
}
