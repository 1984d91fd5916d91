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
use super::turn::{Got, Turn};
use crate::bulkhead;
use crate::breaker::{Breaker, Signal, Ticket, Took};
use crate::clock;
use crate::context::{self, CallContext};
use crate::error::{Failure, LimitKind, ResilienceError, TimeoutScope};
#[cfg(feature = "rate-limit")]
use crate::keyed_hash::Collected;
use crate::registry::Binding;
use crate::retry::Budget;
use crate::site::{BindingRef, Entry, Site};
use crate::statistics::{Outcome, Rejected, Suppressed};
use crate::telemetry;

const HALF_A_MILLI: Duration = Duration::from_micros(500);

/// How the guarded part of a call ended.
#[derive(Debug, Clone)]
pub(crate) enum Verdict {
    /// The body has an answer.
    Answered(Meaning),
    /// It has none, and this is why.
    Refused(ResilienceError),
}

impl Verdict {
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Answered(Meaning::Good | Meaning::Unfinished) => Outcome::Ok,
            Self::Answered(Meaning::OwnError | Meaning::Failed(_)) => Outcome::Error,
            Self::Refused(ResilienceError::Timeout { .. }) => Outcome::Timeout,
            Self::Refused(ResilienceError::CircuitOpen { .. } | ResilienceError::Overloaded { .. }) => Outcome::Rejected,
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
        started: Instant,
        deadline: Instant,
        // Whether somebody else's deadline is earlier than this call's own timeout.
        deadline_is_inherited: bool,
        attempt: u32,
        attempt_started: Instant,
        ticket: Option<Ticket>,
        // What it has of its bulkhead.
        turn: Turn,
        // Of whom the rate limit is asked, where the policy has a key.
        rate_limit_key: Option<u128>,
        // When the running attempt becomes slow, where the breaker wants to know; gone once told.
        slow_at: Option<Instant>,
        is_slow: bool,
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
        let own = clock::later(started, site.policy().timeout);
        let caller = CallContext::current();
        let deadline = caller.as_ref().and_then(CallContext::deadline).map_or(own, |theirs| theirs.min(own));
        let is_nested = caller.as_ref().is_some_and(|caller| caller.attempt() > 0);
        let context = caller.unwrap_or_else(CallContext::root);
        let reports = !is_nested && context.request().is_some_and(|request| request.claim(site, &binding));
        let span = if reports { Span::none() } else { telemetry::call_span(site.name(), &context) };
        if !reports {
            binding.statistics.call_started();
        }
        if site.policy().retry.is_some_and(|retry| retry.budget.is_some())
            && let Some(budget) = budget(keyed_breaker.as_ref(), &binding)
        {
            budget.deposit(clock::millis(started));
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
            started,
            deadline,
            deadline_is_inherited: deadline < own,
            attempt: 0,
            attempt_started: started,
            ticket: None,
            slow_at: None,
            is_slow: false,
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
                        ready!(timer.poll(cx));
                    }
                    this.timer.set(None);
                    *this.attempt_started = Instant::now();
                    *this.state = State::Asking;
                }
            }
        }
    }

    /// Asks everybody who has a say for an attempt, and says what the bulkhead gave it.
    fn ask(mut self: Pin<&mut Self>) -> Result<Got, Verdict> {
        #[cfg(feature = "rate-limit")]
        if let Err(error) = self.check_rate() {
            return Err(self.reject(LimitKind::RateLimit, error));
        }
        let this = self.as_mut().project();
        if let Some(breaker) = breaker(this.keyed_breaker.as_ref(), this.binding) {
            let policy = this.site.policy();
            // A probe that may have to queue is not given up while it does.
            let queueing = this.turn.longest_wait(*this.deadline).map(|wait| lease(policy).saturating_add(wait));
            match breaker.admit(queueing.or_else(|| policy.attempt_limit())) {
                Ok(ticket) => *this.ticket = Some(ticket),
                // A call that has run ends as its last attempt did.
                Err(error) => {
                    this.binding.statistics.rejected(Rejected::Breaker);
                    return Err(this.last.take().unwrap_or(Verdict::Refused(error)));
                }
            }
        }
        Ok(this.turn.ask(&this.binding.statistics))
    }

    /// Asks the rate limit for the call, at its beginning.
    #[cfg(feature = "rate-limit")]
    fn check_rate(&self) -> Result<(), ResilienceError> {
        let Some(limits) = self.binding.rate_limits.as_ref().filter(|_| self.attempt == 0) else { return Ok(()) };
        let by_caller = self.site.policy().rate_limit.is_some_and(|rate_limit| rate_limit.by_caller);
        // Without a known caller the whole process is one.
        let principal = self.context.as_ref().and_then(CallContext::principal).filter(|_| by_caller);
        let caller = principal.and_then(|principal| Collected::hash(|hash| hash.add(principal.as_str())));
        limits.check(caller.or(self.rate_limit_key))
    }

    /// A limit did not let an attempt run: what it had is given back, and a call that has run ends
    /// as its last attempt did.
    fn reject(self: Pin<&mut Self>, limit: LimitKind, error: ResilienceError) -> Verdict {
        self.binding.statistics.rejected(match limit {
            LimitKind::Bulkhead => Rejected::Bulkhead,
            LimitKind::RateLimit => Rejected::RateLimit,
        });
        telemetry::limit_rejected(self.site.name(), limit);
        self.give_up(error)
    }

    /// There is no attempt, although the breaker let it through: says so to everybody.
    fn give_up(mut self: Pin<&mut Self>, error: ResilienceError) -> Verdict {
        let mut this = self.as_mut().project();
        this.turn.give_back();
        this.timer.set(None);
        if let (Some(breaker), Some(ticket)) = (breaker(this.keyed_breaker.as_ref(), this.binding), this.ticket.take()) {
            breaker.record(ticket, Signal::Neutral, Took::Nothing);
        }
        this.last.take().unwrap_or(Verdict::Refused(error))
    }

    /// Waits in line for a slot, at most as long as the bulkhead allows and the call has time.
    fn poll_queue(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Verdict>> {
        if self.as_mut().poll_cancelled(cx).is_ready() {
            // That the client is gone is the end, whatever came before.
            *self.as_mut().project().last = None;
            return Poll::Ready(Err(self.give_up(ResilienceError::Cancelled)));
        }
        let mut this = self.as_mut().project();
        let given_up = this.turn.waits_until(*this.attempt_started).filter(|until| until < this.deadline);
        let has_slot = this.turn.poll_slot(cx).is_ready();
        if !has_slot {
            if this.timer.is_none() {
                this.timer.set(Some(sleep_until(given_up.unwrap_or(*this.deadline))));
            }
            if let Some(timer) = this.timer.as_mut().as_pin_mut() {
                ready!(timer.poll(cx));
            }
        }
        let now = Instant::now();
        if now >= *this.deadline {
            return Poll::Ready(Err(self.out_of_time()));
        }
        if !has_slot {
            return Poll::Ready(Err(self.reject(LimitKind::Bulkhead, bulkhead::overloaded())));
        }
        this.timer.set(None);
        *this.attempt_started = now;
        Poll::Ready(Ok(()))
    }

    /// The deadline came while an attempt was in line.
    fn out_of_time(self: Pin<&mut Self>) -> Verdict {
        if self.last.is_some()
            && let Some(request) = self.context.as_ref().and_then(CallContext::request).filter(|_| self.reports)
        {
            request.report().reason = Some(Suppressed::Deadline.as_str());
        }
        let limit = whole_call(self.started, self.deadline);
        self.give_up(ResilienceError::Timeout { scope: TimeoutScope::Call, limit })
    }

    /// Begins the attempt that everybody has let through.
    fn begin(self: Pin<&mut Self>, body: Pin<&mut dyn Body>) {
        let this = self.project();
        *this.attempt += 1;
        this.binding.statistics.attempt_started(*this.attempt > 1);
        if let Some(context) = this.context {
            context.begin_attempt(*this.attempt, *this.deadline);
        }
        if let (Some(breaker), Some(ticket)) = (breaker(this.keyed_breaker.as_ref(), this.binding), *this.ticket) {
            breaker.start_lease(ticket, lease(this.site.policy()));
            *this.slow_at = breaker.settings().slow.map(|slow| clock::later(*this.attempt_started, slow));
            *this.is_slow = false;
        }
        let last = *this.attempt > this.site.policy().retries();
        *this.state = State::Running;
        let _context = context::enter(this.context);
        body.begin(last);
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
        loop {
            let slow_at = this.slow_at.filter(|slow| *slow < end);
            if this.timer.is_none() {
                this.timer.set(Some(sleep_until(slow_at.unwrap_or(end))));
            }
            if let Some(timer) = this.timer.as_mut().as_pin_mut() {
                ready!(timer.poll(cx));
            }
            this.timer.set(None);
            *this.slow_at = None;
            if slow_at.is_none() {
                break;
            }
            if let (Some(breaker), Some(ticket)) = (breaker(this.keyed_breaker.as_ref(), this.binding), *this.ticket) {
                breaker.note_slow(ticket);
                *this.is_slow = true;
            }
        }
        let had_it_all = own_end.is_some_and(|own| own <= *this.deadline);
        let (scope, limit) = match own_limit {
            Some(limit) if had_it_all => (TimeoutScope::Attempt, limit),
            _ => (TimeoutScope::Call, whole_call(*this.started, *this.deadline)),
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
        this.turn.give_back();
        if let (Some(breaker), Some(ticket)) = (breaker(this.keyed_breaker.as_ref(), this.binding), this.ticket.take()) {
            let took = match (*this.is_slow, breaker.settings().slow) {
                (true, _) => Took::KnownToBeSlow,
                (false, Some(_)) => Took::Time(this.attempt_started.elapsed()),
                (false, None) => Took::Nothing,
            };
            breaker.record(ticket, signal, took);
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
            // somebody else's, or queueing had taken some of it.
            Verdict::Refused(ResilienceError::Timeout { .. })
                if self.site.policy().attempt_limit().is_none()
                    && !self.deadline_is_inherited
                    && !self.turn.has_queued() =>
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
        // What the error says of itself wins; else it is its kind that decides.
        if !failure.retry_override.unwrap_or_else(|| retry.on.contains(failure.kind)) {
            return None;
        }
        let retries_done = *this.attempt - 1;
        if retries_done >= retry.max {
            return None;
        }
        let now = Instant::now();
        let backoff = retry.delay(retries_done, fastrand::f64());
        let delay = failure.retry_after.map_or(backoff, |asked| asked.max(backoff));
        // The breaker would reject the retry: nobody has to wait to hear that.
        if let Some(breaker) = breaker(this.keyed_breaker.as_ref(), this.binding).filter(|it| it.rejects_after(delay)) {
            if let Some(request) = this.context.as_ref().and_then(CallContext::request).filter(|_| *this.reports) {
                let mut report = request.report();
                report.retry_after = breaker.remaining();
                report.reason = Some(ErrorKind::CircuitOpen.as_str());
            }
            return None;
        }
        let reason = if delay >= this.deadline.saturating_duration_since(now) {
            Some(Suppressed::Deadline)
        } else {
            let budget = budget(this.keyed_breaker.as_ref(), this.binding);
            let is_spent = |share| budget.is_some_and(|budget| !budget.withdraw(clock::millis(now), share));
            retry.budget.is_some_and(is_spent).then_some(Suppressed::Budget)
        };
        if let Some(reason) = reason {
            this.binding.statistics.retry_suppressed(reason);
            telemetry::retry_suppressed(this.site.name(), *this.attempt, failure.kind, delay, reason);
            if let Some(request) = this.context.as_ref().and_then(CallContext::request).filter(|_| *this.reports) {
                let mut report = request.report();
                report.retry_after = Some(delay);
                report.reason = Some(reason.as_str());
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
    pub(crate) fn end(mut self: Pin<&mut Self>, outcome: Outcome) {
        let this = self.as_mut().project();
        if this.outcome.is_some() {
            return;
        }
        *this.outcome = Some(outcome);
        this.turn.give_back();
        if let (Some(breaker), Some(ticket)) = (breaker(this.keyed_breaker.as_ref(), this.binding), this.ticket.take()) {
            breaker.record(ticket, Signal::Neutral, Took::Nothing);
        }
        if *this.reports {
            self.report(outcome);
        } else {
            this.binding.statistics.call_ended(outcome, this.started.elapsed());
            telemetry::call_ended(this.span, this.site.name(), outcome, *this.attempt, this.context.as_ref());
        }
    }

    /// Tells the hook how the call went, as far as it has gone.
    pub(crate) fn report(&self, outcome: Outcome) {
        if let Some(request) = self.context.as_ref().and_then(CallContext::request).filter(|_| self.reports) {
            let mut report = request.report();
            report.outcome = Some(outcome);
            report.attempts = self.attempt;
            report.effect = self.site.policy().effect;
        }
    }
}

/// How long a call had. What a caller left of its own time is no round number; nobody needs its
/// nanoseconds.
fn whole_call(started: Instant, deadline: Instant) -> Duration {
    let limit = deadline.saturating_duration_since(started);
    Duration::from_millis(clock::saturating_millis(limit.saturating_add(HALF_A_MILLI)))
}

/// How long a probe is waited for: as long as it may take, and a little longer, so that its own
/// timeout is heard before somebody else takes its place.
fn lease(policy: &Policy) -> Duration {
    const LEAST_MARGIN: Duration = Duration::from_millis(100);
    let longest = policy.attempt_limit().unwrap_or(policy.timeout);
    longest.saturating_add((longest / 4).max(LEAST_MARGIN))
}

/// The breaker that a call asks: that of its key, else the function's.
fn breaker<'b>(keyed: Option<&'b Arc<Breaker>>, binding: &'b Binding) -> Option<&'b Breaker> {
    keyed.map(|keyed| &**keyed).or(binding.breaker.as_deref())
}

/// The budget that a call's retries come out of: that of its breaker, else the function's.
fn budget<'b>(keyed: Option<&'b Arc<Breaker>>, binding: &'b Binding) -> Option<&'b Budget> {
    breaker(keyed, binding).map(Breaker::budget).or(binding.own_budget.as_deref())
}

impl context::Request {
    /// Takes the request for this function, if it is the one that the client asked for.
    fn claim(&self, site: &Site, binding: &Binding) -> bool {
        let mut report = self.report();
        let mine = self.is_hooked && !report.claimed && site.tool() == Some(&*self.tool);
        if mine {
            // Under another name than its route's, the call is counted there.
            if let Some(hook) = &self.statistics
                && !Arc::ptr_eq(hook, &binding.statistics)
            {
                hook.call_withdrawn();
                binding.statistics.call_started();
                report.statistics = Some(Arc::clone(&binding.statistics));
            }
            report.claimed = true;
            report.keeps_answers = site.policy().cache.is_some();
            report.effect = site.policy().effect;
        }
        mine
    }
}
