//! Facts about a request: its ids, its principal and its trace.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

use http::request::Parts;
use resilient_policy::Effect;
use rmcp::RoleServer;
use rmcp::model::Extensions;
use rmcp::service::{NotificationContext, Peer, RequestContext};
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::context::{self, CallContext, Progress, Report, Request};
#[cfg(feature = "deferred")]
use crate::deferred::{self, Delivery};
use crate::error::CORRELATION_META;
use crate::identity::{CorrelationId, CorrelationSource, Principal, PrincipalSource};
use crate::keyed_hash::KeyedHash;
use crate::registry::Registry;
use crate::statistics::ToolStatistics;
use crate::trace;

/// What serves a request, and counts it.
pub(crate) enum Server {
    /// The guarded function that has the request among its arguments.
    Function,
    /// The hook, which counts the request here.
    Hook(Arc<ToolStatistics>),
    /// The handler.
    Handler,
}

/// Creates the context of a call from its request.
pub(crate) fn context(
    request: &RequestContext<RoleServer>,
    tool: Arc<str>,
    effect: Effect,
    arguments: Option<String>,
    server: Server,
) -> (CallContext, Arc<Request>, CorrelationSource) {
    let traceparent = request.meta.get_traceparent().map(ToOwned::to_owned);
    let tracestate = request.meta.get_tracestate().and_then(trace::state).map(ToOwned::to_owned);
    #[cfg(feature = "deferred")]
    let delivery = delivery(&request.extensions);
    let parts = request.extensions.get();
    #[cfg_attr(not(feature = "deferred"), expect(unused_variables, reason = "only what is deferred needs the source"))]
    let (principal, principal_source) = principal(&request.extensions, parts, &request.peer);
    let outer = handled(request);
    let (correlation_id, source) = correlation_of(request, (traceparent.as_deref(), parts), outer.as_ref());
    // A handler and a hook inside it send the progress of one request, whose values must increase.
    let progress = outer.as_ref().and_then(|outer| outer.request()?.progress.clone());
    let is_hooked = !matches!(server, Server::Function);
    let request = Arc::new(Request {
        id: request.id.clone().into(),
        tool,
        is_hooked,
        is_of_handler: matches!(server, Server::Handler),
        is_taken_over: AtomicBool::new(false),
        is_follow_up: AtomicBool::new(false),
        traceparent,
        tracestate,
        principal,
        #[cfg(feature = "deferred")]
        principal_source,
        #[cfg(feature = "deferred")]
        delivery,
        statistics: if let Server::Hook(statistics) = server { Some(statistics) } else { None },
        arguments,
        cancellation: request.ct.clone(),
        authorized: OnceLock::new(),
        progress: progress.or_else(|| Progress::of(request).map(Arc::new)),
        // It is running until it is counted.
        span: Mutex::new(is_hooked.then(Span::none)),
        #[cfg(feature = "otel")]
        place: OnceLock::new(),
        report: Mutex::new(Report { effect, ..Report::default() }),
    });
    let context = match outer {
        Some(outer) if request.is_of_hook() => {
            outer.request().inspect(|outer| outer.take_over());
            outer.taken_over(Arc::clone(&request))
        }
        _ => CallContext::of_request(correlation_id, Arc::clone(&request)),
    };
    (context, request, source)
}

/// Returns the delivery that a request is. Only a worker of this process puts one into the extensions.
#[cfg(feature = "deferred")]
fn delivery(extensions: &Extensions) -> Option<Arc<Delivery>> {
    if deferred::is_used() { extensions.get::<Arc<Delivery>>().cloned() } else { None }
}

/// Returns the current context, if the handler serves this request in it.
pub(crate) fn handled(request: &RequestContext<RoleServer>) -> Option<CallContext> {
    if !context::is_inside_a_call() {
        return None;
    }
    CallContext::current().filter(|outer| outer.request().is_some_and(|outer| outer.is_of_handler_with(&request.id)))
}

/// Creates the context of a notification, which has no id.
pub(crate) fn of_notification(notification: &NotificationContext<RoleServer>) -> (CallContext, Arc<Request>) {
    let field = |name: &str| notification.meta.0.0.get(name).and_then(|text| text.as_str());
    let traceparent = field("traceparent").map(ToOwned::to_owned);
    let sent = traceparent.as_deref().and_then(CorrelationId::from_traceparent);
    let parts = notification.extensions.get();
    #[cfg_attr(not(feature = "deferred"), expect(unused_variables, reason = "only what is deferred needs the source"))]
    let (principal, principal_source) = principal(&notification.extensions, parts, &notification.peer);
    let request = Arc::new(Request {
        id: Request::no_id(),
        tool: Arc::from(""),
        is_hooked: true,
        is_of_handler: true,
        is_taken_over: AtomicBool::new(false),
        is_follow_up: AtomicBool::new(false),
        tracestate: field("tracestate").and_then(trace::state).map(ToOwned::to_owned),
        traceparent,
        principal,
        #[cfg(feature = "deferred")]
        principal_source,
        #[cfg(feature = "deferred")]
        delivery: None,
        statistics: None,
        arguments: None,
        cancellation: CancellationToken::new(),
        authorized: OnceLock::new(),
        progress: None,
        span: Mutex::new(Some(Span::none())),
        #[cfg(feature = "otel")]
        place: OnceLock::new(),
        report: Mutex::default(),
    });
    let correlation_id = sent.unwrap_or_else(CorrelationId::random);
    (CallContext::of_request(correlation_id, Arc::clone(&request)), request)
}

