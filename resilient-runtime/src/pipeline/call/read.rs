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
use crate::answer::Meaning;
use crate::breaker::Signal;
use crate::cache::{Answers, Reported};
use crate::clock::{self, Moment};
use crate::context::{Activity, CallContext, EnclosingAttempt, Records};
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
            this.binding.cold.statistics.call_withdrawn();
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
        if let Some(counts) = self.binding.cold.statistics.cache() {
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
    /// rest. Of a call inside a request it has nothing: the report is about everything in the request.
    pub(in crate::pipeline) fn reported(&self, before: usize) -> Reported {
        let is_outermost = self.is_counted_by_hook() || self.is_refresh();
        let request = self.context.as_ref().and_then(CallContext::request).filter(|_| is_outermost);
        let Some(request) = request else { return Reported::default() };
        let report = request.report();
        // An attempt that is repeated clears the warnings.
        let warnings = report.warnings_after(before);
        Reported { warnings, kept: None, retry_after: report.retry_after, reason: report.reason }
    }

    /// Returns what the run has recorded that ends with this result.
    pub(in crate::pipeline) fn records(&self, layer: Option<&Layer>, result: &AttemptResult) -> Records {
        let Some(Layer { layer, .. }) = layer else { return Records::default() };
        let is_good = matches!(result, AttemptResult::Answered(Meaning::Good));
        // The usual case of a good answer is not recorded otherwise.
        if let Some(breaker) = self.breaker.as_deref().filter(|_| is_good) {
            layer.recorded(breaker, Signal::Success);
        }
        if let Some(kind) = result.kind().filter(|_| self.attempts > 1) {
            layer.retried(kind);
        }
        let mut records = layer.records(self.deadline);
        records.cut.take_if(|_| is_good);
        records
    }

    /// Leaves the records of a shared run to the calls around this one.
    pub(in crate::pipeline) fn inherit(&self, records: &Records) {
        if let Some(enclosing) = self.enclosing() {
            enclosing.inherit(records);
        }
        if let Some(degraded) = &records.degraded {
            self.degrade(degraded);
        }
        if let Some(due) = records.cut {
            self.cut_retry(due);
        }
    }

    /// Records that a retry is due at a time that the deadline does not allow.
    pub(super) fn cut_retry(&self, due: Moment) {
        if let Some(enclosing) = self.enclosing() {
            enclosing.cut(due, self.deadline);
        }
    }

    /// Returns whether the deadline leaves time for a retry that is due then.
    pub(in crate::pipeline) fn allows_retry(&self, due: Moment) -> bool {
        due < self.deadline
    }

    /// Adds to the report what the report of another call had.
    pub(in crate::pipeline) fn report_shared(&self, reported: &Reported) {
        if let Some(context) = &self.context {
            for warning in &reported.warnings {
                context.warn(warning);
            }
        }
        if let Some(request) = self.hook_request() {
            let mut report = request.report();
            (report.retry_after, report.reason) = (reported.retry_after, reported.reason);
            report.kept = reported.kept;
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
        let now = Moment::now();
        let has_lost_time = self.has_lost_time(now);
        let mut this = self.as_mut().project();
        this.timer.set(None);
        this.caller.has_followed |= has_lost_time;
        this.state.advance(State::Admitting(now));
        if now >= *this.deadline {
            return Err(self.reject_by_deadline());
        }
        self.ask_gate_again()
    }
}
