//! The first poll of a call, in which most of them end: the body is polled at once, and the state machine begins only if
//! there is more to do than to count a good answer.

use std::mem::forget;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use resilient_policy::ErrorKind;
use tracing::Span;

use super::Call;
use super::first_attempt::{FirstAttempt, FirstAttemptPoll, FirstContext, Storage, begin_machine_in_attempt};
use super::first_within::poll_within;
use super::permit::lease;
use crate::binding::{Binding, BindingRef};
use crate::clock::Moment;
use crate::context::{self, CallContext};
use crate::error::{ResilienceError, ToolError};
use crate::outcomes::{Outcome, Rejected};
use crate::panics::catch_panic_inline;
use crate::pipeline::body::{Body, Ended};
use crate::site::{Entry, EntryDetails, Site};
use crate::statistics::{BreakerRecord, ErrorType};
use crate::telemetry::{self, ErrorFacts, log_error, record_recent};

pin_project! {
    /// The storage of a call: its record, and its state machine once that has begun.
    ///
    /// Most calls end in their first poll, without a state machine. Empty storage is cheap to create and to drop.
    pub struct CallCell<'a> {
        // Until the first poll.
        entry: Option<Entry<'a>>,
        #[pin]
        call: Option<Call<'a>>,
    }
}

/// A call that its breaker has rejected at the first poll, and the error.
pub(crate) type Rejection<'a> = (RejectedCall<'a>, ResilienceError);

impl<'a> CallCell<'a> {
    /// The storage of a call that has not begun. Pin it in the same expression, so that it is written where it stays.
    #[inline]
    #[must_use]
    pub fn new(entry: Entry<'a>) -> Self {
        Self { entry: Some(entry), call: None }
    }

    /// Returns the state machine, if it has begun.
    #[inline]
    pub(crate) fn begun(self: Pin<&mut Self>) -> Option<Pin<&mut Call<'a>>> {
        self.project().call.as_pin_mut()
    }

    /// Begins the state machine, unless it has begun. `None` if the call has ended without one.
    #[cfg(feature = "cache")]
    pub(in crate::pipeline) fn begin(self: Pin<&mut Self>) -> Option<Pin<&mut Call<'a>>> {
        let mut this = self.project();
        if let Some(entry) = this.entry.take() {
            begin_machine(this.call.as_mut(), entry.site, entry.site.bind(), entry.details);
        }
        this.call.as_pin_mut()
    }

    /// Returns the record of the function if a kept answer may end the call before it begins: it has no context and no
    /// details, and no subscriber records it.
    #[cfg(feature = "cache")]
    #[inline]
    pub(in crate::pipeline) fn plain(&self) -> Option<&'a Site> {
        let entry = self.entry.as_ref().filter(|entry| entry.details.is_none())?;
        (!telemetry::is_enabled() && !context::is_inside_a_call()).then_some(entry.site)
    }

    /// Returns the record of the call if it has not been polled yet.
    #[inline]
    pub(crate) fn take_entry(self: Pin<&mut Self>) -> Option<Entry<'a>> {
        self.project().entry.take()
    }

    /// Polls the body of a call that has not been polled. The state machine begins instead if another guarded function
    /// calls it, if the function has a limit or the call a key, if the breaker is not closed, for a subscriber, and for
    /// injected faults.
    ///
    /// # Errors
    /// The breaker rejects the call.
    #[expect(clippy::inline_always, reason = "part of every call: as a function it takes 10 to 30 instructions more")]
    #[inline(always)]
    pub(crate) fn first_poll(
        self: Pin<&mut Self>,
        Entry { site, details }: Entry<'a>,
        cx: &mut Context<'_>,
        mut body: Pin<&mut dyn Body>,
    ) -> Result<FirstAttemptPoll, Rejection<'a>> {
        let this = self.project();
        let bound = site.bind();
        let binding: &Binding = &bound;
        if details.is_some() || binding.is_limited || telemetry::is_enabled() || is_injected() {
            begin_machine(this.call, site, bound, details);
            return Ok(FirstAttemptPoll::GoesOn(None));
        }
        // There are none, so without the code that drops them.
        forget(details);
        let breaker = match binding.breaker.as_deref() {
            None => None,
            Some(breaker) => match breaker.clean() {
                Some(clean) => Some((breaker, clean)),
                None => return reject_or_begin(this.call, site, bound).map(|()| FirstAttemptPoll::GoesOn(None)),
            },
        };
        let started = Moment::now_inline();
        let deadline = started.after(binding.timeout);
        let end = binding.attempt_end(started).min(deadline);
        let Some(context) = context::enter_root(|| CallContext::root_in_first_attempt(end)) else {
            let clean = breaker.map(|(_, clean)| clean);
            return Ok(poll_within(this.call, (site, bound), (started, clean), cx, body));
        };
        let call = binding.counted_once.begin();
        if binding.earns_retries
            && let Some(before) = call.deposit(started.seconds())
        {
            binding.attempts().carry_over(before, started.seconds());
        }
        let is_last = binding.retries == 0;
        let mut meaning = None;
        let polled = catch_panic_inline(|| body.as_mut().poll(cx, Some(is_last), &mut meaning));
        // A good answer changes nothing, as nearly all do.
        let is_usual =
            polled == Some(Poll::Ready(Ended::Good)) && breaker.is_none_or(|(breaker, clean)| breaker.is_still(clean));
        let ended = if is_usual { context.end() } else { Err(context) };
        let Err(context) = ended else {
            if call.ended(Moment::now_inline().micros_since(started)) {
                binding.cold.statistics.note_success();
            }
            return Ok(FirstAttemptPoll::Good);
        };
        let clean = breaker.map(|(_, clean)| clean);
        let context = FirstContext::Root(context);
        let attempt = FirstAttempt { started, deadline, context, clean, polled, meaning };
        Ok(begin_machine_in_attempt(this.call, (site, bound), attempt, cx, body))
    }
}

