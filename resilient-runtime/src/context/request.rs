//! A request as the hook received it, and the report from the guarded function to the hook.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use resilient_policy::{Effect, Fault, Source};
use tokio_util::sync::CancellationToken;
use tracing::Span;
#[cfg(feature = "otel")]
use {opentelemetry::trace::SpanContext, std::sync::OnceLock};

use crate::statistics::{Outcome, ToolStatistics};

/// The principal whose data a call is about. Cached responses are stored and served per principal.
///
/// An application that knows its users inserts one into the extensions of the request: those of rmcp, or, in a
/// layer of an HTTP server, those of the HTTP request. Otherwise, the principal over HTTP is a keyed hash of the
/// `Authorization` header, and over stdio there is only one. A server with several clients over another transport has
/// to set the principal: as soon as a second client is detected, all principals are unknown.
///
/// ```
/// use resilient_runtime::Principal;
///
/// // In a layer that has authenticated the user:
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(Principal::new("user 4711"));
/// # assert_eq!(request.extensions().get::<Principal>().unwrap().as_str(), "user 4711");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Principal(Arc<str>);

impl Principal {
    /// Creates the principal of this name.
    #[must_use]
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(name.as_ref().into())
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Debug output must not reveal the user.
        f.write_str("Principal(..)")
    }
}

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
    pub(crate) fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn span(&self) -> MutexGuard<'_, Option<Span>> {
        self.span.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the span of the hook, once it has its parent.
    #[cfg(feature = "rmcp")]
    pub(crate) fn runs_in(&self, span: &Span) {
        *self.span() = Some(span.clone());
        #[cfg(feature = "otel")]
        if let Some(place) = crate::otel::context_of(span) {
            let _ = self.place.set(place);
        }
    }
}

/// The outcome report from the guarded function to the hook.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Whether a guarded function has claimed the request: the first one with the name of the tool does.
    pub(crate) claimed: bool,
    /// Whether that function caches responses.
    pub(crate) keeps_answers: bool,
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
    /// The public text of the error of a fallback that failed as well.
    pub(crate) fallback_error: Option<String>,
    /// The statistics in which the call is counted, if not under the name of its route.
    pub(crate) statistics: Option<Arc<ToolStatistics>>,
    pub(crate) warnings: Vec<String>,
    /// The framework's errors that became JSON-RPC errors within this request.
    #[cfg(feature = "rmcp")]
    pub(crate) converted: Vec<crate::mcp::Converted>,
}

/// A response that a fallback gave, and the reason.
#[derive(Debug, Clone)]
pub(crate) struct Degraded {
    pub(crate) source: Source,
    pub(crate) age: Option<Duration>,
    pub(crate) reason: &'static str,
}
