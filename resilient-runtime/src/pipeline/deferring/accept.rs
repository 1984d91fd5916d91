//! The acceptance of a call that has failed: it is stored before its client gets the receipt.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

use super::{
    Accepted, AttemptResult, Deferrable, DeferredAnswer, DeferredResult, ScopedStore, Unanswered, retry_after,
};
use crate::context::CallContext;
use crate::deferred::{Deferral, NewEntry, Put, Receipt, StoreError, StoreErrorKind, Timestamp};
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

/// Why a call is not stored.
enum NotStored {
    /// The store failed.
    Store(StoreError),
    /// The word for another reason.
    Reason(&'static str),
}

impl From<StoreError> for NotStored {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Deferrable {
    /// Stores the call, or finds that an entry holds its key by now.
    pub(in crate::pipeline) async fn accept(
        &self,
        result: &AttemptResult,
        context: Option<&CallContext>,
    ) -> Acceptance {
        let stored_in = match &self.stored_in {
            Ok(stored_in) => stored_in,
            Err(reason) => return self.refuse(reason, None),
        };
        let deferral = &stored_in.deferral;
        let mut putting = pin!(self.put(stored_in, result, context));
        // A store is foreign code, and may panic.
        let panicked = || StoreError::new(StoreErrorKind::Unavailable, "the store panicked").into();
        let putting = poll_fn(|cx| {
            let polled = catch_panic(|| putting.as_mut().poll(cx));
            polled.unwrap_or_else(|| Poll::Ready(Err(panicked())))
        });
        let putting = timeout(LIMIT.min(self.timeout), putting);
        let Some(ended) = self.request.cancellation.run_until_cancelled(putting).await else {
            return Acceptance::Cancelled;
        };
        match ended {
            Ok(Ok((Put::Accepted(summary), now))) => {
                let unanswered = Unanswered::new(Arc::clone(deferral), summary.receipt);
                deferral.refused(None);
                self.count(deferral, DeferredResult::Accepted);
                let correlation_id = context.map(|context| context.correlation_id().to_string()).unwrap_or_default();
                telemetry::deferred::accepted(&summary, now, &correlation_id);
                deferral.wake.notify_one();
                let accepted = Accepted { summary, now: deferral.clock.now() };
                Acceptance::Answered(DeferredAnswer::Accepted(Box::new(accepted), Some(unanswered)))
            }
            Ok(Ok((Put::Existing(found), _))) => Acceptance::Answered(self.answer_of(deferral, found)),
            Ok(Err(NotStored::Store(error))) => self.refuse(error.kind().as_str(), Some(&error)),
            Ok(Err(NotStored::Reason(reason))) => self.refuse(reason, None),
            Err(_) => self.refuse("timeout", None),
        }
    }

    /// Stores the call, once the clock is that of the other processes. Returns the time at which it was stored.
    async fn put(
        &self,
        stored_in: &ScopedStore,
        result: &AttemptResult,
        context: Option<&CallContext>,
    ) -> Result<(Put, Timestamp), NotStored> {
        let Deferral { store, clock, .. } = &*stored_in.deferral;
        clock.agree(&**store).await?;
        let entry = self.entry(stored_in, result, context).map_err(NotStored::Reason)?;
        let now = entry.now;
        Ok((store.put(entry).await?, now))
    }

    /// Returns the entry to store, with its first time of delivery.
    fn entry(
        &self,
        stored_in: &ScopedStore,
        result: &AttemptResult,
        context: Option<&CallContext>,
    ) -> Result<NewEntry, &'static str> {
        let settings = self.settings.ok_or("disabled")?;
        let receipt = Receipt::random().map_err(|error| error.kind().as_str())?;
        let now = stored_in.deferral.clock.now();
        // A dependency that asks for time gets it, up to the longest delay.
        let requested = retry_after(result).unwrap_or_default().min(settings.cap);
        let delay = settings.delay(0, fastrand::f64()).max(requested);
        if delay >= settings.ttl {
            return Err("expires_before");
        }
        Ok(NewEntry {
            receipt,
            scope: stored_in.scope.clone(),
            arguments: self.request.arguments.clone().ok_or("no_arguments")?,
            correlation_id: context.map(|context| context.correlation_id().to_string()).unwrap_or_default(),
            policy: settings,
            due: now.after(delay),
            now,
        })
    }

    /// Reports that the call is not stored, and why.
    fn refuse(&self, reason: &'static str, error: Option<&StoreError>) -> Acceptance {
        self.request.report().not_accepted = Some(reason);
        let error = error.map(ToString::to_string);
        let deferral = Registry::here(Registry::deferral);
        self.log_refusal(deferral.as_deref(), reason, error.as_deref());
        if let Some(deferral) = deferral {
            self.count(&deferral, DeferredResult::Refused);
        }
        Acceptance::Refused
    }

    /// Logs why a call is not stored, once, because all calls may be refused for the same reason.
    pub(super) fn log_refusal(&self, deferral: Option<&Deferral>, reason: &'static str, error: Option<&str>) {
        let tool = &*self.request.tool;
        if deferral.is_none_or(|deferral| deferral.refused(Some(reason))) {
            catch_panic(|| tracing::warn!(event = "deferred.refused", tool, reason, error));
        }
    }
}
