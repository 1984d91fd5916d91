//! `classify = path`: an `Ok` value that is a failure.

use resilient_policy::ErrorKind;

use crate::answer::{Failed, Meaning};
use crate::error::Failure;

/// A response with a value that `classify` can read. Without the bounds of `Answer`, whose errors rustc reports elsewhere.
pub trait Classifiable {
    /// The type of the value.
    type Good;

    /// Returns the value, unless the response is an error.
    fn good(&self) -> Option<&Self::Good>;
}

impl<T, E> Classifiable for Result<T, E> {
    type Good = T;

    fn good(&self) -> Option<&T> {
        self.as_ref().ok()
    }
}

/// Returns the meaning of a response whose value is a failure.
pub fn failure_of<R: Classifiable>(
    response: &R,
    classify: impl FnOnce(&R::Good) -> Option<ErrorKind>,
) -> Option<Meaning> {
    let kind = classify(response.good()?)?;
    Some(Meaning::Failed(Failed(Failure::of_answer(kind))))
}

#[cfg(feature = "rmcp")]
pub use results::{ToolResult, failure_of_result};

#[cfg(feature = "rmcp")]
mod results {
    use rmcp::model::{CallToolResponse, CallToolResult};

    use super::{Classifiable, ErrorKind};

    impl Classifiable for CallToolResult {
        type Good = Self;

        fn good(&self) -> Option<&Self> {
            Some(self)
        }
    }

    impl Classifiable for CallToolResponse {
        type Good = Self;

        fn good(&self) -> Option<&Self> {
            Some(self)
        }
    }

    /// A value that `classify = tool_error` can read.
    #[diagnostic::on_unimplemented(
        message = "`classify = tool_error` reads a `CallToolResult`, and this function returns `{Self}`",
        label = "expected the path of a function for this type",
        note = "to use a function of yours with this name, write its path: `self::tool_error`"
    )]
    pub trait ToolResult {
        /// Returns the result, if the tool has ended.
        fn complete(&self) -> Option<&CallToolResult>;
    }

    impl ToolResult for CallToolResult {
        fn complete(&self) -> Option<&CallToolResult> {
            Some(self)
        }
    }

    impl ToolResult for CallToolResponse {
        fn complete(&self) -> Option<&CallToolResult> {
            match self {
                Self::Complete(result) => Some(result),
                _ => None,
            }
        }
    }

    /// Returns the kind of the failure in a result with `is_error`: that of an error of this crate, else `bad_response`.
    pub fn failure_of_result<T: ToolResult>(value: &T) -> Option<ErrorKind> {
        crate::mcp::failure_of_result(value.complete()?)
    }
}
