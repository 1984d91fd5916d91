//! What a call's answer means: what the pipeline needs from a function's return type.

use crate::error::{Failure, ResilienceError, ToolError};

/// What an answer means to retry, breaker and fallback.
#[derive(Debug, Clone, Copy)]
pub enum Meaning {
    /// A good answer.
    Good,
    /// The function's own account of a failure, such as a tool result with `is_error`: it is
    /// passed on as it is and says nothing about the dependency.
    OwnError,
    /// A question back to the client or a task: passed on as it is.
    Unfinished,
    /// An error.
    Failed(Failed),
}

/// An error, reduced to what decides.
#[derive(Debug, Clone, Copy)]
pub struct Failed(pub(crate) Failure);

/// A return type of a `#[resilient]` function.
///
/// ```
/// use resilient_runtime::Breaker;
/// use resilient_runtime::guard::Answer;
///
/// /// Whatever can be guarded, under a breaker of one's own.
/// async fn under<R: Answer>(breaker: &Breaker, ask: impl Future<Output = R>) -> R {
///     breaker.call(ask).await
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a `#[resilient]` function cannot return `{Self}`",
    label = "expected `Result<T, E>`, `CallToolResult` or `CallToolResponse`",
    note = "return `Result<T, E>` where `E` derives `McpError`"
)]
pub trait Answer: sealed::Sealed + Sized {
    /// Returns what the answer means. An error is read here, a tool's own results by `__private::Special`.
    #[doc(hidden)]
    fn meaning(&self) -> Meaning;

    /// Returns whether the answer is a good one, without what an error means.
    #[doc(hidden)]
    fn __is_good(&self) -> bool {
        matches!(self.meaning(), Meaning::Good)
    }

    /// Returns the answer of a call that the function did not answer.
    #[doc(hidden)]
    fn refused(error: ResilienceError) -> Self;

    /// Returns the error, if the answer is one.
    #[doc(hidden)]
    fn error(&self) -> Option<&dyn ToolError>;

    /// The answer with this error, if it is one of the function's own type.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    #[must_use]
    fn __injected(_: Box<dyn std::any::Any>) -> Option<Self> {
        None
    }
}

/// A return type that a fallback can serve in place of: `Result<T, E>`.
#[diagnostic::on_unimplemented(
    message = "`fallback` needs a function that returns `Result<T, E>`",
    label = "this is no `Result`"
)]
pub trait Fallible: Answer {
    /// The good answer.
    type Good;
    /// The error.
    type Error: ToolError;

    /// Opens it.
    ///
    /// # Errors
    /// The error inside.
    fn open(self) -> Result<Self::Good, Self::Error>;

    /// Looks inside.
    ///
    /// # Errors
    /// The error inside.
    fn view(&self) -> Result<&Self::Good, &Self::Error>;

    /// Closes it again.
    fn close(result: Result<Self::Good, Self::Error>) -> Self;
}

/// An error type that takes in the pipeline's own errors.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not take in `ResilienceError`",
    label = "timeouts and open breakers cannot be told through this error type",
    note = "add a variant `#[error(transparent)] #[mcp(transparent)] Resilience(#[from] ResilienceError)`"
)]
pub trait FromResilience {
    /// The pipeline's error as one of this type.
    fn from_resilience(error: ResilienceError) -> Self;
}

#[diagnostic::do_not_recommend]
impl<E: From<ResilienceError>> FromResilience for E {
    fn from_resilience(error: ResilienceError) -> Self {
        error.into()
    }
}

/// No other type can implement [`Answer`].
pub(crate) mod sealed {
    pub trait Sealed {}

    impl<T, E> Sealed for Result<T, E> {}
}

impl<T, E: ToolError + FromResilience> Answer for Result<T, E> {
    fn meaning(&self) -> Meaning {
        match self {
            Ok(_) => Meaning::Good,
            Err(error) => Meaning::Failed(Failed(Failure::of(error))),
        }
    }

    #[inline]
    fn __is_good(&self) -> bool {
        self.is_ok()
    }

    fn refused(error: ResilienceError) -> Self {
        Err(E::from_resilience(error))
    }

    fn error(&self) -> Option<&dyn ToolError> {
        self.as_ref().err().map(|error| error as &dyn ToolError)
    }

    #[cfg(feature = "testing")]
    fn __injected(error: Box<dyn std::any::Any>) -> Option<Self> {
        E::__injected(error).map(Err)
    }
}

impl<T, E: ToolError + FromResilience> Fallible for Result<T, E> {
    type Good = T;
    type Error = E;

    fn open(self) -> Result<T, E> {
        self
    }

    fn view(&self) -> Result<&T, &E> {
        self.as_ref()
    }

    fn close(result: Result<T, E>) -> Self {
        result
    }
}
