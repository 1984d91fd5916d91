//! The requests and notifications that a handler serves itself: the same as the hook does for tools.
//!
//! A method of `impl ServerHandler` with `#[resilient]` runs within [`Incoming`], which creates the context, catches panics,
//! enforces the timeout, drops the method if the client cancels the request, and records the operation. If a hook inside a
//! `call_tool` serves the same request, the hook counts it.

mod authorize;
mod events;
mod response;
mod serve;

use std::sync::Arc;
use std::time::Duration;

use resilient_policy::Effect;
use rmcp::RoleServer;
use rmcp::model::{CallToolRequestParams, JsonObject};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};

#[cfg(feature = "cache")]
pub use authorize::canonical_parameters;
pub use authorize::{Unserved, parameters, subscribed};
pub use response::Response;
pub use serve::Incoming;

use super::arguments;
use super::request::{self, Server};
use crate::context::{CallContext, Request};
use crate::identity::CorrelationSource;

/// A method of a handler, as the code declares it.
#[derive(Debug)]
pub struct ServedMethod {
    /// The MCP method.
    name: &'static str,
    effect: Effect,
    timeout: Option<Duration>,
    /// How long it may take to authorize a request, if the method's guarded function enforces its timeout.
    authorized_within: Option<Duration>,
    /// Whether cancellation by the client drops the method.
    is_cancellable: bool,
}

impl ServedMethod {
    /// Creates the record of a method that serves this MCP method.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, effect: Effect::Unknown, timeout: None, authorized_within: None, is_cancellable: true }
    }

    /// Sets what a call of the method changes.
    #[must_use]
    pub const fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Limits the method, if its guarded function does not do so.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Limits how long it may take to authorize a request.
    #[must_use]
    pub const fn authorized_within(mut self, limit: Duration) -> Self {
        self.authorized_within = Some(limit);
        self
    }

    /// Lets the method itself wait for its cancellation, as a subscription does.
    #[must_use]
    pub const fn waits_for_cancellation(mut self) -> Self {
        self.is_cancellable = false;
        self
    }
}

/// The last argument of a handler's method.
pub trait Received {
    /// Creates the context in which the method runs.
    #[doc(hidden)]
    fn facts(&self, tool: &str, effect: Effect, arguments: Option<String>) -> Facts;

    /// Returns the request, if it is one.
    #[doc(hidden)]
    fn request(&self) -> Option<&RequestContext<RoleServer>>;
}

/// The context of a request or notification.
#[derive(Debug)]
pub struct Facts {
    context: CallContext,
    request: Arc<Request>,
    source: CorrelationSource,
}

impl Received for RequestContext<RoleServer> {
    fn facts(&self, tool: &str, effect: Effect, arguments: Option<String>) -> Facts {
        let (context, request, source) = request::context(self, tool.into(), effect, arguments, Server::Handler);
        Facts { context, request, source }
    }

    fn request(&self) -> Option<&RequestContext<RoleServer>> {
        Some(self)
    }
}

impl Received for SubscriptionContext {
    fn facts(&self, tool: &str, effect: Effect, arguments: Option<String>) -> Facts {
        self.request_context().facts(tool, effect, arguments)
    }

    fn request(&self) -> Option<&RequestContext<RoleServer>> {
        Some(self.request_context())
    }
}

impl Received for NotificationContext<RoleServer> {
    fn facts(&self, _: &str, _: Effect, _: Option<String>) -> Facts {
        let (context, request) = request::of_notification(self);
        Facts { context, request, source: CorrelationSource::Generated }
    }

    fn request(&self) -> Option<&RequestContext<RoleServer>> {
        None
    }
}

/// Begins to serve a request or notification. `called` is the tool call that a `call_tool` serves.
#[must_use]
pub fn incoming(
    method: &'static ServedMethod,
    received: &impl Received,
    called: Option<&CallToolRequestParams>,
) -> Incoming {
    let called = called.map(|called| Called {
        tool: &called.name,
        arguments: called.arguments.as_ref(),
        follows_up: called.input_responses.is_some() || called.request_state.is_some(),
    });
    begin(method, received, called)
}

/// A tool call, as its request has it.
pub(super) struct Called<'a> {
    pub(super) tool: &'a str,
    pub(super) arguments: Option<&'a JsonObject>,
    /// Whether it answers a question of an earlier call.
    pub(super) follows_up: bool,
}

/// Begins to serve a request, which may be a tool call.
pub(super) fn begin(method: &'static ServedMethod, received: &impl Received, called: Option<Called<'_>>) -> Incoming {
    let request = received.request();
    if let Some(part) = request.and_then(enclosing).and_then(|outer| Incoming::part(method, outer)) {
        return part;
    }
    let arguments = called.as_ref().map(|called| arguments::canonical(called.arguments));
    let tool = called.as_ref().map_or("", |called| called.tool);
    let facts = received.facts(tool, method.effect, arguments);
    facts.request.follows_up(called.is_some_and(|called| called.follows_up));
    Incoming::new(method, facts, request)
}

/// Returns the current context, if the hook or another method of a handler serves the same request in it.
fn enclosing(request: &RequestContext<RoleServer>) -> Option<CallContext> {
    let serves = |outer: &Arc<Request>| outer.is_hooked && outer.is_running() && outer.id == request.id;
    CallContext::current().filter(|outer| outer.request().is_some_and(serves))
}
