//! An operation that has ended, as the metrics of the OpenTelemetry conventions for MCP want it.

use std::sync::Arc;
use std::time::Duration;

use super::Line;
use crate::statistics::ErrorType;

/// A call of a tool that has ended.
#[cfg_attr(not(feature = "otel"), allow(dead_code))]
pub(crate) struct Operation<'a> {
    /// The tool, if the server has it.
    pub(crate) tool: Option<&'a Arc<str>>,
    /// How the request came, where anybody wanted to know when it began.
    pub(crate) line: Option<Line>,
    /// The type of its error, as it was counted.
    pub(crate) error: Option<ErrorType>,
    /// The code of the JSON-RPC error that was the answer.
    pub(crate) status: Option<i32>,
    pub(crate) took: Duration,
}

impl Operation<'_> {
    /// Whether somebody wants to hear of operations.
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
