//! `rmcp::ErrorData` as a tool's error: classified by its JSON-RPC code, told as it is.

use std::borrow::Cow;

use rmcp::ErrorData;
use rmcp::handler::server::tool::IntoCallToolResult;
use rmcp::model::{CallToolResponse, ErrorCode};

use crate::error::{McpError, ResilienceError};
use crate::{Classify, ErrorKind};

impl Classify for ErrorData {
    fn kind(&self) -> ErrorKind {
        match self.code {
            ErrorCode::PARSE_ERROR | ErrorCode::INVALID_REQUEST | ErrorCode::INVALID_PARAMS => ErrorKind::InvalidInput,
            ErrorCode::METHOD_NOT_FOUND | ErrorCode::RESOURCE_NOT_FOUND => ErrorKind::NotFound,
            // -32603 and what an application made up: nothing is known about a dependency.
            _ => ErrorKind::Internal,
        }
    }
}

impl McpError for ErrorData {
    fn code(&self) -> Cow<'static, str> {
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

    /// Who builds an `ErrorData` writes for the client.
    fn public_message(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.message)
    }

    fn protocol_code(&self) -> Option<i32> {
        Some(self.code.0)
    }
}

/// A tool whose only errors are the pipeline's can return them as they are.
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
