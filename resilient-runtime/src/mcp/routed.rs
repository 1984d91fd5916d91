//! A router that responds like rmcp's, and also serves the calls that no hook serves.

use std::ops::Deref;

use rmcp::ErrorData;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::CallToolResponse;
use tokio::time::Instant;

use super::operation::TOOLS_CALL;
use super::requests::{self, Called, ServedMethod};
#[cfg(feature = "deferred")]
use super::tasks;
use super::{Operation, Transport, request, routes, span};
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

impl<S: Send + Sync + 'static> Routed<'_, S> {
    /// Declares that the handler may not answer for the tasks of deferred writes.
    #[must_use]
    pub fn without_tasks(self) -> Self {
        Self { has_tasks: false, ..self }
    }

    /// Calls the tool and returns the router's response.
    ///
    /// # Errors
    /// Returns the router's errors.
    pub async fn call(&self, call: ToolCallContext<'_, S>) -> Result<CallToolResponse, ErrorData> {
        #[cfg(feature = "deferred")]
        let call = {
            let mut call = call;
            if self.has_tasks {
                tasks::mark(&mut call.request_context, |tool| self.router.has_route(tool));
            }
            call
        };
        if !self.router.has_route(call.name()) {
            // Subscribers are foreign code and may panic.
            let unknown = catch_panic(|| Unknown::new(&call));
            let answered = self.router.call(call).await;
            if let (Some(unknown), Err(error)) = (unknown, &answered) {
                catch_panic(|| unknown.ended(error));
            }
            return answered;
        }
        if self.router.map.get(call.name()).is_some_and(routes::is_hooked) {
            return self.router.call(call).await;
        }
        let called = Called {
            tool: call.name(),
            arguments: call.arguments.as_ref(),
            follows_up: call.input_responses.is_some() || call.request_state.is_some(),
        };
        let incoming = requests::begin(&UNHOOKED, &call.request_context, Some(called));
        incoming.serve(self.router.call(call)).await
    }
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
