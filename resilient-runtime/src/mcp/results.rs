//! rmcp's result types as responses of a guarded function.

use rmcp::model::{CallToolResponse, CallToolResult, GetPromptResponse, ReadResourceResponse};

use super::wire_error::error_of_result;
use crate::answer::{Answer, Meaning};
use crate::error::{ResilienceError, ToolError};
use crate::{Classify as _, ErrorKind};

pub(crate) fn meaning_of_result(result: &CallToolResult) -> Meaning {
    if result.is_error == Some(true) { Meaning::OwnError } else { Meaning::Good }
}

pub(crate) fn meaning_of_response(response: &CallToolResponse) -> Meaning {
    match response {
        CallToolResponse::Complete(result) => meaning_of_result(result),
        // A question back to the client, a task, or a later addition of the protocol.
        _ => Meaning::Unfinished,
    }
}

pub(crate) fn meaning_of_read(response: &ReadResourceResponse) -> Meaning {
    match response {
        ReadResourceResponse::Complete(_) => Meaning::Good,
        // A question back to the client, or a later addition of the protocol.
        _ => Meaning::Unfinished,
    }
}

pub(crate) fn meaning_of_prompt(response: &GetPromptResponse) -> Meaning {
    match response {
        GetPromptResponse::Complete(_) => Meaning::Good,
        // A question back to the client, or a later addition of the protocol.
        _ => Meaning::Unfinished,
    }
}

/// Returns the kind of the failure in a result, if it is one: that of an error of this crate, else `bad_response`.
pub(crate) fn failure_of_result(result: &CallToolResult) -> Option<ErrorKind> {
    let kind = || error_of_result(result).map_or(ErrorKind::BadResponse, |error| error.kind());
    (result.is_error == Some(true)).then(kind)
}

/// Creates a result in which the tool itself reports a failure.
#[cfg(feature = "testing")]
pub(crate) fn own_error(text: &str) -> CallToolResult {
    CallToolResult::error(vec![rmcp::model::ContentBlock::text(text)])
}

impl crate::answer::sealed::Sealed for CallToolResult {}

impl crate::answer::sealed::Sealed for CallToolResponse {}

impl Answer for CallToolResult {
    fn meaning(&self) -> Meaning {
        meaning_of_result(self)
    }

    fn refused(error: ResilienceError) -> Self {
        super::wire::error_result(&error)
    }

    fn error(&self) -> Option<&dyn ToolError> {
        None
    }
}

impl Answer for CallToolResponse {
    fn meaning(&self) -> Meaning {
        meaning_of_response(self)
    }

    fn refused(error: ResilienceError) -> Self {
        super::wire::error_result(&error).into()
    }

    fn error(&self) -> Option<&dyn ToolError> {
        None
    }
}
