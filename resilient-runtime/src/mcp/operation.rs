//! An operation that has ended, as the metrics of the OpenTelemetry conventions for MCP want it.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "otel")]
use opentelemetry::KeyValue;

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
        let mut attributes = vec![
            KeyValue::new("mcp.method.name", "tools/call"),
            KeyValue::new("gen_ai.operation.name", "execute_tool"),
        ];
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
        if let Some(line) = self.line {
            attributes.push(KeyValue::new("network.transport", line.transport()));
            let others = [
                ("network.protocol.name", line.protocol()),
                ("network.protocol.version", line.protocol_version()),
                ("mcp.protocol.version", line.mcp()),
            ];
            attributes.extend(others.into_iter().filter_map(|(name, value)| Some(KeyValue::new(name, value?))));
        }
        attributes
    }
}
