//! What a call receives in place of the body's answer: the receipt of its write, or the end of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::deferral::Deferral;
use super::entry::{State, Summary};
use super::receipt::Receipt;
use super::time::Timestamp;

/// A write that the store has accepted, from this call or from an earlier one with the same key.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    pub(crate) summary: Summary,
    /// The time at which the call learned this.
    pub(crate) now: Timestamp,
}

impl Accepted {
    pub(crate) const fn receipt(&self) -> Receipt {
        self.summary.receipt
    }

    /// Returns the time until the next try; zero while a try runs.
    pub(crate) fn next_attempt(&self) -> Duration {
        self.summary.next_try().unwrap_or(self.now).since(self.now)
    }

    /// Returns the time until the write expires.
    pub(crate) const fn expires(&self) -> Duration {
        self.summary.expires.since(self.now)
    }
}

/// What a call that is not performed now is answered with. The pipeline leaves it in the request, and the hook writes
/// the answer.
#[derive(Debug)]
pub(crate) enum DeferredAnswer {
    /// The write waits for its delivery.
    Accepted(Box<Accepted>, Option<Unanswered>),
    /// The write of an earlier call with the same key and arguments has ended.
    Ended {
        receipt: Receipt,
        state: State,
        /// The kept result as JSON.
        result: Option<String>,
    },
    /// A write with the same key and other arguments holds the key.
    Conflict(Receipt),
}

/// An entry whose receipt has not reached its caller. It is withdrawn on drop, unless the answer was written.
pub(crate) struct Unanswered {
    deferral: Option<Arc<Deferral>>,
    receipt: Receipt,
}

impl Unanswered {
    pub(crate) const fn new(deferral: Arc<Deferral>, receipt: Receipt) -> Self {
        Self { deferral: Some(deferral), receipt }
    }

    /// Keeps the entry: the answer is on its way.
    pub(crate) fn answered(mut self) {
        self.deferral = None;
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        let Some(deferral) = self.deferral.take() else { return };
        let receipt = self.receipt;
        // Without a runtime, as while the process ends, the entry remains: better delivered than lost.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = deferral.store.withdraw(receipt).await {
                    // It will be delivered, although its caller has left. A subscriber that panics ends this task alone.
                    let (receipt, kind) = (receipt.short(), error.kind().as_str());
                    let operation = "withdraw";
                    tracing::error!(event = "deferred.store_failed", operation, receipt, kind, error = %error);
                }
            });
        }
    }
}

impl fmt::Debug for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unanswered").field(&self.receipt).finish()
    }
}
