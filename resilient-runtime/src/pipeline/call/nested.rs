//! The caller of a call: the client, or the attempt of an enclosing call, whose permits the call borrows.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use resilient_policy::{Effect, Fault};
use tokio::time::sleep_until;

use super::attempt::Admission;
use super::permit::BreakerWatch;
use super::result::AttemptResult;
use super::{Call, State};
use crate::binding::Binding;
use crate::breaker::BreakerState;
use crate::clock::{self, Moment};
use crate::context::{self, Activity, CallContext, Claim, EnclosingAttempt, Lender};
use crate::error::Refusal;
use crate::outcomes::Outcome;
use crate::site::Site;

/// What a call knows of its caller.
pub(super) struct Caller {
    /// When the caller stops waiting: the end of the enclosing attempt. [`Moment::LAST`] without one.
    pub(super) deadline: Moment,
    pub(super) counted: CountedAs,
    /// Whether the call runs inside an attempt of another call.
    pub(super) is_nested: bool,
    /// Whether the context was passed as an argument, so that it is not the current one.
    pub(super) passes_context: bool,
    /// Whether the call has waited for the run of another call before its first attempt.
    pub(super) has_followed: bool,
}

/// Who counts the call, and as what.
///
/// The order puts those that do not count themselves last, so that one comparison finds them.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CountedAs {
    /// The call counts itself.
    Call,
    /// The call counts itself as a part of another operation: it is a tool's function that another call calls.
    Part,
    /// The hook, whose request it answers. The hook gets a report of the call.
    Hook,
    /// Like `Hook`, but the gate refuses the call.
    RefusedByGate,
    /// Nothing counts the call: it refreshes a kept answer.
    #[cfg(feature = "cache")]
    Nowhere,
}

impl Caller {
    /// No guarded function and no hook.
    pub(super) const NONE: Self = Self {
        deadline: Moment::LAST,
        counted: CountedAs::Call,
        is_nested: false,
        passes_context: false,
        has_followed: false,
    };

    /// The hook, whose request the call has claimed.
    pub(super) const fn hook(deadline: Moment) -> Self {
        Self { deadline, counted: CountedAs::Hook, ..Self::NONE }
    }

    #[inline(never)]
    pub(super) fn of(context: &CallContext, site: &Site, binding: &Binding) -> Self {
        let is_inner = context.attempt() > 0;
        // No request of this server is for a tool of another server, and no other call counts it.
        let claimed = context.request().filter(|_| !is_inner && !site.is_remote()).and_then(|request| {
            let is_method = site.is_method() && request.is_of_handler && !context.is_of_part();
            request.claim(site, binding, is_method)
        });
        let is_requested = |tool: &str| tool.is_empty() || site.tool() == Some(tool);
        let is_requested = context.request().is_none_or(|request| is_requested(&request.tool));
        let is_part = site.tool().is_some() && !site.is_remote() && (is_inner || !is_requested);
        Self {
            deadline: context.ends().unwrap_or(Moment::LAST),
            counted: match (claimed, is_part) {
                (Some(counted), _) => counted,
                (None, true) => CountedAs::Part,
                (None, false) => CountedAs::Call,
            },
            is_nested: context.enclosing().is_some(),
            passes_context: false,
            has_followed: false,
        }
    }
}

impl context::Request {
    /// Claims the request for this function, if the function is the requested tool or the method of the handler that
    /// serves the request, and no other has claimed it.
    fn claim(&self, site: &Site, binding: &Binding, is_method: bool) -> Option<CountedAs> {
        let mut report = self.report();
        let is_tool = site.tool() == Some(&*self.tool);
        let claims = self.is_hooked && !report.is_claimed() && (is_tool || is_method);
        // By the protocol, some methods only read, even if they call a function that writes.
        let reads = report.effect == Effect::ReadOnly && !report.has_run;
        if self.is_of_handler && !claims && !reads {
            // What the functions inside a handler may have changed holds for the request.
            report.effect = less_repeatable(report.effect, site.policy().effect, report.has_run);
            report.has_run = true;
        }
        claims.then(|| {
            if self.is_of_handler {
                // The handler counts the call under the name of the function.
                binding.cold.statistics.call_started();
                report.statistics = Some(Arc::clone(&binding.cold.statistics));
            }
            // If the route has another name than the tool, the call is counted under the tool's.
            if let Some(hook) = &self.statistics
                && !Arc::ptr_eq(hook, &binding.cold.statistics)
            {
                hook.call_withdrawn();
                binding.cold.statistics.call_started();
                report.statistics = Some(Arc::clone(&binding.cold.statistics));
            }
            report.runs(site);
            if matches!(report.claim, Claim::Refused(_)) {
                return CountedAs::RefusedByGate;
            }
            report.claim = if is_tool { Claim::Claimed } else { Claim::ByMethod };
            CountedAs::Hook
        })
    }

