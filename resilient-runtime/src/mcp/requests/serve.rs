//! A request or notification that a handler's method serves, from its context to its count.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;
use std::{fmt, mem};

use pin_project_lite::pin_project;
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use tokio::time::Instant;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tracing::Span;

use super::super::authorize::Within;
use super::super::hook_timeout::HookTimeout;
use super::super::{Operation, Transport, pipeline_error, span, wire};
use super::response::Disclosed;
use super::{Facts, Response, ServedMethod, events};
use crate::classify::Classify as _;
use crate::context::{CallContext, Claim, Request};
use crate::error::{ResilienceError, TimeoutScope, ToolError};
use crate::outcomes::{Outcome, Rejected};
use crate::panics::catch_panic;
use crate::registry::Registry;
use crate::statistics::{ErrorType, ToolStatistics};
use crate::telemetry;

/// A request or notification before its method runs. If it is dropped before the response, it counts as cancelled.
#[derive(Debug)]
pub struct Incoming {
    pub(super) method: &'static ServedMethod,
    pub(super) request: Arc<Request>,
    pub(super) context: Option<CallContext>,
    pub(super) span: Span,
    transport: Option<Transport>,
    pub(super) limit: Option<HookTimeout>,
    cancelled: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    pub(super) started: Instant,
    /// Where the request is counted. `None` within another method or a hook that counts it.
    statistics: Option<Arc<ToolStatistics>>,
}

pin_project! {
    /// A method that runs. As a type it contains the method once, unlike an `async fn`, which would move it: rmcp moves a
    /// future that is as large as that of its largest method with every request.
    #[must_use = "a method runs only while its future is polled"]
    pub struct Serving<F: Future, T> {
        // Dropped before the request ends.
        #[pin]
        method: Option<F>,
        incoming: Option<Incoming>,
        finish: fn(Incoming, Ended<F::Output>) -> T,
    }
}

impl<F: Future, T> fmt::Debug for Serving<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving").field("incoming", &self.incoming).finish_non_exhaustive()
    }
}

impl<F: Future, T> Future for Serving<F, T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut this = self.project();
        // `None` only after the end.
        let Some(incoming) = this.incoming else { return Poll::Pending };
        let polled = incoming.within(|| match this.method.as_mut().as_pin_mut() {
            Some(method) => method.poll(cx),
            None => Poll::Pending,
        });
        let ended = match polled {
            Some(Poll::Ready(answered)) => Ended::Answered(answered),
            Some(Poll::Pending) => ready!(incoming.poll_limits(cx)),
            None => Ended::Panicked,
        };
        // Dropping the method may panic too.
        incoming.within(|| this.method.set(None));
        match this.incoming.take() {
            Some(incoming) => Poll::Ready((this.finish)(incoming, ended)),
            None => Poll::Pending,
        }
    }
}

/// How the method ended.
#[derive(Debug)]
pub(super) enum Ended<T> {
    Answered(T),
    Panicked,
    TimedOut,
    Cancelled,
}

impl Incoming {
    pub(super) fn new(
        method: &'static ServedMethod,
        facts: Facts,
        received: Option<&RequestContext<RoleServer>>,
    ) -> Self {
        let Facts { context, request, source } = facts;
        let statistics = Registry::here(|registry| registry.request_statistics(method.name));
        statistics.call_started();
        let mut incoming = Self::unlimited(method, request, context, Some(statistics));
        // Subscribers are foreign code and may panic. From here on, the request is counted in any case.
        catch_panic(|| {
            let Some(context) = &incoming.context else { return };
            let needs_transport = telemetry::spans_are_enabled() || Operation::are_recorded();
            incoming.transport = received.filter(|_| needs_transport).map(Transport::of);
            let facts = (&*incoming.request, context, source);
            let span = span::of_request(method.name, facts, incoming.transport);
            // The parent must be set before anything enters the span.
            #[cfg(feature = "otel")]
            if let Some(received) = received {
                crate::trace::otel::place(&span, received);
            }
            incoming.request.runs_in(&span);
            incoming.span = span;
            events::started(&incoming.span, method.name, context);
        });
        incoming.begin();
        incoming
    }

    /// A method that serves a part of a request, which the hook or another method serves and counts.
    pub(super) fn part(method: &'static ServedMethod, outer: CallContext) -> Option<Self> {
        let outer = outer.of_part();
        let request = Arc::clone(outer.request()?);
        let mut incoming = Self::unlimited(method, request, outer, None);
        incoming.begin();
        Some(incoming)
    }

    /// Creates the call without a span and before its timeout begins.
    fn unlimited(
        method: &'static ServedMethod,
        request: Arc<Request>,
        context: CallContext,
        statistics: Option<Arc<ToolStatistics>>,
    ) -> Self {
        Self {
            method,
            request,
            context: Some(context),
            span: Span::none(),
            transport: None,
            limit: None,
            cancelled: None,
            started: Instant::now(),
            statistics,
        }
    }

