//! The hook: wraps every route of a tool router, whether annotated or not.
//!
//! It is the only code that runs with every transport and sees the name and annotations of the tool, the raw arguments
//! and the request. It asks the gate, creates the context of the call, catches panics outside the body, counts the call,
//! and adds metadata to the response.

mod served;

use std::future::{poll_fn, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::task::Poll;

use resilient_policy::{Effect, Source};
use rmcp::RoleServer;
use rmcp::handler::server::tool::{DynCallToolHandler, ToolCallContext};
use rmcp::service::RequestContext;

use super::Handled;
#[cfg(feature = "deferred")]
use super::accepted::DeferringTool;
use super::authorize::{Authorize, Within as _, addresses};
use super::explain::Explain;
use super::gated::GatedTool;
use super::hook_timeout::HookTimeout;
use super::wire;
use crate::context::{self, CallContext, Claim, Request, ServerId};
use crate::error::{Refusal, RefusalReason};
use crate::gate::{self, InFlight};
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
    /// What the answer of a deferred call depends on, if the tool defers its calls.
    #[cfg(feature = "deferred")]
    pub(super) deferring: Option<DeferringTool>,
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
        if self.outer(&call.request_context).is_some() {
            return inner(call);
        }
        if gate::is_active() {
            return self.serve_gated(inner, call);
        }
        self.serve_admitted(inner, call, Admitted)
    }

    /// Serves a call after functions have authorized it, unless an outer hook that serves the call has run the same
    /// functions for the same server.
    pub(super) fn serve_authorized<S: Send + Sync + 'static>(
        self: Arc<Self>,
        inner: Arc<DynCallToolHandler<S>>,
        call: ToolCallContext<'_, S>,
        by: Arc<Authorizers<S>>,
    ) -> Handling<'_> {
        let is_covered = self.outer(&call.request_context).is_some_and(|outer| {
            let authorized = outer.authorized.get();
            authorized.is_some_and(|authorized| authorized.covers(ServerId::of(call.service), addresses(&by.by)))
        });
        if is_covered {
            return inner(call);
        }
        let hook = Arc::clone(&self);
        self.serve_admitted(inner, call, Authorized { hook, by })
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
        decision: impl Decision<S>,
    ) -> Handling<'_> {
        let mut call = Some(call);
        Box::pin(async move {
            let Some(received) = &call else { return Err(wire::internal()) };
            let mut served = ServedCall::new(&self, received);
            let (mut limit, _in_flight) = match decision.enter(&mut served, received).await {
                Ok(entered) => entered,
                Err(answered) => return answered,
            };
            served.arguments = served.copy_arguments(received);
            let (mut handling, mut answered) = (None, None);
            let ended = poll_fn(|cx| {
                let polled = served.within(|| {
                    if let Some(call) = call.take() {
                        handling = Some(inner(call));
                    }
                    let Some(running) = &mut handling else { return };
                    if let Poll::Ready(answer) = running.as_mut().poll(cx) {
                        answered = Some(answer);
                        // Dropping the future may panic too, which does not change the answer.
                        handling = None;
                    }
                });
                match polled {
                    _ if answered.is_some() => Poll::Ready(Ended::Answered),
                    None => Poll::Ready(Ended::Panicked),
                    Some(()) => {
                        // rmcp has deserialized the arguments before the first poll.
                        served.arguments = None;
                        match &mut limit {
                            Some(limit) => limit.poll(cx).map(|()| Ended::TimedOut),
                            None => Poll::Pending,
                        }
                    }
                }
            })
            .await;
            if handling.is_some() {
                served.within(|| handling = None);
            }
            // It stays where it is: a response is large.
            match (ended, &mut answered) {
                (Ended::Answered, Some(answered)) => served.answered(answered),
                (Ended::TimedOut, _) => {
                    let length = limit.as_ref().map(HookTimeout::length).unwrap_or_default();
                    answered = Some(served.timed_out(length));
                }
                (Ended::Answered | Ended::Panicked, _) => answered = Some(served.panicked()),
            }
            answered.unwrap_or_else(|| Err(wire::internal()))
        })
    }

    /// Returns whether the guarded function behind the route applies this refusal, because one of its fallbacks may
    /// answer. It is certain to claim the request: the route is known to be that function, and it has claimed one
    /// before.
    fn is_applied_by_function(&self, refusal: Refusal) -> bool {
        self.gated.as_ref().and_then(|gated| gated.applied_by).is_some_and(|site| {
            if site.policy().deferred.is_some() {
                // Only a tool of a block defers its calls, so that it claims each request of its route. From the first
                // call on, since the store may have the calls of an earlier process.
                return !matches!(refusal, Refusal::Switched { reason: RefusalReason::Disabled, .. });
            }
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

    /// Returns the request of an outer hook that already serves this call.
    fn outer(&self, request: &RequestContext<RoleServer>) -> Option<Arc<Request>> {
        if !context::is_inside_a_call() {
            return None;
        }
        let context = CallContext::current()?;
        let outer = context.request()?;
        (outer.is_of_hook() && *outer.tool == *self.tool && outer.id == request.id).then(|| Arc::clone(outer))
    }
}

/// The functions that authorize the calls of a route.
pub(super) struct Authorizers<S> {
    pub(super) by: Vec<Authorize<S>>,
    /// The record whose timeout limits them, if there is one with a policy.
    pub(super) site: Option<&'static Site>,
}

/// What comes before the tool in a call: what has been decided about it, or is decided now.
trait Decision<S>: Send + 'static {
    /// What the call holds while it runs.
    type Held: Send;

    /// Enters the call. Returns the timeout that the hook enforces, or the answer if the call ends here.
    fn enter(
        self,
        served: &mut ServedCall<'_>,
        call: &ToolCallContext<'_, S>,
    ) -> impl Future<Output = Result<(Option<HookTimeout>, Self::Held), Handled>> + Send;
}

/// The call may run. Without a size, so that a server that uses no gate pays nothing for it.
struct Admitted;

impl<S> Decision<S> for Admitted {
    type Held = ();

    fn enter(
        self,
        served: &mut ServedCall<'_>,
        _: &ToolCallContext<'_, S>,
    ) -> impl Future<Output = Result<(Option<HookTimeout>, ()), Handled>> + Send {
        ready(Ok((served.limit(), ())))
    }
}

/// The guarded function that claims the request applies the refusal.
struct LeftInRequest(Refusal);

impl<S> Decision<S> for LeftInRequest {
    type Held = ();

    fn enter(
        self,
        served: &mut ServedCall<'_>,
        _: &ToolCallContext<'_, S>,
    ) -> impl Future<Output = Result<(Option<HookTimeout>, ()), Handled>> + Send {
        served.request.report().claim = Claim::Refused(self.0);
        ready(Ok((served.limit(), ())))
    }
}

/// The call is authorized first, and the gate decides about it after that.
struct Authorized<S> {
    hook: Arc<Hook>,
    by: Arc<Authorizers<S>>,
}

impl<S: Send + Sync + 'static> Decision<S> for Authorized<S> {
    type Held = Option<InFlight>;

    async fn enter(
        self,
        served: &mut ServedCall<'_>,
        call: &ToolCallContext<'_, S>,
    ) -> Result<(Option<HookTimeout>, Self::Held), Handled> {
        let Self { hook, by } = self;
        let own = served.limit();
        let is_limited = own.is_some();
        let mut limit = own.unwrap_or_else(|| by.site.map_or_else(HookTimeout::usual, HookTimeout::of));
        served.authorize(&by.by, call, &mut limit).await?;
        let limit = is_limited.then_some(limit);
        let gated = hook.gated.as_ref().filter(|_| gate::is_active());
        match gated.map_or(Ok(None), GatedTool::admit) {
            Ok(in_flight) => Ok((limit, in_flight)),
            Err(refusal) if hook.is_applied_by_function(refusal) => {
                served.request.report().claim = Claim::Refused(refusal);
                Ok((limit, None))
            }
            Err(refusal) => Err(served.refused(refusal)),
        }
    }
}

/// How the future of the tool ended.
enum Ended {
    Answered,
    Panicked,
    TimedOut,
}
