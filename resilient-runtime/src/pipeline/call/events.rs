//! The events of a guarded call: its start, its failure, its retries, its rejection, its fallback.

use std::pin::Pin;
use std::time::Duration;

use resilient_policy::{ErrorKind, Source};

use super::nested::CountedAs;
use super::{AttemptResult, Call};
use crate::answer::{Failed, Meaning};
use crate::clock::saturating_millis;
use crate::context::{CallContext, id};
use crate::error::{ClassifiedAnswer, LimitKind, ToolError};
use crate::gate;
use crate::outcomes::Suppressed;
use crate::telemetry::{self, ErrorFacts, log_error, record_recent};

/// Counts the error of a call, keeps its public part, and logs all of it.
pub(crate) fn call_failed(call: &Call<'_>, error: &dyn ToolError) {
    let facts = ErrorFacts::of(error);
    let (tool, attempts) = (call.site().name(), call.attempts());
    let counted = call.statistics().failed(&facts.code, facts.kind, facts.severity);
    if let (Some(recent), true, Some(context)) = (call.recent(), call.site().tool().is_some(), call.context()) {
        record_recent(recent, tool.into(), counted, (&facts, error), attempts, context);
    }
    log_error(call.span(), (tool, call.elapsed(), attempts), call.context(), (&facts, error));
}

/// Counts and logs a good answer that `classify` calls a failure, like an error of its kind.
pub(crate) fn answer_failed(call: &Call<'_>, result: &AttemptResult) {
    if let AttemptResult::Answered(Meaning::Failed(Failed(failure))) = result {
        call_failed(call, &ClassifiedAnswer(failure.kind));
    }
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

impl Call<'_> {
    /// Begins the span, and logs the start of the call.
    #[cold]
    pub(super) fn log_start(self: Pin<&mut Self>) {
        let this = self.project();
        let arguments = this.details.as_mut().and_then(|details| details.arguments.take());
        let Some(context) = this.context else { return };
        let is_hook = this.caller.counted == CountedAs::Hook;
        if gate::is_active()
            && this.site.tool().is_some()
            && !this.site.is_remote()
            && !context.request().is_some_and(|request| request.is_of_hook())
        {
            this.site.warn_once(
                "this tool runs without the hook, so no switch and no level reaches it; add `#[resilient]` above \
                 `#[tool_router]`, or wrap the router with `mcp::instrument`",
            );
        }
        let hook_span = context.request().filter(|_| is_hook).and_then(|request| request.span().clone());
        if !is_hook {
            *this.span = telemetry::call_span(this.site.name(), context);
        }
        if let Some(arguments) = arguments {
            hook_span.as_ref().unwrap_or(this.span).record("arguments", &*arguments);
        }
        if !is_hook {
            telemetry::call_started(this.span, this.site.name(), Some(context));
        }
    }
}