    /// Begins the timeout, which calls inside inherit as their deadline.
    fn begin(&mut self) {
        let limit = self.method.timeout.map(HookTimeout::lasting);
        if let (Some(limit), Some(context)) = (&limit, &mut self.context) {
            context.limit(limit.end());
        }
        self.limit = limit;
    }

    /// Runs the method of a request, and returns its response.
    ///
    /// # Errors
    /// Returns the errors of the method, and a JSON-RPC error if it gives no response.
    pub fn serve<T: Response, F>(self, method: F) -> Serving<F, Result<T, ErrorData>>
    where
        F: Future<Output = Result<T, ErrorData>>,
    {
        Serving { method: Some(method), incoming: Some(self), finish: Self::served }
    }

    /// Runs the method of a notification.
    pub fn observe<F: Future<Output = ()>>(self, method: F) -> Serving<F, ()> {
        Serving { method: Some(method), incoming: Some(self), finish: Self::observed }
    }

    fn served<T: Response>(self, ended: Ended<Result<T, ErrorData>>) -> Result<T, ErrorData> {
        match ended {
            Ended::Answered(answered) => self.answered(answered),
            Ended::TimedOut => {
                let limit = self.method.timeout.unwrap_or_default();
                let error = ResilienceError::Timeout { scope: TimeoutScope::Call, limit };
                self.failed(Outcome::Timeout, &error)
            }
            Ended::Panicked => self.failed(Outcome::Panic, &ResilienceError::Panicked),
            // rmcp sends no response.
            Ended::Cancelled => self.failed(Outcome::Cancelled, &ResilienceError::Cancelled),
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "like the end of a request")]
    fn observed(mut self, ended: Ended<()>) {
        let outcome = match ended {
            Ended::Answered(()) => Outcome::Ok,
            Ended::Panicked => Outcome::Panic,
            Ended::TimedOut => Outcome::Timeout,
            Ended::Cancelled => Outcome::Cancelled,
        };
        if outcome == Outcome::Panic {
            self.log(&ResilienceError::Panicked, false);
        }
        let error = if outcome == Outcome::Panic { Some(internal_type()) } else { ErrorType::of_outcome(outcome) };
        self.end(outcome, error, None);
    }

