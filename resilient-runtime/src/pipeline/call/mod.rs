//! One call as a state machine: admission, attempts, backoff, limits and cancellation.
//!
//! ```text
//! New → Admitting → Running → Finished → Done      (New → Refused → Finished: by the gate;
//!                                                   New → Running: the first attempt began before the machine)
//!         │   ▲       │ ▲
//!         │   └─ Backoff, Before
//!         └─ AwaitingLimit, AwaitingPermit, Queued
//! ```
//!
//! The state owns what the call holds only in that state: the permit, the slot or the place in the queue. To leave the
//! state gives them back. The machine is not generic, so that it is compiled once and not for each guarded function.

mod admit;
mod attempt;
mod before;
#[cfg(feature = "deferred")]
mod deferred;
pub(super) mod events;
mod finish;
mod first;
mod first_attempt;
mod first_within;
#[cfg(feature = "testing")]
mod injected;
#[cfg(feature = "rate-limit")]
mod limit;
mod nested;
mod permit;
mod queue;
#[cfg(feature = "cache")]
mod read;
mod result;

use std::mem::{forget, replace};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use resilient_policy::Policy;
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tracing::Span;

pub use first::CallCell;
pub(super) use first_attempt::{AttemptProgress, FirstAttemptPoll};
#[cfg(feature = "cache")]
pub(super) use read::{Layer, Tree};
pub(crate) use result::{AttemptResult, Substitutes};

use attempt::Attempt;
#[cfg(all(feature = "rate-limit", feature = "replicas"))]
use limit::LimitWait;
use nested::{Caller, CountedAs, PermitWait};
use permit::{BreakerWatch, CallBreaker};
use queue::{CallBulkhead, QueueTicket};

use super::body::Body;
use crate::answer::Meaning;
use crate::binding::BindingRef;
use crate::clock::Moment;
use crate::context::{self, CallContext};
use crate::error::{Refusal, ResilienceError};
use crate::panics::catch_panic;
use crate::site::{Entry, EntryDetails, Site};
use crate::statistics::{RecentErrors, ToolStatistics};
use crate::telemetry;

// With a plain tag, which every step compares.
#[repr(u8)]
enum State {
    /// The call has not been polled.
    New,
    /// The gate refuses the call.
    Refused(Refusal),
    /// The next attempt is due since then, and requests admission.
    Admitting(Moment),
    /// The call waits for a permit of a rate limit that several replicas share.
    #[cfg(all(feature = "rate-limit", feature = "replicas"))]
    AwaitingLimit(LimitWait),
    /// The attempt waits for a permit that its enclosing attempt has lent to another call.
    AwaitingPermit(PermitWait),
    /// The attempt waits in the queue of the bulkhead.
    Queued(QueueTicket),
    /// The attempt runs.
    Running(Attempt),
    /// The call waits for its next attempt.
    Backoff(BreakerWatch),
    /// The user's function that precedes a retry runs.
    Before,
    /// There is no further attempt. `Some`: the last one ended then, and nothing that takes time has happened since.
    /// A fallback may still answer.
    Finished(Option<Moment>),
    /// The call is counted, and holds nothing.
    Done,
}

impl State {
    /// Enters the next state. From a state that holds nothing it does so without the code that drops the others.
    #[expect(clippy::inline_always, reason = "part of every call, and a few instructions where the state is known")]
    #[inline(always)]
    fn advance(&mut self, next: Self) {
        let holds_nothing = match self {
            Self::New | Self::Refused(_) | Self::Admitting(_) | Self::Before | Self::Finished(_) | Self::Done => true,
            Self::Running(attempt) => attempt.holds_nothing(),
            #[cfg(all(feature = "rate-limit", feature = "replicas"))]
            Self::AwaitingLimit(_) => false,
            Self::AwaitingPermit(_) | Self::Queued(_) | Self::Backoff(_) => false,
        };
        if holds_nothing {
            forget(replace(self, next));
        } else {
            *self = next;
        }
    }
}

