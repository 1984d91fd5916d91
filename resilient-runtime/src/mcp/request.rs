//! What a request says about itself: its id, whose it is, what it belongs to.

use std::sync::{Arc, Mutex};

use resilient_policy::Effect;
use rmcp::RoleServer;
use rmcp::model::Extensions;
use rmcp::service::RequestContext;

use super::wire;
use crate::context::{CallContext, CorrelationId, CorrelationSource, Principal, Report, Request};
use crate::keyed_hash::KeyedHash;

/// The context of a call that this request asks for.
pub(crate) fn context(
    asked: &RequestContext<RoleServer>,
    tool: Arc<str>,
    effect: Effect,
    arguments: Option<String>,
    is_hooked: bool,
) -> (CallContext, Arc<Request>, CorrelationSource) {
    let traceparent = asked.meta.get_traceparent().map(ToOwned::to_owned);
    let (correlation_id, source) = correlation(asked, traceparent.as_deref());
    let request = Arc::new(Request {
        id: asked.id.to_string(),
        tool,
        is_hooked,
        traceparent,
        principal: principal(&asked.extensions),
        arguments,
        cancellation: asked.ct.clone(),
        report: Mutex::new(Report { effect, ..Report::default() }),
    });
    (CallContext::of_request(correlation_id, Arc::clone(&request)), request, source)
}

/// The trace id of the request, else the client's own id, else a random one.
fn correlation(asked: &RequestContext<RoleServer>, traceparent: Option<&str>) -> (CorrelationId, CorrelationSource) {
    if let Some(id) = traceparent.and_then(CorrelationId::from_traceparent) {
        return (id, CorrelationSource::Trace);
    }
    let given = asked.meta.0.0.get(wire::CORRELATION_META).and_then(|id| id.as_str());
    if let Some(id) = given.and_then(CorrelationId::from_client) {
        return (id, CorrelationSource::Client);
    }
    (CorrelationId::random(), CorrelationSource::Generated)
}

/// Whose data a request is about: what the application says, else over HTTP who authenticated,
/// else, where there is no HTTP, the one client of this process.
fn principal(extensions: &Extensions) -> Option<Principal> {
    if let Some(principal) = extensions.get::<Principal>() {
        return Some(principal.clone());
    }
    match extensions.get::<http::request::Parts>() {
        Some(parts) => {
            let authorization = parts.headers.get(http::header::AUTHORIZATION)?;
            let mut hash = KeyedHash::new();
            hash.part(b"authorization");
            hash.part(authorization.as_bytes());
            Some(Principal::new(format!("{:032x}", hash.finish())))
        }
        None => Some(Principal::new("local")),
    }
}
