//! Arguments that do not fit the schema of a tool.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use resilient_policy::ErrorKind;
use rmcp::ErrorData;
use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock, ErrorCode};

use crate::classify::Classify;
use crate::error::ToolError;

/// The beginning of rmcp's message about arguments that do not fit.
pub(super) const BAD_ARGUMENTS: &str = "failed to deserialize parameters:";

/// Returns whether this is rmcp's error for arguments that do not fit. rmcp converts it to a tool result only after the
/// hook, where no correlation ID could be added.
pub(super) fn is_about_arguments(error: &ErrorData) -> bool {
    error.code == ErrorCode::INVALID_PARAMS && error.message.starts_with(BAD_ARGUMENTS)
}

/// Returns the tool result to which a router of rmcp converts an error for arguments that do not fit.
pub(super) fn bad_arguments_result(error: ErrorData) -> CallToolResponse {
    CallToolResult::error(vec![ContentBlock::text(error.message)]).into()
}

/// Returns the error that rmcp would return for arguments that do not fit.
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
