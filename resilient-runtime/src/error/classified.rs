//! The error of an answer that `classify` calls a failure, for statistics and logs. No client reads it: the answer is
//! passed on as it is.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use crate::{Classify, ErrorKind, ToolError};

/// A failure of this kind, which the function returned as `Ok`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClassifiedAnswer(pub(crate) ErrorKind);

impl fmt::Display for ClassifiedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the answer is a failure of the kind `{}`", self.0)
    }
}

impl Error for ClassifiedAnswer {}

impl Classify for ClassifiedAnswer {
    fn kind(&self) -> ErrorKind {
        self.0
    }
}

impl ToolError for ClassifiedAnswer {
    /// The name of the kind in capitals.
    fn code(&self) -> Cow<'static, str> {
        self.0.as_str().to_ascii_uppercase().into()
    }

    fn public_message(&self) -> Cow<'_, str> {
        self.to_string().into()
    }
}