/// Begins the state machine.
#[inline(never)]
fn begin_machine<'a>(
    mut storage: Storage<'_, 'a>,
    site: &'a Site,
    binding: BindingRef<'a>,
    details: Option<Box<EntryDetails>>,
) {
    storage.set(Some(Call::bound(site, binding, details)));
    if let Some(call) = storage.as_pin_mut() {
        call.begin();
    }
}

/// Rejects a call whose breaker is open, or begins its state machine: a probe may be due, and a call inside another one
/// may have a permit of that one.
#[cold]
fn reject_or_begin<'a>(storage: Storage<'_, 'a>, site: &'a Site, binding: BindingRef<'a>) -> Result<(), Rejection<'a>> {
    let started = Moment::now();
    let breaker = binding.breaker.as_deref().filter(|_| !context::is_inside_a_call());
    let rejection = breaker.and_then(|breaker| breaker.rejection(started, || lease(binding.policy())));
    if let Some(error) = rejection {
        return Err((RejectedCall { site, binding, started, is_counted: false }, error));
    }
    begin_machine(storage, site, binding, None);
    Ok(())
}

/// A call that was rejected at its first poll. It is counted however it ends: the user's code converts the error.
pub(crate) struct RejectedCall<'a> {
    site: &'a Site,
    binding: BindingRef<'a>,
    started: Moment,
    is_counted: bool,
}

impl RejectedCall<'_> {
    /// Counts the call, with the error that the rejection was converted to.
    pub(crate) fn end(mut self, error: Option<&dyn ToolError>) {
        let facts = error.map(|error| (ErrorFacts::of(error), error));
        if !self.binding.counted_once.rejected(Moment::now_inline().micros_since(self.started)) {
            // The user's code took long.
            self.count(Outcome::Rejected);
        }
        self.is_counted = true;
        let Some((facts, error)) = facts else { return };
        let statistics = &self.binding.cold.statistics;
        if facts.is_rejection {
            // It is not kept among the recent errors, and logged at debug level, which is off.
            return statistics.failed_at_once(&facts.code, facts.kind, facts.severity, self.started);
        }
        // The user's code has made something else of it.
        let context = CallContext::root();
        let code = statistics.failed(&facts.code, facts.kind, facts.severity);
        if self.site.tool().is_some() {
            let recent = &self.binding.cold.recent;
            record_recent(recent, self.site.name().into(), code, (&facts, error), 0, &context);
        }
        let call = (self.site.name(), Moment::now().since(self.started), 0);
        log_error(&Span::none(), call, Some(&context), (&facts, error));
    }

    fn count(&self, outcome: Outcome) {
        let statistics = &self.binding.cold.statistics;
        statistics.call_started();
        statistics.rejected(Rejected::Breaker);
        self.binding.attempts().recorded(BreakerRecord::Rejected);
        let fault = (outcome == Outcome::Rejected).then_some(ErrorKind::CircuitOpen.fault());
        let took = Moment::now().since(self.started);
        statistics.call_ended(outcome, fault, ErrorType::of_outcome(outcome), Some(took));
    }
}

impl Drop for RejectedCall<'_> {
    fn drop(&mut self) {
        if !self.is_counted {
            self.count(Outcome::Panic);
        }
    }
}

/// Returns whether a test injects faults into the calls of the current registry.
#[cfg(feature = "testing")]
fn is_injected() -> bool {
    crate::registry::Registry::scoped().is_some_and(|registry| registry.chaos.is_set())
}

#[cfg(not(feature = "testing"))]
const fn is_injected() -> bool {
    false
}
