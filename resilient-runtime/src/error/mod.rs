//! Tool errors: a kind, a code, a text for the model, and details for programs and the log.

mod catalog;
mod causes;
mod classified;
mod refusal;
mod refused;
mod resilience;
mod shared;
mod text;
mod wire;

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

use serde_json::{Map, Value};

pub use catalog::CatalogEntry;
pub use causes::{CircuitState, LimitKind, TimeoutScope};
pub(crate) use classified::ClassifiedAnswer;
pub(crate) use refusal::Refusal;
pub use refused::RefusalReason;
#[cfg(any(feature = "alerts", feature = "deferred", feature = "status-page"))]
pub(crate) use refused::rfc3339;
pub use resilience::ResilienceError;
pub use resilient_policy::{Fault, Severity};
pub use shared::SharedError;
pub(crate) use text::{log_chain, public_text};
pub use wire::{CALL_META, CORRELATION_META, ERROR_META, POLICY_META, WireError};
#[cfg(feature = "rmcp")]
pub(crate) use wire::{NOTHING_CHANGED, effect_note, in_seconds};

use crate::Classify;
use crate::classify::LONGEST_RETRY_AFTER;

/// An error that a tool returns.
///
/// Derive it (`#[derive(McpError)]`). All methods except [`code`](Self::code) and
/// [`public_message`](Self::public_message) have defaults that follow from the kind.
///
/// ```
/// use resilient_runtime::{McpError, ResilienceError, ToolError};
///
/// #[derive(Debug, thiserror::Error, McpError)]
/// #[mcp(prefix = "SHOP")]
/// enum ShopError {
///     #[error("no order {id}")]
///     #[mcp(kind = not_found)]
///     NoSuchOrder { #[mcp(detail)] id: u64 },
///
///     #[error(transparent)]
///     #[mcp(transparent)]
///     Resilience(#[from] ResilienceError),
/// }
///
/// let error = ShopError::NoSuchOrder { id: 7 };
/// assert_eq!(error.code(), "SHOP_NO_SUCH_ORDER");
/// assert_eq!(error.public_message(), "no order 7");
/// assert_eq!(error.details()["id"], 7);
/// assert!(!error.is_retryable() && !error.trips_breaker());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a `#[resilient]` function",
    label = "this error type does not implement `ToolError`",
    note = "add `#[derive(McpError)]` beside `thiserror::Error` and say of each variant what kind it is"
)]
pub trait ToolError: Error + Classify {
    /// Returns a stable code for programs, in capitals: `MAKE_NO_SUCH_SCENARIO`.
    fn code(&self) -> Cow<'static, str>;

    /// Returns the text that the client may read. It must not contain private text.
    fn public_message(&self) -> Cow<'_, str>;

    /// Returns advice for the model. Default: the kind's hint.
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self.kind().default_hint()))
    }

    /// Returns whether the error is retried, regardless of its kind and of the policy's `retry`. Default: `None`.
    fn retry_override(&self) -> Option<bool> {
        None
    }

    /// Returns whether the same call may succeed a little later, according to [`retry_override`](Self::retry_override)
    /// or else to the kind.
    fn is_retryable(&self) -> bool {
        self.retry_override().unwrap_or_else(|| self.kind().is_retryable())
    }

    /// Returns whether the error counts as a failure for a breaker. Default: according to the kind.
    fn trips_breaker(&self) -> bool {
        self.kind().trips_breaker()
    }

    /// Returns whether a fallback may answer instead. Default: according to the kind.
    fn falls_back(&self) -> bool {
        self.kind().falls_back()
    }

    /// Returns how urgent the error is for the operator of the server. Default: according to the kind.
    fn severity(&self) -> Severity {
        self.kind().severity()
    }

    /// Returns public facts for programs, such as the id that was not found. Default: none.
    fn details(&self) -> Map<String, Value> {
        Map::new()
    }

    /// Returns the JSON-RPC code if the error is a protocol error instead of a tool result. Default: `None`.
    fn protocol_code(&self) -> Option<i32> {
        None
    }

    /// Returns the [`ResilienceError`] inside, such as a timeout or an open breaker, if there is one.
    fn as_resilience(&self) -> Option<&ResilienceError> {
        None
    }

    /// Converts an error that a test injects to this type, if it has this type.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    #[must_use]
    fn __injected(_: Box<dyn std::any::Any>) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }
}

/// Implements the injection of errors within an `impl ToolError`. Expands to nothing without the feature `testing`.
#[cfg(feature = "testing")]
#[doc(hidden)]
#[macro_export]
macro_rules! __injected {
    () => {
        fn __injected(error: ::std::boxed::Box<dyn ::core::any::Any>) -> ::core::option::Option<Self> {
            ::core::option::Option::map(
                ::core::result::Result::ok(::std::boxed::Box::<dyn ::core::any::Any>::downcast::<Self>(error)),
                |error| *error,
            )
        }
    };
}

