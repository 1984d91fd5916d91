//! One call as a state machine: attempts, backoff, limits, cancellation. Not generic, so that an
//! annotated function adds little code of its own.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use resilient_policy::{ErrorKind, Policy};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tracing::Span;

use super::answer::{Failed, Meaning};
use super::body::Body;
use crate::breaker::{Breaker, Signal, Ticket};
use crate::clock;
use crate::context::{self, CallContext};
use crate::error::{Failure, ResilienceError, TimeoutScope};
use crate::registry::Binding;
use crate::site::{BindingRef, Entry, Site};
use crate::statistics::Outcome;
use crate::telemetry;

/// How the guarded part of a call ended.
#[derive(Debug, Clone)]
pub(crate) enum Verdict {
    /// The body has an answer.
    Answered(Meaning),
    /// It has none, and this is why.
    Refused(ResilienceError),
}

impl Verdict {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Answered(Meaning::Good | Meaning::Unfinished) => Outcome::Ok,
            Self::Answered(Meaning::OwnError | Meaning::Failed(_)) => Outcome::Error,
            Self::Refused(ResilienceError::Timeout { .. }) => Outcome::Timeout,
            Self::Refused(ResilienceError::CircuitOpen { .. }) => Outcome::Rejected,
            Self::Refused(ResilienceError::Cancelled) => Outcome::Cancelled,
            Self::Refused(ResilienceError::Panicked) => Outcome::Panic,
        }
    }

    /// The kind of error that something else may answer for.
    pub(crate) fn falls_back(&self) -> Option<ErrorKind> {
        let failure = match self {
            Self::Answered(Meaning::Failed(Failed(failure))) => *failure,
            Self::Answered(_) => return None,
            Self::Refused(error) => Failure::of(error),
        };
        failure.falls_back.then_some(failure.kind)
    }
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// About to ask for an attempt.
    Asking,
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
        started: Instant,
        deadline: Instant,
        // Whether somebody else's deadline is earlier than this call's own timeout.
        deadline_is_inherited: bool,
        attempt: u32,
        attempt_started: Instant,
        ticket: Option<Ticket>,
        state: State,
        // How the last attempt ended.
        last: Option<Verdict>,
        outcome: Option<Outcome>,
        #[pin]
        timer: Option<Sleep>,
        #[pin]
        cancelled: Option<WaitForCancellationFutureOwned>,
        watches_cancellation: bool,
    }

    impl PinnedDrop for Call<'_> {
        fn drop(this: Pin<&mut Self>) {
            this.end(Outcome::Cancelled);
        }
    }
}

