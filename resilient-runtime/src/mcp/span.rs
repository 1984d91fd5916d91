//! The spans of tool calls, by the OpenTelemetry conventions for MCP.
//!
//! They have no `mcp.session.id`: later protocol versions must not have it, and no earlier one needs it.

use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use tracing::Span;
use tracing::field::Empty;

use super::{Transport, request};
use crate::context::{CallContext, Request};
use crate::error::public_text;
use crate::identity::CorrelationSource;
use crate::redact;
use crate::statistics::ErrorType;

/// The MCP method of all spans.
const METHOD: &str = "tools/call";

/// The maximum length in characters of a name or an id that a client chose.
const LONGEST: usize = 128;

/// Creates the span of a call that passes through the hook.
pub(super) fn of_tool(
    tool: &str,
    request: &Request,
    context: &CallContext,
    source: CorrelationSource,
    transport: Option<Transport>,
) -> Span {
    tracing::info_span!(
        "tools/call",
        otel.name = format_args!("{METHOD} {tool}"),
        otel.kind = "server",
        otel.status_code = Empty,
        otel.status_description = Empty,
        mcp.method.name = METHOD,
        mcp.protocol.version = transport.and_then(Transport::mcp),
        network.transport = transport.map(Transport::name),
        network.protocol.name = transport.and_then(Transport::protocol),
        network.protocol.version = transport.and_then(Transport::protocol_version),
        gen_ai.tool.name = tool,
        gen_ai.operation.name = "execute_tool",
        jsonrpc.request.id = beginning(request.id.as_str()),
        rpc.response.status_code = Empty,
        correlation_id = %context.correlation_id(),
        correlation_source = source.as_str(),
        error.type = Empty,
        arguments = Empty,
        outcome = Empty,
        attempts = Empty,
    )
}

/// Creates the span of a request or notification that a handler's method serves.
pub(super) fn of_request(
    method: &'static str,
    (request, context, source): (&Request, &CallContext, CorrelationSource),
    transport: Option<Transport>,
) -> Span {
    tracing::info_span!(
        "request",
        otel.name = method,
        otel.kind = "server",
        otel.status_code = Empty,
        otel.status_description = Empty,
        mcp.method.name = method,
        mcp.protocol.version = transport.and_then(Transport::mcp),
        network.transport = transport.map(Transport::name),
        network.protocol.name = transport.and_then(Transport::protocol),
        network.protocol.version = transport.and_then(Transport::protocol_version),
        jsonrpc.request.id = Some(beginning(request.id.as_str())).filter(|id| !id.is_empty()),
        rpc.response.status_code = Empty,
        correlation_id = %context.correlation_id(),
        correlation_source = source.as_str(),
        error.type = Empty,
        outcome = Empty,
    )
}

/// Creates the span of a call of a tool that does not exist; its name is the client's.
pub(super) fn of_unknown(tool: &str, request: &RequestContext<RoleServer>, transport: Option<Transport>) -> Span {
    tracing::info_span!(
        "tools/call",
        otel.name = METHOD,
        otel.kind = "server",
        otel.status_code = Empty,
        otel.status_description = Empty,
        mcp.method.name = METHOD,
        mcp.protocol.version = transport.and_then(Transport::mcp),
        network.transport = transport.map(Transport::name),
        network.protocol.name = transport.and_then(Transport::protocol),
        network.protocol.version = transport.and_then(Transport::protocol_version),
        gen_ai.tool.name = redact::fit(beginning(tool)),
        gen_ai.operation.name = "execute_tool",
        jsonrpc.request.id = beginning(&request.id.to_string()),
        rpc.response.status_code = Empty,
        correlation_id = %request::correlation(request, request.meta.get_traceparent()).0,
        error.type = Empty,
    )
}

fn beginning(text: &str) -> &str {
    text.char_indices().nth(LONGEST).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// Records the end of a call, with or without a response. A caller's mistake is not an error of the server. Of an
/// error's texts, the span contains only those that the client reads.
pub(super) fn ended(span: &Span, error: Option<ErrorType>, answered: Option<&ErrorData>) {
    if span.is_disabled() {
        return;
    }
    if let Some(answered) = answered {
        span.record("rpc.response.status_code", answered.code.0.to_string());
    }
    if let Some(error) = error {
        span.record("error.type", &*error.as_text());
        span.record("otel.status_code", "error");
        if let Some(answered) = answered {
            span.record("otel.status_description", public_text(&answered.message));
        }
    }
}
