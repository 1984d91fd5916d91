//! One call as a state machine: attempts, backoff, limits, cancellation. Not generic, so that an
//! annotated function adds little code of its own.

mod ask;
mod begin;
mod claim;
mod end;
#[cfg(feature = "testing")]
mod injected;
mod inside;
mod limits;
mod settle;
pub(super) mod telemetry;
mod verdict;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use resilient_policy::{Fault, Policy};
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tracing::Span;

pub(crate) use verdict::Verdict;

use ask::lease;
#[cfg(feature = "testing")]
use injected::Injected;
use inside::Seldom;

use super::body::Body;
use super::turn::{Got, Turn};
use crate::answer::Meaning;
use crate::binding::{Binding, BindingRef};
use crate::breaker::{Breaker, Ticket, Took};
use crate::bulkhead;
use crate::clock::{self, Moment};
use crate::context::{self, CallContext, Held};
use crate::error::{LimitKind, ResilienceError};
use crate::outcomes::{Outcome, Suppressed};
use crate::panics::barrier;
use crate::site::{Entry, EntryDetails, Site};
use crate::statistics::{AttemptStatistics, RecentErrors, ToolStatistics};

/// Where nobody tests there is no room for it.
#[cfg(not(feature = "testing"))]
type Injected = ();

#[derive(Debug, Clone, Copy)]
enum State {
    /// It has not begun.
    New,
    /// About to ask for an attempt.
    Asking,
    /// Another call inside the same attempt has the breaker's permit at present.
    Borrowing,
    /// In line for a slot of the bulkhead.
    Queueing,
    /// The body runs.
    Running,
    /// Between two attempts.
    Waiting,
}

pin_project! {
    /// A call from its start to its answer.
    pub struct Call<'a> {
        site: &'a Site,
        // What it was given beside its arguments, until it begins.
        details: Option<Box<EntryDetails>>,
        binding: BindingRef<'a>,
        // The breaker of this call's key, where the policy has one.
        keyed_breaker: Option<Arc<Breaker>>,
        // What runs in this call finds this; while it runs, its caller's context is parked here.
        context: Option<CallContext>,
        span: Span,
        // Whether its context is the request that it was given, which is nowhere the current one.
        is_given: bool,
        // Whether the hook wants to hear how it went, and counts it.
        reports: bool,
        // Whether there is an attempt of another call around it.
        is_inside: bool,
        // Whether it is a tool's function that another call calls: part of that operation.
        is_part: bool,
        started: Moment,
        deadline: Moment,
        // Whether somebody else's deadline is earlier than this call's own timeout.
        deadline_is_inherited: bool,
        attempt: u32,
        attempt_started: Moment,
        // Whether an attempt runs that has not been counted.
        is_running: bool,
        // Whether the body has not heard of that attempt yet.
        begins: bool,
        // What is injected into it.
        injected: Injected,
        ticket: Option<Ticket>,
        // State of the few calls that wait for their breaker, or that another guarded call makes.
        seldom: Seldom,
        // What it has of its bulkhead, where there is one.
        turn: Option<Turn>,
        // Of whom the rate limit is asked, where the policy has a key.
        rate_limit_key: Option<u128>,
        // When the running attempt becomes slow, where the breaker wants to know; gone once told.
        slow_at: Option<Moment>,
        // What the breaker said when it was told.
        slow: Option<Took>,
        state: State,
        // How the last attempt ended.
        last: Option<Verdict>,
        // When its last attempt ended, where it has done nothing since that takes time.
        ended: Option<Moment>,
        outcome: Option<Outcome>,
        // Whose fault it is that it fails, once that is known.
        fault: Option<Fault>,
        // Whether the running attempt's timer fired much too late, so that the body is polled once more.
        is_late: bool,
        // Whether the running attempt was cut off for a reason that says nothing about the dependency.
        is_excused: bool,
        #[pin]
        timer: Option<Sleep>,
        #[pin]
        cancelled: Option<WaitForCancellationFutureOwned>,
        watches_cancellation: bool,
    }

    impl PinnedDrop for Call<'_> {
        fn drop(this: Pin<&mut Self>) {
            if this.outcome.is_none() && !matches!(this.state, State::New) {
                this.dropped();
            }
        }
    }
}

