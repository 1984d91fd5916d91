//! The framework's own failures in tools that return `ErrorData`.
//!
//! A timeout, a panic, an open breaker and a full limit reach such a tool's caller as `ErrorData`, because
//! its return type holds nothing else. Clients show the message of a JSON-RPC error to the user at best,
//! not to the model, so the hook turns exactly these errors back into results of the tool.

use rmcp::ErrorData;

use crate::context::{CallContext, Converted, Request};
use crate::error::{ResilienceError, ToolError};

/// The most conversions that one request remembers; the oldest is dropped.
const MOST: usize = 8;

/// Remembers for the hook that `data` was made of `error`, if `error` is a failure of the framework.
pub(super) fn remember<E: ToolError + ?Sized>(error: &E, data: &ErrorData) {
    // An error that adds a code of its author's is the author's, and so is one that asks for JSON-RPC.
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

/// The framework's own failure that became this JSON-RPC error within this request.
pub(super) fn behind(error: &ErrorData, request: &Request) -> Option<ResilienceError> {
    let report = request.report();
    let converted = report.converted.iter().rev().find(|converted| converted.data == *error)?;
    Some(converted.error.clone())
}
