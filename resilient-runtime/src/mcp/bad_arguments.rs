//! Arguments that do not fit the schema of a tool.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use resilient_policy::ErrorKind;
use rmcp::ErrorData;
use rmcp::model::ErrorCode;

use crate::classify::Classify;
use crate::error::ToolError;

/// How rmcp begins what it says of arguments that do not fit.
pub(super) const BAD_ARGUMENTS: &str = "failed to deserialize parameters:";

/// rmcp tells arguments that do not fit as this error and turns it into an answer of the tool
/// further out, where nobody could add the correlation id.
pub(super) fn is_about_arguments(error: &ErrorData) -> bool {
    error.code == ErrorCode::INVALID_PARAMS && error.message.starts_with(BAD_ARGUMENTS)
}

/// Says of arguments, as rmcp does, that they do not fit.
pub(super) fn bad_arguments(why: &str) -> ErrorData {
    ErrorData::invalid_params(format!("{BAD_ARGUMENTS} {why}"), None)
}

/// Arguments that do not fit the tool's schema.
#[derive(Debug)]
pub(super) struct BadArguments(pub(super) String);

impl fmt::Display for BadArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for BadArguments {}

impl Classify for BadArguments {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }
}

impl ToolError for BadArguments {
    fn code(&self) -> Cow<'static, str> {
        "INVALID_ARGUMENTS".into()
    }

    fn public_message(&self) -> Cow<'_, str> {
        self.0.as_str().into()
    }
}
