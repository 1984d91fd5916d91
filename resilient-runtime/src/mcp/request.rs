//! Facts about a request: its ids, its principal and its trace.

use std::sync::{Arc, LazyLock, Mutex, OnceLock};

use resilient_policy::Effect;
use rmcp::RoleServer;
use rmcp::service::RequestContext;

use super::wire;
use crate::context::{CallContext, Progress, Report, Request};
use crate::identity::{CorrelationId, CorrelationSource, Principal};
use crate::keyed_hash::KeyedHash;
use crate::registry::Registry;
use crate::statistics::ToolStatistics;
use crate::trace;

/// Creates the context of a call from its request.
pub(crate) fn context(
    request: &RequestContext<RoleServer>,
    tool: Arc<str>,
    effect: Effect,
    arguments: Option<String>,
    statistics: Option<Arc<ToolStatistics>>,
) -> (CallContext, Arc<Request>, CorrelationSource) {
    let traceparent = request.meta.get_traceparent().map(ToOwned::to_owned);
    let tracestate = request.meta.get_tracestate().and_then(trace::state).map(ToOwned::to_owned);
    let (correlation_id, source) = correlation(request, traceparent.as_deref());
    let request = Arc::new(Request {
        id: request.id.to_string(),
        tool,
        is_hooked: statistics.is_some(),
        traceparent,
        tracestate,
        principal: principal(request),
        statistics,
        arguments,
        cancellation: request.ct.clone(),
        authorized: OnceLock::new(),
        progress: Progress::of(request),
        span: Mutex::default(),
        #[cfg(feature = "otel")]
        place: OnceLock::new(),
        report: Mutex::new(Report { effect, ..Report::default() }),
    });
    (CallContext::of_request(correlation_id, Arc::clone(&request)), request, source)
}

/// Returns the trace id of the span's parent, else the id that the client sent, else a random one.
pub(super) fn correlation(
    request: &RequestContext<RoleServer>,
    traceparent: Option<&str>,
) -> (CorrelationId, CorrelationSource) {
    let sent = traceparent.and_then(CorrelationId::from_traceparent);
    if let Some(id) = sent.or_else(|| enclosing_trace(request)) {
        return (id, CorrelationSource::Trace);
    }
    let given = request.meta.0.0.get(wire::CORRELATION_META).and_then(|id| id.as_str());
    if let Some(id) = given.and_then(CorrelationId::from_client) {
        return (id, CorrelationSource::Client);
    }
    (CorrelationId::random(), CorrelationSource::Generated)
}

/// Returns the trace of the request if its `_meta` names none: the one that OpenTelemetry knows, or else that of the
/// HTTP headers.
fn enclosing_trace(request: &RequestContext<RoleServer>) -> Option<CorrelationId> {
    #[cfg(feature = "otel")]
    if let Some(trace) = crate::trace::otel::enclosing_trace(request) {
        return CorrelationId::from_trace(u128::from_be_bytes(trace.to_bytes()));
    }
    let parts = request.extensions.get::<http::request::Parts>()?;
    CorrelationId::from_traceparent(parts.headers.get("traceparent")?.to_str().ok()?)
}

fn note_several() {
    Registry::here(|registry| registry.callers.note_several());
}

/// Returns whose data a request is about: the principal that the application sets, else over HTTP the authenticated
/// caller, else, without HTTP, the only client of this process.
fn principal(request: &RequestContext<RoleServer>) -> Option<Principal> {
    #[cfg(feature = "testing")]
    if let Some(pretended) = Registry::here(|registry| registry.callers.pretended()) {
        note_several();
        return Some(pretended);
    }
    let parts = request.extensions.get::<http::request::Parts>();
    let explicit = request.extensions.get::<Principal>();
    if let Some(principal) = explicit.or_else(|| parts?.extensions.get::<Principal>()) {
        note_several();
        return Some(principal.clone());
    }
    let Some(parts) = parts else { return the_only_client(request) };
    note_several();
    let authorization = parts.headers.get(http::header::AUTHORIZATION)?;
    let mut hash = KeyedHash::new();
    hash.part(b"authorization");
    hash.part(authorization.as_bytes());
    Some(Principal::new(format!("{:032x}", hash.finish())))
}

/// Returns the principal of a process that has one client, as over stdio.
fn the_only_client(request: &RequestContext<RoleServer>) -> Option<Principal> {
    static LOCAL: LazyLock<Principal> = LazyLock::new(|| Principal::new("local"));
    Registry::here(|registry| registry.callers.is_the_only_client(request.peer.peer_info())).then(|| LOCAL.clone())
}
