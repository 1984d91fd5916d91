//! The refresh of a kept answer: a call of the function in the background, without a request and without a caller.
//!
//! The function itself is called, so the refresh passes to it which answer it computes: in a slot of the thread, from
//! which the function takes it in its first poll.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::{Instrument, Span};

use crate::cache::Lead;
use crate::context::{self, CallContext};
use crate::gate;
use crate::pipeline::call::Call;
use crate::registry::Registry;
use crate::site::Site;
use crate::telemetry;

/// The maximum number of refreshes that run in the process.
const MOST: usize = 16;

static PERMITS: Semaphore = Semaphore::const_new(MOST);

/// The right to run a refresh.
pub(super) type Permit = SemaphorePermit<'static>;

/// What a refresh computes.
pub(super) struct Ticket {
    site: usize,
    pub(super) key: u128,
    pub(super) lead: Lead,
    pub(super) permit: Permit,
}

thread_local! {
    static TICKET: RefCell<Option<Box<Ticket>>> = const { RefCell::new(None) };
}

/// Takes the ticket of a refresh, if the call that begins is a refresh of this function.
pub(super) fn take(site: &Site) -> Option<Box<Ticket>> {
    let take = |ticket: &mut Option<Box<Ticket>>| {
        let is_mine = ticket.as_ref().is_some_and(|ticket| ticket.site == std::ptr::from_ref(site).addr());
        if is_mine { ticket.take() } else { None }
    };
    TICKET.try_with(|ticket| take(&mut ticket.borrow_mut())).ok().flatten()
}

/// A refresh that is about to run.
pub struct Refresh {
    ticket: Ticket,
    context: Option<CallContext>,
    registry: Option<Arc<Registry>>,
    span: Span,
    runtime: Handle,
}

impl Refresh {
    /// Decides whether the answer of this key is refreshed now. It is not if it is computed already, if too many
    /// refreshes run, or if the breaker or the gate would not admit it.
    pub(super) fn admit(call: &Call<'_>, key: u128, generation: u64) -> Option<Self> {
        let site = call.site();
        let runtime = Handle::try_current().ok()?;
        if call.is_rejected_by_breaker() || is_refused(site) {
            return None;
        }
        let permit = PERMITS.try_acquire().ok()?;
        let lead = call.answers()?.flights().try_lead((key, generation))?;
        let request = call.context().and_then(CallContext::request);
        let span = if telemetry::spans_are_enabled() {
            let span = tracing::info_span!(parent: None, "refresh", otel.name = site.name());
            let of_call = call.span();
            span.follows_from(if of_call.is_disabled() { Span::current().id() } else { of_call.id() });
            span
        } else {
            Span::none()
        };
        Some(Self {
            ticket: Ticket { site: std::ptr::from_ref(site).addr(), key, lead, permit },
            context: request.map(|request| CallContext::unrequested(request)),
            registry: Registry::scoped(),
            span,
            runtime,
        })
    }

    /// Spawns the call of the function.
    pub fn spawn<F>(self, call: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Self { ticket, context, registry, span, runtime } = self;
        let call = context::within(context, Ticketed { ticket: Some(Box::new(ticket)), call });
        let call = call.instrument(span);
        match registry {
            Some(registry) => drop(runtime.spawn(registry.scope(call))),
            None => drop(runtime.spawn(call)),
        }
    }
}

impl std::fmt::Debug for Refresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Refresh").field("span", &self.span).finish_non_exhaustive()
    }
}

/// Returns whether the gate refuses calls of the tool.
fn is_refused(site: &Site) -> bool {
    gate::is_active()
        && site.tool().is_some()
        && Registry::here(|registry| registry.gate().refusal(&site.gated())).is_some()
}

pin_project! {
    /// A call that finds a ticket in its first poll.
    struct Ticketed<F> {
        ticket: Option<Box<Ticket>>,
        #[pin]
        call: F,
    }
}

impl<F: Future> Future for Ticketed<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _offered = this.ticket.is_some().then(|| Offered::new(this.ticket));
        this.call.poll(cx)
    }
}

/// A ticket in the slot of the thread. What is not taken is put back on drop.
struct Offered<'a>(&'a mut Option<Box<Ticket>>);

impl<'a> Offered<'a> {
    fn new(ticket: &'a mut Option<Box<Ticket>>) -> Self {
        swap(ticket);
        Self(ticket)
    }
}

impl Drop for Offered<'_> {
    fn drop(&mut self) {
        swap(self.0);
    }
}

fn swap(ticket: &mut Option<Box<Ticket>>) {
    // The thread-local is gone while a thread is torn down, and no refresh runs then.
    let _ = TICKET.try_with(|slot| std::mem::swap(&mut *slot.borrow_mut(), ticket));
}
