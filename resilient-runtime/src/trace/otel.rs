//! Propagation: the parent and the link of a call's span.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::trace;

/// Returns the `traceparent` and `tracestate` of the current span, or else of `or`. The headers of an unsampled span
/// are sent too, so that receivers do not sample it either.
pub(crate) fn headers(or: Option<&SpanContext>) -> Option<(String, Option<String>)> {
    let span = current().or_else(|| or.cloned())?;
    let sampled = u8::from(span.is_sampled());
    let parent = format!("00-{}-{}-{sampled:02x}", span.trace_id(), span.span_id());
    Some((parent, trace::state(&span.trace_state().header()).map(ToOwned::to_owned)))
}

/// Returns the current `tracing` span's context, or the current OpenTelemetry context if the span has none.
pub(crate) fn current() -> Option<SpanContext> {
    context_of(&Span::current()).or_else(|| valid(&Context::current()))
}

/// Returns the OpenTelemetry context of a span, if it has one. Afterwards the span's parent cannot be changed.
pub(crate) fn context_of(span: &Span) -> Option<SpanContext> {
    valid(&span.context())
}

fn valid(context: &Context) -> Option<SpanContext> {
    Some(context.span().span_context().clone()).filter(SpanContext::is_valid)
}

/// Ends a span in its exporter, because the `tracing` span may be held longer than the operation lasts.
pub(crate) fn end(span: &Span) {
    if !span.is_disabled() {
        span.context().span().end();
    }
}

/// Sets the parent and the link of a new span, as described in the module's documentation.
#[cfg(feature = "rmcp")]
pub(crate) fn place(span: &Span, request: &rmcp::service::RequestContext<rmcp::RoleServer>) {
    if span.is_disabled() {
        return;
    }
    let current = current();
    let carried = enclosing_http(request, current.as_ref());
    let sent = request.meta.get_traceparent().and_then(|parent| read(parent, request.meta.get_tracestate()));
    if let (Some(sent), Some(enclosing)) = (&sent, carried.as_ref().or(current.as_ref()))
        && (enclosing.trace_id() != sent.trace_id() || enclosing.span_id() != sent.span_id())
    {
        span.add_link(enclosing.clone());
    }
    // If neither is set, the current span stays the parent.
    if let Some(parent) = sent.or(carried) {
        below(span, parent);
    }
}

/// Returns the context that the HTTP request provides: the span that a layer carries, or, if no span is current, its
/// headers.
#[cfg(feature = "rmcp")]
fn enclosing_http(
    request: &rmcp::service::RequestContext<rmcp::RoleServer>,
    current: Option<&SpanContext>,
) -> Option<SpanContext> {
    let parts = request.extensions.get::<http::request::Parts>()?;
    // The carried span wins over the current one, which may belong to another request, the one that began the session.
    let carried = parts.extensions.get::<SpanContext>().filter(|it| it.is_valid()).cloned();
    carried.or_else(|| if current.is_none() { of_headers(&parts.headers) } else { None })
}

/// Returns the trace of the parent that [`place`] sets if the request's `_meta` names none.
#[cfg(feature = "rmcp")]
pub(crate) fn enclosing_trace(
    request: &rmcp::service::RequestContext<rmcp::RoleServer>,
) -> Option<opentelemetry::trace::TraceId> {
    let current = current();
    Some(enclosing_http(request, current.as_ref()).or(current)?.trace_id())
}

/// Returns the context in the headers of an HTTP request.
#[cfg(feature = "rmcp")]
fn of_headers(headers: &http::HeaderMap) -> Option<SpanContext> {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    read(text("traceparent")?, text("tracestate"))
}

#[cfg(feature = "rmcp")]
fn below(span: &Span, parent: SpanContext) {
    // Fails only if the span is not exported.
    let _ = span.set_parent(Context::new().with_remote_span_context(parent));
}

#[cfg(feature = "rmcp")]
fn read(parent: &str, state: Option<&str>) -> Option<SpanContext> {
    use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};

    // The parts of version 00 have fixed positions.
    let parent = trace::parent(parent)?;
    let part = |range| parent.get(range);
    let flags = u8::from_str_radix(part(53..55)?, 16).ok()?;
    let state = state.and_then(trace::state).and_then(|state| state.parse::<TraceState>().ok()).unwrap_or_default();
    Some(SpanContext::new(
        TraceId::from_hex(part(3..35)?).ok()?,
        SpanId::from_hex(part(36..52)?).ok()?,
        TraceFlags::new(flags) & TraceFlags::SAMPLED,
        true,
        state,
    ))
}