impl<'a> Call<'a> {
    /// A call that has not begun. Pinned in the very expression, it is made where it stays; a move of what was
    /// just written takes longer than all of this.
    #[inline]
    #[must_use]
    pub fn new(entry: Entry<'a>) -> Self {
        Self {
            site: entry.site,
            binding: entry.site.bind(),
            details: entry.details,
            keyed_breaker: None,
            context: None,
            span: Span::none(),
            is_given: false,
            reports: false,
            is_inside: false,
            is_part: false,
            started: Moment::FIRST,
            deadline: Moment::FIRST,
            deadline_is_inherited: false,
            attempt: 0,
            attempt_started: Moment::FIRST,
            is_running: false,
            begins: false,
            injected: Injected::default(),
            ticket: None,
            seldom: Seldom::default(),
            turn: None,
            rate_limit_key: None,
            slow_at: None,
            slow: None,
            state: State::New,
            last: None,
            ended: None,
            outcome: None,
            fault: None,
            is_late: false,
            is_excused: false,
            timer: None,
            cancelled: None,
            watches_cancellation: false,
        }
    }

    /// Runs the guarded part: attempts with backoff between them, within the deadline.
    pub(crate) fn drive(self: Pin<&mut Self>, cx: &mut Context<'_>, body: Pin<&mut dyn Body>) -> Poll<Verdict> {
        // Nobody listens to the spans of most calls.
        let span = (!self.span.is_disabled()).then(|| self.span.clone());
        let _entered = span.as_ref().map(Span::enter);
        self.step(cx, body)
    }

    #[expect(clippy::inline_always, reason = "part of every call: as a function it takes 10 to 30 instructions more")]
    #[inline(always)]
    fn step(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut body: Pin<&mut dyn Body>) -> Poll<Verdict> {
        loop {
            match self.state {
                State::Asking if self.attempt == 0 && self.is_cancelled() => {
                    return Poll::Ready(Verdict::Refused(ResilienceError::Cancelled));
                }
                State::New | State::Asking | State::Borrowing | State::Queueing => {
                    let got = match self.state {
                        State::Borrowing => ready!(self.as_mut().poll_permit(cx)),
                        State::Queueing => ready!(self.as_mut().poll_queue(cx)),
                        _ => self.as_mut().ask(),
                    };
                    match got {
                        Ok(Got::Slot) => self.as_mut().begin(),
                        Ok(Got::Place) => self.as_mut().wait_in(State::Queueing),
                        Ok(Got::Taken) => self.as_mut().wait_in(State::Borrowing),
                        Ok(Got::Nothing) => {
                            return Poll::Ready(self.reject(LimitKind::Bulkhead, bulkhead::overloaded()));
                        }
                        Err(verdict) => return Poll::Ready(verdict),
                    }
                }
                State::Running => {
                    let polled = {
                        let this = self.as_mut().project();
                        let begins = std::mem::take(this.begins).then(|| *this.attempt > this.binding.retries);
                        let _context = context::enter(this.context);
                        #[cfg(not(feature = "testing"))]
                        let polled = barrier(|| body.as_mut().poll(cx, begins));
                        #[cfg(feature = "testing")]
                        let polled = barrier(|| this.injected.poll(this.site, body.as_mut(), cx, begins));
                        polled.unwrap_or_else(|| {
                            barrier(|| body.as_mut().abandon());
                            Poll::Ready(None)
                        })
                    };
                    let ended = match polled {
                        Poll::Ready(Some(Meaning::Good)) => {
                            self.succeeded();
                            return Poll::Ready(Verdict::Answered(Meaning::Good));
                        }
                        Poll::Ready(Some(meaning)) => Verdict::Answered(meaning),
                        Poll::Ready(None) => Verdict::Refused(ResilienceError::Panicked),
                        Poll::Pending => {
                            let ended = ready!(self.as_mut().poll_limits(cx));
                            let _context = context::enter(self.as_mut().project().context);
                            barrier(|| body.as_mut().abandon());
                            ended
                        }
                    };
                    if let Some(verdict) = self.as_mut().settle(ended) {
                        return Poll::Ready(verdict);
                    }
                }
                State::Waiting => {
                    if self.as_mut().poll_cancelled(cx).is_ready() {
                        return Poll::Ready(Verdict::Refused(ResilienceError::Cancelled));
                    }
                    let mut this = self.as_mut().project();
                    if let Some(timer) = this.timer.as_mut().as_pin_mut() {
                        let until = Moment::of(timer.deadline());
                        if clock::poll_timer(timer, cx).is_pending() {
                            ready!(self.as_mut().poll_opened(cx, until));
                            return Poll::Ready(self.opened_meanwhile());
                        }
                    }
                    this.timer.set(None);
                    this.seldom.watches_no_more();
                    *this.attempt_started = Moment::now();
                    *this.state = State::Asking;
                    // A machine that stood still may have slept past the deadline.
                    if *this.attempt_started >= *this.deadline
                        && let Some(last) = this.last.take()
                    {
                        self.no_retry(Suppressed::Deadline.as_str(), None);
                        return Poll::Ready(last);
                    }
                }
            }
        }
    }

