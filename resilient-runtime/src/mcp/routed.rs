//! A router that responds like rmcp's, and also serves the calls that no hook serves.

use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};

use rmcp::ErrorData;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::ToolCallContext;
use tokio::time::Instant;

use super::bad_arguments::{bad_arguments_result, is_about_arguments};
use super::hook::Handling;
use super::operation::TOOLS_CALL;
use super::requests::{self, Called, ServedMethod};
#[cfg(feature = "deferred")]
use super::tasks;
use super::{Handled, Operation, Transport, cached_router, request, routes, span};
use crate::panics::catch_panic;
use crate::registry::Registry;
use crate::telemetry;

/// The calls of tools whose routes have no hook.
static UNHOOKED: ServedMethod = ServedMethod::new(TOOLS_CALL);

/// The router that `#[tool_handler]` receives. Calls of missing or disabled tools reach no route and so no hook; this
/// type records them. It serves calls of routes without the hook as a handler does.
#[derive(Debug)]
pub struct Routed<'r, S> {
    router: &'r ToolRouter<S>,
    /// Whether the handler answers for the tasks of deferred writes.
    #[cfg_attr(not(feature = "deferred"), expect(dead_code, reason = "only what is deferred becomes a task"))]
    has_tasks: bool,
}

/// Wraps a router for `#[tool_handler]`.
#[must_use]
pub fn routed<S>(router: &ToolRouter<S>) -> Routed<'_, S> {
    Routed { router, has_tasks: true }
}

impl<S> Deref for Routed<'_, S> {
    type Target = ToolRouter<S>;

    fn deref(&self) -> &ToolRouter<S> {
        self.router
    }
}

impl<'r, S: Send + Sync + 'static> Routed<'r, S> {
    /// Declares that the handler may not answer for the tasks of deferred writes.
    #[must_use]
    pub fn without_tasks(self) -> Self {
        Self { has_tasks: false, ..self }
    }

    /// Calls the tool. The future returns the router's response or its error.
    pub fn call<'a>(&self, call: ToolCallContext<'a, S>) -> Calling<'a>
    where
        'r: 'a,
    {
        let router = self.router;
        #[cfg(feature = "deferred")]
        let call = {
            let mut call = call;
            if self.has_tasks {
                tasks::mark(&mut call.request_context, |tool| router.has_route(tool));
            }
            call
        };
        match router.map.get(call.name()) {
            Some(route) if cached_router::is_complete(router) => Calling((route.call)(call)),
            Some(_) if !router.has_route(call.name()) => Calling(Box::pin(unknown(router, call))),
            Some(route) if routes::is_hooked(route) => Calling((route.call)(call)),
            Some(_) => Calling(Box::pin(unhooked(router, call))),
            None => Calling(Box::pin(unknown(router, call))),
        }
    }
}

/// A call that a router serves. It is small: rmcp moves a future that is as large as that of its largest method with every
/// request.
#[must_use = "a call is only served while its future is polled"]
pub struct Calling<'a>(Handling<'a>);

impl fmt::Debug for Calling<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calling").finish_non_exhaustive()
    }
}

impl Future for Calling<'_> {
    type Output = Handled;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Handled> {
        let polled = self.0.as_mut().poll(cx);
        // The same as the router does with the response of a route.
        match polled {
            Poll::Ready(Err(error)) if is_about_arguments(&error) => Poll::Ready(Ok(bad_arguments_result(error))),
            polled => polled,
        }
    }
}

/// Serves a call of a tool that does not exist or is disabled.
async fn unknown<S: Send + Sync + 'static>(router: &ToolRouter<S>, call: ToolCallContext<'_, S>) -> Handled {
    // Subscribers are foreign code and may panic.
    let unknown = catch_panic(|| Unknown::new(&call));
    let answered = router.call(call).await;
    if let (Some(unknown), Err(error)) = (unknown, &answered) {
        catch_panic(|| unknown.ended(error));
    }
    answered
}

/// Serves a call of a route without the hook as a handler does.
async fn unhooked<S: Send + Sync + 'static>(router: &ToolRouter<S>, call: ToolCallContext<'_, S>) -> Handled {
    let called = Called {
        tool: call.name(),
        arguments: call.arguments.as_ref(),
        follows_up: call.input_responses.is_some() || call.request_state.is_some(),
    };
    let incoming = requests::begin(&UNHOOKED, &call.request_context, Some(called));
    incoming.serve(router.call(call)).await
}

/// A call of a tool that does not exist. The client chose the name, so it is used neither as a label nor as the name of
/// a span.
struct Unknown {
    span: tracing::Span,
    transport: Option<Transport>,
    started: Instant,
}

impl Unknown {
    fn new<S>(call: &ToolCallContext<'_, S>) -> Self {
        let started = Instant::now();
        let request = &call.request_context;
        // This counts the call, and not the handler around it.
        if let Some(outer) = request::handled(request) {
            outer.request().inspect(|outer| outer.take_over());
        }
        let transport = (telemetry::spans_are_enabled() || Operation::are_recorded()).then(|| Transport::of(request));
        let span = span::of_unknown(call.name(), request, transport);
        #[cfg(feature = "otel")]
        crate::trace::otel::place(&span, request);
        Self { span, transport, started }
    }

    fn ended(self, error: &ErrorData) {
        let took = self.started.elapsed();
        Registry::here(|registry| registry.unknown_tool(took));
        span::ended(&self.span, None, Some(error));
        let status = Some(error.code.0);
        Operation { method: TOOLS_CALL, tool: None, transport: self.transport, error: None, status, took }.record();
    }
}