#[cfg(not(feature = "testing"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __injected {
    () => {};
}

/// Forwards all methods, including overridden ones, to the inner error.
macro_rules! delegate {
    () => {
        fn code(&self) -> Cow<'static, str> {
            (**self).code()
        }

        fn public_message(&self) -> Cow<'_, str> {
            (**self).public_message()
        }

        fn hint(&self) -> Option<Cow<'_, str>> {
            (**self).hint()
        }

        fn retry_override(&self) -> Option<bool> {
            (**self).retry_override()
        }

        fn is_retryable(&self) -> bool {
            (**self).is_retryable()
        }

        fn trips_breaker(&self) -> bool {
            (**self).trips_breaker()
        }

        fn falls_back(&self) -> bool {
            (**self).falls_back()
        }

        fn severity(&self) -> Severity {
            (**self).severity()
        }

        fn details(&self) -> Map<String, Value> {
            (**self).details()
        }

        fn protocol_code(&self) -> Option<i32> {
            (**self).protocol_code()
        }

        fn as_resilience(&self) -> Option<&ResilienceError> {
            (**self).as_resilience()
        }
    };
}

#[diagnostic::do_not_recommend]
impl<T: ToolError + ?Sized> ToolError for &T {
    delegate!();
}

// Not for `Box<dyn ToolError>`: the standard library does not implement `Error` for a box of a trait object.
#[diagnostic::do_not_recommend]
impl<T: ToolError> ToolError for Box<T> {
    delegate!();
}

/// The properties of an error that the pipeline's decisions depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: crate::ErrorKind,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) retry_override: Option<bool>,
    pub(crate) trips_breaker: bool,
    pub(crate) falls_back: bool,
}

impl Failure {
    #[inline]
    pub(crate) fn of<E: ToolError + ?Sized>(error: &E) -> Self {
        Self {
            kind: error.kind(),
            retry_after: error.retry_after().map(|wait| wait.min(LONGEST_RETRY_AFTER)),
            retry_override: error.retry_override(),
            trips_breaker: error.trips_breaker(),
            falls_back: error.falls_back(),
        }
    }

    /// The failure that an `Ok` value is according to `classify`. It is the answer, so that no fallback replaces it.
    pub(crate) const fn of_answer(kind: crate::ErrorKind) -> Self {
        Self { kind, retry_after: None, retry_override: None, trips_breaker: kind.trips_breaker(), falls_back: false }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use serde_json::json;

    use super::*;
    use crate::ErrorKind;

    /// Differs from its kind in every method.
    #[derive(Debug)]
    struct Own;

    impl fmt::Display for Own {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("own")
        }
    }

    impl Error for Own {}

    impl Classify for Own {
        fn kind(&self) -> ErrorKind {
            ErrorKind::Internal
        }

        fn retry_after(&self) -> Option<Duration> {
            Some(Duration::from_secs(7))
        }
    }

    impl ToolError for Own {
        fn code(&self) -> Cow<'static, str> {
            "OWN".into()
        }

        fn public_message(&self) -> Cow<'_, str> {
            "own message".into()
        }

        fn hint(&self) -> Option<Cow<'_, str>> {
            Some("own hint".into())
        }

        fn retry_override(&self) -> Option<bool> {
            Some(false)
        }

        fn is_retryable(&self) -> bool {
            true
        }

        fn trips_breaker(&self) -> bool {
            true
        }

        fn falls_back(&self) -> bool {
            true
        }

        fn severity(&self) -> Severity {
            Severity::Low
        }

        fn details(&self) -> Map<String, Value> {
            Map::from_iter([("own".to_owned(), json!(1))])
        }

        fn protocol_code(&self) -> Option<i32> {
            Some(-33_001)
        }

        fn as_resilience(&self) -> Option<&ResilienceError> {
            Some(&ResilienceError::Cancelled)
        }
    }

    fn answers<E: ToolError>(error: E) -> String {
        let decided = Failure::of(&error);
        let shown = (error.code(), error.public_message(), error.hint(), error.details());
        let rest = (error.is_retryable(), error.severity(), error.protocol_code(), error.as_resilience());
        format!("{error} {decided:?} {shown:?} {rest:?}")
    }

    #[test]
    fn a_box_and_a_reference_answer_as_the_error_itself() {
        let own = answers(Own);
        assert!(own.contains("own message") && own.contains("Cancelled"), "{own}");
        assert_eq!(answers(Box::new(Own)), own);
        assert_eq!(answers(&Own), own);
        assert_eq!(answers(&Own as &dyn ToolError), own);
    }
}