    /// Claims the request for the function of its tool, if the hook serves it and counts it where the function is counted,
    /// nothing has claimed it, and neither the gate nor an authorization has anything to say about the call.
    pub(super) fn claim_at_once(&self, site: &Site, binding: &Binding) -> bool {
        let is_counted_there = self.statistics.as_ref().is_some_and(|hook| Arc::ptr_eq(hook, &binding.cold.statistics));
        if !self.is_of_hook()
            || !is_counted_there
            || site.is_remote()
            || site.tool() != Some(&*self.tool)
            || self.authorized.get().is_some()
            || self.cancellation.is_cancelled()
        {
            return false;
        }
        let mut report = self.report();
        let is_open = matches!(report.claim, Claim::Open);
        if is_open {
            report.runs(site);
            report.claim = Claim::Claimed;
        }
        is_open
    }

    /// Claims a request that the gate refuses, and returns the reason.
    fn claim_refused(&self) -> Option<Refusal> {
        match std::mem::replace(&mut self.report().claim, Claim::Claimed) {
            Claim::Refused(refusal) => Some(refusal),
            Claim::Open | Claim::Claimed | Claim::ByMethod => None,
        }
    }
}

impl context::Report {
    /// Describes the function that has claimed the request.
    fn runs(&mut self, site: &Site) {
        self.needs_arguments = site.policy().cache.is_some() || site.policy().deferred.is_some();
        self.effect = site.policy().effect;
        self.has_run = true;
    }

    /// Describes the end of a call.
    pub(super) fn ends(&mut self, site: &Site, outcome: Outcome, fault: Option<Fault>, attempts: u32) {
        self.outcome = Some(outcome);
        self.fault = fault;
        self.attempts = attempts;
        self.effect = site.policy().effect;
    }
}

/// Returns the effect of two calls, of which the first may not have run.
fn less_repeatable(before: Effect, now: Effect, has_run: bool) -> Effect {
    let order = [Effect::Writes, Effect::Unknown, Effect::Idempotent];
    let worse = order.into_iter().find(|effect| (has_run && *effect == before) || *effect == now);
    worse.unwrap_or(Effect::ReadOnly)
}

/// A call that waits for the breaker's permit, which another call inside the same enclosing attempt has borrowed.
pub(super) struct PermitWait {
    watch: BreakerWatch,
    /// Counts the call as waiting inside the enclosing attempt.
    _activity: Option<Activity>,
}

