//! The rate limit of a call, and the wait for the shared state that decides about it.

use std::pin::Pin;
#[cfg(feature = "replicas")]
use std::sync::{Mutex, PoisonError};
#[cfg(feature = "replicas")]
use std::task::{Context, Poll, ready};
#[cfg(feature = "replicas")]
use std::time::Duration;

use super::Call;
#[cfg(feature = "replicas")]
use super::State;
#[cfg(feature = "replicas")]
use super::attempt::Admission;
use super::result::AttemptResult;
#[cfg(feature = "replicas")]
use crate::clock::Moment;
#[cfg(feature = "replicas")]
use crate::context::Activity;
use crate::error::{LimitKind, ResilienceError};
use crate::keyed_hash::Collected;
#[cfg(feature = "replicas")]
use crate::rate_limit::{LimitResponse, PendingPermit};

/// A call that waits for the shared state to grant or refuse a permit of its rate limit.
#[cfg(feature = "replicas")]
pub(super) struct LimitWait {
    /// In a mutex that is never locked, so that the call can be shared between threads even if this cannot.
    permit: Mutex<PendingPermit>,
    /// Counts the call as waiting inside the enclosing attempt.
    _activity: Option<Activity>,
}

impl Call<'_> {
    /// Requests a permit of the rate limit, once for each call. Returns whether the call waits for the shared state.
    pub(super) fn request_rate_limit(self: Pin<&mut Self>) -> Result<bool, AttemptResult> {
        let Some(limits) = self.binding.cold.rate_limits.as_ref().filter(|_| self.attempts == 0) else {
            return Ok(false);
        };
        let key = self.rate_limit_key();
        #[cfg(feature = "replicas")]
        if limits.is_shared() {
            // A call that the breaker rejects must not take a permit that another replica needs, nor wait for one.
            if let Some(error) = self.rejection_by_breaker() {
                return Err(self.reject_by_breaker(error));
            }
            match limits.request(key, self.deadline) {
                None => {}
                Some(LimitResponse::Decided(Ok(()))) => return Ok(false),
                Some(LimitResponse::Decided(Err(error))) => return Err(self.reject_by_rate_limit(error)),
                Some(LimitResponse::Pending(permit)) => {
                    self.await_limit(permit);
                    return Ok(true);
                }
            }
        }
        match limits.check(key) {
            Ok(()) => Ok(false),
            Err(error) => Err(self.reject_by_rate_limit(error)),
        }
    }

    /// Returns the hash of the caller or of the values that have a separate limit.
    fn rate_limit_key(&self) -> Option<u128> {
        let by_caller = self.binding.cold.policy.rate_limit.is_some_and(|rate_limit| rate_limit.by_caller);
        // All callers without a known principal share one limit.
        let principal = self.context.as_ref().and_then(|context| context.principal()).filter(|_| by_caller);
        let caller = principal.and_then(|principal| Collected::hash_for_replicas(|hash| hash.add(principal.as_str())));
        let key = || self.details.as_ref()?.keys?.rate_limit;
        caller.or_else(key)
    }

    fn reject_by_rate_limit(self: Pin<&mut Self>, error: ResilienceError) -> AttemptResult {
        let limit = match error {
            ResilienceError::Overloaded { limit, .. } => limit,
            _ => LimitKind::RateLimit,
        };
        self.reject(limit, error)
    }
}

#[cfg(feature = "replicas")]
impl Call<'_> {
    /// Returns the error of the breaker if it is certain to reject an attempt now.
    #[cold]
    fn rejection_by_breaker(&self) -> Option<ResilienceError> {
        let breaker = self.breaker.as_deref()?;
        // A breaker that an operator isolates rejects the calls of every key.
        let isolated = self.binding.breaker.as_deref().and_then(|unkeyed| unkeyed.check_isolated().err());
        isolated.or_else(|| breaker.rejects_after(Duration::ZERO).then(|| breaker.reject()))
    }

    /// Begins to wait for the shared state.
    #[cold]
    fn await_limit(self: Pin<&mut Self>, permit: PendingPermit) {
        let activity = self.enclosing().as_ref().map(Activity::queued);
        *self.project().state = State::AwaitingLimit(LimitWait { permit: Mutex::new(permit), _activity: activity });
    }

    /// Waits for the shared state. `None`: the call waits for a permit or a slot then.
    #[cold]
    pub(super) fn poll_limit(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Admission>, AttemptResult>> {
        if self.as_mut().poll_cancelled(cx).is_ready() {
            return Poll::Ready(Err(self.cancelled()));
        }
        let this = self.as_mut().project();
        let State::AwaitingLimit(LimitWait { permit, .. }) = this.state else { return Poll::Ready(Ok(None)) };
        let permit = permit.get_mut().unwrap_or_else(PoisonError::into_inner);
        // It ends at the deadline of the call at the latest.
        let checked = ready!(permit.as_mut().poll(cx));
        let now = Moment::now();
        *this.state = State::Admitting(now);
        if now >= *this.deadline {
            return Poll::Ready(Err(self.reject_by_deadline()));
        }
        if let Err(error) = checked {
            return Poll::Ready(Err(self.reject_by_rate_limit(error)));
        }
        // A switch may have been set in the meantime.
        self.as_mut().ask_gate_again()?;
        if self.as_mut().acquire_permit()?.is_some() {
            self.await_permit();
            return Poll::Ready(Ok(None));
        }
        let has_waited = self.has_lost_time(now);
        Poll::Ready(self.acquire_slot(now, has_waited))
    }
}
