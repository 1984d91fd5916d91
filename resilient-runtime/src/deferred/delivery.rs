//! The delivery of a deferred write, as the call sees it that makes it.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use resilient_policy::ErrorKind;

use super::receipt::Receipt;
use crate::outcomes::Outcome;

/// A delivery: the call of a tool that a worker makes. The worker puts an `Arc<Delivery>` into the extensions of the
/// request. Since it is a Rust type, no client can send it.
pub(crate) struct Delivery {
    pub(crate) receipt: Receipt,
    /// The number of the try, starting at 1.
    pub(crate) attempt: u32,
    /// The caller, as it is stored.
    pub(crate) principal: String,
    /// The correlation id of the call that was deferred.
    pub(crate) correlation_id: String,
    tried: Mutex<Option<Tried>>,
    /// The error with which the pipeline ended the call, before the function's own type converted it.
    failed: Mutex<Option<(ErrorKind, Option<Duration>, bool)>>,
}

/// How the call of a delivery ended. The hook sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tried {
    pub(crate) outcome: Outcome,
    /// The kind of the error, if it is known.
    pub(crate) kind: Option<ErrorKind>,
    /// The code of the error, if the answer shows one.
    pub(crate) code: Option<String>,
    /// The delay that the error requests before the next try.
    pub(crate) retry_after: Option<Duration>,
    /// Whether the body may have run.
    pub(crate) ran: bool,
    /// Whether a limit or `authorize` refused the call, which says nothing about calls of other callers or keys.
    pub(crate) is_of_some_calls: bool,
}

impl Delivery {
    pub(crate) fn new(receipt: Receipt, attempt: u32, principal: String, correlation_id: String) -> Self {
        Self { receipt, attempt, principal, correlation_id, tried: Mutex::default(), failed: Mutex::default() }
    }

    /// Returns what the tool may know.
    pub(crate) const fn info(&self) -> DeliveryInfo {
        DeliveryInfo { receipt: self.receipt, attempt: self.attempt }
    }

    /// Sets the error with which the pipeline ended the call, and [`Tried::is_of_some_calls`].
    pub(crate) fn failed(&self, kind: ErrorKind, retry_after: Option<Duration>, is_of_some_calls: bool) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some((kind, retry_after, is_of_some_calls));
    }

    /// Sets how the call ended. What the pipeline knows of its error has precedence over what the answer shows.
    pub(crate) fn ended(&self, mut tried: Tried) {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        // `authorize` refuses a caller, before the pipeline.
        tried.is_of_some_calls = failed.is_none();
        if let Some((kind, retry_after, is_of_some_calls)) = failed.filter(|_| tried.outcome != Outcome::Ok) {
            tried.kind = Some(kind);
            tried.is_of_some_calls = is_of_some_calls;
            tried.retry_after = tried.retry_after.max(retry_after);
        }
        *self.tried.lock().unwrap_or_else(PoisonError::into_inner) = Some(tried);
    }

    /// Returns how the call ended, or `None` if no hook has served it to its end.
    pub(crate) fn tried(&self) -> Option<Tried> {
        self.tried.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { receipt, attempt, .. } = self;
        f.debug_struct("Delivery").field("receipt", receipt).field("attempt", attempt).finish_non_exhaustive()
    }
}

/// The delivery that a call makes: which deferred write it is, and which try. See
/// [`CallContext::delivery`](crate::CallContext::delivery).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliveryInfo {
    /// The receipt that the caller got.
    pub receipt: Receipt,
    /// The number of the try, starting at 1.
    pub attempt: u32,
}
