//! What a call says about itself while it runs: one span, and events with fixed names.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use resilient_policy::{ErrorKind, Severity, Source};
use tracing::Span;

use crate::context::CallContext;
use crate::error::{LimitKind, McpError, log_chain, public_text};
use crate::pipeline::{Call, barrier};
use crate::statistics::{Outcome, RecentError, RecentErrors, Suppressed};

/// Whether anybody listens to the spans of calls.
pub(crate) fn spans_are_enabled() -> bool {
    tracing::span_enabled!(tracing::Level::INFO)
}

/// The span of a guarded function that no hook called.
pub(crate) fn call_span(name: &'static str, context: &CallContext) -> Span {
    tracing::info_span!(
        "call",
        otel.name = name,
        correlation_id = %context.correlation_id(),
        arguments = tracing::field::Empty,
        outcome = tracing::field::Empty,
        attempts = tracing::field::Empty,
    )
}

/// A call begins: for those who want to read everything.
pub(crate) fn call_started(span: &Span, tool: &str, context: Option<&CallContext>) {
    let _entered = span.enter();
    let correlation_id = context.map(|context| tracing::field::display(context.correlation_id()));
    tracing::debug!(event = "tool.started", tool, correlation_id);
}

/// A call ended: its span says how, and so does an event that few want to read. A call that was
/// cancelled has no other trace.
pub(crate) fn call_ended(
    span: &Span,
    tool: &str,
    outcome: Outcome,
    duration: Duration,
    attempts: u32,
    context: Option<&CallContext>,
) {
    if !span.is_disabled() {
        span.record("outcome", outcome.as_str());
        span.record("attempts", attempts);
    }
    let _entered = span.enter();
    let duration_ms = millis(duration);
    let correlation_id = context.map(|context| tracing::field::display(context.correlation_id()));
    if outcome == Outcome::Cancelled {
        tracing::info!(event = "tool.cancelled", tool, duration_ms, attempts, correlation_id);
    } else {
        tracing::debug!(event = "tool.ended", tool, outcome = outcome.as_str(), duration_ms, attempts, correlation_id);
    }
    // What the call has left running is within the span still.
    #[cfg(feature = "otel")]
    crate::otel::end(span);
}

/// A call ended with an error: all of it, private text too, for the log alone.
pub(crate) fn call_failed(call: &Call<'_>, error: &dyn McpError) {
    // Every method of an error is the user's code.
    barrier(|| {
        let (tool, attempts, duration_ms) = (call.site().name(), call.attempts(), millis(call.elapsed()));
        let (code, kind, severity) = (error.code(), error.kind(), error.severity());
        let counted = call.statistics().failed(&code, kind, severity);
        let correlation_id = call.context().map(|context| tracing::field::display(context.correlation_id()));
        let _entered = call.span().enter();
        macro_rules! tell {
            ($level:ident) => {
                tracing::$level!(
                    event = "tool.error",
                    tool,
                    code = &*code,
                    kind = kind.as_str(),
                    severity = severity.as_str(),
                    duration_ms,
                    attempts,
                    correlation_id,
                    error = log_chain(&error),
                )
            };
        }
        match severity {
            // A breaker that is open, or a full limit, says so for every call.
            _ if kind == ErrorKind::CircuitOpen || kind == ErrorKind::Overloaded => tell!(debug),
            Severity::Low => tell!(info),
            Severity::Medium => tell!(warn),
            Severity::High | Severity::Critical => tell!(error),
        }
        if let (Some(recent), true, Some(context)) = (call.recent(), call.site().tool().is_some(), call.context()) {
            keep_recent(recent, tool.into(), counted, error, attempts, context);
        }
    });
}

/// Keeps an error for whoever asks for the last ones: what the client could read of it.
pub(crate) fn keep_recent(
    recent: &RecentErrors,
    tool: Arc<str>,
    code: Arc<str>,
    error: &dyn McpError,
    attempts: u32,
    context: &CallContext,
) {
    if matches!(error.kind(), ErrorKind::CircuitOpen | ErrorKind::Overloaded) {
        return;
    }
    recent.keep(RecentError {
        at: SystemTime::now(),
        correlation_id: context.correlation_id().clone(),
        tool,
        code,
        kind: error.kind(),
        text: public_text(&error.public_message()),
        attempts,
        principal: context.principal().cloned(),
    });
}

/// An error became a JSON-RPC error, by `?` in a function that returns one: what is private about
/// it, for the log alone.
#[cfg(feature = "rmcp")]
pub(crate) fn converted(error: &dyn McpError) {
    barrier(|| {
        let context = CallContext::current();
        let correlation_id = context.as_ref().map(|context| tracing::field::display(context.correlation_id()));
        let (code, kind) = (error.code(), error.kind().as_str());
        macro_rules! tell {
            ($level:ident) => {
                tracing::$level!(
                    event = "error.converted",
                    code = &*code,
                    kind,
                    correlation_id,
                    error = log_chain(&error)
                )
            };
        }
        match error.severity() {
            Severity::Low => tell!(info),
            Severity::Medium => tell!(warn),
            Severity::High | Severity::Critical => tell!(error),
        }
    });
}

pub(crate) fn retry_scheduled(tool: &str, attempt: u32, kind: ErrorKind, delay: Duration) {
    tracing::warn!(event = "retry.scheduled", tool, attempt, kind = kind.as_str(), delay_ms = millis(delay));
}

pub(crate) fn retry_exhausted(tool: &str, attempts: u32, kind: ErrorKind) {
    tracing::warn!(event = "retry.exhausted", tool, attempts, kind = kind.as_str());
}

pub(crate) fn retry_suppressed(tool: &str, attempt: u32, kind: ErrorKind, delay: Duration, reason: Suppressed) {
    let (delay_ms, reason) = (millis(delay), reason.as_str());
    tracing::warn!(event = "retry.suppressed", tool, attempt, kind = kind.as_str(), delay_ms, reason);
}

pub(crate) fn limit_rejected(tool: &str, limit: LimitKind) {
    tracing::debug!(event = "limit.rejected", tool, limit = limit.as_str());
}

pub(crate) fn fallback_used(tool: &str, source: Source, kind: ErrorKind, age: Option<Duration>) {
    let age_ms = age.map(millis);
    tracing::warn!(event = "fallback.used", tool, source = source.as_str(), kind = kind.as_str(), age_ms);
}

pub(crate) fn fallback_failed(tool: &str, error: &str) {
    tracing::error!(event = "fallback.failed", tool, error);
}

fn millis(duration: Duration) -> u64 {
    crate::clock::saturating_millis(duration)
}
