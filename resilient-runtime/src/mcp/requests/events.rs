//! The events of requests and notifications, which have fixed names.

use std::time::Duration;

use tracing::Span;

use crate::clock::saturating_millis;
use crate::context::{CallContext, id};
use crate::error::{ToolError, log_chain};
use crate::outcomes::Outcome;
use crate::panics::catch_panic;
use crate::telemetry::{ErrorFacts, emit_at, level_of};

/// Emits the event for the start of a request, at debug level.
pub(super) fn started(span: &Span, method: &str, context: &CallContext) {
    let _entered = span.enter();
    tracing::debug!(event = "request.started", method, correlation_id = id(Some(context)));
}

/// Records the outcome of a request in its span and emits an event, which has debug level unless the client has
/// cancelled the request.
pub(super) fn ended(span: &Span, method: &str, outcome: Outcome, duration: Duration, context: &CallContext) {
    span.record("outcome", outcome.as_str());
    let _entered = span.enter();
    let (duration_ms, correlation_id) = (saturating_millis(duration), id(Some(context)));
    if outcome == Outcome::Cancelled {
        tracing::info!(event = "request.cancelled", method, duration_ms, correlation_id);
    } else {
        tracing::debug!(event = "request.ended", method, outcome = outcome.as_str(), duration_ms, correlation_id);
    }
    // What the request left running is still within the span.
    #[cfg(feature = "otel")]
    crate::trace::otel::end(span);
}

/// Logs an error with its private text, at the level of its severity.
pub(super) fn failed(
    span: &Span,
    (method, elapsed): (&str, Duration),
    context: &CallContext,
    (facts, error): (&ErrorFacts, &dyn ToolError),
) {
    catch_panic(|| {
        let (duration_ms, correlation_id) = (saturating_millis(elapsed), id(Some(context)));
        let _entered = span.enter();
        emit_at!(
            level_of(facts.severity),
            event = "request.error",
            method,
            code = &*facts.code,
            kind = facts.kind.as_str(),
            severity = facts.severity.as_str(),
            duration_ms,
            correlation_id,
            error = log_chain(&error),
        );
    });
}