    /// Polls for the end of the timeout and for the cancellation by the client.
    fn poll_limits<T>(&mut self, cx: &mut Context<'_>) -> Poll<Ended<T>> {
        if self.method.is_cancellable {
            let request = &self.request;
            let cancelled =
                self.cancelled.get_or_insert_with(|| Box::pin(request.cancellation.clone().cancelled_owned()));
            if cancelled.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ended::Cancelled);
            }
        }
        match &mut self.limit {
            Some(limit) => limit.poll(cx).map(|()| Ended::TimedOut),
            None => Poll::Pending,
        }
    }

    /// Returns whether the hook or another method counts the request.
    pub(super) const fn is_part(&self) -> bool {
        self.statistics.is_none()
    }

    /// Answers with a failure of the framework.
    fn failed<T: Response>(mut self, outcome: Outcome, error: &ResilienceError) -> Result<T, ErrorData> {
        if outcome != Outcome::Cancelled {
            self.log(error, false);
        }
        if !self.is_part() {
            self.request.report().outcome.get_or_insert(outcome);
        }
        let made = self.within(|| T::failed(error)).unwrap_or_else(|| Err(wire::internal()));
        let kind = match (outcome, &made) {
            (Outcome::Panic, Err(error)) => ErrorType::of_code(error.code.0),
            _ => ErrorType::of_outcome(outcome),
        };
        self.end(outcome, kind, made.as_ref().err());
        made
    }

    /// Returns the response of the method, with what the client has to know about the call.
    fn answered<T: Response>(mut self, answered: Result<T, ErrorData>) -> Result<T, ErrorData> {
        if self.statistics.is_none() {
            return answered;
        }
        let answered = self.with_pipeline_errors_as_results(answered);
        let (is_claimed, reported, is_logged) = {
            let report = self.request.report();
            (report.is_claimed(), report.outcome, report.has_run)
        };
        let is_taken_over = self.request.is_taken_over();
        if !is_claimed && !is_taken_over {
            // A claimed request's function has logged its error.
            match &answered {
                Ok(answer) => answer.with_error(&mut |error| self.log(error, is_logged)),
                // The conversion of this crate's errors logs them.
                Err(error) => self.log(error, wire::is_of_this_crate(error)),
            }
        }
        let is_failure = answered.as_ref().map_or(true, Response::is_failure);
        let outcome = match reported {
            Some(Outcome::Ok | Outcome::Fallback) | None if is_failure => Outcome::Error,
            None if self.request.cancellation.is_cancelled() => Outcome::Cancelled,
            reported => reported.unwrap_or(Outcome::Ok),
        };
        let kind = match (outcome, &answered) {
            (Outcome::Timeout | Outcome::Cancelled, _) | (_, Ok(_)) => ErrorType::of_outcome(outcome),
            (_, Err(error)) => ErrorType::of_code(error.code.0),
        };
        self.end(outcome, kind, answered.as_ref().err());
        let Some(context) = self.context.take() else { return answered };
        match answered {
            Ok(mut answer) if !is_taken_over => {
                catch_panic(|| answer.disclose(&Disclosed { context: &context, report: &self.request.report() }));
                Ok(answer)
            }
            Err(mut error) => {
                wire::correlate(&mut error, &context);
                Err(error)
            }
            answered => answered,
        }
    }

    /// Converts a failure of the framework in a tool call to a tool result.
    fn with_pipeline_errors_as_results<T: Response>(&mut self, answered: Result<T, ErrorData>) -> Result<T, ErrorData> {
        let Err(error) = answered else { return answered };
        let request = Arc::clone(&self.request);
        let made = self.within(|| pipeline_error::original_of(&error, &request).and_then(|own| T::failed(&own).ok()));
        made.flatten().ok_or(error)
    }

    /// Logs and counts an error that no guarded function has logged. That of a part is only logged.
    fn log(&self, error: &dyn ToolError, is_logged: bool) {
        let Some(context) = &self.context else { return };
        let facts = telemetry::ErrorFacts::of(error);
        let counted = self.count_error(&facts);
        if !is_logged {
            events::failed(&self.span, (self.method.name, self.started.elapsed()), context, (&facts, error));
        }
        let Some(counted) = counted else { return };
        let (recent, attempts) = (Registry::here(Registry::recent), self.request.report().attempts);
        telemetry::record_recent(&recent, self.method.name.into(), counted, (&facts, error), attempts, context);
    }

    /// Counts an error, and returns the code that it is counted under, and its time.
    pub(super) fn count_error(&self, facts: &telemetry::ErrorFacts) -> Option<(Arc<str>, SystemTime)> {
        self.statistics.as_ref().map(|statistics| statistics.failed(&facts.code, facts.kind, facts.severity))
    }

    /// Counts a request that a function refused to authorize.
    pub(super) fn count_unauthorized(&self) {
        if let Some(statistics) = &self.statistics {
            statistics.rejected(Rejected::Unauthorized);
        }
    }

    /// Counts the end of the request, once. `answered` is the JSON-RPC error of the response, if it is one.
    pub(super) fn end(&mut self, outcome: Outcome, error: Option<ErrorType>, answered: Option<&ErrorData>) {
        let Some(statistics) = self.statistics.take() else { return };
        let elapsed = self.started.elapsed();
        let (of_function, fault, is_tool) = {
            let report = self.request.report();
            (report.statistics.clone(), report.fault, matches!(report.claim, Claim::Claimed))
        };
        let fault = fault.or_else(|| answered.map(|error| error.kind().fault()));
        let mut counted = None;
        if let Some(of_function) = &of_function {
            counted = of_function.call_ended(outcome, fault, error, Some(elapsed));
        }
        let is_elsewhere = self.request.is_taken_over() || is_tool;
        if is_elsewhere {
            statistics.call_withdrawn();
        } else {
            counted = statistics.call_ended(outcome, fault, error, Some(elapsed));
        }
        let status = answered.map(|error| error.code.0);
        // Each of these runs foreign code, which may panic.
        catch_panic(|| span::ended(&self.span, error, answered));
        catch_panic(|| {
            if !self.request.is_taken_over() {
                let tool = Some(&self.request.tool).filter(|_| is_tool);
                let (method, transport) = (self.method.name, self.transport);
                Operation { method, tool, transport, error: counted, status, took: elapsed }.record();
            }
        });
        catch_panic(|| {
            if let Some(context) = &self.context {
                events::ended(&self.span, self.method.name, outcome, elapsed, context);
            }
        });
        // The span ends now, even if the context of the request lives longer.
        let span = self.request.span().take();
        catch_panic(|| drop(span));
    }
}

impl Within for Incoming {
    fn surroundings(&mut self) -> (&Span, &mut Option<CallContext>) {
        (&self.span, &mut self.context)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.end(Outcome::Cancelled, ErrorType::of_outcome(Outcome::Cancelled), None);
        // Closing the span runs foreign code, which may panic.
        catch_panic(|| drop(mem::replace(&mut self.span, Span::none())));
    }
}

/// The error type of a panic.
const fn internal_type() -> ErrorType {
    ErrorType::Code(-32603)
}
