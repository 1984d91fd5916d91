//! A request as the hook received it, and the report from the guarded function to the hook.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use resilient_policy::{Effect, Fault, Source};
use tokio_util::sync::CancellationToken;
use tracing::Span;
#[cfg(feature = "otel")]
use {opentelemetry::trace::SpanContext, std::sync::OnceLock};

use crate::error::{Refusal, SharedError};
use crate::identity::Principal;
use crate::outcomes::Outcome;
use crate::statistics::ToolStatistics;

/// A request as the hook received it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) id: String,
    pub(crate) tool: Arc<str>,
    /// Whether the hook serves the request, counts it, and sends the report to the client.
    pub(crate) is_hooked: bool,
    /// The statistics in which the hook counts the request.
    pub(crate) statistics: Option<Arc<ToolStatistics>>,
    pub(crate) traceparent: Option<String>,
    /// The `tracestate` of the request, if it is valid.
    pub(crate) tracestate: Option<String>,
    pub(crate) principal: Option<Principal>,
    /// The arguments as canonical JSON, if the tool caches responses.
    pub(crate) arguments: Option<String>,
    pub(crate) cancellation: CancellationToken,
    /// The span of the hook while the call runs. A context that is kept for longer does not keep the span open.
    pub(crate) span: Mutex<Option<Span>>,
    /// The position of that span in its trace, which is kept.
    #[cfg(feature = "otel")]
    pub(crate) place: OnceLock<SpanContext>,
    pub(crate) report: Mutex<Report>,
}

impl Request {
    /// Creates the request of a call that no client waits for.
    #[cfg(feature = "cache")]
    pub(crate) fn of_nobody(principal: Option<Principal>) -> Self {
        Self {
            id: String::new(),
            tool: "".into(),
            is_hooked: false,
            statistics: None,
            traceparent: None,
            tracestate: None,
            principal,
            arguments: None,
            cancellation: CancellationToken::new(),
            span: Mutex::default(),
            #[cfg(feature = "otel")]
            place: OnceLock::new(),
            report: Mutex::default(),
        }
    }

    pub(crate) fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn span(&self) -> MutexGuard<'_, Option<Span>> {
        self.span.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the hook still serves the request.
    #[cfg(feature = "rmcp")]
    pub(crate) fn is_running(&self) -> bool {
        self.span().is_some()
    }

    /// Sets the span of the hook, once it has its parent.
    #[cfg(feature = "rmcp")]
    pub(crate) fn runs_in(&self, span: &Span) {
        *self.span() = Some(span.clone());
        #[cfg(feature = "otel")]
        if let Some(place) = crate::trace::otel::context_of(span) {
            let _ = self.place.set(place);
        }
    }
}

/// The outcome report from the guarded function to the hook.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) claim: Claim,
    /// Whether that function caches responses.
    pub(crate) caches_responses: bool,
    pub(crate) outcome: Option<Outcome>,
    /// The party at fault for a failure, if known.
    pub(crate) fault: Option<Fault>,
    pub(crate) attempts: u32,
    pub(crate) effect: Effect,
    /// When a retry may first succeed, if the pipeline knows more than the error.
    pub(crate) retry_after: Option<Duration>,
    /// Why there were no more attempts although the error was retryable.
    pub(crate) reason: Option<&'static str>,
    pub(crate) degraded: Option<Degraded>,
    /// The age of the kept answer that is the answer, if it is one.
    pub(crate) kept: Option<Duration>,
    /// The error of another call, whose run this call has shared. The function's own type may show less of it.
    pub(crate) shared: Option<SharedError>,
    /// The public text of the error of a fallback that failed as well.
    pub(crate) fallback_error: Option<String>,
    /// The statistics in which the call is counted, if not under the name of its route.
    pub(crate) statistics: Option<Arc<ToolStatistics>>,
    pub(crate) warnings: Vec<String>,
    /// The framework's errors that became JSON-RPC errors within this request.
    #[cfg(feature = "rmcp")]
    pub(crate) converted: Vec<Converted>,
}

impl Report {
    /// Returns whether a guarded function has claimed the request.
    #[cfg(feature = "rmcp")]
    pub(crate) fn is_claimed(&self) -> bool {
        matches!(self.claim, Claim::Claimed)
    }
}

/// Whether a guarded function has claimed the request: the first one with the name of the tool does.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Claim {
    /// No function has claimed it.
    #[default]
    Open,
    /// The gate refuses the call, and the function that claims it applies that.
    Refused(Refusal),
    /// A function has claimed it.
    Claimed,
}

/// A response that a fallback gave, and the reason.
#[derive(Debug, Clone)]
pub(crate) struct Degraded {
    pub(crate) source: Source,
    pub(crate) age: Option<Duration>,
    pub(crate) reason: &'static str,
}

/// A failure of the pipeline and the `ErrorData` that it was converted to.
#[cfg(feature = "rmcp")]
#[derive(Debug)]
pub(crate) struct Converted {
    pub(crate) error: crate::error::ResilienceError,
    pub(crate) data: rmcp::ErrorData,
}
