//! Failures of the pipeline in tools that return `ErrorData`.
//!
//! A timeout, a panic, an open breaker and a full limit reach the caller of such a tool as `ErrorData`, because its
//! return type can hold nothing else. Clients show the message of a JSON-RPC error to the user at best, not to the
//! model. Therefore the hook converts exactly these errors back into tool results.

use rmcp::ErrorData;

use crate::context::{CallContext, Converted, Request};
use crate::error::{ResilienceError, ToolError};

/// The maximum number of conversions that a request remembers; the oldest is dropped.
const MOST: usize = 8;

/// Records for the hook that `data` was converted from `error`, if `error` is a failure of the pipeline.
pub(super) fn record<E: ToolError + ?Sized>(error: &E, data: &ErrorData) {
    // An error with its own code or with a JSON-RPC code belongs to the tool's author.
    let Some(own) = error.as_resilience().filter(|own| error.protocol_code().is_none() && error.code() == own.code())
    else {
        return;
    };
    let context = CallContext::current();
    let Some(request) = context.as_ref().and_then(CallContext::request).filter(|request| request.is_hooked) else {
        return;
    };
    let converted = &mut request.report().converted;
    if converted.len() == MOST {
        converted.remove(0);
    }
    converted.push(Converted { error: own.clone(), data: data.clone() });
}

/// Returns the tool result that replaces `error`, if it is a failure of the pipeline that the tool passed on unchanged.
/// Call it within the context of the call.
pub(super) fn original_of(error: &ErrorData, request: &Request) -> Option<ResilienceError> {
    let report = request.report();
    let converted = report.converted.iter().rev().find(|converted| converted.data == *error)?;
    Some(converted.error.clone())
}
