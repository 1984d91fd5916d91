//! The results of a handler's methods.

use rmcp::ErrorData;
use rmcp::model::{
    CallToolResponse, CompleteResult, CustomResult, DiscoverResult, GetPromptResponse, GetSkillResult, GetTaskResult,
    InitializeResult, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListSkillsResult,
    ListToolsResult, MetaObject, ReadResourceResponse,
};

use super::super::wire;
use super::super::wire_error::error_of;
use crate::context::{CallContext, Report};
use crate::error::{CALL_META, ResilienceError, ToolError};

/// A call, with what its client has to know about it.
#[derive(Debug)]
pub struct Disclosed<'a> {
    pub(super) context: &'a CallContext,
    pub(super) report: &'a Report,
}

/// A result of a handler's method.
pub trait Response: Sized {
    /// Returns the response if the method did not give one.
    ///
    /// # Errors
    /// Returns a JSON-RPC error, except for tool calls, whose result reports the error.
    #[doc(hidden)]
    fn failed(error: &ResilienceError) -> Result<Self, ErrorData> {
        Err(wire::error_data(error))
    }

    /// Returns whether the result reports a failure.
    #[doc(hidden)]
    fn is_failure(&self) -> bool {
        false
    }

    /// Runs `read` with the error that the result reports, if it is one of this crate's.
    #[doc(hidden)]
    fn with_error(&self, _: &mut dyn FnMut(&dyn ToolError)) {}

    /// Adds what the client has to know about the call.
    #[doc(hidden)]
    fn disclose(&mut self, call: &Disclosed<'_>);
}

impl Response for CallToolResponse {
    fn failed(error: &ResilienceError) -> Result<Self, ErrorData> {
        wire::tool_error(error)
    }

    fn is_failure(&self) -> bool {
        matches!(self, Self::Complete(result) if result.is_error == Some(true))
    }

    fn with_error(&self, read: &mut dyn FnMut(&dyn ToolError)) {
        if let Some(error) = error_of(self) {
            read(&error);
        }
    }

    fn disclose(&mut self, call: &Disclosed<'_>) {
        if let Self::Complete(result) = self
            && !wire::reports_error(result)
        {
            wire::disclose(result, call.context, call.report);
        }
    }
}

impl Response for GetPromptResponse {
    fn disclose(&mut self, call: &Disclosed<'_>) {
        if let Self::Complete(result) = self {
            disclose(&mut result.meta, call);
        }
    }
}

impl Response for ReadResourceResponse {
    fn disclose(&mut self, call: &Disclosed<'_>) {
        if let Self::Complete(result) = self {
            disclose(&mut result.meta, call);
        }
    }
}

/// Discloses only what the client could not know otherwise: warnings, and that the answer is a kept one.
fn disclose(meta: &mut Option<MetaObject>, Disclosed { context, report }: &Disclosed<'_>) {
    if report.degraded.is_some() || report.kept.is_some() || !report.warnings.is_empty() {
        let facts = wire::call_facts(context, report);
        meta.get_or_insert_default().0.insert(CALL_META.into(), facts.into());
    }
}

macro_rules! with_meta {
    ($($result:ty,)*) => {
        $(impl Response for $result {
            fn disclose(&mut self, call: &Disclosed<'_>) {
                disclose(&mut self.meta, call);
            }
        })*
    };
}

with_meta! {
    InitializeResult, CompleteResult, ListToolsResult, ListPromptsResult, ListResourcesResult,
    ListResourceTemplatesResult, ListSkillsResult, GetTaskResult,
}

macro_rules! without_meta {
    ($($result:ty,)*) => {
        $(impl Response for $result {
            fn disclose(&mut self, _: &Disclosed<'_>) {}
        })*
    };
}

without_meta! { (), CustomResult, DiscoverResult, GetSkillResult, }
