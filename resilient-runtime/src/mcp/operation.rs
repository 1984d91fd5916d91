//! A completed operation, for the metrics of the OpenTelemetry conventions for MCP.

use std::sync::Arc;
use std::time::Duration;

use super::Line;
use crate::statistics::ErrorType;

/// A completed tool call.
#[cfg_attr(not(feature = "otel"), allow(dead_code))]
pub(crate) struct Operation<'a> {
    /// The tool, or `None` if the server does not have it.
    pub(crate) tool: Option<&'a Arc<str>>,
    /// The transport of the request, if operations were recorded when it began.
    pub(crate) line: Option<Line>,
    /// The error type under which the call was counted.
    pub(crate) error: Option<ErrorType>,
    /// The code, if the response was a JSON-RPC error.
    pub(crate) status: Option<i32>,
    pub(crate) took: Duration,
}

impl Operation<'_> {
    /// Returns whether operations are recorded.
    pub(crate) fn are_recorded() -> bool {
        #[cfg(feature = "otel")]
        return crate::otel::operations_are_recorded();
        #[cfg(not(feature = "otel"))]
        false
    }

    #[cfg_attr(not(feature = "otel"), expect(clippy::unused_self, reason = "without `otel` nothing is recorded"))]
    pub(crate) fn record(&self) {
        #[cfg(feature = "otel")]
        crate::otel::record(self);
    }
}
