//! The span of a call and its events, which have fixed names.

#[cfg(feature = "deferred")]
pub(crate) mod deferred;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use resilient_policy::{ErrorKind, Severity};
use tracing::{Level, Span};

use crate::clock::saturating_millis;
use crate::context::{CallContext, id};
use crate::error::{Refusal, ResilienceError, ToolError, log_chain, public_text};
use crate::outcomes::Outcome;
use crate::panics::catch_panic;
use crate::statistics::{RecentError, RecentErrors};

/// Returns whether a subscriber may be interested in the spans of calls.
pub(crate) fn spans_are_enabled() -> bool {
    tracing::span_enabled!(Level::INFO)
}

/// Returns the level at which an error of this severity is logged.
pub(crate) const fn level_of(severity: Severity) -> Level {
    match severity {
        Severity::Low => Level::INFO,
        Severity::Medium => Level::WARN,
        _ => Level::ERROR,
    }
}

/// Emits an event at a level that is not a constant.
macro_rules! emit_at {
    ($level:expr, $($fields:tt)*) => {
        match $level {
            ::tracing::Level::DEBUG => ::tracing::debug!($($fields)*),
            ::tracing::Level::INFO => ::tracing::info!($($fields)*),
            ::tracing::Level::WARN => ::tracing::warn!($($fields)*),
            _ => ::tracing::error!($($fields)*),
        }
    };
}
#[cfg(feature = "rmcp")]
pub(crate) use emit_at;

/// Returns whether a subscriber may be interested in the events of calls that succeed.
pub(crate) fn is_enabled() -> bool {
    tracing::level_enabled!(tracing::Level::INFO)
}

/// Creates the span of a guarded function that no hook called.
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

/// Emits the event for the start of a call, at debug level.
pub(crate) fn call_started(span: &Span, tool: &str, context: Option<&CallContext>) {
    let _entered = span.enter();
    let correlation_id = id(context);
    tracing::debug!(event = "tool.started", tool, correlation_id);
}

/// Records the outcome of a call in its span and emits an event, which is the only trace of a cancelled call. The event
/// of other calls has debug level.
pub(crate) fn call_ended(
    span: &Span,
    tool: &str,
    outcome: Outcome,
    duration: Duration,
    attempts: u32,
    context: Option<&CallContext>,
) {
    if !span.is_disabled() {
        // In one step: a subscriber may format all fields again for each record.
        tracing::record_all!(span, outcome = outcome.as_str(), attempts = attempts);
    }
    let _entered = span.enter();
    let duration_ms = saturating_millis(duration);
    let correlation_id = id(context);
    if outcome == Outcome::Cancelled {
        tracing::info!(event = "tool.cancelled", tool, duration_ms, attempts, correlation_id);
    } else {
        tracing::debug!(event = "tool.ended", tool, outcome = outcome.as_str(), duration_ms, attempts, correlation_id);
    }
    // What the call left running is still within the span.
    #[cfg(feature = "otel")]
    crate::trace::otel::end(span);
}

/// Emits the event for a call that the gate refuses, at debug level.
pub(crate) fn refused(tool: &str, refusal: Refusal, context: Option<&CallContext>) {
    let reason = refusal.rejected().as_str();
    catch_panic(|| tracing::debug!(event = "gate.refused", tool, reason, correlation_id = id(context)));
}

/// Logs an error that ended a call of a tool without a guarded function.
///
/// `ended` is the duration of the call and the number of attempts.
#[cfg(feature = "rmcp")]
pub(crate) fn failed(
    span: &Span,
    tool: &str,
    error: &dyn ToolError,
    ended: (Duration, u32),
    context: Option<&CallContext>,
) {
    log_error(span, (tool, ended.0, ended.1), context, (&ErrorFacts::of(error), error));
}

