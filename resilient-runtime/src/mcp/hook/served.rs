//! A call that the hook serves, from its context to its count.

mod authorized;
#[cfg(feature = "deferred")]
mod deferred;
mod failures;

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use resilient_policy::Fault;
use rmcp::ErrorData;
use rmcp::RoleServer;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::CallToolResponse;
use rmcp::service::RequestContext;
use tracing::Span;

#[cfg(feature = "deferred")]
use super::super::accepted::Recipient;
use super::super::authorize::Within;
use super::super::explain::ArgumentsCopy;
use super::super::hook_timeout::HookTimeout;
use super::super::operation::TOOLS_CALL;
use super::super::{Handled, Operation, Transport, arguments, request, span, wire};
use super::{CLAIMED, Hook, NEEDS_NO_ARGUMENTS};
use crate::classify::Classify as _;
use crate::clock::Moment;
use crate::context::{CallContext, Request};
use crate::error::{Refusal, ResilienceError, SharedError, TimeoutScope, ToolError};
use crate::identity::CorrelationSource;
use crate::outcomes::Outcome;
use crate::panics::catch_panic;
use crate::registry::Registry;
use crate::statistics::{ErrorType, ToolStatistics};
use crate::telemetry;

/// A call that the hook serves. If it is dropped before the response, it counts as cancelled.
pub(super) struct ServedCall<'h> {
    hook: &'h Hook,
    statistics: Arc<ToolStatistics>,
    pub(super) request: Arc<Request>,
    context: Option<CallContext>,
    span: Span,
    /// The transport of the request, if metrics need it.
    transport: Option<Transport>,
    /// The arguments, until it is known whether they fit.
    pub(super) arguments: Option<ArgumentsCopy>,
    started: Moment,
    /// The fault of a failure that the hook itself knows of.
    fault: Option<Fault>,
    /// The outcome, once the call is counted.
    counted: Option<Outcome>,
    /// What the answer of a deferred call depends on, if the tool defers its calls.
    #[cfg(feature = "deferred")]
    recipient: Option<Recipient>,
}

impl<'h> ServedCall<'h> {
    pub(super) fn new<S>(hook: &'h Hook, call: &ToolCallContext<'_, S>) -> Self {
        let scoped = Registry::scoped().map(|registry| registry.statistics(&hook.name));
        let statistics = scoped.unwrap_or_else(|| Arc::clone(&hook.statistics));
        let wants_arguments = hook.learned.load(Ordering::Relaxed) & NEEDS_NO_ARGUMENTS == 0;
        let arguments = wants_arguments.then(|| arguments::canonical(call.arguments.as_ref()));
        let (context, request, source) = request::context(
            &call.request_context,
            Arc::clone(&hook.tool),
            hook.effect,
            arguments,
            request::Server::Hook(Arc::clone(&statistics)),
        );
        request.follows_up(call.input_responses.is_some() || call.request_state.is_some());
        statistics.call_started();
        let mut served = Self {
            hook,
            statistics,
            request,
            context: Some(context),
            span: Span::none(),
            transport: None,
            arguments: None,
            started: Moment::now(),
            fault: None,
            counted: None,
            #[cfg(feature = "deferred")]
            recipient: hook.deferring.map(|tool| Recipient::of(&call.request_context, tool)),
        };
        // Subscribers are foreign code and may panic. From here on, the call is counted in any case.
        if telemetry::is_enabled() || Operation::are_recorded() {
            catch_panic(|| served.begin_span(&call.request_context, source));
        }
        served
    }

    /// Creates the span of the call.
    fn begin_span(&mut self, request: &RequestContext<RoleServer>, source: CorrelationSource) {
        let Some(context) = &self.context else { return };
        self.transport = (telemetry::spans_are_enabled() || Operation::are_recorded()).then(|| Transport::of(request));
        let span = span::of_tool(&self.hook.tool, &self.request, context, source, self.transport);
        // The parent must be set before anything enters the span.
        #[cfg(feature = "otel")]
        crate::trace::otel::place(&span, request);
        self.request.runs_in(&span);
        self.span = span;
        telemetry::call_started(&self.span, &self.hook.tool, Some(context));
    }

    /// Returns a copy of the arguments, unless the request already has one for the cache. It is needed even without an
    /// explanation: rmcp's message must not show secrets among the arguments.
    pub(super) fn copy_arguments<S>(&self, call: &ToolCallContext<'_, S>) -> Option<ArgumentsCopy> {
        self.request.arguments.is_none().then(|| ArgumentsCopy::of(call.arguments.as_ref())).flatten()
    }

