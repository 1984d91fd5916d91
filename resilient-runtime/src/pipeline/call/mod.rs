//! One call as a state machine: attempts, backoff, limits, cancellation. Not generic, so that an
//! annotated function adds little code of its own.

mod ask;
mod claim;
mod limits;
mod settle;
mod verdict;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use resilient_policy::{Fault, Policy};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tracing::Span;

pub(crate) use verdict::Verdict;

use ask::lease;

use super::body::{Body, barrier};
use super::turn::{Got, Turn};
use crate::breaker::{Breaker, Signal, Ticket, Took};
use crate::bulkhead;
use crate::clock;
use crate::context::{self, CallContext};
use crate::error::{LimitKind, ResilienceError};
use crate::registry::Binding;
use crate::retry::Budget;
use crate::site::{BindingRef, Entry, Site};
use crate::statistics::{AttemptOutcome, ErrorType, Outcome, RecentErrors, ToolStatistics};
use crate::telemetry;

#[derive(Debug, Clone, Copy)]
enum State {
    /// About to ask for an attempt.
    Asking,
    /// In line for a slot of the bulkhead.
    Queueing,
    /// The body runs.
    Running,
    /// Between two attempts.
    Waiting,
}

pin_project! {
    /// A call from its start to its answer.
    pub(crate) struct Call<'a> {
        site: &'a Site,
        binding: BindingRef<'a>,
        // The breaker of this call's key, where the policy has one.
        keyed_breaker: Option<Arc<Breaker>>,
        // What runs in this call finds this; while it runs, its caller's context is parked here.
        context: Option<CallContext>,
        span: Span,
        // Whether the hook wants to hear how it went, and counts it.
        reports: bool,
        // Whether it is a tool's function that another call calls: part of that operation.
        is_part: bool,
        started: Instant,
        deadline: Instant,
        // Whether somebody else's deadline is earlier than this call's own timeout.
        deadline_is_inherited: bool,
        attempt: u32,
        attempt_started: Instant,
        // Whether an attempt runs that has not been counted.
        is_running: bool,
        ticket: Option<Ticket>,
        // What it has of its bulkhead.
        turn: Turn,
        // Of whom the rate limit is asked, where the policy has a key.
        rate_limit_key: Option<u128>,
        // When the running attempt becomes slow, where the breaker wants to know; gone once told.
        slow_at: Option<Instant>,
        // What the breaker said when it was told.
        slow: Option<Took>,
        state: State,
        // How the last attempt ended.
        last: Option<Verdict>,
        outcome: Option<Outcome>,
        // Whose fault it is that it fails, once that is known.
        fault: Option<Fault>,
        #[pin]
        timer: Option<Sleep>,
        #[pin]
        cancelled: Option<WaitForCancellationFutureOwned>,
        watches_cancellation: bool,
    }

    impl PinnedDrop for Call<'_> {
        fn drop(this: Pin<&mut Self>) {
            // A panic that no barrier was around takes the future with it.
            this.end(if std::thread::panicking() { Outcome::Panic } else { Outcome::Cancelled });
        }
    }
}

