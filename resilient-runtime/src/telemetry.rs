//! What a call says about itself while it runs: one span, and events with fixed names.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use resilient_policy::{ErrorKind, Severity, Source};
use tracing::Span;
use tracing::field::{DisplayValue, display};

use crate::clock::saturating_millis;
use crate::context::{CallContext, CorrelationId};
use crate::error::{LimitKind, ResilienceError, ToolError, log_chain, public_text};
use crate::pipeline::{Call, catch_panic};
use crate::statistics::{Outcome, RecentError, RecentErrors, Suppressed};

/// Whether anybody listens to the spans of calls.
pub(crate) fn spans_are_enabled() -> bool {
    tracing::span_enabled!(tracing::Level::INFO)
}

/// Whether anybody may listen to what calls say of themselves while all is well.
pub(crate) fn is_listened_to() -> bool {
    tracing::level_enabled!(tracing::Level::INFO)
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
    let correlation_id = id(context);
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
        // At once: each time, a subscriber may write out all the fields again.
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
    // What the call has left running is within the span still.
    #[cfg(feature = "otel")]
    crate::otel::end(span);
}

/// A call ended with an error: counts it, keeps what clients may read of it, and logs all of it.
pub(crate) fn call_failed(call: &Call<'_>, error: &dyn ToolError) {
    let told = Told::by(error);
    let (tool, attempts) = (call.site().name(), call.attempts());
    let counted = call.statistics().failed(&told.code, told.kind, told.severity);
    if let (Some(recent), true, Some(context)) = (call.recent(), call.site().tool().is_some(), call.context()) {
        keep_recent(recent, tool.into(), counted, (&told, error), attempts, context);
    }
    log_error(call.span(), (tool, call.elapsed(), attempts), call.context(), (&told, error));
}

/// Logs an error that ended a call of a tool without a guarded function.
///
/// `ended`: after how long, and the attempts.
#[cfg(feature = "rmcp")]
pub(crate) fn failed(
    span: &Span,
    tool: &str,
    error: &dyn ToolError,
    ended: (Duration, u32),
    context: Option<&CallContext>,
) {
    log_error(span, (tool, ended.0, ended.1), context, (&Told::by(error), error));
}

/// Logs an error with its private text, at the level of its severity.
pub(crate) fn log_error(
    span: &Span,
    (tool, elapsed, attempts): (&str, Duration, u32),
    context: Option<&CallContext>,
    (told, error): (&Told, &dyn ToolError),
) {
    catch_panic(|| {
        let duration_ms = saturating_millis(elapsed);
        let correlation_id = id(context);
        let _entered = span.enter();
        macro_rules! tell {
            ($level:ident) => {
                tracing::$level!(
                    event = "tool.error",
                    tool,
                    code = &*told.code,
                    kind = told.kind.as_str(),
                    severity = told.severity.as_str(),
                    duration_ms,
                    attempts,
                    correlation_id,
                    error = log_chain(&error),
                )
            };
        }
        match told.severity {
            // A breaker that is open, or a full limit, says so for every call.
            _ if told.is_rejection => tell!(debug),
            Severity::Low => tell!(info),
            Severity::Medium => tell!(warn),
            Severity::High | Severity::Critical => tell!(error),
        }
    });
}

/// What an error says of itself to programs.
pub(crate) struct Told {
    pub(crate) code: Cow<'static, str>,
    pub(crate) kind: ErrorKind,
    pub(crate) severity: Severity,
    /// Whether nothing was run: a breaker was open, or a limit full.
    is_rejection: bool,
}

impl Told {
    /// Every method of an error is the user's code; where one panics, it is an error of this server's, as
    /// clients are told.
    pub(crate) fn by(error: &dyn ToolError) -> Self {
        catch_panic(|| Self::ask(error)).unwrap_or_else(|| Self::ask(&ResilienceError::Panicked))
    }