    /// Turns the answer of the tool into that of the call, and counts the call.
    pub(super) fn answered(&mut self, answered: &mut Handled) {
        let (shared, reported) = {
            let mut report = self.request.report();
            #[cfg(feature = "deferred")]
            if let Some(deferred) = report.deferred.take() {
                drop(report);
                *answered = self.deferred(*deferred);
                return;
            }
            (report.shared.take(), (report.is_claimed(), report.outcome))
        };
        self.answered_by_tool(answered, shared, reported);
        self.note_delivery(answered);
    }

    /// `claimed` and `reported` are those of the report. Nothing of the tool runs any more.
    fn answered_by_tool(
        &mut self,
        answered: &mut Handled,
        shared: Option<SharedError>,
        (claimed, reported): (bool, Option<Outcome>),
    ) {
        if let Some(shared) = shared {
            self.answer_with_shared_error(answered, shared);
        }
        self.convert_pipeline_errors(answered);
        if !claimed {
            self.answer_with_own_error(answered);
        }
        let failed = failures::is_failure(answered);
        let outcome = match reported {
            // A good answer that could not be serialized is a failure.
            Some(Outcome::Ok | Outcome::Fallback) if failed => {
                self.fault = Some(Fault::Server);
                Outcome::Error
            }
            // The tool has no policy: the failure is the tool's own, unless the response contains an error.
            None if failed => {
                self.fault = self.fault.or(Some(Fault::None));
                Outcome::Error
            }
            // rmcp no longer sends the response.
            None if self.request.cancellation.is_cancelled() => Outcome::Cancelled,
            reported => reported.unwrap_or(Outcome::Ok),
        };
        let error = match &*answered {
            Err(error) => ErrorType::of_code(error.code.0),
            Ok(_) => ErrorType::of_outcome(outcome),
        };
        self.count(outcome, error, answered.as_ref().err());
        let Some(context) = &self.context else { return };
        match answered {
            Ok(CallToolResponse::Complete(result)) if !wire::reports_error(result) => {
                wire::disclose(result, context, &self.request.report());
            }
            Ok(_) => {}
            Err(error) => wire::correlate(error, context),
        }
    }

    /// Returns the limit that the hook enforces, if there is one. Calls inside inherit its end as their deadline.
    pub(super) fn limit(&mut self) -> Option<HookTimeout> {
        let limit = HookTimeout::of(self.hook.limited?);
        self.inherits(limit.end());
        Some(limit)
    }

    /// Answers with a timeout: the tool did not answer within the limit that the hook enforces.
    pub(super) fn timed_out(&mut self, limit: Duration) -> Handled {
        let error = ResilienceError::Timeout { scope: TimeoutScope::Call, limit };
        {
            let mut report = self.request.report();
            report.outcome = Some(Outcome::Timeout);
            report.attempts = 1;
        }
        self.fault = Some(error.kind().fault());
        self.statistics.timed_out(TimeoutScope::Call);
        self.failed(&error);
        telemetry::failed(&self.span, &self.hook.name, &error, (self.elapsed(), 1), self.context.as_ref());
        self.count(Outcome::Timeout, ErrorType::of_outcome(Outcome::Timeout), None);
        self.error(&error)
    }

    /// Answers that the gate refuses the call. Nothing has run.
    pub(super) fn refused(&mut self, refusal: Refusal) -> Handled {
        let error = refusal.error();
        {
            let mut report = self.request.report();
            report.outcome = Some(Outcome::Rejected);
            if let Some(gated) = &self.hook.gated {
                report.effect = gated.effect;
            }
        }
        self.fault = Some(error.kind().fault());
        self.statistics.rejected(refusal.rejected());
        telemetry::refused(&self.hook.name, refusal, self.context.as_ref());
        self.failed(&error);
        self.count(Outcome::Rejected, ErrorType::of_outcome(Outcome::Rejected), None);
        self.error(&error)
    }

    /// Limits the deadline of the calls inside. Returns the one before.
    fn inherits(&mut self, end: Moment) -> Option<Moment> {
        self.context.as_mut().map(|context| context.limit(end))
    }

    pub(super) fn panicked(&mut self) -> Handled {
        // The conversion of the pipeline's error may have panicked after the call was accepted.
        #[cfg(feature = "deferred")]
        if let Some(answered) = self.take_deferred() {
            return answered;
        }
        self.fault = Some(Fault::Server);
        self.failed(&ResilienceError::Panicked);
        self.count(Outcome::Panic, ErrorType::of_outcome(Outcome::Panic), None);
        self.error(&ResilienceError::Panicked)
    }

