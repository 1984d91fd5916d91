//! The kinds of the errors of an rmcp client.

use std::time::Duration;

use rmcp::ServiceError;

use crate::{Classify, ErrorKind};

/// A JSON-RPC error has the kind that a server of this crate has sent with it, or else that of its code.
impl Classify for ServiceError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::McpError(error) => error.kind(),
            Self::TransportSend(_) | Self::TransportClosed => ErrorKind::Connection,
            Self::Timeout { .. } => ErrorKind::Timeout,
            Self::Cancelled { .. } => ErrorKind::Cancelled,
            // The client or the server does not follow the protocol, or a later addition of rmcp.
            _ => ErrorKind::Internal,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::McpError(error) => Classify::retry_after(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use rmcp::ErrorData;
    use serde_json::json;

    use super::*;
    use crate::error::ERROR_META;

    #[test]
    fn errors_of_a_client_have_the_kind_of_what_happened() {
        let own = json!({ ERROR_META: { "kind": "rate_limited", "retry_after_ms": 1_500 } });
        for (error, kind, wait) in [
            (ServiceError::TransportClosed, ErrorKind::Connection, None),
            (ServiceError::Timeout { timeout: Duration::from_secs(1) }, ErrorKind::Timeout, None),
            (ServiceError::Cancelled { reason: None }, ErrorKind::Cancelled, None),
            (ServiceError::UnexpectedResponse, ErrorKind::Internal, None),
            (ServiceError::McpError(ErrorData::invalid_params("no", None)), ErrorKind::InvalidInput, None),
            (ServiceError::McpError(ErrorData::resource_not_found("no", None)), ErrorKind::NotFound, None),
            (ServiceError::McpError(ErrorData::internal_error("no", None)), ErrorKind::Internal, None),
            (ServiceError::McpError(ErrorData::internal_error("no", Some(own))), ErrorKind::RateLimited, Some(1_500)),
        ] {
            assert_eq!(
                (error.kind(), Classify::retry_after(&error).map(|wait| wait.as_millis())),
                (kind, wait),
                "{error}"
            );
        }
    }
}