    /// Begins the attempt that everybody has let through.
    fn begin(mut self: Pin<&mut Self>) {
        *self.as_mut().project().attempt += 1;
        self.binding.statistics.attempt_started();
        // The kind of the error before it is what it is made for.
        if let Some(after) = self.last.as_ref().and_then(Verdict::kind) {
            self.binding.statistics.retried(after);
        }
        *self.as_mut().project().is_running = true;
        // Only what really asks the dependency earns retries of it.
        if self.attempt == 1 && self.binding.earns_retries {
            self.budget().deposit(self.attempt_started.seconds());
        }
        let this = self.project();
        let policy = this.binding.policy();
        let permit = breaker(this.keyed_breaker.as_ref(), this.binding).zip(*this.ticket);
        if let Some(context) = this.context {
            let own_end = this.binding.attempt_end(*this.attempt_started);
            context.begin_attempt(*this.attempt, own_end.min(*this.deadline));
            // A call has a turn at a bulkhead in each of its attempts or in none, and may have a probe's permit in some.
            if this.turn.is_some() || *this.attempt > 1 || this.ticket.is_some_and(Ticket::is_probe) {
                context.holds(Held::new(permit, this.turn.as_ref().and_then(Turn::held)));
            }
            if *this.is_inside {
                this.seldom.runs(context.around());
            }
        }
        (*this.is_late, *this.is_excused) = (false, false);
        if let Some((breaker, ticket)) = permit {
            breaker.start_lease(ticket, || lease(policy));
            if breaker.has_window() {
                *this.slow_at = breaker.held().slow.map(|slow| this.attempt_started.after(slow));
                *this.slow = None;
            }
        }
        *this.begins = true;
        *this.state = State::Running;
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
        &self.binding.statistics
    }

    /// Where its error is kept, if it is a call of its own.
    pub(crate) fn recent(&self) -> Option<&RecentErrors> {
        (!self.is_part).then_some(&*self.binding.seldom.recent)
    }

    /// How long it has taken so far.
    pub(crate) fn elapsed(&self) -> Duration {
        self.ended.unwrap_or_else(Moment::now).since(self.started)
    }

    /// The context that what comes after the attempts has to run in, where that is not there by itself.
    pub(crate) fn given(&self) -> Option<CallContext> {
        if self.is_given { self.context.clone() } else { None }
    }

    pub(crate) const fn has_ended(&self) -> bool {
        self.outcome.is_some()
    }

    /// It goes on after its last attempt: something else may answer.
    pub(crate) fn goes_on(self: Pin<&mut Self>) {
        *self.project().ended = None;
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.attempt
    }

    /// The request whose hook wants to hear how the call goes.
    pub(crate) fn hook(&self) -> Option<&context::Request> {
        self.context.as_ref().and_then(CallContext::request).filter(|_| self.reports).map(|request| &**request)
    }

    /// The breaker that it asks. See [`breaker`].
    fn breaker(&self) -> Option<&Breaker> {
        breaker(self.keyed_breaker.as_ref(), &self.binding)
    }

    /// Whose budget its retries come out of: that of its breaker, else the function's.
    fn budget(&self) -> &AttemptStatistics {
        self.breaker().map_or_else(|| self.binding.statistics.own_attempts(), Breaker::attempts)
    }

    /// Tells the hook how the call went, as far as it has gone.
    pub(crate) fn report(&self, outcome: Outcome) {
        if let Some(request) = self.hook() {
            let mut report = request.report();
            report.outcome = Some(outcome);
            report.fault = self.fault;
            report.attempts = self.attempt;
            report.effect = self.site.policy().effect;
        }
    }
}

/// The breaker that a call asks: that of its key, else the function's.
fn breaker<'b>(keyed: Option<&'b Arc<Breaker>>, binding: &'b Binding) -> Option<&'b Breaker> {
    keyed.map(|keyed| &**keyed).or(binding.breaker.as_deref())
}
