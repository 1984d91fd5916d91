//! Where a call's span belongs: below what asked for it, beside what is around it.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::trace;

/// The `traceparent` and `tracestate` of the current span, or else of this one. That it is not recorded
/// is for others to know as well.
pub(crate) fn headers(or: Option<&SpanContext>) -> Option<(String, Option<String>)> {
    let span = current().or_else(|| or.cloned())?;
    let sampled = u8::from(span.is_sampled());
    let parent = format!("00-{}-{}-{sampled:02x}", span.trace_id(), span.span_id());
    Some((parent, trace::state(&span.trace_state().header()).map(ToOwned::to_owned)))
}

/// The span that is current here, or, where that is none of OpenTelemetry's, the one around it.
pub(crate) fn current() -> Option<SpanContext> {
    context_of(&Span::current()).or_else(|| valid(&Context::current()))
}

/// Where a span is in its trace, if it is one of OpenTelemetry's. From now on it keeps its parent.
pub(crate) fn context_of(span: &Span) -> Option<SpanContext> {
    valid(&span.context())
}

fn valid(context: &Context) -> Option<SpanContext> {
    Some(context.span().span_context().clone()).filter(SpanContext::is_valid)
}

/// Ends a span for whoever exports it: it may be kept for longer than what it is about.
pub(crate) fn end(span: &Span) {
    if !span.is_disabled() {
        span.context().span().end();
    }
}

/// Gives a fresh span its parent and its link. See the module's documentation.
#[cfg(feature = "rmcp")]
pub(crate) fn place(span: &Span, asked: &rmcp::service::RequestContext<rmcp::RoleServer>) {
    if span.is_disabled() {
        return;
    }
    let current = current();
    let told = told(asked, current.as_ref());
    let sent = asked.meta.get_traceparent().and_then(|parent| read(parent, asked.meta.get_tracestate()));
    if let (Some(sent), Some(around)) = (&sent, told.as_ref().or(current.as_ref()))
        && (around.trace_id() != sent.trace_id() || around.span_id() != sent.span_id())
    {
        span.add_link(around.clone());
    }
    // Without one it is the current one.
    if let Some(parent) = sent.or(told) {
        below(span, parent);
    }
}

/// What the HTTP request says is around it: the span that a layer carries, or, if no span is current, its
/// headers.
#[cfg(feature = "rmcp")]
fn told(asked: &rmcp::service::RequestContext<rmcp::RoleServer>, current: Option<&SpanContext>) -> Option<SpanContext> {
    let parts = asked.extensions.get::<http::request::Parts>()?;
    // What is current may belong to another request, the one that began the session: this one's is better.
    let carried = parts.extensions.get::<SpanContext>().filter(|it| it.is_valid()).cloned();
    carried.or_else(|| if current.is_none() { of_headers(&parts.headers) } else { None })
}

/// The trace of the parent that [`place`] gives a span if the request's `_meta` names none.
#[cfg(feature = "rmcp")]
pub(crate) fn trace_around(
    asked: &rmcp::service::RequestContext<rmcp::RoleServer>,
) -> Option<opentelemetry::trace::TraceId> {
    let current = current();
    Some(told(asked, current.as_ref()).or(current)?.trace_id())
}

/// The context in the headers of an HTTP request.
#[cfg(feature = "rmcp")]
fn of_headers(headers: &http::HeaderMap) -> Option<SpanContext> {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    read(text("traceparent")?, text("tracestate"))
}

#[cfg(feature = "rmcp")]
fn below(span: &Span, parent: SpanContext) {
    // It cannot but where nobody exports the span.
    let _ = span.set_parent(Context::new().with_remote_span_context(parent));
}

#[cfg(feature = "rmcp")]
fn read(parent: &str, state: Option<&str>) -> Option<SpanContext> {
    use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};

    // Version 00 has its parts at fixed places.
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