impl<'a> Call<'a> {
    pub(crate) fn new(entry: Entry<'a>) -> Self {
        let site = entry.site;
        let binding = site.bind();
        let keyed_breaker = entry.keys.breaker.and_then(|key| binding.keyed_breakers.as_ref()?.get(key));
        let started = Instant::now();
        let own = clock::later(started, site.policy().timeout);
        let caller = CallContext::current();
        let deadline = caller.as_ref().and_then(CallContext::deadline).map_or(own, |theirs| theirs.min(own));
        let is_nested = caller.as_ref().is_some_and(|caller| caller.attempt() > 0);
        let context = caller.unwrap_or_else(CallContext::root);
        let reports = !is_nested && context.request().is_some_and(|request| request.claim(site));
        let span = if reports { Span::none() } else { telemetry::call_span(site.name(), &context) };
        if !reports {
            binding.statistics.call_started();
        }
        Self {
            site,
            keyed_breaker,
            binding,
            watches_cancellation: !is_nested && context.request().is_some(),
            context: Some(context),
            span,
            reports,
            started,
            deadline,
            deadline_is_inherited: deadline < own,
            attempt: 0,
            attempt_started: started,
            ticket: None,
            state: State::Asking,
            last: None,
            outcome: None,
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
                State::Asking => {
                    if let Err(verdict) = self.as_mut().ask() {
                        return Poll::Ready(verdict);
                    }
                    let this = self.as_mut().project();
                    let last = *this.attempt > this.site.policy().retries();
                    let _context = context::enter(this.context);
                    body.as_mut().begin(last);
                    *this.state = State::Running;
                }
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
                        ready!(timer.poll(cx));
                    }
                    this.timer.set(None);
                    *this.attempt_started = Instant::now();
                    *this.state = State::Asking;
                }
            }
        }
    }

    /// Asks everybody who has a say for an attempt.
    fn ask(self: Pin<&mut Self>) -> Result<(), Verdict> {
        let this = self.project();
        if let Some(breaker) = breaker(this.keyed_breaker, this.binding) {
            match breaker.admit(this.site.policy().attempt_limit()) {
                Ok(ticket) => *this.ticket = Some(ticket),
                // A call that has run ends as its last attempt did.
                Err(error) => return Err(this.last.take().unwrap_or(Verdict::Refused(error))),
            }
        }
        *this.attempt += 1;
        this.binding.statistics.attempt_started(*this.attempt > 1);
        if let Some(context) = this.context {
            context.begin_attempt(*this.attempt, *this.deadline);
        }
        if let (Some(breaker), Some(ticket)) = (breaker(this.keyed_breaker, this.binding), *this.ticket) {
            breaker.start_lease(ticket, this.site.policy().attempt_limit());
        }
        Ok(())
    }

    /// Waits for whatever ends a running attempt from outside.
    fn poll_limits(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Verdict> {
        if self.as_mut().poll_cancelled(cx).is_ready() {
            return Poll::Ready(Verdict::Refused(ResilienceError::Cancelled));
        }
        let mut this = self.project();
        let own_limit = this.site.policy().attempt_limit();
        let own_end = own_limit.map(|limit| clock::later(*this.attempt_started, limit));
        let end = own_end.map_or(*this.deadline, |own| own.min(*this.deadline));
        if this.timer.is_none() {
            this.timer.set(Some(sleep_until(end)));
        }
        if let Some(timer) = this.timer.as_mut().as_pin_mut() {
            ready!(timer.poll(cx));
        }
        this.timer.set(None);
        let had_it_all = own_end.is_some_and(|own| own <= *this.deadline);
        let (scope, limit) = match own_limit {
            Some(limit) if had_it_all => (TimeoutScope::Attempt, limit),
            _ => (TimeoutScope::Call, this.deadline.saturating_duration_since(*this.started)),
        };
        Poll::Ready(Verdict::Refused(ResilienceError::Timeout { scope, limit }))
    }

    fn poll_cancelled(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if !*this.watches_cancellation {
            return Poll::Pending;
        }
        if this.cancelled.is_none()
            && let Some(request) = this.context.as_ref().and_then(CallContext::request)
        {
            this.cancelled.set(Some(request.cancellation.clone().cancelled_owned()));
        }
        this.cancelled.as_mut().as_pin_mut().map_or(Poll::Pending, |cancelled| cancelled.poll(cx))
    }

    /// Takes note of how an attempt ended, and decides whether there is another.
    fn settle(mut self: Pin<&mut Self>, ended: Verdict) -> Option<Verdict> {
        let signal = self.signal(&ended);
        let this = self.as_mut().project();
        if let (Some(breaker), Some(ticket)) = (breaker(this.keyed_breaker, this.binding), this.ticket.take()) {
            breaker.record(ticket, signal);
        }
        match self.as_mut().next_delay(&ended) {
            None => Some(ended),
            Some(delay) => {
                let mut this = self.project();
                this.timer.set(Some(sleep_until(clock::later(Instant::now(), delay))));
                *this.last = Some(ended);
                *this.state = State::Waiting;
                None
            }
        }
    }

    /// What the end of an attempt says about the dependency.
    fn signal(&self, ended: &Verdict) -> Signal {
        match ended {
            Verdict::Answered(Meaning::Good) => Signal::Success,
            Verdict::Answered(Meaning::Failed(Failed(failure))) if failure.trips_breaker => Signal::Failure,
            Verdict::Refused(ResilienceError::Timeout { scope: TimeoutScope::Attempt, .. }) => Signal::Failure,
            // Without a limit of its own the attempt had all the time there was, unless that was
            // somebody else's.
            Verdict::Refused(ResilienceError::Timeout { .. })
                if self.site.policy().attempt_limit().is_none() && !self.deadline_is_inherited =>
            {
                Signal::Failure
            }
            Verdict::Answered(_) | Verdict::Refused(_) => Signal::Neutral,
        }
    }

    /// How long to wait for the next attempt; `None` where there is none.
    fn next_delay(self: Pin<&mut Self>, ended: &Verdict) -> Option<Duration> {
        let this = self.project();
        let retry = this.site.policy().retry?;
        let failure = match ended {
            Verdict::Answered(Meaning::Failed(Failed(failure))) => *failure,
            Verdict::Refused(error @ ResilienceError::Timeout { scope: TimeoutScope::Attempt, .. }) => {
                Failure::of(error)
            }
            Verdict::Answered(_) | Verdict::Refused(_) => return None,
        };
        if !(failure.retryable && retry.on.contains(failure.kind)) {
            return None;
        }
        let retries_done = *this.attempt - 1;
        if retries_done >= retry.max {
            return None;
        }
        let backoff = retry.delay(retries_done, fastrand::f64());
        let delay = failure.retry_after.map_or(backoff, |asked| asked.max(backoff));
        let left = this.deadline.saturating_duration_since(Instant::now());
        if delay >= left {
            telemetry::retry_given_up(this.site.name(), *this.attempt, failure.kind, delay);
            if let Some(request) = this.context.as_ref().and_then(CallContext::request).filter(|_| *this.reports) {
                let mut report = request.report();
                report.retry_after = Some(delay);
                report.reason = Some("deadline");
            }
            return None;
        }
        telemetry::retry_scheduled(this.site.name(), *this.attempt, failure.kind, delay);
        Some(delay)
    }

    pub(crate) fn policy(&self) -> &'a Policy {
        self.site.policy()
    }

    pub(crate) fn site(&self) -> &'a Site {
        self.site
    }

    pub(crate) fn context(&self) -> Option<&CallContext> {
        self.context.as_ref()
    }

    /// Whether the hook wants to hear how the call went.
    pub(crate) fn reports(&self) -> bool {
        self.reports
    }

    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.attempt
    }

    /// The call is over.
    pub(crate) fn finish(self: Pin<&mut Self>, verdict: &Verdict) {
        self.end(verdict.outcome());
    }

    /// The call is over, and something else answered.
    pub(crate) fn finish_degraded(self: Pin<&mut Self>) {
        self.end(Outcome::Fallback);
    }

    /// Counts the call, once, and gives back what it may still hold.
    pub(crate) fn end(self: Pin<&mut Self>, outcome: Outcome) {
        let this = self.project();
        if this.outcome.is_some() {
            return;
        }
        *this.outcome = Some(outcome);
        if let (Some(breaker), Some(ticket)) = (breaker(this.keyed_breaker, this.binding), this.ticket.take()) {
            breaker.record(ticket, Signal::Neutral);
        }
        if !*this.reports {
            this.binding.statistics.call_ended(outcome, this.started.elapsed());
            telemetry::call_ended(this.span, this.site.name(), outcome, *this.attempt, this.context.as_ref());
        } else if let Some(request) = this.context.as_ref().and_then(CallContext::request) {
            let mut report = request.report();
            report.outcome = Some(outcome);
            report.attempts = *this.attempt;
            report.effect = this.site.policy().effect;
        }
    }
}

/// The breaker that a call asks: that of its key, else the function's.
fn breaker<'b>(keyed: &'b Option<Arc<Breaker>>, binding: &'b Binding) -> Option<&'b Breaker> {
    keyed.as_deref().or(binding.breaker.as_deref())
}

impl context::Request {
    /// Takes the request for this function, if it is the one that the client asked for.
    fn claim(&self, site: &Site) -> bool {
        let mut report = self.report();
        let mine = self.is_hooked && !report.claimed && *self.tool == *site.name();
        if mine {
            report.claimed = true;
            report.keeps_answers = site.policy().cache.is_some();
            report.effect = site.policy().effect;
        }
        mine
    }
}