/// Logs the error of a call that was not authorized, with its private text, at the level of its severity.
#[cfg(feature = "rmcp")]
pub(crate) fn unauthorized(
    span: &Span,
    tool: &str,
    context: Option<&CallContext>,
    (facts, error): (&ErrorFacts, &dyn ToolError),
) {
    catch_panic(|| {
        let correlation_id = id(context);
        let _entered = span.enter();
        emit_at!(
            level_of(facts.severity),
            event = "authorization.refused",
            tool,
            code = &*facts.code,
            kind = facts.kind.as_str(),
            correlation_id,
            error = log_chain(&error),
        );
    });
}

/// Logs an error with its private text, at the level of its severity.
pub(crate) fn log_error(
    span: &Span,
    (tool, elapsed, attempts): (&str, Duration, u32),
    context: Option<&CallContext>,
    (facts, error): (&ErrorFacts, &dyn ToolError),
) {
    catch_panic(|| {
        let duration_ms = saturating_millis(elapsed);
        let correlation_id = id(context);
        let _entered = span.enter();
        // An open breaker or a full limit rejects every call.
        let level = if facts.is_rejection { Level::DEBUG } else { level_of(facts.severity) };
        emit_at!(
            level,
            event = "tool.error",
            tool,
            code = &*facts.code,
            kind = facts.kind.as_str(),
            severity = facts.severity.as_str(),
            duration_ms,
            attempts,
            correlation_id,
            error = log_chain(&error),
        );
    });
}

/// The machine-readable properties of an error.
pub(crate) struct ErrorFacts {
    pub(crate) code: Cow<'static, str>,
    pub(crate) kind: ErrorKind,
    pub(crate) severity: Severity,
    /// Whether nothing was run, because a breaker was open, a limit reached, or a switch off.
    pub(crate) is_rejection: bool,
}

impl ErrorFacts {
    /// Reads the properties. The methods of an error are user code; if one panics, the call counts as panicked, which
    /// is also what the client receives.
    pub(crate) fn of(error: &dyn ToolError) -> Self {
        catch_panic(|| Self::read(error)).unwrap_or_else(|| Self::read(&ResilienceError::Panicked))
    }

    fn read(error: &dyn ToolError) -> Self {
        let kind = error.kind();
        let is_rejection = kind == ErrorKind::CircuitOpen
            || matches!(
                error.as_resilience(),
                Some(ResilienceError::Overloaded { .. } | ResilienceError::Refused { .. })
            );
        Self { code: error.code(), kind, severity: error.severity(), is_rejection }
    }
}

/// Keeps the public part of an error for [`RecentErrors`]. Rejections are counted but not kept, since they would
/// displace the errors that caused them.
pub(crate) fn record_recent(
    recent: &RecentErrors,
    tool: Arc<str>,
    (code, at): (Arc<str>, SystemTime),
    (facts, error): (&ErrorFacts, &dyn ToolError),
    attempts: u32,
    context: &CallContext,
) {
    if facts.is_rejection {
        return;
    }
    let text = |error: &dyn ToolError| {
        let whole = error.public_message();
        (public_text(&whole), whole.chars().count())
    };
    let (text, length) = catch_panic(|| text(error)).unwrap_or_else(|| text(&ResilienceError::Panicked));
    recent.record(RecentError {
        at,
        correlation_id: context.correlation_id().clone(),
        tool,
        code,
        kind: facts.kind,
        text,
        length,
        attempts,
        principal: context.principal().cloned(),
    });
}

/// Logs the private part of an error that became a JSON-RPC error, by `?` in a function that returns one.
#[cfg(feature = "rmcp")]
pub(crate) fn converted(error: &dyn ToolError) {
    catch_panic(|| {
        let context = CallContext::current();
        let correlation_id = id(context.as_ref());
        let (code, kind) = (error.code(), error.kind().as_str());
        emit_at!(
            level_of(error.severity()),
            event = "error.converted",
            code = &*code,
            kind,
            correlation_id,
            error = log_chain(&error)
        );
    });
}