    /// Answers with an error of the framework, after the call was counted.
    fn error(&mut self, error: &ResilienceError) -> Handled {
        let answered = self.within(|| wire::tool_error(error)).unwrap_or_else(|| Err(wire::internal()));
        self.note_delivery(&answered);
        answered
    }

    /// Without the feature, no request is a delivery.
    #[cfg(not(feature = "deferred"))]
    #[expect(clippy::unused_self, reason = "with the feature, it reads the request")]
    fn note_delivery(&self, _: &Handled) {}

    /// Counts and logs an error that no guarded function reported.
    fn failed(&self, error: &dyn ToolError) {
        let (claimed, attempts) = {
            let report = self.request.report();
            (report.statistics.clone(), report.attempts)
        };
        let statistics = claimed.as_ref().unwrap_or(&self.statistics);
        let facts = telemetry::ErrorFacts::of(error);
        let code = statistics.failed(&facts.code, facts.kind, facts.severity);
        let call = (&*self.hook.name, self.elapsed(), attempts);
        telemetry::log_error(&self.span, call, self.context.as_ref(), (&facts, error));
        if let Some(context) = &self.context {
            let recent = Registry::here(Registry::recent);
            telemetry::record_recent(&recent, Arc::clone(&self.hook.name), code, (&facts, error), attempts, context);
        }
    }

    fn elapsed(&self) -> Duration {
        Moment::now().since(self.started)
    }

    /// Counts the end of the call, once. `answered` is the JSON-RPC error of the response, if it is one.
    fn count(&mut self, outcome: Outcome, error: Option<ErrorType>, answered: Option<&ErrorData>) {
        if self.counted.replace(outcome).is_some() {
            return;
        }
        let (claimed, needs_arguments, statistics, of_function, attempts) = {
            let report = self.request.report();
            (report.is_claimed(), report.needs_arguments, report.statistics.clone(), report.fault, report.attempts)
        };
        // A call that was rejected for its arguments never reached the function, so it says nothing about the function.
        let learned = &self.hook.learned;
        if claimed {
            let now_known = CLAIMED | if needs_arguments { 0 } else { NEEDS_NO_ARGUMENTS };
            if learned.load(Ordering::Relaxed) != now_known {
                learned.store(now_known, Ordering::Relaxed);
                if let Some(site) = self.hook.gated.as_ref().and_then(|gated| gated.applied_by) {
                    site.claims_requests();
                }
            }
        } else if outcome == Outcome::Ok {
            // The call ran without a guarded function: the tool has only the hook.
            let _ = learned.compare_exchange(0, NEEDS_NO_ARGUMENTS, Ordering::Relaxed, Ordering::Relaxed);
        }
        let statistics = statistics.as_ref().unwrap_or(&self.statistics);
        let fault = self.fault.or(of_function);
        let elapsed = self.elapsed();
        let counted = statistics.call_ended(outcome, fault, error, Some(elapsed));
        let status = answered.map(|error| error.code.0);
        // Each of these runs foreign code, which may panic.
        if !self.span.is_none() {
            catch_panic(|| span::ended(&self.span, error, answered));
        }
        if Operation::are_recorded() {
            catch_panic(|| {
                let (tool, transport) = (Some(&self.hook.tool), self.transport);
                Operation { method: TOOLS_CALL, tool, transport, error: counted, status, took: elapsed }.record();
            });
        }
        if telemetry::is_enabled() || !self.span.is_none() || outcome == Outcome::Cancelled {
            catch_panic(|| {
                telemetry::call_ended(&self.span, &self.hook.tool, outcome, elapsed, attempts, self.context.as_ref());
            });
        }
        // The span ends now, even if the context of the call lives longer.
        let span = self.request.span().take();
        close(span);
    }
}

impl Within for ServedCall<'_> {
    fn surroundings(&mut self) -> (&Span, &mut Option<CallContext>) {
        (&self.span, &mut self.context)
    }
}

impl Drop for ServedCall<'_> {
    fn drop(&mut self) {
        if self.counted.is_none() {
            #[cfg(feature = "deferred")]
            self.withdraw_deferred();
            let outcome = self.request.report().outcome.unwrap_or(Outcome::Cancelled);
            self.count(outcome, ErrorType::of_outcome(outcome), None);
        }
        if !self.span.is_none() {
            close(Some(mem::replace(&mut self.span, Span::none())));
        }
    }
}

/// Drops a span. Closing it runs foreign code, which may panic.
fn close(span: Option<Span>) {
    if let Some(span) = span.filter(|span| !span.is_none()) {
        catch_panic(|| drop(span));
    }
}