/// Returns the trace id of the span's parent, else the id that the client sent, else a random one.
pub(super) fn correlation(
    request: &RequestContext<RoleServer>,
    traceparent: Option<&str>,
) -> (CorrelationId, CorrelationSource) {
    correlation_of(request, (traceparent, request.extensions.get()), handled(request).as_ref())
}

fn correlation_of(
    request: &RequestContext<RoleServer>,
    (traceparent, parts): (Option<&str>, Option<&Parts>),
    handler: Option<&CallContext>,
) -> (CorrelationId, CorrelationSource) {
    #[cfg(feature = "deferred")]
    if let Some(delivery) = delivery(&request.extensions) {
        return (CorrelationId::stored(&delivery.correlation_id), CorrelationSource::Generated);
    }
    let sent = traceparent.and_then(CorrelationId::from_traceparent);
    if let Some(id) = sent.or_else(|| enclosing_trace(request, parts)) {
        return (id, CorrelationSource::Trace);
    }
    let given = request.meta.0.0.get(CORRELATION_META).and_then(|id| id.as_str());
    if let Some(id) = given.and_then(CorrelationId::from_client) {
        return (id, CorrelationSource::Client);
    }
    // A hook inside a handler has the id that the handler has generated.
    let id = handler.map_or_else(CorrelationId::random, |handler| handler.correlation_id().clone());
    (id, CorrelationSource::Generated)
}

/// Returns the trace of the request if its `_meta` names none: the one that OpenTelemetry knows, or else that of the
/// HTTP headers.
#[cfg_attr(not(feature = "otel"), expect(unused_variables, reason = "OpenTelemetry knows the trace of a request"))]
fn enclosing_trace(request: &RequestContext<RoleServer>, parts: Option<&Parts>) -> Option<CorrelationId> {
    #[cfg(feature = "otel")]
    if let Some(trace) = crate::trace::otel::enclosing_trace(request) {
        return CorrelationId::from_trace(u128::from_be_bytes(trace.to_bytes()));
    }
    CorrelationId::from_traceparent(parts?.headers.get("traceparent")?.to_str().ok()?)
}

fn note_several() {
    Registry::here(|registry| registry.callers.note_several());
}

/// Returns whose data a request is about: the principal that the application sets, else over HTTP the authenticated
/// caller, else, without HTTP, the only client of this process. A delivery has the principal of the deferred call.
fn principal(
    extensions: &Extensions,
    parts: Option<&Parts>,
    peer: &Peer<RoleServer>,
) -> (Option<Principal>, PrincipalSource) {
    #[cfg(feature = "deferred")]
    if let Some(delivery) = delivery(extensions) {
        return match delivery.principal.strip_prefix("p:") {
            Some(name) => (Some(Principal::new(name)), PrincipalSource::Application),
            None => (Some(local()), PrincipalSource::Local),
        };
    }
    #[cfg(feature = "testing")]
    if let Some(pretended) = Registry::here(|registry| registry.callers.pretended()) {
        note_several();
        return (Some(pretended), PrincipalSource::Application);
    }
    let explicit = extensions.get::<Principal>();
    if let Some(principal) = explicit.or_else(|| parts?.extensions.get::<Principal>()) {
        note_several();
        return (Some(principal.clone()), PrincipalSource::Application);
    }
    let Some(parts) = parts else {
        let is_known = Registry::here(|registry| registry.callers.is_the_only_client(peer.peer_info()));
        return if is_known { (Some(local()), PrincipalSource::Local) } else { (None, PrincipalSource::Unknown) };
    };
    note_several();
    let Some(authorization) = parts.headers.get(http::header::AUTHORIZATION) else {
        return (None, PrincipalSource::Unknown);
    };
    let mut hash = KeyedHash::new();
    hash.part(b"authorization");
    hash.part(authorization.as_bytes());
    (Some(Principal::new(format!("{:032x}", hash.finish()))), PrincipalSource::Credentials)
}

/// Returns the principal of a process that has one client, as over stdio.
fn local() -> Principal {
    static LOCAL: LazyLock<Principal> = LazyLock::new(|| Principal::new("local"));
    LOCAL.clone()
}