impl Call<'_> {
    /// Begins the call of a caller with a context, which may limit its deadline.
    #[inline(never)]
    pub(super) fn begin_within(self: Pin<&mut Self>) {
        let this = self.project();
        let request = this.details.as_mut().and_then(|details| details.request.take());
        let passes_context = request.is_some();
        let caller = request.or_else(CallContext::current);
        let context = caller.map_or_else(CallContext::root, CallContext::inside);
        *this.caller = Caller { passes_context, ..Caller::of(&context, this.site, this.binding) };
        if let Some(authorized) = context.request().and_then(|request| request.authorized.get())
            && matches!(this.caller.counted, CountedAs::Hook | CountedAs::RefusedByGate)
        {
            // The time of the authorization is part of the call's.
            (*this.started, *this.deadline) = (authorized.began, authorized.began.after(this.binding.timeout));
            if let Some(limit) = this.details.as_ref().and_then(|details| details.limit) {
                *this.deadline = authorized.began.after(limit).min(*this.deadline);
            }
        }
        *this.deadline = this.caller.deadline.min(*this.deadline);
        *this.context = Some(context);
    }

    /// Takes the refusal over that the hook has left in the request: the call ends before its first admission.
    #[cold]
    pub(super) fn take_refusal(self: Pin<&mut Self>) {
        let this = self.project();
        this.caller.counted = CountedAs::Hook;
        let request = this.context.as_ref().and_then(CallContext::request);
        if let Some(refusal) = request.and_then(|request| request.claim_refused()) {
            this.state.advance(State::Refused(refusal));
        }
    }

    pub(super) fn is_counted_by_hook(&self) -> bool {
        self.caller.counted == CountedAs::Hook
    }

    /// Returns whether the call refreshes a kept answer of a tool.
    pub(super) fn is_refresh_of_tool(&self) -> bool {
        self.is_refresh() && self.site.tool().is_some()
    }

    /// Returns whether the call refreshes a kept answer: only `Nowhere`, which the feature `cache` adds, is greater.
    pub(super) fn is_refresh(&self) -> bool {
        self.caller.counted > CountedAs::RefusedByGate
    }

    pub(super) fn is_part(&self) -> bool {
        self.caller.counted == CountedAs::Part
    }

    /// When the enclosing attempt ends, if there is one.
    pub(crate) fn outer_deadline(&self) -> Option<Moment> {
        (self.caller.deadline < Moment::LAST).then_some(self.caller.deadline)
    }

    /// The enclosing attempt, if there is one.
    pub(super) fn enclosing(&self) -> Option<Arc<EnclosingAttempt>> {
        self.context.as_ref().and_then(CallContext::enclosing)
    }

    /// Borrows the permit of an enclosing attempt. `None` if no enclosing attempt holds one of this breaker.
    #[cold]
    pub(super) fn borrow_permit(self: Pin<&mut Self>) -> Option<Result<(), Lender>> {
        let enclosing = self.enclosing()?;
        let this = self.project();
        let breaker = this.breaker.as_mut()?;
        let unkeyed = if breaker.is_keyed() { this.binding.breaker.as_deref() } else { None };
        if unkeyed.is_some_and(|unkeyed| unkeyed.state() == BreakerState::Isolated) {
            return None;
        }
        breaker.borrow(&enclosing, this.binding.policy())
    }

    /// Begins to wait for the permit of the enclosing attempt.
    #[cold]
    pub(super) fn await_permit(self: Pin<&mut Self>) {
        let activity = self.enclosing().as_ref().map(Activity::queued);
        *self.project().state =
            State::AwaitingPermit(PermitWait { watch: BreakerWatch::default(), _activity: activity });
    }

    /// Waits for the permit of the enclosing attempt, or for one that becomes free at the breaker.
    pub(super) fn poll_permit(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Admission>, AttemptResult>> {
        if self.as_mut().poll_cancelled(cx).is_ready() {
            return Poll::Ready(Err(self.cancelled()));
        }
        loop {
            let this = self.as_mut().project();
            let (State::AwaitingPermit(wait), Some(breaker)) = (this.state, &*this.breaker) else {
                return Poll::Ready(Ok(None));
            };
            // Before the request, so that no change is missed.
            let is_watching = wait.watch.poll_changed(breaker, cx).is_pending();
            match self.as_mut().acquire_permit() {
                Ok(None) => {
                    self.as_mut().ask_gate_again()?;
                    self.as_mut().project().timer.set(None);
                    return Poll::Ready(self.acquire_slot(Moment::now(), true));
                }
                Ok(Some(lender)) if lender.poll_return(cx).is_pending() && is_watching => break,
                Ok(Some(_)) => {}
                Err(rejected) => return Poll::Ready(Err(rejected)),
            }
        }
        let mut this = self.as_mut().project();
        if this.timer.is_none() {
            this.timer.set(Some(sleep_until(this.deadline.instant())));
        }
        if let Some(timer) = this.timer.as_mut().as_pin_mut() {
            ready!(clock::poll_timer(timer, cx));
        }
        Poll::Ready(Err(self.reject_by_deadline()))
    }
}
