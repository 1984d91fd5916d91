//! The functions behind the key `authorize`, and how one of them runs: within the context of the call, behind the panic
//! barrier, and within the deadline of the call.

use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use resilient_policy::{ErrorKind, Fault};
use rmcp::RoleServer;
use rmcp::model::JsonObject;
use rmcp::service::RequestContext;
use tracing::Span;

use super::hook_timeout::HookTimeout;
use crate::answer::Answer;
use crate::context::{self, Authorized, CallContext};
use crate::error::{ResilienceError, TimeoutScope, ToolError};
use crate::outcomes::Outcome;
use crate::panics::catch_panic;
use crate::site::Site;

/// A function that decides whether a request may be served: the user's function, in the form in which the expansion
/// passes it.
pub type Authorize<S> = for<'a> fn(&'a S, &'a RequestContext<RoleServer>, &'a JsonObject) -> Authorizing<'a>;

/// The error of an authorization.
type Denial = Box<dyn ToolError + Send>;

/// A decision that is under way.
pub struct Authorizing<'a>(Pin<Box<dyn Future<Output = Result<(), Denial>> + Send + 'a>>);

impl fmt::Debug for Authorizing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorizing").finish_non_exhaustive()
    }
}

/// The result of a function that authorizes: a `Result<(), E>` whose error is a [`ToolError`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the result of a function that authorizes",
    label = "expected an `async fn(&self, &RequestContext<RoleServer>, &JsonObject) -> Result<(), E>`",
    note = "return `Ok(())` to let the request through, and an error to refuse it"
)]
pub trait Authorization {
    /// Returns the error that refuses the request.
    #[doc(hidden)]
    fn __denial(self) -> Option<Box<dyn ToolError + Send>>;
}

impl<E: ToolError + Send + 'static> Authorization for Result<(), E> {
    fn __denial(self) -> Option<Box<dyn ToolError + Send>> {
        self.err().map(|error| Box::new(error) as Denial)
    }
}

/// Returns the addresses of functions, which identify them.
pub(super) fn addresses<S>(by: &[Authorize<S>]) -> impl Iterator<Item = usize> {
    by.iter().map(|authorize| (*authorize as *const ()).addr())
}

/// Wraps the future of the user's function.
pub fn authorizing<'a, R: Authorization>(decision: impl Future<Output = R> + Send + 'a) -> Authorizing<'a> {
    Authorizing(Box::pin(async move { decision.await.__denial().map_or(Ok(()), Err) }))
}

/// A request that was not authorized, or not in time. The answer is the error.
pub(super) struct Unauthorized {
    pub(super) error: Box<dyn ToolError + Send>,
    /// `Rejected` if the function refused the request, else `Timeout`, `Cancelled` or `Panic`.
    pub(super) outcome: Outcome,
}

impl Unauthorized {
    fn own(error: ResilienceError, outcome: Outcome) -> Self {
        Self { error: Box::new(error), outcome }
    }
}

/// Returns whether an error of this kind says that the request may not be served, and not that the decision failed.
pub(super) fn is_refusal(kind: ErrorKind) -> bool {
    matches!(kind.fault(), Fault::Caller | Fault::Operator)
}

/// A request that runs user code within its context and span, behind the outer panic barrier.
pub(super) trait Within {
    /// Returns the span and the context of the request.
    fn surroundings(&mut self) -> (&Span, &mut Option<CallContext>);

    /// Returns `None` if the code panics.
    fn within<T>(&mut self, run: impl FnOnce() -> T) -> Option<T> {
        let (span, context) = self.surroundings();
        if span.is_none() {
            let _context = context::enter(context);
            return catch_panic(run);
        }
        // The inner barrier catches panics within the span, the outer one those of the span itself.
        let ended = catch_panic(|| {
            let _span = span.enter();
            let _context = context::enter(context);
            catch_panic(run)
        });
        ended.flatten()
    }
}