pin_project! {
    /// A call from its start to its answer.
    pub struct Call<'a> {
        site: &'a Site,
        // Its keys, and until it begins its context and arguments.
        details: Option<Box<EntryDetails>>,
        binding: BindingRef<'a>,
        breaker: Option<CallBreaker<'a>>,
        bulkhead: Option<CallBulkhead>,
        // The context of what runs in this call. While that runs, the caller's context is stored here.
        context: Option<CallContext>,
        span: Span,
        caller: Caller,
        started: Moment,
        deadline: Moment,
        // The number of attempts that have begun.
        attempts: u32,
        // Whether a good answer can end the call at once: the call was counted together with its first attempt when both
        // began, and has had no other attempt.
        is_on_short_path: bool,
        // The result of the last attempt, if there is a retry.
        last: Option<AttemptResult>,
        state: State,
        // Limits the present state.
        #[pin]
        timer: Option<Sleep>,
        #[pin]
        cancelled: Option<WaitForCancellationFutureOwned>,
    }

    impl PinnedDrop for Call<'_> {
        fn drop(this: Pin<&mut Self>) {
            if !matches!(this.state, State::New | State::Done) {
                this.dropped();
            }
        }
    }
}

impl<'a> Call<'a> {
    /// A call that has not begun. Pin it in the same expression, so that it is written where it stays: moving what was
    /// just written stalls the processor.
    #[inline]
    #[must_use]
    pub fn new(entry: Entry<'a>) -> Self {
        Self::bound(entry.site, entry.site.bind(), entry.details)
    }

    #[expect(clippy::inline_always, reason = "written where it stays")]
    #[inline(always)]
    fn bound(site: &'a Site, binding: BindingRef<'a>, details: Option<Box<EntryDetails>>) -> Self {
        Self {
            site,
            binding,
            details,
            breaker: None,
            bulkhead: None,
            context: None,
            span: Span::none(),
            caller: Caller::NONE,
            started: Moment::FIRST,
            deadline: Moment::FIRST,
            attempts: 0,
            is_on_short_path: false,
            last: None,
            state: State::New,
            timer: None,
            cancelled: None,
        }
    }

    /// Begins the call at its first poll: its context, deadline, breaker and bulkhead.
    pub(crate) fn begin(mut self: Pin<&mut Self>) {
        let this = self.as_mut().project();
        if !matches!(this.state, State::New) {
            return;
        }
        let started = Moment::now();
        (*this.started, *this.deadline) = (started, started.after(this.binding.timeout));
        if let Some(limit) = this.details.as_ref().and_then(|details| details.limit) {
            *this.deadline = started.after(limit).min(*this.deadline);
        }
        if this.details.as_ref().is_some_and(|details| details.request.is_some()) || context::is_inside_a_call() {
            self.as_mut().begin_within();
        } else {
            *this.context = Some(CallContext::root());
        }
        let this = self.as_mut().project();
        let keys = this.details.as_ref().and_then(|details| details.keys.as_ref());
        // A call that the gate refuses takes no place among the keys.
        let keys = keys.filter(|_| this.caller.counted != CountedAs::RefusedByGate);
        *this.breaker = match keys.and_then(|keys| keys.breaker).and_then(|key| this.binding.keyed_breaker(key)) {
            Some(keyed) => Some(CallBreaker::keyed(keyed)),
            None => CallBreaker::of(this.binding),
        };
        if this.binding.is_limited
            && let Some(bulkheads) = &this.binding.cold.bulkheads
        {
            *this.bulkhead = Some(CallBulkhead::new(bulkheads.get(keys.and_then(|keys| keys.bulkhead))));
        }
        // From now on it is counted as started, and its end is counted however it ends.
        this.state.advance(State::Admitting(started));
        match this.caller.counted {
            CountedAs::Call | CountedAs::Part => {
                this.binding.cold.statistics.call_started();
                if let Some(details) = this.details
                    && let Some(refusal) = details.refusal.take()
                {
                    this.state.advance(State::Refused(refusal));
                }
            }
            CountedAs::RefusedByGate => self.as_mut().take_refusal(),
            CountedAs::Hook => {}
            // A refresh is known as one once it has begun.
            #[cfg(feature = "cache")]
            CountedAs::Nowhere => {}
        }
        if telemetry::is_enabled() {
            self.log_start();
        }
    }

    /// Runs the attempts, with backoff between them, within the deadline. `progress` is that of the running attempt, if its
    /// body was polled just now.
    pub(crate) fn drive(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        body: Pin<&mut dyn Body>,
        progress: Option<AttemptProgress>,
    ) -> Poll<AttemptResult> {
        // The span is disabled in most calls.
        let span = (!self.span.is_disabled()).then(|| self.span.clone());
        let _entered = span.as_ref().map(Span::enter);
        self.step(cx, body, progress)
    }

