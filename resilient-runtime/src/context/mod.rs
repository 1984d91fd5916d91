//! The context of the running call: its principal, its id, its deadline.
//!
//! A guarded function has its context at every poll, in everything that it awaits. A task that it spawns does not,
//! unless you wrap the future with [`CallContext::instrument`].

mod activity;
mod authorized;
mod enclosing;
mod headers;
#[cfg(feature = "rmcp")]
mod progress;
mod request;
mod scope;

use std::mem::replace;
use std::sync::Arc;

use tokio::time::Instant;
use tracing::field::{DisplayValue, display};

use crate::clock::Moment;
use crate::identity::{CorrelationId, Principal};

pub(crate) use activity::Activity;
pub(crate) use authorized::Authorized;
#[cfg(feature = "rmcp")]
pub(crate) use authorized::ServerId;
#[cfg(feature = "cache")]
pub(crate) use enclosing::Records;
pub(crate) use enclosing::{EnclosingAttempt, Held, Lender, Lending, Loan};
#[cfg(feature = "rmcp")]
pub(crate) use progress::Progress;
#[cfg(feature = "rmcp")]
pub(crate) use request::Converted;
pub(crate) use request::{Claim, Degraded, Report, Request};
pub(crate) use scope::{
    EnteredRequest, EnteredRoot, enter, enter_request, enter_root, enter_root_again, is_inside_a_call, within,
};

/// The context of a call. It is cheap to clone and the same for everything that runs within one attempt.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use resilient_runtime::{CallContext, ResilienceError, resilient};
///
/// #[resilient(timeout = "5s")]
/// async fn look_up() -> Result<u32, ResilienceError> {
///     let call = CallContext::current().ok_or(ResilienceError::Cancelled)?;
/// call.warn("the list was cut at 100 entries"); // sent to the client with the result
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
    /// Whether `enclosing` is the running attempt, rather than the attempt around this call.
    is_shared: bool,
    /// Whether a method of the handler that another method called runs in it, whose function claims no request.
    is_of_part: bool,
    /// The deadline, or [`Moment::LAST`] if there is none.
    deadline: Moment,
    request: Option<Arc<Request>>,
    /// The permits that the running attempt holds, if any.
    held: Held,
    /// The running attempt, once a call inside it can need it; before that, the attempt of another guarded function
    /// around this call, if there is one.
    enclosing: Option<Arc<EnclosingAttempt>>,
}

impl CallContext {
    /// Creates a new context, for a function that neither the hook nor another guarded function called.
    pub(crate) fn root() -> Self {
        Self::new(CorrelationId::random(), None)
    }

    /// Creates a new context like [`root`](Self::root), in its first attempt, which ends then.
    #[expect(clippy::inline_always, reason = "written where it stays")]
    #[inline(always)]
    pub(crate) fn root_in_first_attempt(end: Moment) -> Self {
        Self {
            correlation_id: CorrelationId::random(),
            attempt: 1,
            is_running: true,
            is_shared: false,
            is_of_part: false,
            deadline: end,
            request: None,
            held: Held::default(),
            enclosing: None,
        }
    }

    /// Turns the context of a request, in which nothing has run, into that of the first attempt of the call that answers
    /// the request, if `claim` lets it. The attempt ends by `end`. Returns the deadline of the request.
    #[inline]
    fn begin_first_attempt(&mut self, end: Moment, claim: impl FnOnce(&Request) -> bool) -> Option<Moment> {
        let is_unused = self.attempt == 0 && !self.is_running && !self.is_of_part && self.enclosing.is_none();
        self.request.as_deref().filter(|_| is_unused).filter(|request| claim(request))?;
        (self.attempt, self.is_running) = (1, true);
        Some(self.limit(end))
    }

    /// Turns the context of a first attempt back into that of its request, and returns that of the attempt.
    fn replace_first_attempt(&mut self, request_deadline: Moment) -> Self {
        // All other fields of the request's context still had their initial values.
        let of_request =
            Self { deadline: request_deadline, ..Self::new(self.correlation_id.clone(), self.request.clone()) };
        replace(self, of_request)
    }

