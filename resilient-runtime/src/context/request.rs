//! A request as the hook received it, and the report from the guarded function to the hook.

use std::sync::atomic::AtomicBool;
#[cfg(any(feature = "rmcp", feature = "cache"))]
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

#[cfg(feature = "otel")]
use opentelemetry::trace::SpanContext;
use resilient_policy::{Effect, Fault, Source};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::Authorized;
#[cfg(feature = "deferred")]
use crate::deferred::{DeferredAnswer, Delivery};
use crate::error::{Refusal, SharedError};
use crate::identity::Principal;
#[cfg(feature = "deferred")]
use crate::identity::PrincipalSource;
use crate::outcomes::Outcome;
use crate::statistics::ToolStatistics;

/// The id of a request. It is formatted only when something reads it.
#[derive(Debug)]
pub(crate) enum RequestId {
    /// What is no request has none.
    None,
    #[cfg(any(feature = "rmcp", feature = "testing"))]
    Number(i64, OnceLock<Box<str>>),
    #[cfg(feature = "rmcp")]
    Text(Arc<str>),
}

impl RequestId {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::None => "",
            #[cfg(any(feature = "rmcp", feature = "testing"))]
            Self::Number(number, text) => text.get_or_init(|| number.to_string().into()),
            #[cfg(feature = "rmcp")]
            Self::Text(text) => text,
        }
    }
}

#[cfg(any(feature = "rmcp", feature = "testing"))]
impl From<i64> for RequestId {
    fn from(number: i64) -> Self {
        Self::Number(number, OnceLock::new())
    }
}

#[cfg(feature = "rmcp")]
impl From<rmcp::model::RequestId> for RequestId {
    fn from(id: rmcp::model::RequestId) -> Self {
        match id {
            rmcp::model::RequestId::Number(number) => number.into(),
            rmcp::model::RequestId::String(text) => Self::Text(text),
        }
    }
}

#[cfg(feature = "rmcp")]
impl PartialEq<rmcp::model::RequestId> for RequestId {
    fn eq(&self, other: &rmcp::model::RequestId) -> bool {
        match (self, other) {
            (Self::Number(own, _), rmcp::model::RequestId::Number(other)) => own == other,
            (Self::Text(own), rmcp::model::RequestId::String(other)) => own == other,
            _ => false,
        }
    }
}

/// A request as the hook or the handler received it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) id: RequestId,
    pub(crate) tool: Arc<str>,
    /// Whether the hook or the handler serves the request, counts it, and sends the report to the client.
    pub(crate) is_hooked: bool,
    /// Whether it is the handler that does so.
    pub(crate) is_of_handler: bool,
    /// Whether a hook inside the handler serves and counts the request.
    pub(crate) is_taken_over: AtomicBool,
    /// Whether the request answers what an earlier response asked its client for. Its answer depends on more than the
    /// arguments.
    pub(crate) is_follow_up: AtomicBool,
    /// The statistics in which the hook counts the request.
    pub(crate) statistics: Option<Arc<ToolStatistics>>,
    pub(crate) traceparent: Option<String>,
    /// The `tracestate` of the request, if it is valid.
    pub(crate) tracestate: Option<String>,
    pub(crate) principal: Option<Principal>,
    /// Where the principal comes from.
    #[cfg(feature = "deferred")]
    pub(crate) principal_source: PrincipalSource,
    /// The delivery of a deferred write that the request is, if it is one.
    #[cfg(feature = "deferred")]
    pub(crate) delivery: Option<Arc<Delivery>>,
    /// The arguments as canonical JSON, if the tool needs them: it caches responses, or defers its writes.
    pub(crate) arguments: Option<String>,
    pub(crate) cancellation: CancellationToken,
    /// Set once the functions of `authorize` have let the request through.
    pub(crate) authorized: OnceLock<Authorized>,
    /// Where to send progress, if the client wants to know it.
    #[cfg(feature = "rmcp")]
    pub(crate) progress: Option<Arc<super::Progress>>,
    /// The span of the hook while the call runs. A context that is kept for longer does not keep the span open.
    pub(crate) span: Mutex<Option<Span>>,
    /// The position of that span in its trace, which is kept.
    #[cfg(feature = "otel")]
    pub(crate) place: OnceLock<SpanContext>,
    pub(crate) report: Mutex<Report>,
}

impl Request {
    /// Creates the request of a refresh that a call in `outer` begins, and for which no client waits.
    #[cfg(feature = "cache")]
    pub(crate) fn of_refresh(outer: &Self) -> Self {
        Self {
            id: Self::no_id(),
            tool: "".into(),
            is_hooked: false,
            is_of_handler: false,
            is_taken_over: AtomicBool::new(false),
            is_follow_up: AtomicBool::new(false),
            statistics: None,
            traceparent: None,
            tracestate: None,
            principal: outer.principal.clone(),
            #[cfg(feature = "deferred")]
            principal_source: outer.principal_source,
            #[cfg(feature = "deferred")]
            delivery: None,
            arguments: None,
            cancellation: CancellationToken::new(),
            // The refresh may call what the call that began it may call.
            authorized: outer.authorized.clone(),
            #[cfg(feature = "rmcp")]
            progress: None,
            span: Mutex::default(),
            #[cfg(feature = "otel")]
            place: OnceLock::new(),
            report: Mutex::default(),
        }
    }