impl<'a> Call<'a> {
    pub(crate) fn new(entry: Entry<'a>) -> Self {
        let site = entry.site;
        let binding = site.bind();
        let keyed_breaker = entry.keys.breaker.and_then(|key| Some(binding.keyed_breakers.as_ref()?.get(key)));
        let started = Instant::now();
        let own = clock::later(started, binding.policy.timeout);
        let caller = CallContext::current();
        let deadline = caller.as_ref().and_then(CallContext::deadline).map_or(own, |theirs| theirs.min(own));
        let is_nested = caller.as_ref().is_some_and(|caller| caller.attempt() > 0);
        let context = caller.unwrap_or_else(CallContext::root);
        let reports = !is_nested && context.request().is_some_and(|request| request.claim(site, &binding));
        let asked_for = context.request().is_none_or(|request| site.tool() == Some(&*request.tool));
        let is_part = site.tool().is_some() && !reports && (is_nested || !asked_for);
        let span = if reports { Span::none() } else { telemetry::call_span(site.name(), &context) };
        if let Some(arguments) = entry.arguments {
            let of_hook = context.request().filter(|_| reports).and_then(|request| request.span().clone());
            of_hook.as_ref().unwrap_or(&span).record("arguments", &*arguments);
        }
        if !reports {
            telemetry::call_started(&span, site.name(), Some(&context));
            // Last: what listens is somebody else's code, and whatever counts here has to be taken back.
            binding.statistics.call_started();
        }
        let bulkhead = binding.bulkheads.as_ref().map(|bulkheads| bulkheads.get(entry.keys.bulkhead));
        Self {
            site,
            keyed_breaker,
            binding,
            turn: Turn::new(bulkhead),
            rate_limit_key: entry.keys.rate_limit,
            watches_cancellation: context.request().is_some(),
            context: Some(context),
            span,
            reports,
            is_part,
            started,
            deadline,
            deadline_is_inherited: deadline < own,
            attempt: 0,
            attempt_started: started,
            is_running: false,
            ticket: None,
            slow_at: None,
            slow: None,
            state: State::Asking,
            last: None,
            outcome: None,
            fault: None,
            timer: None,
            cancelled: None,
        }
    }

    /// Runs the guarded part: attempts with backoff between them, within the deadline.
    pub(crate) fn drive(self: Pin<&mut Self>, cx: &mut Context<'_>, body: Pin<&mut dyn Body>) -> Poll<Verdict> {
        let span = self.span.clone();
        let _entered = span.enter();
        let verdict = ready!(self.step(cx, body));
        Poll::Ready(verdict)
    }

    fn step(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut body: Pin<&mut dyn Body>) -> Poll<Verdict> {
        loop {
            match self.state {
                State::Asking if self.attempt == 0 && self.is_cancelled() => {
                    return Poll::Ready(Verdict::Refused(ResilienceError::Cancelled));
                }
                State::Asking => match self.as_mut().ask() {
                    Ok(Got::Slot) => self.as_mut().begin(body.as_mut()),
                    Ok(Got::Place) => *self.as_mut().project().state = State::Queueing,
                    Ok(Got::Nothing) => return Poll::Ready(self.reject(LimitKind::Bulkhead, bulkhead::overloaded())),
                    Err(verdict) => return Poll::Ready(verdict),
                },
                State::Queueing => match ready!(self.as_mut().poll_queue(cx)) {
                    Ok(()) => self.as_mut().begin(body.as_mut()),
                    Err(verdict) => return Poll::Ready(verdict),
                },
                State::Running => {
                    let polled = {
                        let _context = context::enter(self.as_mut().project().context);
                        body.as_mut().poll(cx)
                    };
                    let ended = match polled {
                        Poll::Ready(Some(meaning)) => Verdict::Answered(meaning),
                        Poll::Ready(None) => Verdict::Refused(ResilienceError::Panicked),
                        Poll::Pending => {
                            let ended = ready!(self.as_mut().poll_limits(cx));
                            let _context = context::enter(self.as_mut().project().context);
                            body.as_mut().abandon();
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
                        ready!(clock::poll_timer(timer, cx));
                    }
                    this.timer.set(None);
                    *this.attempt_started = Instant::now();
                    *this.state = State::Asking;
                    // A machine that stood still may have slept past the deadline.
                    if *this.attempt_started >= *this.deadline
                        && let Some(last) = this.last.take()
                    {
                        return Poll::Ready(last);
                    }
                }
            }
        }
    }

    /// Begins the attempt that everybody has let through.
    fn begin(mut self: Pin<&mut Self>, body: Pin<&mut dyn Body>) {
        *self.as_mut().project().attempt += 1;
        self.binding.statistics.attempt_started();
        // The kind of the error before it is what it is made for.
        if let Some(after) = self.last.as_ref().and_then(Verdict::kind) {
            self.binding.statistics.retried(after);
        }
        *self.as_mut().project().is_running = true;
        // Only what really asks the dependency earns retries of it.
        if self.attempt == 1
            && self.binding.policy.retry.is_some_and(|retry| retry.budget.is_some())
            && let Some(budget) = self.budget()
        {
            budget.deposit(clock::millis(self.attempt_started));
        }
        let this = self.project();
        let policy = &this.binding.policy;
        if let Some(context) = this.context {
            let own_end = policy.attempt_limit().map(|limit| clock::later(*this.attempt_started, limit));
            context.begin_attempt(*this.attempt, own_end.map_or(*this.deadline, |end| end.min(*this.deadline)));
        }
        if let (Some(breaker), Some(ticket)) = (breaker(this.keyed_breaker.as_ref(), this.binding), *this.ticket) {
            breaker.start_lease(ticket, lease(policy, breaker));
            *this.slow_at = breaker.settings().slow.map(|slow| clock::later(*this.attempt_started, slow));
            *this.slow = None;
        }
        let last = *this.attempt > policy.retries();
        *this.state = State::Running;
        let _context = context::enter(this.context);
        body.begin(last);
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.binding.policy
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
        (!self.is_part).then_some(&*self.binding.recent)
    }

    /// How long it has taken so far.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.attempt
    }

