//! The search for a write with the key of a call, before the call runs.

use std::time::Duration;

use tokio::time::timeout;

use super::Deferrable;
use crate::deferred::DeferredAnswer;
use crate::statistics::DeferredResult;

/// How long the search may take. If the store does not answer in time, the call runs.
const LIMIT: Duration = Duration::from_millis(50);

impl Deferrable {
    /// Returns the answer that a stored write with the key of the call gives. While one waits, the call does not run.
    pub(in crate::pipeline) async fn find(&self) -> Option<DeferredAnswer> {
        let place = self.stored_in.as_ref().ok()?;
        let arguments = self.request.arguments.as_deref()?;
        let deferral = &place.deferral;
        let finding = deferral.store.find(&place.scope, arguments, deferral.clock.now());
        match timeout(LIMIT, finding).await {
            Ok(Ok(found)) => found.map(|found| self.answer_of(deferral, found)),
            unanswered => {
                let error = unanswered.ok().and_then(Result::err);
                let error = error.as_ref().map_or("no answer in time".into(), ToString::to_string);
                tracing::warn!(event = "deferred.unchecked", tool = &*self.request.tool, error);
                self.count(deferral, DeferredResult::Unchecked);
                None
            }
        }
    }
}
