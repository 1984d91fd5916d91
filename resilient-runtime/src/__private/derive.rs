//! Items that only the expansion of `#[derive(McpError)]` uses.
//!
//! Functions here take the type of a field and return the function that reads a value of it:
//! `status::<u16>()(field)`. In this form, a type without the trait is reported once, at the type that you wrote.

use std::borrow::Cow;
use std::time::Duration;

pub use resilient_policy::Severity;
use serde::Serialize;
use serde_json::Value;

use crate::classify::HttpStatus;
use crate::error::CatalogEntry;
use crate::{Classify, ErrorKind, ToolError};

/// The return type of [`ToolError::details`].
pub type Details = serde_json::Map<String, Value>;

/// `#[mcp(status)]`
#[must_use]
pub const fn status<T: HttpStatus>() -> fn(&T) -> ErrorKind {
    |status| ErrorKind::from_http_status(status.code())
}

/// `#[mcp(classify)]`
#[must_use]
pub const fn classify<T: Classify>() -> for<'a> fn(&'a T) -> &'a dyn Classify {
    |error| error
}

/// `#[mcp(transparent)]`
#[must_use]
pub const fn transparent<T: Transparent>() -> for<'a> fn(&'a T) -> &'a dyn ToolError {
    T::as_mcp_error
}

/// `#[mcp(retry_after)]`
#[must_use]
pub const fn retry_after<T: RetryAfter>() -> fn(&T) -> Option<Duration> {
    T::retry_after
}

/// `#[mcp(detail)]`. A value that is not representable as JSON is left out, since the response matters more.
#[must_use]
pub const fn detail<T: Detail>() -> fn(&mut Details, &'static str, &T) {
    |details, name, value| {
        if let Some(value) = value.to_json() {
            details.insert(name.to_owned(), value);
        }
    }
}

/// Uses the `Display` text as the message for the client. The bound is `ToolError`, so that a type that does not
/// implement `std::error::Error` is reported only once.
pub fn display<E: ToolError + ?Sized>(error: &E) -> Cow<'static, str> {
    Cow::Owned(error.to_string())
}

/// Creates an entry of `catalog()`, which only the derive does.
#[must_use]
pub const fn catalog_entry(
    code: &'static str,
    kind: Option<ErrorKind>,
    retryable: Option<bool>,
    hint: Option<&'static str>,
    message: Option<&'static str>,
) -> CatalogEntry {
    CatalogEntry { code, kind, retryable, hint, message }
}

/// A value that says how long to wait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how long to wait",
    label = "`#[mcp(retry_after)]` needs `Duration` or `Option<Duration>`"
)]
pub trait RetryAfter {
    /// Returns the time to wait, if there is one.
    fn retry_after(&self) -> Option<Duration>;
}

impl RetryAfter for Duration {
    fn retry_after(&self) -> Option<Duration> {
        Some(*self)
    }
}

impl RetryAfter for Option<Duration> {
    fn retry_after(&self) -> Option<Duration> {
        *self
    }
}

/// An error that a `transparent` variant delegates to.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no `ToolError` that could answer everything",
    label = "`#[mcp(transparent)]` needs a type that implements `ToolError`",
    note = "derive `McpError` for it, or say `#[mcp(kind = ..)]` or `#[mcp(classify)]` instead of `transparent`"
)]
pub trait Transparent {
    /// Returns the error as a [`ToolError`].
    fn as_mcp_error(&self) -> &dyn ToolError;
}

#[diagnostic::do_not_recommend]
impl<T: ToolError> Transparent for T {
    fn as_mcp_error(&self) -> &dyn ToolError {
        self
    }
}

/// A value that can be represented as JSON.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shown to the client as JSON",
    label = "`#[mcp(detail)]` needs a type that is `serde::Serialize`"
)]
pub trait Detail {
    /// Returns the value as JSON, if possible.
    fn to_json(&self) -> Option<Value>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> Detail for T {
    fn to_json(&self) -> Option<Value> {
        serde_json::to_value(self).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_that_cannot_be_json_is_left_out() {
        let mut details = Details::new();
        detail::<u8>()(&mut details, "fine", &1);
        detail::<std::collections::BTreeMap<Vec<u8>, u8>>()(&mut details, "odd", &[(vec![1], 1)].into());
        assert_eq!(serde_json::to_string(&details).ok().as_deref(), Some(r#"{"fine":1}"#));
    }
}
