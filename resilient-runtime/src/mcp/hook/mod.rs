//! The hook: wraps every route of a tool router, whether annotated or not.
//!
//! It is the only code that runs with every transport and sees the name and annotations of the tool, the raw arguments
//! and the request. It asks the gate, creates the context of the call, catches panics outside the body, counts the call,
//! and adds metadata to the response.

mod served;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::task::Poll;

use resilient_policy::{Effect, Source};
use rmcp::RoleServer;
use rmcp::handler::server::tool::{DynCallToolHandler, ToolCallContext};
use rmcp::service::RequestContext;

use super::Handled;
use super::explain::Explain;
use super::gated::GatedTool;
use super::hook_timeout::HookTimeout;
use crate::context::{CallContext, Claim, Request};
use crate::error::{Refusal, RefusalReason};
use crate::gate;
use crate::site::Site;
use crate::statistics::ToolStatistics;
use served::ServedCall;

pub(super) type Handling<'a> = Pin<Box<dyn Future<Output = Handled> + Send + 'a>>;

/// The hook of one route.
pub(super) struct Hook {
    pub(super) tool: Arc<str>,
    /// The name in statistics.
    pub(super) name: Arc<str>,
    pub(super) statistics: Arc<ToolStatistics>,
    pub(super) effect: Effect,
    /// The record of the tool, if the hook enforces its timeout.
    pub(super) limited: Option<&'static Site>,
    /// What the calls so far have shown of the tool: [`NEEDS_NO_ARGUMENTS`], [`CLAIMED`]. Its record keeps the second for
    /// the hooks of other sessions.
    pub(super) learned: AtomicU8,
    /// The functions that explain arguments which do not fit the types of the tool.
    pub(super) explained: Box<[Explain]>,
    /// What the gate needs to know of the tool. `None` for a tool that is never gated.
    pub(super) gated: Option<GatedTool>,
}

/// The tool stores no last good answers, so that it does not need its arguments in canonical form.
const NEEDS_NO_ARGUMENTS: u8 = 1;
/// A guarded function has claimed the request.
const CLAIMED: u8 = 2;

impl Hook {
    pub(super) fn serve<S: Send + Sync + 'static>(
        self: Arc<Self>,
        inner: Arc<DynCallToolHandler<S>>,
        call: ToolCallContext<'_, S>,
    ) -> Handling<'_> {
        if self.is_running_already(&call.request_context) {
            return inner(call);
        }
        if gate::is_active() {
            return self.serve_gated(inner, call);
        }
        self.serve_admitted(inner, call, Admitted)
    }

    /// Serves a call that the gate has to decide about.
    #[cold]
    fn serve_gated<S: Send + Sync + 'static>(
        self: Arc<Self>,
        inner: Arc<DynCallToolHandler<S>>,
        call: ToolCallContext<'_, S>,
    ) -> Handling<'_> {
        Box::pin(async move {
            match self.gated.as_ref().map_or(Ok(None), GatedTool::admit) {
                Ok(_in_flight) => self.serve_admitted(inner, call, Admitted).await,
                Err(refusal) if self.is_applied_by_function(refusal) => {
                    self.serve_admitted(inner, call, LeftInRequest(refusal)).await
                }
                Err(refusal) => ServedCall::new(&self, &call).refused(refusal),
            }
        })
    }

    fn serve_admitted<S: Send + Sync + 'static>(
        self: Arc<Self>,
        inner: Arc<DynCallToolHandler<S>>,
        call: ToolCallContext<'_, S>,
        decision: impl Decision,
    ) -> Handling<'_> {
        Box::pin(async move {
            let mut served = ServedCall::new(&self, &call);
            decision.enter(&served.request);
            let mut limit = served.limit();
            served.arguments = served.copy_arguments(&call);
            let made = served.within(|| inner(call));
            let Some(mut handling) = made else { return served.panicked() };
            let answered = poll_fn(|cx| match served.within(|| handling.as_mut().poll(cx)) {
                Some(Poll::Pending) => {
                    // rmcp has deserialized the arguments before the first poll.
                    served.arguments = None;
                    match &mut limit {
                        Some(limit) => limit.poll(cx).map(|()| Ended::TimedOut),
                        None => Poll::Pending,
                    }
                }
                Some(Poll::Ready(answered)) => Poll::Ready(Ended::Answered(answered)),
                None => Poll::Ready(Ended::Panicked),
            })
            .await;
            // Dropping the future may panic too.
            served.within(|| drop(handling));
            match answered {
                Ended::Answered(answered) => served.answered(answered),
                Ended::TimedOut => served.timed_out(limit.as_ref().map(HookTimeout::length).unwrap_or_default()),
                Ended::Panicked => served.panicked(),
            }
        })
    }

    /// Returns whether the guarded function behind the route applies this refusal, because one of its fallbacks may
    /// answer. It is certain to claim the request: the route is known to be that function, and it has claimed one
    /// before.
    fn is_applied_by_function(&self, refusal: Refusal) -> bool {
        self.gated.as_ref().and_then(|gated| gated.applied_by).is_some_and(|site| {
            let serves = |source: &Source| match refusal {
                Refusal::Switched { reason: RefusalReason::CacheOnly, .. } => *source == Source::Cache,
                Refusal::Switched { .. } => false,
                Refusal::Concurrency { .. } => matches!(source, Source::Cache | Source::Value),
            };
            let reads_first = || site.policy().cache.is_some_and(|cache| cache.fresh.is_some());
            let is_cache_only = matches!(refusal, Refusal::Switched { reason: RefusalReason::CacheOnly, .. });
            site.has_claimed_requests()
                && (site.policy().fallback.iter().any(serves) || (is_cache_only && reads_first()))
        })
    }

    /// Returns whether an outer hook already serves this call.
    fn is_running_already(&self, request: &RequestContext<RoleServer>) -> bool {
        CallContext::current().and_then(|context| {
            let outer = context.request()?;
            Some(*outer.tool == *self.tool && outer.id == request.id.to_string())
        }) == Some(true)
    }
}

/// What the gate has decided about a call that the tool serves.
trait Decision: Send + 'static {
    /// Leaves the decision in the request.
    fn enter(self, request: &Request);
}

/// The call may run. Without a size, so that a server that uses no gate pays nothing for it.
struct Admitted;

impl Decision for Admitted {
    fn enter(self, _: &Request) {}
}

/// The guarded function that claims the request applies the refusal.
struct LeftInRequest(Refusal);

impl Decision for LeftInRequest {
    fn enter(self, request: &Request) {
        request.report().claim = Claim::Refused(self.0);
    }
}

/// How the future of the tool ended.
enum Ended {
    Answered(Handled),
    Panicked,
    TimedOut,
}
