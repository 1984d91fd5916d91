//! `rmcp::ErrorData` as a tool error, classified by its JSON-RPC code and passed on unchanged.

use std::borrow::Cow;
use std::time::Duration;

use rmcp::ErrorData;
use rmcp::handler::server::tool::IntoCallToolResult;
use rmcp::model::{CallToolResponse, ErrorCode};
use serde_json::Value;

use crate::classify::LONGEST_RETRY_AFTER;
use crate::error::ERROR_META;
use crate::error::{ResilienceError, ToolError};
use crate::{Classify, ErrorKind};

/// Returns a field of the original error, if the `ErrorData` was converted from one of this crate's errors.
fn member<'a>(error: &'a ErrorData, field: &str) -> Option<&'a Value> {
    error.data.as_ref()?.get(ERROR_META)?.get(field)
}

/// Uses the kind that this crate's conversion stored in the data, or else the JSON-RPC code.
impl Classify for ErrorData {
    fn kind(&self) -> ErrorKind {
        if let Some(kind) = member(self, "kind").and_then(Value::as_str).and_then(|kind| kind.parse().ok()) {
            return kind;
        }
        match self.code {
            ErrorCode::PARSE_ERROR | ErrorCode::INVALID_REQUEST | ErrorCode::INVALID_PARAMS => ErrorKind::InvalidInput,
            ErrorCode::METHOD_NOT_FOUND | ErrorCode::RESOURCE_NOT_FOUND => ErrorKind::NotFound,
            // -32603 and codes of the application say nothing about a dependency.
            _ => ErrorKind::Internal,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        member(self, "retry_after_ms")
            .and_then(Value::as_u64)
            .map(|wait| Duration::from_millis(wait).min(LONGEST_RETRY_AFTER))
    }
}

impl ToolError for ErrorData {
    fn code(&self) -> Cow<'static, str> {
        if let Some(code) = member(self, "code").and_then(Value::as_str) {
            return code.to_owned().into();
        }
        match self.code {
            ErrorCode::PARSE_ERROR => "PARSE_ERROR".into(),
            ErrorCode::INVALID_REQUEST => "INVALID_REQUEST".into(),
            ErrorCode::INVALID_PARAMS => "INVALID_PARAMS".into(),
            ErrorCode::METHOD_NOT_FOUND => "METHOD_NOT_FOUND".into(),
            ErrorCode::RESOURCE_NOT_FOUND => "RESOURCE_NOT_FOUND".into(),
            ErrorCode::INTERNAL_ERROR => "INTERNAL_ERROR".into(),
            ErrorCode(other) => format!("ERROR_{}", other.unsigned_abs()).into(),
        }
    }

    /// The message of an `ErrorData` is written for the client.
    fn public_message(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.message)
    }

    fn protocol_code(&self) -> Option<i32> {
        Some(self.code.0)
    }
}

/// Lets tools return `ResilienceError` directly if their only errors come from the pipeline.
impl IntoCallToolResult for ResilienceError {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        super::tool_error(&self)
    }
}

impl From<ResilienceError> for ErrorData {
    fn from(error: ResilienceError) -> Self {
        super::error_data(&error)
    }
}