    /// The call is over.
    pub(crate) fn finish(mut self: Pin<&mut Self>, verdict: &Verdict) {
        *self.as_mut().project().fault = verdict.fault();
        self.end(verdict.outcome());
    }

    /// The call is over, and something else answered.
    pub(crate) fn finish_degraded(mut self: Pin<&mut Self>, verdict: &Verdict) {
        *self.as_mut().project().fault = verdict.fault();
        self.end(Outcome::Fallback);
    }

    /// Counts the call, once, and gives back what it may still hold.
    pub(crate) fn end(mut self: Pin<&mut Self>, outcome: Outcome) {
        if self.outcome.is_some() {
            return;
        }
        *self.as_mut().project().outcome = Some(outcome);
        let is_panic = outcome == Outcome::Panic;
        self.as_mut().attempt_ended(if is_panic { AttemptOutcome::Panic } else { AttemptOutcome::Cancelled });
        self.as_mut().give_back();
        if self.reports {
            self.report(outcome);
        } else {
            let error = ErrorType::of_outcome(outcome);
            let took = self.started.elapsed();
            self.binding.statistics.call_ended(outcome, self.fault, error, (!self.is_part).then_some(took));
            // Also where a panic drops the call; a second one would end the process.
            barrier(|| {
                telemetry::call_ended(&self.span, self.site.name(), outcome, took, self.attempt, self.context.as_ref());
            });
        }
    }

    /// Counts the attempt that runs, if one does.
    fn attempt_ended(self: Pin<&mut Self>, outcome: AttemptOutcome) {
        let this = self.project();
        if std::mem::take(this.is_running) {
            // The breakers of all keys are one to whoever looks.
            let plain = this.binding.breaker.as_deref().map(Breaker::attempts);
            let attempts = plain.unwrap_or_else(|| this.binding.statistics.own_attempts());
            attempts.ended(outcome, this.attempt_started.elapsed());
        }
    }

    /// Gives back whatever it holds; that says nothing about the dependency.
    fn give_back(mut self: Pin<&mut Self>) {
        let ticket = self.as_mut().release();
        if let (Some(breaker), Some(ticket)) = (self.breaker(), ticket) {
            breaker.record(ticket, Signal::Neutral, Took::Nothing);
        }
    }

    /// Leaves the bulkhead, and hands out the ticket, which is to be recorded.
    fn release(self: Pin<&mut Self>) -> Option<Ticket> {
        let this = self.project();
        this.turn.give_back();
        this.ticket.take()
    }

    /// The request whose hook wants to hear how the call goes.
    pub(crate) fn hook(&self) -> Option<&context::Request> {
        self.context.as_ref().and_then(CallContext::request).filter(|_| self.reports).map(|request| &**request)
    }

    /// The breaker that it asks. See [`breaker`].
    fn breaker(&self) -> Option<&Breaker> {
        breaker(self.keyed_breaker.as_ref(), &self.binding)
    }

    /// The budget that its retries come out of: that of its breaker, else the function's.
    fn budget(&self) -> Option<&Budget> {
        self.breaker().map(Breaker::budget).or(self.binding.own_budget.as_deref())
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
