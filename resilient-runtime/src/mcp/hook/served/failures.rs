//! What the client reads of a failure of the tool.

use std::sync::Arc;

use resilient_policy::Fault;
use rmcp::ErrorData;

use super::ServedCall;
use crate::classify::Classify as _;
use crate::error::{ResilienceError, SharedError};
use crate::mcp::authorize::Within as _;
use crate::mcp::bad_arguments::{BAD_ARGUMENTS, BadArguments, is_about_arguments};
use crate::mcp::explain::{self, ArgumentsCopy};
use crate::mcp::requests::Response;
use crate::mcp::wire_error::error_of;
use crate::mcp::{Handled, pipeline_error, wire};

impl ServedCall<'_> {
    /// Converts a failure of the framework to a tool result.
    pub(super) fn convert_pipeline_errors(&mut self, answered: &mut Handled) {
        let Err(error) = &*answered else { return };
        let request = Arc::clone(&self.request);
        let made = self.within(|| pipeline_error::original_of(error, &request).map(|own| wire::tool_error(&own)));
        if let Some(made) = made.flatten() {
            *answered = made;
        }
    }

    /// Replaces a failure by the error of the call whose run this call has shared, as the client of that call reads it:
    /// the type of the tool's own error may show less.
    pub(super) fn answer_with_shared_error(&mut self, answered: &mut Handled, shared: SharedError) {
        if !is_failure(answered) {
            return;
        }
        if let Some(made) = self.within(|| wire::tool_error(&ResilienceError::Shared(shared))) {
            *answered = made;
        }
    }

    /// Counts and logs the error of a tool without a policy. Arguments that do not fit are explained.
    pub(super) fn answer_with_own_error(&mut self, answered: &mut Handled) {
        match &*answered {
            Err(error) if is_about_arguments(error) => {
                let error = self.about_arguments(error);
                self.failed(&error);
                self.fault = Some(Fault::Caller);
                *answered = self.within(|| wire::tool_error(&error)).unwrap_or_else(|| Err(wire::internal()));
            }
            Err(error) => {
                self.failed(error);
                self.fault = Some(error.kind().fault());
            }
            Ok(answer) => {
                // Such a tool reports its errors only in its responses.
                if let Some(error) = error_of(answer) {
                    self.failed(&error);
                    self.fault = Some(error.kind().fault());
                }
            }
        }
    }

    /// Returns the error for arguments that do not fit, with an explanation instead of rmcp's message if there is one.
    fn about_arguments(&mut self, error: &ErrorData) -> BadArguments {
        let (hook, request, copy) = (self.hook, Arc::clone(&self.request), self.arguments.take());
        let arguments = copy.as_ref().map(ArgumentsCopy::json).or(request.arguments.as_ref().map(String::as_bytes));
        let message = error.message.strip_prefix(BAD_ARGUMENTS).map_or(&*error.message, str::trim_start);
        let explained = self.within(|| explain::explained(message, arguments?, &hook.explained)).flatten();
        let text = explained.or_else(|| {
            let message = self.within(|| explain::unexplained(message, arguments))?;
            Some(format!("{BAD_ARGUMENTS} {message}"))
        });
        BadArguments(text.unwrap_or_else(|| BAD_ARGUMENTS.trim_end_matches(':').into()))
    }
}

/// Returns whether the client reads an error.
pub(super) fn is_failure(answered: &Handled) -> bool {
    answered.as_ref().map_or(true, Response::is_failure)
}