    fn ask(error: &dyn ToolError) -> Self {
        let kind = error.kind();
        let is_rejection =
            kind == ErrorKind::CircuitOpen || matches!(error.as_resilience(), Some(ResilienceError::Overloaded { .. }));
        Self { code: error.code(), kind, severity: error.severity(), is_rejection }
    }
}

/// Keeps an error for whoever asks for the last ones: what the client could read of it. What was rejected
/// is counted, and not kept: it would drive out why.
pub(crate) fn keep_recent(
    recent: &RecentErrors,
    tool: Arc<str>,
    code: Arc<str>,
    (told, error): (&Told, &dyn ToolError),
    attempts: u32,
    context: &CallContext,
) {
    if told.is_rejection {
        return;
    }
    let text = |error: &dyn ToolError| public_text(&error.public_message());
    recent.keep(RecentError {
        at: SystemTime::now(),
        correlation_id: context.correlation_id().clone(),
        tool,
        code,
        kind: told.kind,
        text: catch_panic(|| text(error)).unwrap_or_else(|| text(&ResilienceError::Panicked)),
        attempts,
        principal: context.principal().cloned(),
    });
}

/// An error became a JSON-RPC error, by `?` in a function that returns one: what is private about
/// it, for the log alone.
#[cfg(feature = "rmcp")]
pub(crate) fn converted(error: &dyn ToolError) {
    catch_panic(|| {
        let context = CallContext::current();
        let correlation_id = id(context.as_ref());
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

/// The user's code panicked, and was caught.
pub(crate) fn panicked(panic: &str) {
    let context = CallContext::current();
    let correlation_id = id(context.as_ref());
    tracing::error!(event = "tool.panic", correlation_id, panic, "a panic was caught");
}

pub(crate) fn retry_scheduled(call: &Call<'_>, kind: ErrorKind, delay: Duration) {
    let (tool, attempt, kind, delay_ms) =
        (call.site().name(), call.attempts(), kind.as_str(), saturating_millis(delay));
    tracing::warn!(event = "retry.scheduled", tool, attempt, kind, delay_ms, correlation_id = id(call.context()));
}

pub(crate) fn retry_exhausted(call: &Call<'_>, kind: ErrorKind) {
    let (tool, attempts, kind) = (call.site().name(), call.attempts(), kind.as_str());
    tracing::warn!(event = "retry.exhausted", tool, attempts, kind, correlation_id = id(call.context()));
}

pub(crate) fn retry_suppressed(call: &Call<'_>, kind: ErrorKind, delay: Duration, reason: Suppressed) {
    let (tool, attempt, kind, delay_ms) =
        (call.site().name(), call.attempts(), kind.as_str(), saturating_millis(delay));
    let (reason, correlation_id) = (reason.as_str(), id(call.context()));
    tracing::warn!(event = "retry.suppressed", tool, attempt, kind, delay_ms, reason, correlation_id);
}

pub(crate) fn limit_rejected(call: &Call<'_>, limit: LimitKind) {
    let (tool, limit) = (call.site().name(), limit.as_str());
    tracing::debug!(event = "limit.rejected", tool, limit, correlation_id = id(call.context()));
}

pub(crate) fn fallback_used(
    tool: &str,
    context: Option<&CallContext>,
    source: Source,
    kind: ErrorKind,
    age: Option<Duration>,
) {
    let (source, kind, age_ms) = (source.as_str(), kind.as_str(), age.map(saturating_millis));
    tracing::warn!(event = "fallback.used", tool, source, kind, age_ms, correlation_id = id(context));
}

pub(crate) fn fallback_failed(tool: &str, context: Option<&CallContext>, error: &str) {
    tracing::error!(event = "fallback.failed", tool, correlation_id = id(context), error);
}

/// The call's correlation id as a field. Not every log shows the fields of the span as well.
fn id(context: Option<&CallContext>) -> Option<DisplayValue<&CorrelationId>> {
    context.map(|context| display(context.correlation_id()))
}