    /// Returns whether there is nothing to drop.
    #[inline]
    const fn holds_nothing(&self) -> bool {
        self.request.is_none() && self.enclosing.is_none() && self.correlation_id.is_number()
    }

    /// Creates the context of a call that no client waits for, on behalf of the principal of this request.
    #[cfg(feature = "cache")]
    pub(crate) fn unrequested(outer: &Request) -> Self {
        Self::new(CorrelationId::random(), Some(Arc::new(Request::of_refresh(outer))))
    }

    /// Creates the context of a request that the hook received.
    pub(crate) fn of_request(correlation_id: CorrelationId, request: Arc<Request>) -> Self {
        Self::new(correlation_id, Some(request))
    }

    fn new(correlation_id: CorrelationId, request: Option<Arc<Request>>) -> Self {
        Self {
            correlation_id,
            attempt: 0,
            is_running: false,
            is_shared: false,
            is_of_part: false,
            deadline: Moment::LAST,
            request,
            held: Held::default(),
            enclosing: None,
        }
    }

    /// Creates the state that the running attempt shares with the calls inside it, before this context is cloned. In a
    /// fallback no attempt is running: the calls that it makes are inside the attempt around its call.
    fn share(&mut self) {
        if self.is_running && !self.is_shared {
            self.enclosing = Some(EnclosingAttempt::new(self.held, self.enclosing.take()));
            self.is_shared = true;
        }
    }

    /// Returns the context for a call that is made in this one.
    pub(crate) fn inside(mut self) -> Self {
        (self.is_running, self.is_shared, self.held) = (false, false, Held::default());
        self
    }

    /// Returns the context in which a hook serves the same request within this call: nothing of it has run yet.
    #[cfg(feature = "rmcp")]
    pub(crate) fn taken_over(self, request: Arc<Request>) -> Self {
        Self { attempt: 0, request: Some(request), ..self.inside() }
    }

    /// Returns the context in which a method serves a part of a request that another method serves.
    #[cfg(feature = "rmcp")]
    pub(crate) fn of_part(self) -> Self {
        Self { is_of_part: true, ..self }
    }

    pub(crate) const fn is_of_part(&self) -> bool {
        self.is_of_part
    }

    /// Returns the attempt around this call, if another guarded function made it.
    pub(crate) fn enclosing(&self) -> Option<Arc<EnclosingAttempt>> {
        match &self.enclosing {
            Some(own) if self.is_shared => own.enclosing(),
            enclosing => enclosing.clone(),
        }
    }

    /// Ends the running attempt, which lends nothing to later calls.
    #[inline]
    pub(crate) fn end_attempt(&mut self) -> Option<Arc<EnclosingAttempt>> {
        self.is_running = false;
        if self.is_shared { self.unshare() } else { None }
    }

    #[cold]
    fn unshare(&mut self) -> Option<Arc<EnclosingAttempt>> {
        self.is_shared = false;
        let own = self.enclosing.take();
        self.enclosing = own.as_ref().and_then(|own| own.enclosing());
        own
    }

    /// Adds a layer around the attempts of this call, which runs its body for concurrent calls too.
    #[cfg(feature = "cache")]
    pub(crate) fn lead(&mut self, flight: u64) -> Arc<EnclosingAttempt> {
        let layer = EnclosingAttempt::leading(flight, self.enclosing.take());
        self.enclosing = Some(Arc::clone(&layer));
        layer
    }

    /// Returns the state that the running attempt shares with the calls inside it, if any.
    pub(crate) fn shared(&self) -> Option<&Arc<EnclosingAttempt>> {
        self.enclosing.as_ref().filter(|_| self.is_shared)
    }

    /// Returns the id that connects the response with the log lines of this call.
    #[must_use]
    pub fn correlation_id(&self) -> &CorrelationId {
        &self.correlation_id
    }

