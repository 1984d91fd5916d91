//! What the hook knows about a request, and what the guarded function tells it in return.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use resilient_policy::{Effect, Fault, Source};
use tokio_util::sync::CancellationToken;
use tracing::Span;
#[cfg(feature = "otel")]
use {opentelemetry::trace::SpanContext, std::sync::OnceLock};

use crate::identity::Principal;
use crate::outcomes::Outcome;
use crate::statistics::ToolStatistics;

/// A request as the hook received it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) id: String,
    pub(crate) tool: Arc<str>,
    /// Whether the hook serves it, counts it and tells the client what is reported.
    pub(crate) is_hooked: bool,
    /// Where the hook counts it.
    pub(crate) statistics: Option<Arc<ToolStatistics>>,
    pub(crate) traceparent: Option<String>,
    /// The `tracestate` that came with it, if it is valid.
    pub(crate) tracestate: Option<String>,
    pub(crate) principal: Option<Principal>,
    /// The arguments as canonical JSON, where the tool keeps last good answers.
    pub(crate) arguments: Option<String>,
    pub(crate) cancellation: CancellationToken,
    /// The hook's span, while the call runs: whoever keeps the context for longer does not keep that.
    pub(crate) span: Mutex<Option<Span>>,
    /// Where that span is in its trace, which stays.
    #[cfg(feature = "otel")]
    pub(crate) place: OnceLock<SpanContext>,
    pub(crate) report: Mutex<Report>,
}

impl Request {
    pub(crate) fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn span(&self) -> MutexGuard<'_, Option<Span>> {
        self.span.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of the hook's span, once that has its parent.
    #[cfg(feature = "rmcp")]
    pub(crate) fn runs_in(&self, span: &Span) {
        *self.span() = Some(span.clone());
        #[cfg(feature = "otel")]
        if let Some(place) = crate::trace::otel::context_of(span) {
            let _ = self.place.set(place);
        }
    }
}

/// What the guarded function that serves a request tells the hook about it.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Whether a guarded function has taken the request: the first one of the tool's name does.
    pub(crate) claimed: bool,
    /// Whether that function keeps last good answers.
    pub(crate) keeps_answers: bool,
    pub(crate) outcome: Option<Outcome>,
    /// Whose fault it is that it fails, where that is known.
    pub(crate) fault: Option<Fault>,
    pub(crate) attempts: u32,
    pub(crate) effect: Effect,
    /// What the pipeline knows about the earliest useful repetition, where it knows more than the error.
    pub(crate) retry_after: Option<Duration>,
    /// Why there were no more attempts although the error could have been retried.
    pub(crate) reason: Option<&'static str>,
    pub(crate) degraded: Option<Degraded>,
    /// The public text of a fallback that failed too.
    pub(crate) fallback_error: Option<String>,
    /// Where the call is counted, if not under the name of its route.
    pub(crate) statistics: Option<Arc<ToolStatistics>>,
    pub(crate) warnings: Vec<String>,
    /// The framework's own failures that became JSON-RPC errors within this request.
    #[cfg(feature = "rmcp")]
    pub(crate) converted: Vec<Converted>,
}

/// That something else answered, and why.
#[derive(Debug, Clone)]
pub(crate) struct Degraded {
    pub(crate) source: Source,
    pub(crate) age: Option<Duration>,
    pub(crate) reason: &'static str,
}

/// A failure of the framework and the `ErrorData` that it became.
#[cfg(feature = "rmcp")]
#[derive(Debug)]
pub(crate) struct Converted {
    pub(crate) error: crate::error::ResilienceError,
    pub(crate) data: rmcp::ErrorData,
}