    /// The id of what is no request.
    #[cfg(any(feature = "rmcp", feature = "cache"))]
    pub(crate) const fn no_id() -> RequestId {
        RequestId::None
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

    /// Returns whether the hook serves the request, which asks the gate.
    pub(crate) fn is_of_hook(&self) -> bool {
        self.is_hooked && !self.is_of_handler
    }

    /// Returns the caller as a store stores it, if it is the same caller after a restart: the principal that the
    /// application has set, or without HTTP the user of the operating system.
    #[cfg(feature = "deferred")]
    pub(crate) fn owner(&self) -> Option<String> {
        match (self.principal_source, &self.principal) {
            (PrincipalSource::Application, Some(principal)) => Some(format!("p:{}", principal.as_str())),
            (PrincipalSource::Local, Some(_)) => Some(crate::identity::local_owner()),
            _ => None,
        }
    }

    /// Returns whether this is the request with that id, and a handler serves it.
    #[cfg(feature = "rmcp")]
    pub(crate) fn is_of_handler_with(&self, id: &rmcp::model::RequestId) -> bool {
        self.is_of_handler && self.id == *id
    }

    /// Lets a hook inside the handler count the request.
    #[cfg(feature = "rmcp")]
    pub(crate) fn take_over(&self) {
        self.is_taken_over.store(true, Ordering::Relaxed);
    }

    #[cfg(feature = "rmcp")]
    pub(crate) fn is_taken_over(&self) -> bool {
        self.is_taken_over.load(Ordering::Relaxed)
    }

    /// Sets whether the request answers what an earlier response asked its client for.
    #[cfg(feature = "rmcp")]
    pub(crate) fn follows_up(&self, is_follow_up: bool) {
        self.is_follow_up.store(is_follow_up, Ordering::Relaxed);
    }

    #[cfg(any(feature = "cache", feature = "deferred"))]
    pub(crate) fn is_follow_up(&self) -> bool {
        self.is_follow_up.load(Ordering::Relaxed)
    }

    /// Sets the span of the hook, once it has its parent.
    #[cfg(feature = "rmcp")]
    pub(crate) fn runs_in(&self, span: &Span) {
        if span.is_none() {
            return;
        }
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
    /// Whether that function needs the arguments of the request.
    pub(crate) needs_arguments: bool,
    pub(crate) outcome: Option<Outcome>,
    /// The party at fault for a failure, if known.
    pub(crate) fault: Option<Fault>,
    pub(crate) attempts: u32,
    /// Whether the hook has ended the call before the tool ran.
    pub(crate) never_ran: bool,
    pub(crate) effect: Effect,
    /// Whether a function inside the handler has set the effect.
    pub(crate) has_run: bool,
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
    /// What the call is answered with because it is not performed now.
    #[cfg(feature = "deferred")]
    pub(crate) deferred: Option<Box<DeferredAnswer>>,
    /// Why a call that failed was not stored to be delivered later, although its tool defers such calls.
    #[cfg(feature = "deferred")]
    pub(crate) not_accepted: Option<&'static str>,
    /// The statistics in which the call is counted, if not under the name of its route.
    pub(crate) statistics: Option<Arc<ToolStatistics>>,
    pub(crate) warnings: Vec<String>,
    /// The framework's errors that became JSON-RPC errors within this request.
    #[cfg(feature = "rmcp")]
    pub(crate) converted: Vec<Converted>,
}

impl Report {
    /// Returns the warnings after the first `before`. An attempt that is repeated clears the warnings.
    #[cfg(feature = "cache")]
    pub(crate) fn warnings_after(&self, before: usize) -> Box<[String]> {
        self.warnings.get(before..).unwrap_or(&self.warnings).into()
    }

    /// Returns whether a guarded function has claimed the request.
    pub(crate) fn is_claimed(&self) -> bool {
        matches!(self.claim, Claim::Claimed | Claim::ByMethod)
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
    /// The function of the tool has claimed it.
    Claimed,
    /// The method of the handler has claimed it.
    ByMethod,
}

/// A response that a fallback gave, and the reason.
#[derive(Debug, Clone)]
pub(crate) struct Degraded {
    pub(crate) source: Source,
    pub(crate) age: Option<Duration>,
    pub(crate) reason: &'static str,
}

impl Degraded {
    /// Sets `known` to this response, unless that one is older.
    pub(crate) fn keep_oldest(&self, known: &mut Option<Self>) {
        if known.as_ref().is_none_or(|known| known.age < self.age) {
            *known = Some(self.clone());
        }
    }
}

/// A failure of the pipeline and the `ErrorData` that it was converted to.
#[cfg(feature = "rmcp")]
#[derive(Debug)]
pub(crate) struct Converted {
    pub(crate) error: crate::error::ResilienceError,
    pub(crate) data: rmcp::ErrorData,
}
