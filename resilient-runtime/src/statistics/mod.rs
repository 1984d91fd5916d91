//! Statistics: written by the pipeline, read by the exporters and by users.
//!
//! Successes are counted in lock-free shards of fixed size; a shard is allocated when a thread first counts
//! something in it. Failures are counted under a short lock, by the few ways in which a call can fail. Memory
//! depends on the number of tools, and not on what clients send.

mod attempts;
mod failures;
mod histogram;
mod line;
mod recent;
#[cfg(any(feature = "prometheus", feature = "otel"))]
pub(crate) mod series;
pub(crate) mod sharded;
mod tool;

pub use attempts::{AttemptOutcome, AttemptSnapshot};
pub(crate) use attempts::{AttemptStatistics, Heard};
pub use failures::{ErrorCount, ErrorType};
pub(crate) use histogram::Histogram;
pub use histogram::HistogramSnapshot;
pub(crate) use recent::RecentErrors;
pub use recent::{ErrorGroup, RecentError};
pub use tool::ToolSnapshot;
pub(crate) use tool::ToolStatistics;

/// The outcome of a call. Every call has exactly one.
///
/// ```
/// use resilient_runtime::Outcome;
///
/// let words: Vec<_> = Outcome::ALL.iter().map(|outcome| outcome.as_str()).collect();
/// assert_eq!(words, ["ok", "fallback", "error", "rejected", "timeout", "cancelled", "panic"]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The function returned a response.
    Ok,
    /// A fallback returned the response.
    Fallback,
    /// The function returned an error.
    Error,
    /// A guard rejected the call; the body did not run.
    Rejected,
    /// The call timed out.
    Timeout,
    /// The client cancelled the call, or the future was dropped.
    Cancelled,
    /// The function panicked.
    Panic,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: &'static [Self] =
        &[Self::Ok, Self::Fallback, Self::Error, Self::Rejected, Self::Timeout, Self::Cancelled, Self::Panic];

    /// Returns the word used in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Fallback => "fallback",
            Self::Error => "error",
            Self::Rejected => "rejected",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Panic => "panic",
        }
    }
}

/// The reason why a retryable error was not retried.
///
/// ```
/// assert_eq!(resilient_runtime::Suppressed::Budget.as_str(), "budget");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Suppressed {
    /// The retry would have started after the deadline.
    Deadline,
    /// The retry budget was exhausted.
    Budget,
    /// A guarded call inside the attempt had already retried the error.
    RetriedInside,
}

impl Suppressed {
    /// All reasons.
    pub const ALL: &'static [Self] = &[Self::Deadline, Self::Budget, Self::RetriedInside];

    /// Returns the word used in responses, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Budget => "budget",
            Self::RetriedInside => "retried_inside",
        }
    }
}

/// The guard that rejected an attempt.
///
/// ```
/// assert_eq!(resilient_runtime::Rejected::RateLimit.as_str(), "rate_limit");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rejected {
    /// The breaker was open.
    Breaker,
    /// The bulkhead was full, or the wait for a permit timed out.
    Bulkhead,
    /// The rate limit was exceeded.
    RateLimit,
}

impl Rejected {
    /// All guards that reject.
    pub const ALL: &'static [Self] = &[Self::Breaker, Self::Bulkhead, Self::RateLimit];

    /// Returns the word used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Breaker => "breaker",
            Self::Bulkhead => "bulkhead",
            Self::RateLimit => "rate_limit",
        }
    }
}
