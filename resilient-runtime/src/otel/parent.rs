//! Where a call's span belongs: below what asked for it, beside what is around it.

use opentelemetry::Context;
#[cfg(feature = "rmcp")]
use opentelemetry::trace::SpanContext;
use opentelemetry::trace::TraceContextExt as _;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::context::trace;

/// The current span's `traceparent` and `tracestate`, if it is recorded; else those of this one.
pub(crate) fn recorded(or: Option<&Span>) -> Option<(String, Option<String>)> {
    let is_recorded = |context: &Context| context.span().is_recording();
    let context = Some(current()).filter(is_recorded).or_else(|| or.map(Span::context).filter(is_recorded))?;
    let span = context.span();
    let span = span.span_context();
    let sampled = u8::from(span.is_sampled());
    let parent = format!("00-{}-{}-{sampled:02x}", span.trace_id(), span.span_id());
    Some((parent, trace::state(&span.trace_state().header()).map(ToOwned::to_owned)))
}

/// The context that is current here: the current span's, or, where that is none of OpenTelemetry's,
/// that of the one around it.
fn current() -> Context {
    let context = Span::current().context();
    if context.span().span_context().is_valid() { context } else { Context::current() }
}

/// Gives a fresh span its parent and its link. See the module's documentation.
#[cfg(feature = "rmcp")]
pub(crate) fn place(span: &Span, asked: &rmcp::service::RequestContext<rmcp::RoleServer>) {
    if span.is_disabled() {
        return;
    }
    let current = current().span().span_context().clone();
    let sent = asked.meta.get_traceparent().and_then(|parent| read(parent, asked.meta.get_tracestate()));
    if let Some(sent) = sent {
        let around = if current.is_valid() { Some(current) } else { of_http(asked) };
        let is_other =
            |around: &SpanContext| around.trace_id() != sent.trace_id() || around.span_id() != sent.span_id();
        if let Some(around) = around.filter(is_other) {
            span.add_link(around);
        }
        below(span, sent);
    } else if !current.is_valid()
        && let Some(around) = of_http(asked)
    {
        below(span, around);
    }
}

/// The context in the headers of the HTTP request.
#[cfg(feature = "rmcp")]
fn of_http(asked: &rmcp::service::RequestContext<rmcp::RoleServer>) -> Option<SpanContext> {
    let headers = &asked.extensions.get::<http::request::Parts>()?.headers;
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