    /// Returns the number of the running attempt, starting at 1; in a fallback, that of the last attempt. Zero outside
    /// of a guarded function, and in a fallback if the function was never run.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns the time by which the running attempt ends: the earliest of the attempt timeout, the timeout of the call
    /// and the deadline of the call around it. `None` if there is no limit.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.ends().map(Moment::instant)
    }

    /// Returns the JSON-RPC id of the request, if there is one.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request.as_ref().map(|request| request.id.as_str()).filter(|id| !id.is_empty())
    }

    /// Returns the name of the requested tool, if the call came through the hook.
    #[must_use]
    pub fn tool(&self) -> Option<&str> {
        self.request.as_ref().map(|request| &*request.tool).filter(|tool| !tool.is_empty())
    }

    /// Returns the principal whose data the call is about, if known.
    #[must_use]
    pub fn principal(&self) -> Option<&Principal> {
        self.request.as_ref().and_then(|request| request.principal.as_ref())
    }

    /// Returns the W3C `traceparent` of the request.
    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.request.as_ref().and_then(|request| request.traceparent.as_deref())
    }

    /// Returns which deferred write the call delivers, if it is a delivery. See [`deferred`](crate::deferred).
    #[cfg(feature = "deferred")]
    #[must_use]
    pub fn delivery(&self) -> Option<crate::deferred::DeliveryInfo> {
        self.request.as_ref()?.delivery.as_ref().map(|delivery| delivery.info())
    }

    /// Adds a warning for the client, sent in the `_meta` of the result: for example, that a list was cut. At most 16
    /// warnings per call are sent, each cut at 1,000 characters. Without the hook, this does nothing.
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

    /// Sends the client a progress notification, if its request has a progress token.
    ///
    /// MCP requires that the values of a request increase. A retry starts its work again, so a value that is not above
    /// the highest one of this call is not sent: a client that reads 0 to 5 from the first attempt reads nothing from the
    /// second until it is past 5. Values that are not finite are not sent either, and neither is anything after the call
    /// has ended. The message is masked and cut like a public text. A notification that cannot be sent is no error.
    ///
    /// What you send through rmcp's `Peer` is not filtered.
    ///
    /// ```
    /// use resilient_runtime::{CallContext, ResilienceError, resilient};
    ///
    /// #[resilient(retry = 2, read_only)]
    /// async fn import(rows: &[&str]) -> Result<(), ResilienceError> {
    ///     for (done, _row) in (0_u32..).zip(rows) {
    ///         if let Some(call) = CallContext::current() {
    ///             call.progress(done.into(), Some(rows.len() as f64), Some("importing")).await;
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() { import(&["tea", "milk"]).await.unwrap() }
    /// ```
    ///
    /// # Cancel safety
    /// If the future is dropped, the notification may or may not have been sent, and its value counts as reached.
    #[cfg(feature = "rmcp")]
    pub async fn progress(&self, progress: f64, total: Option<f64>, message: Option<&str>) {
        let Some(request) = self.request() else { return };
        if let Some(sender) = &request.progress {
            sender.send((progress, total, message), || !request.is_hooked || request.is_running()).await;
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
        // Warnings of a failed attempt do not apply to the response.
        if let Some(request) = self.request.as_ref().filter(|_| attempt > 1) {
            request.report().warnings.clear();
        }
    }

    /// Sets the permits that the new attempt holds. Without this, it holds those of the previous attempt, initially
    /// none.
    pub(crate) fn holds(&mut self, held: Held) {
        self.held = held;
    }

    /// Like [`deadline`](Self::deadline), as a [`Moment`].
    pub(crate) fn ends(&self) -> Option<Moment> {
        (self.deadline < Moment::LAST).then_some(self.deadline)
    }

    pub(crate) fn set_deadline(&mut self, deadline: Moment) {
        self.deadline = deadline;
    }

    /// Sets the deadline, unless there is an earlier one. Returns the one before.
    pub(crate) fn limit(&mut self, end: Moment) -> Moment {
        let before = self.deadline;
        self.deadline = before.min(end);
        before
    }
}

/// Returns the correlation id of the call as a field, since not every log shows the fields of the span.
pub(crate) fn id(context: Option<&CallContext>) -> Option<DisplayValue<&CorrelationId>> {
    context.map(|context| display(context.correlation_id()))
}
