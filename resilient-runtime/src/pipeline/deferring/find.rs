//! The search for a write with the key of a call, before the call runs.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Deferrable, accept};
use crate::deferred::{Deferral, DeferredAnswer, Found};
use crate::error::ResilienceError;
use crate::panics::{answer_within, catch_panic};
use crate::statistics::DeferredResult;

/// How long the search may take. If the store does not answer in time, the call runs.
const LIMIT: Duration = Duration::from_millis(50);

impl Deferrable {
    /// Returns the answer that a stored write with the key of the call gives, or the error with which the call ends. While
    /// one waits, the call does not run.
    pub(in crate::pipeline) async fn find(&self) -> Option<Result<DeferredAnswer, ResilienceError>> {
        let stored_in = self.stored_in.as_ref().ok()?;
        let arguments = self.request.arguments.as_deref()?;
        let deferral = &stored_in.deferral;
        let now = deferral.clock.now();
        let found = match answer_within(LIMIT, || deferral.store.find(&stored_in.scope, arguments, now)).await {
            Ok(found) => {
                deferral.search_failed.store(false, Ordering::Relaxed);
                found?
            }
            Err(error) => {
                self.unchecked(deferral, &error);
                return None;
            }
        };
        if !found.entry.is_withdrawable() {
            return Some(Ok(self.answer_of(deferral, found)));
        }
        // Its first caller may leave, and the entry with it. Then this call would have a receipt of nothing.
        let limit = accept::LIMIT.min(self.timeout);
        let sharing = answer_within(limit, || deferral.store.share(&stored_in.scope, arguments, now));
        match self.request.cancellation.run_until_cancelled(sharing).await {
            Some(Ok(shared)) => shared.map(|shared: Found| Ok(self.answer_of(deferral, shared))),
            Some(Err(error)) => {
                self.log_refusal(Some(deferral), "busy", Some(&error));
                self.count(deferral, DeferredResult::Refused);
                Some(Err(ResilienceError::KeyUnknown))
            }
            None => Some(Err(ResilienceError::Cancelled)),
        }
    }

    /// Reports that the call runs without knowing whether its key waits.
    fn unchecked(&self, deferral: &Deferral, error: &str) {
        // Once until it works again: all calls may fail.
        if !deferral.search_failed.swap(true, Ordering::Relaxed) {
            let tool = &*self.request.tool;
            catch_panic(|| tracing::warn!(event = "deferred.unchecked", tool, error));
        }
        self.count(deferral, DeferredResult::Unchecked);
    }
}
