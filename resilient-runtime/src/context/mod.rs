//! The call that is running: who asked, under which id, until when.
//!
//! A guarded function finds its context again at every poll, wherever it is awaited on its way;
//! a task that it spawns does not, unless the future is wrapped with [`CallContext::instrument`].

mod activity;
mod enclosing;
mod headers;
mod request;
mod scope;

use std::sync::Arc;

use tokio::time::Instant;
use tracing::field::{DisplayValue, display};

use crate::clock::Moment;
use crate::identity::{CorrelationId, Principal};

pub(crate) use activity::Activity;
pub(crate) use enclosing::{EnclosingAttempt, Held, Lender, Lending, Loan};
#[cfg(feature = "rmcp")]
pub(crate) use request::{Converted, Report};
pub(crate) use request::{Degraded, Request};
pub(crate) use scope::{enter, is_inside_a_call, within};

/// The context of a call: cheap to clone, the same for everything that runs within one attempt.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use resilient_runtime::{CallContext, ResilienceError, resilient};
///
/// #[resilient(timeout = "5s")]
/// async fn look_up() -> Result<u32, ResilienceError> {
///     let call = CallContext::current().ok_or(ResilienceError::Cancelled)?;
///     call.warn("the list was cut at 100 entries"); // for the client, beside the result
///     Ok(call.attempt())
/// }
/// assert_eq!(look_up().await, Ok(1));
/// assert!(CallContext::current().is_none());
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct CallContext {
    correlation_id: CorrelationId,
    attempt: u32,
    /// Whether an attempt is running.
    is_running: bool,
    /// Whether `enclosing` is the attempt that is running, and not yet the one around this call.
    is_shared: bool,
    /// [`Moment::LAST`] where there is none.
    deadline: Moment,
    request: Option<Arc<Request>>,
    /// What the attempt that is running holds, if one is.
    held: Held,
    /// The attempt that is running, once a call inside it may ask; else the one around this call, if another guarded
    /// function made it.
    enclosing: Option<Arc<EnclosingAttempt>>,
}

impl CallContext {
    /// A context of its own, for a function that no hook and no other guarded function called.
    pub(crate) fn root() -> Self {
        Self::new(CorrelationId::random(), None)
    }

    /// The context of a request that the hook received.
    pub(crate) fn of_request(correlation_id: CorrelationId, request: Arc<Request>) -> Self {
        Self::new(correlation_id, Some(request))
    }

    fn new(correlation_id: CorrelationId, request: Option<Arc<Request>>) -> Self {
        Self {
            correlation_id,
            attempt: 0,
            is_running: false,
            is_shared: false,
            deadline: Moment::LAST,
            request,
            held: Held::default(),
            enclosing: None,
        }
    }

    /// Makes what the running attempt shares with the calls inside it, before this context is copied. In a fallback no
    /// attempt is running: what it calls is inside the attempt around its call.
    fn share(&mut self) {
        if self.is_running && !self.is_shared {
            self.enclosing = Some(EnclosingAttempt::new(self.held, self.enclosing.take()));
            self.is_shared = true;
        }
    }

    /// The context of a call that was made in this one.
    pub(crate) fn inside(mut self) -> Self {
        (self.is_running, self.is_shared, self.held) = (false, false, Held::default());
        self
    }

    /// The attempt around this call, if another guarded function made it.
    pub(crate) fn around(&self) -> Option<Arc<EnclosingAttempt>> {
        match &self.enclosing {
            Some(own) if self.is_shared => own.around(),
            around => around.clone(),
        }
    }

    /// The running attempt ends: it lends nothing to calls that come now.
    #[inline]
    pub(crate) fn end_attempt(&mut self) -> Option<Arc<EnclosingAttempt>> {
        self.is_running = false;
        if self.is_shared { self.unshare() } else { None }
    }

    #[cold]
    fn unshare(&mut self) -> Option<Arc<EnclosingAttempt>> {
        self.is_shared = false;
        let own = self.enclosing.take();
        self.enclosing = own.as_ref().and_then(|own| own.around());
        own
    }

    /// What the running attempt shares with the calls inside it, if there was one.
    pub(crate) fn shared(&self) -> Option<&Arc<EnclosingAttempt>> {
        self.enclosing.as_ref().filter(|_| self.is_shared)
    }

    /// The id under which the answer and the log lines about this call are found.
    #[must_use]
    pub fn correlation_id(&self) -> &CorrelationId {
        &self.correlation_id
    }

    /// The attempt that is running, from 1; in a fallback the last one that was. Zero outside a
    /// guarded function, and in a fallback where the function was never run.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// When the attempt that is running ends at the latest: at its own limit or at the call's, and
    /// never after the deadline of the call around it.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.ends().map(Moment::instant)
    }

    /// The JSON-RPC id of the request, where there is one.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request.as_ref().map(|request| request.id.as_str())
    }

    /// The tool that was asked for, where the call came through the hook.
    #[must_use]
    pub fn tool(&self) -> Option<&str> {
        self.request.as_ref().map(|request| &*request.tool).filter(|tool| !tool.is_empty())
    }

    /// Whose data the call is about, where that is known.
    #[must_use]
    pub fn principal(&self) -> Option<&Principal> {
        self.request.as_ref().and_then(|request| request.principal.as_ref())
    }

    /// The W3C `traceparent` that came with the request.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.request.as_ref().and_then(|request| request.traceparent.as_deref())
    }

    /// Tells the client something beside the result, in its `_meta`: that a list was cut, say. At
    /// most 16 warnings of a call are told, each cut at 1,000 characters; without the hook there is
    /// nobody to tell.
    pub fn warn(&self, warning: impl AsRef<str>) {
        const MOST: usize = 16;
        if let Some(request) = &self.request {
            let warning = crate::error::public_text(warning.as_ref());
            let mut report = request.report();
            if report.warnings.len() < MOST {
                report.warnings.push(warning);
            }
        }
    }

    pub(crate) fn request(&self) -> Option<&Arc<Request>> {
        self.request.as_ref()
    }

    #[inline]
    pub(crate) fn begin_attempt(&mut self, attempt: u32, deadline: Moment) {
        self.attempt = attempt;
        self.is_running = true;
        if self.is_shared {
            self.unshare();
        }
        self.set_deadline(deadline);
        // What an attempt warned of that failed is not about the answer.
        if let Some(request) = self.request.as_ref().filter(|_| attempt > 1) {
            request.report().warnings.clear();
        }
    }

    /// The attempt that begins holds this. Else it holds what the attempt before it held, at first nothing.
    pub(crate) fn holds(&mut self, held: Held) {
        self.held = held;
    }

    /// The same on our own clock.
    pub(crate) fn ends(&self) -> Option<Moment> {
        (self.deadline < Moment::LAST).then_some(self.deadline)
    }

    pub(crate) fn set_deadline(&mut self, deadline: Moment) {
        self.deadline = deadline;
    }
}

/// The call's correlation id as a field. Not every log shows the fields of the span as well.
pub(crate) fn id(context: Option<&CallContext>) -> Option<DisplayValue<&CorrelationId>> {
    context.map(|context| display(context.correlation_id()))
}
