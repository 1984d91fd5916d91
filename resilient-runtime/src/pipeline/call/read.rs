//! What a call of a function with `cache(fresh ..)` does besides its attempts: it serves a kept answer, or waits for
//! the answer of another call.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::sleep_until;

use super::nested::CountedAs;
use super::result::AttemptResult;
use super::{Call, State};
use crate::cache::{Answers, Reported};
use crate::clock::{self, Moment};
use crate::context::{Activity, CallContext, EnclosingAttempt};
use crate::error::{Refusal, SharedError};
use crate::outcomes::{CacheResult, Outcome};

/// The runs that the attempts around a call lead.
pub(in crate::pipeline) enum Tree {
    /// The call may follow another run, unless that one waits for one of these.
    Leads(Vec<u64>),
    /// One of the attempts has a permit that another run may wait for: the call follows none.
    HoldsPermit,
}

/// The layer around the attempts of a call that leads a run. Calls inside it know by it what they must not wait for.
pub(in crate::pipeline) struct Layer {
    layer: Arc<EnclosingAttempt>,
    _activity: Option<Activity>,
}

impl Drop for Layer {
    fn drop(&mut self) {
        self.layer.end(None);
    }
}

impl Call<'_> {
    /// Makes the call a refresh of a kept answer, which is not counted.
    pub(in crate::pipeline) fn becomes_refresh(self: Pin<&mut Self>) {
        let this = self.project();
        if this.caller.counted < CountedAs::Hook {
            this.binding.statistics.call_withdrawn();
            this.caller.counted = CountedAs::Nowhere;
        }
    }

    pub(in crate::pipeline) fn answers(&self) -> Option<&Answers> {
        self.binding.cold.answers.as_ref()
    }

    /// Returns the refusal of the gate, if it refuses the call.
    pub(in crate::pipeline) fn refusal(&self) -> Option<Refusal> {
        match self.state {
            State::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }

    /// Returns whether the client has cancelled the request.
    pub(in crate::pipeline) fn is_given_up(&self) -> bool {
        self.is_cancelled()
    }

    /// Returns whether the deadline has passed.
    pub(in crate::pipeline) fn is_past_deadline(&self) -> bool {
        Moment::now() >= self.deadline
    }

    /// Returns when the call began.
    pub(in crate::pipeline) fn started(&self) -> Moment {
        self.started
    }

    /// Returns whether the breaker is certain to reject an attempt now.
    pub(in crate::pipeline) fn is_rejected_by_breaker(&self) -> bool {
        let rejects = |breaker: &crate::Breaker| breaker.rejects_after(Duration::ZERO);
        self.breaker.as_deref().is_some_and(rejects)
            || self.binding.breaker.as_deref().is_some_and(|unkeyed| unkeyed.check_isolated().is_err())
    }

    /// Counts what the cache had for the call.
    pub(in crate::pipeline) fn count_cache(&self, result: CacheResult) {
        if let Some(counts) = self.binding.statistics.cache() {
            counts.add(result);
        }
    }

    /// Ends the call with a kept answer of this age.
    pub(in crate::pipeline) fn end_with_kept(mut self: Pin<&mut Self>, age: Duration, warnings: &[String]) {
        self.report_kept(age, warnings);
        self.as_mut().project().state.advance(State::Finished(None));
        self.end(Outcome::Ok, None);
    }

    /// Reports that the answer is a kept one.
    pub(in crate::pipeline) fn report_kept(&self, age: Duration, warnings: &[String]) {
        if let Some(context) = &self.context {
            for warning in warnings {
                context.warn(warning);
            }
        }
        if let Some(request) = self.hook_request() {
            request.report().kept = Some(age);
        }
    }

    /// Returns the number of warnings for the client so far.
    pub(in crate::pipeline) fn warnings(&self) -> usize {
        let request = self.context.as_ref().and_then(CallContext::request);
        request.map_or(0, |request| request.report().warnings.len())
    }

    /// Returns what the report has for the client besides the answer: the warnings after the first `before`, and the
    /// rest.
    pub(in crate::pipeline) fn reported(&self, before: usize) -> Reported {
        let Some(request) = self.context.as_ref().and_then(CallContext::request) else { return Reported::default() };
        let is_hooked = self.is_counted_by_hook();
        let report = request.report();
        Reported {
            warnings: report.warnings_after(before),
            degraded: report.degraded.clone(),
            retry_after: report.retry_after.filter(|_| is_hooked),
            reason: report.reason.filter(|_| is_hooked),
        }
    }

    /// Adds to the report what the report of another call had.
    pub(in crate::pipeline) fn report_shared(&self, reported: &Reported) {
        if let Some(context) = &self.context {
            for warning in &reported.warnings {
                context.warn(warning);
            }
        }
        if let Some(degraded) = &reported.degraded {
            self.degrade(degraded.clone());
        }
        if let Some(request) = self.hook_request() {
            let mut report = request.report();
            (report.retry_after, report.reason) = (reported.retry_after, reported.reason);
        }
    }

    /// Leaves the error of the leader in the report, for the hook.
    pub(in crate::pipeline) fn report_error(&self, error: &SharedError) {
        if let Some(request) = self.hook_request() {
            request.report().shared = Some(error.clone());
        }
    }

    /// Returns the runs that the attempts around the call lead.
    pub(in crate::pipeline) fn tree(&self) -> Tree {
        match self.enclosing().map(|enclosing| enclosing.flights()) {
            None => Tree::Leads(Vec::new()),
            Some(Some(flights)) => Tree::Leads(flights),
            Some(None) => Tree::HoldsPermit,
        }
    }

    /// Marks what runs in the call as a part of this run.
    pub(in crate::pipeline) fn lead(self: Pin<&mut Self>, flight: u64) -> Option<Layer> {
        let activity = self.enclosing().as_ref().map(Activity::running);
        let layer = self.project().context.as_mut()?.lead(flight);
        Some(Layer { layer, _activity: activity })
    }

    /// Waits for the end of the call from outside while it follows another call: cancellation, or the deadline.
    pub(in crate::pipeline) fn poll_following(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<AttemptResult> {
        if self.as_mut().poll_cancelled(cx).is_ready() {
            return Poll::Ready(self.cancelled());
        }
        let mut this = self.as_mut().project();
        if this.timer.is_none() {
            this.timer.set(Some(sleep_until(this.deadline.instant())));
        }
        if let Some(timer) = this.timer.as_mut().as_pin_mut() {
            ready!(clock::poll_timer(timer, cx));
        }
        Poll::Ready(self.reject_by_deadline())
    }

    /// Continues with its own attempts after it has followed another call.
    pub(in crate::pipeline) fn resumes(mut self: Pin<&mut Self>) -> Result<(), AttemptResult> {
        let mut this = self.as_mut().project();
        this.timer.set(None);
        let now = Moment::now();
        this.state.advance(State::Admitting(now));
        if now >= *this.deadline {
            return Err(self.reject_by_deadline());
        }
        self.ask_gate_again()
    }
}
