//! The acceptance of a call that has failed: it is stored before its client gets the receipt.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

use super::{
    Accepted, AttemptResult, Deferrable, DeferredAnswer, DeferredResult, ScopedStore, Unanswered, retry_after,
};
use crate::context::CallContext;
use crate::deferred::{NewEntry, Put, Receipt, StoreError, StoreErrorKind};
use crate::panics::catch_panic;
use crate::registry::Registry;
use crate::telemetry;

/// How long the store may take, unless the timeout of the call is shorter.
pub(super) const LIMIT: Duration = Duration::from_secs(5);

/// The end of an acceptance.
pub(in crate::pipeline) enum Acceptance {
    /// The call is answered with this.
    Answered(DeferredAnswer),
    /// It is not stored. The call ends with its own error.
    Refused,
    /// The client has cancelled the call, and the store withdraws the entry.
    Cancelled,
}

impl Deferrable {
    /// Stores the call, or finds that an entry holds its key by now.
    pub(in crate::pipeline) async fn accept(
        &self,
        result: &AttemptResult,
        context: Option<&CallContext>,
    ) -> Acceptance {
        let (stored_in, entry) = match self.entry(result, context) {
            Ok(entry) => entry,
            Err(reason) => return self.refuse(reason, None),
        };
        let deferral = &stored_in.deferral;
        let now = entry.now;
        // A store is foreign code, and may panic.
        let panicked = || Err(StoreError::new(StoreErrorKind::Unavailable, "the store panicked"));
        let mut putting = catch_panic(|| deferral.store.put(entry));
        let putting = poll_fn(|cx| {
            let polled = putting.as_mut().and_then(|putting| catch_panic(|| putting.as_mut().poll(cx)));
            polled.unwrap_or_else(|| Poll::Ready(panicked()))
        });
        let putting = timeout(LIMIT.min(self.timeout), putting);
        let Some(ended) = self.request.cancellation.run_until_cancelled(putting).await else {
            return Acceptance::Cancelled;
        };
        match ended {
            Ok(Ok(Put::Accepted(summary))) => {
                let unanswered = Unanswered::new(Arc::clone(deferral), summary.receipt);
                deferral.refused(None);
                self.count(deferral, DeferredResult::Accepted);
                let correlation_id = context.map(|context| context.correlation_id().to_string()).unwrap_or_default();
                telemetry::deferred::accepted(&summary, now, &correlation_id);
                deferral.wake.notify_one();
                let accepted = Accepted { summary, now: deferral.clock.now() };
                Acceptance::Answered(DeferredAnswer::Accepted(Box::new(accepted), Some(unanswered)))
            }
            Ok(Ok(Put::Existing(found))) => Acceptance::Answered(self.answer_of(deferral, found)),
            Ok(Err(error)) => self.refuse(error.kind().as_str(), Some(&error)),
            Err(_) => self.refuse("timeout", None),
        }
    }

    /// Returns the entry to store, with its first time of delivery.
    fn entry(
        &self,
        result: &AttemptResult,
        context: Option<&CallContext>,
    ) -> Result<(&ScopedStore, NewEntry), &'static str> {
        let settings = self.settings.ok_or("disabled")?;
        let stored_in = self.stored_in.as_ref().map_err(|reason| *reason)?;
        if !stored_in.deferral.delivers(&self.request.tool) {
            return Err("unknown_tool");
        }
        let receipt = Receipt::random().map_err(|error| error.kind().as_str())?;
        let now = stored_in.deferral.clock.now();
        // A dependency that asks for time gets it, up to the longest delay.
        let requested = retry_after(result).unwrap_or_default().min(settings.cap);
        let delay = settings.delay(0, fastrand::f64()).max(requested);
        if delay >= settings.ttl {
            return Err("expires_before");
        }
        let entry = NewEntry {
            receipt,
            scope: stored_in.scope.clone(),
            arguments: self.request.arguments.clone().ok_or("no_arguments")?,
            correlation_id: context.map(|context| context.correlation_id().to_string()).unwrap_or_default(),
            policy: settings,
            due: now.after(delay),
            now,
        };
        Ok((stored_in, entry))
    }

    /// Reports that the call is not stored, and why.
    fn refuse(&self, reason: &'static str, error: Option<&StoreError>) -> Acceptance {
        self.request.report().not_accepted = Some(reason);
        let tool = &*self.request.tool;
        let error = error.map(ToString::to_string);
        let deferral = Registry::here(Registry::deferral);
        // Once, because all calls may be refused for the same reason.
        if deferral.as_ref().is_none_or(|deferral| deferral.refused(Some(reason))) {
            catch_panic(|| tracing::warn!(event = "deferred.refused", tool, reason, error));
        }
        if let Some(deferral) = deferral {
            self.count(&deferral, DeferredResult::Refused);
        }
        Acceptance::Refused
    }
}
