//! The counters of deferred writes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What happened to a deferred write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DeferredResult {
    /// A call was stored.
    Accepted,
    /// A call received the receipt of a waiting write with its key.
    Existing,
    /// A call received the end of an earlier write with its key.
    Ended,
    /// A call had the key of an earlier write, with other arguments.
    Conflict,
    /// A call that failed was not stored.
    Refused,
    /// A call ran without knowing whether a write with its key waits, because the store did not answer.
    Unchecked,
    /// A write was delivered.
    Done,
    /// A try failed, and another one follows.
    Retried,
    /// A try was given back, because nothing was tried.
    Postponed,
    /// The process of a try died, or the try hung.
    Interrupted,
    /// A write became a dead letter.
    Dead,
    /// A write was cancelled.
    Cancelled,
    /// A write was given up.
    Discarded,
    /// The time to live of a write ended.
    Expired,
}

impl DeferredResult {
    /// All results.
    pub const ALL: &'static [Self] = &[
        Self::Accepted,
        Self::Existing,
        Self::Ended,
        Self::Conflict,
        Self::Refused,
        Self::Unchecked,
        Self::Done,
        Self::Retried,
        Self::Postponed,
        Self::Interrupted,
        Self::Dead,
        Self::Cancelled,
        Self::Discarded,
        Self::Expired,
    ];

    /// Returns the word used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Existing => "existing",
            Self::Ended => "ended",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::Unchecked => "unchecked",
            Self::Done => "done",
            Self::Retried => "retried",
            Self::Postponed => "postponed",
            Self::Interrupted => "interrupted",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
            Self::Discarded => "discarded",
            Self::Expired => "expired",
        }
    }
}

/// How often what happened to the deferred writes of each tool. Counted under a lock: each of them is an access to the
/// store.
#[derive(Debug, Default)]
pub(crate) struct DeferredStatistics(Mutex<BTreeMap<(Arc<str>, DeferredResult), u64>>);

impl DeferredStatistics {
    pub(crate) fn count(&self, tool: &str, result: DeferredResult) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((tool.into(), result)).or_default() += 1;
    }

    /// Returns the counts, sorted by tool.
    #[cfg(any(feature = "otel", feature = "prometheus", feature = "testing"))]
    pub(crate) fn all(&self) -> Vec<(Arc<str>, DeferredResult, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|((tool, result), count)| (Arc::clone(tool), *result, *count)).collect()
    }
}
