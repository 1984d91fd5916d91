//! A completed operation, for the metrics of the OpenTelemetry conventions for MCP.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "otel")]
use opentelemetry::KeyValue;

use super::Transport;
use crate::statistics::ErrorType;

/// The method of tool calls.
pub(super) const TOOLS_CALL: &str = "tools/call";

/// A completed request or notification.
#[cfg_attr(not(feature = "otel"), allow(dead_code))]
pub(crate) struct Operation<'a> {
    /// The MCP method.
    pub(crate) method: &'static str,
    /// The tool, or `None` if there is none, or the server does not have it.
    pub(crate) tool: Option<&'a Arc<str>>,
    /// The transport of the request, if operations were recorded when it began.
    pub(crate) transport: Option<Transport>,
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

    #[cfg_attr(not(feature = "otel"), expect(clippy::unused_self, reason = "only the feature `otel` records it"))]
    pub(crate) fn record(&self) {
        #[cfg(feature = "otel")]
        if Self::are_recorded() {
            crate::otel::record(self.took, &self.attributes());
        }
    }

    /// The attributes of the conventions: each value is of a closed list, or a name in the code.
    #[cfg(feature = "otel")]
    fn attributes(&self) -> Vec<KeyValue> {
        let mut attributes = vec![KeyValue::new("mcp.method.name", self.method)];
        if self.method == TOOLS_CALL {
            attributes.push(KeyValue::new("gen_ai.operation.name", "execute_tool"));
        }
        if let Some(tool) = self.tool {
            attributes.push(KeyValue::new("gen_ai.tool.name", Arc::clone(tool)));
        }
        if let Some(error) = self.error {
            attributes.push(KeyValue::new("error.type", error.as_text()));
        }
        // A status that is no error is one of five. The codes of errors are limited by the types that are counted.
        if let Some(status) = self.status
            && matches!(self.error, None | Some(ErrorType::Code(_)))
        {
            attributes.push(KeyValue::new("rpc.response.status_code", status.to_string()));
        }
        if let Some(transport) = self.transport {
            attributes.push(KeyValue::new("network.transport", transport.name()));
            let others = [
                ("network.protocol.name", transport.protocol()),
                ("network.protocol.version", transport.protocol_version()),
                ("mcp.protocol.version", transport.mcp()),
            ];
            attributes.extend(others.into_iter().filter_map(|(name, value)| Some(KeyValue::new(name, value?))));
        }
        attributes
    }
}