/// Runs functions that authorize a request, one after another, until one of them refuses it.
///
/// `arguments` are the arguments of the tool, or the parameters of another request. If `limit` ends or the client
/// cancels the request first, the request is not authorized.
///
/// # Errors
/// Returns the error of the first function that refuses the request.
pub(super) async fn authorize<S: Sync>(
    by: &[Authorize<S>],
    (server, request, arguments): (&S, &RequestContext<RoleServer>, &JsonObject),
    limit: &mut HookTimeout,
    call: &mut impl Within,
) -> Result<(), Unauthorized> {
    let panicked = || Unauthorized::own(ResilienceError::Panicked, Outcome::Panic);
    let mut cancelled = pin!(request.ct.cancelled());
    for authorize in by {
        let mut running = call.within(|| authorize(server, request, arguments)).ok_or_else(panicked)?;
        let decided = poll_fn(|cx| match call.within(|| running.0.as_mut().poll(cx)) {
            Some(Poll::Ready(decided)) => {
                Poll::Ready(decided.map_err(|error| Unauthorized { error, outcome: Outcome::Rejected }))
            }
            Some(Poll::Pending) if cancelled.as_mut().poll(cx).is_ready() => {
                Poll::Ready(Err(Unauthorized::own(ResilienceError::Cancelled, Outcome::Cancelled)))
            }
            Some(Poll::Pending) => limit.poll(cx).map(|()| {
                let error = ResilienceError::Timeout { scope: TimeoutScope::Call, limit: limit.length() };
                Err(Unauthorized::own(error, Outcome::Timeout))
            }),
            None => Poll::Ready(Err(panicked())),
        })
        .await;
        // Dropping the future, and an error that is not the answer, may panic too.
        if call.within(|| drop(running)).is_none() {
            call.within(|| drop(decided));
            return Err(panicked());
        }
        decided?;
    }
    Ok(())
}

/// Ends a call of a guarded function whose tool has the key `authorize`, unless the hook has authorized the call. What a
/// handler has authorized is no call of a tool.
#[must_use]
pub fn unauthorized<R: Answer>(site: &Site) -> Option<R> {
    let context = CallContext::current();
    let is_authorized = context
        .as_ref()
        .and_then(CallContext::request)
        .and_then(|request| request.authorized.get())
        .is_some_and(Authorized::is_of_tool);
    if is_authorized {
        return None;
    }
    site.report_unauthorized();
    Some(R::refused(ResilienceError::Unauthorized))
}

/// The functions that authorize the calls of a block's tools, by the name of the tool.
pub(super) struct Authorizations<S> {
    /// For all routes of the block.
    all: Vec<Authorize<S>>,
    of_tools: Vec<(String, Authorize<S>)>,
}

impl<S> fmt::Debug for Authorizations<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.of_tools.iter().map(|(tool, _)| tool)).finish()
    }
}

impl<S> Default for Authorizations<S> {
    fn default() -> Self {
        Self { all: Vec::new(), of_tools: Vec::new() }
    }
}

impl<S: 'static> Authorizations<S> {
    /// Registers a function for the calls of every tool of the block. It runs before those of single tools.
    pub(super) fn add_for_all(&mut self, authorize: Authorize<S>) {
        self.all.push(authorize);
    }

    /// Registers a function for the calls of a tool.
    pub(super) fn add(&mut self, tool: &str, authorize: Authorize<S>) {
        self.of_tools.push((tool.to_owned(), authorize));
    }

    /// Keeps the functions of each of these tools of the block for the process, without the type of the server.
    pub(super) fn leak<'t>(self, tools: impl Iterator<Item = &'t str>) -> &'static (dyn Any + Send + Sync) {
        let of_block = tools.flat_map(|tool| self.all.iter().map(|authorize| (tool.to_owned(), *authorize)));
        let all: Vec<_> = of_block.chain(self.of_tools.iter().cloned()).collect();
        Box::leak(Box::new(all))
    }

    /// Returns the functions for a tool among those that [`leak`](Self::leak) has kept.
    pub(super) fn of_tool(kept: &(dyn Any + Send + Sync), tool: &str) -> Vec<Authorize<S>> {
        let all = kept.downcast_ref::<Vec<(String, Authorize<S>)>>();
        all.into_iter().flatten().filter(|(name, _)| *name == tool).map(|(_, authorize)| *authorize).collect()
    }
}
