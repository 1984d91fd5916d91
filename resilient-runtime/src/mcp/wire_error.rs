//! Recovers an error from the response of a tool without a policy. The original error value no longer exists there,
//! only what the client receives.

use rmcp::model::{CallToolResponse, CallToolResult};

use crate::error::{ERROR_META, WireError};

/// Reads the error from a response, if it is one of this crate's errors.
pub(super) fn error_of(answer: &CallToolResponse) -> Option<WireError> {
    let CallToolResponse::Complete(result) = answer else { return None };
    error_of_result(result)
}

/// Reads the error from a result, if it is one of this crate's errors. Its message is the text that the client
/// receives.
pub(super) fn error_of_result(result: &CallToolResult) -> Option<WireError> {
    let mut error = WireError::from_object(result.meta.as_ref()?.0.get(ERROR_META)?)?;
    let text = result.content.first().and_then(|block| block.as_text());
    error.message = text.map(|block| block.text.clone()).unwrap_or_default();
    Some(error)
}