    #[expect(clippy::inline_always, reason = "part of every call: as a function it takes 10 to 30 instructions more")]
    #[inline(always)]
    fn step(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut body: Pin<&mut dyn Body>,
        mut progress: Option<AttemptProgress>,
    ) -> Poll<AttemptResult> {
        loop {
            let this = self.as_mut().project();
            let admitted = match this.state {
                State::Admitting(since) => {
                    let since = *since;
                    if self.attempts == 0 && self.is_cancelled() {
                        return Poll::Ready(self.cancelled());
                    }
                    self.as_mut().admit(since)
                }
                #[cfg(all(feature = "rate-limit", feature = "replicas"))]
                State::AwaitingLimit(_) => ready!(self.as_mut().poll_limit(cx)),
                State::AwaitingPermit(_) => ready!(self.as_mut().poll_permit(cx)),
                State::Queued(_) => ready!(self.as_mut().poll_queue(cx)),
                State::Running(_) => {
                    let (polled, ended) = match progress.take() {
                        Some(AttemptProgress::Polled(polled)) => (polled, None),
                        Some(AttemptProgress::Ended(result)) => (Poll::Pending, Some(result)),
                        None => (self.as_mut().poll_body(cx, body.as_mut()), None),
                    };
                    let result = match polled {
                        Poll::Ready(Some(Meaning::Good)) => {
                            self.succeeded();
                            return Poll::Ready(AttemptResult::Answered(Meaning::Good));
                        }
                        Poll::Ready(Some(meaning)) => AttemptResult::Answered(meaning),
                        Poll::Ready(None) => AttemptResult::Refused(ResilienceError::Panicked),
                        Poll::Pending => {
                            let result = match ended {
                                Some(result) => result,
                                None => ready!(self.as_mut().poll_limits(cx)),
                            };
                            let _context = context::enter(self.as_mut().project().context);
                            catch_panic(|| body.as_mut().abandon());
                            result
                        }
                    };
                    self.as_mut().finish_attempt(result).map_or(Ok(None), Err)
                }
                State::Backoff(_) => ready!(self.as_mut().poll_backoff(cx)).map(|()| None),
                State::Before => ready!(self.as_mut().poll_before(cx, body.as_mut())).map(|()| None),
                State::Refused(refusal) => {
                    let refusal = *refusal;
                    return Poll::Ready(self.reject_by_gate(refusal));
                }
                State::New | State::Finished(_) | State::Done => {
                    return Poll::Ready(AttemptResult::Refused(ResilienceError::Panicked));
                }
            };
            match admitted {
                Ok(Some(admission)) => self.as_mut().begin_attempt(admission),
                Ok(None) => {}
                Err(result) => return Poll::Ready(result),
            }
        }
    }

    /// Whether the client has cancelled the request.
    fn is_cancelled(&self) -> bool {
        self.context.as_ref().and_then(CallContext::request).is_some_and(|request| request.cancellation.is_cancelled())
    }

    /// Waits until the client cancels the request.
    fn poll_cancelled(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(request) = this.context.as_ref().and_then(CallContext::request) else { return Poll::Pending };
        if this.cancelled.is_none() {
            this.cancelled.set(Some(request.cancellation.clone().cancelled_owned()));
        }
        this.cancelled.as_mut().as_pin_mut().map_or(Poll::Pending, |cancelled| cancelled.poll(cx))
    }

    pub(crate) fn policy(&self) -> &Policy {
        self.binding.policy()
    }

    pub(crate) fn site(&self) -> &'a Site {
        self.site
    }

    pub(crate) fn context(&self) -> Option<&CallContext> {
        self.context.as_ref()
    }

    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    pub(crate) fn statistics(&self) -> &ToolStatistics {
        &self.binding.cold.statistics
    }

    /// Where its error is stored. `None` if the call is part of another operation.
    pub(crate) fn recent(&self) -> Option<&RecentErrors> {
        (!self.is_part()).then_some(&*self.binding.cold.recent)
    }

    /// How long it has taken so far.
    pub(crate) fn elapsed(&self) -> Duration {
        let now = match self.state {
            State::Finished(Some(at)) => at,
            _ => Moment::now(),
        };
        now.since(self.started)
    }

    /// The context that was passed as an argument, in which everything after the attempts runs.
    pub(crate) fn passed_context(&self) -> Option<CallContext> {
        if self.caller.passes_context { self.context.clone() } else { None }
    }

    pub(crate) const fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Continues after the last attempt: a fallback may answer.
    pub(crate) fn continues(self: Pin<&mut Self>) {
        *self.project().state = State::Finished(None);
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The request whose hook gets a report of the call.
    pub(crate) fn hook_request(&self) -> Option<&context::Request> {
        self.context
            .as_ref()
            .and_then(CallContext::request)
            .filter(|_| self.is_counted_by_hook())
            .map(|request| &**request)
    }
}
