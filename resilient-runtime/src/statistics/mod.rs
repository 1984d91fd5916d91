//! What is counted: one place, written by the pipeline and read by whoever exports it.
//!
//! What goes well is counted in shards of fixed size, which nobody waits for; each is allocated when a
//! thread first counts something in it. What
//! goes wrong is counted under a short lock, by the few ways in which it can: memory depends on how
//! many tools there are, and not on what clients send.

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

/// How a call ended. Every call has exactly one outcome.
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
    /// It answered.
    Ok,
    /// Something else answered in its place.
    Fallback,
    /// It answered with an error.
    Error,
    /// It was not run.
    Rejected,
    /// It gave no answer in time.
    Timeout,
    /// The client gave up, or the future was dropped.
    Cancelled,
    /// It panicked.
    Panic,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: &'static [Self] =
        &[Self::Ok, Self::Fallback, Self::Error, Self::Rejected, Self::Timeout, Self::Cancelled, Self::Panic];

    /// The word used in logs and metrics.
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

/// Why an error that could have been retried was not.
///
/// ```
/// assert_eq!(resilient_runtime::Suppressed::Budget.as_str(), "budget");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Suppressed {
    /// The retry would have begun after the deadline.
    Deadline,
    /// There have been too many retries lately.
    Budget,
    /// A guarded call inside the attempt had already retried the error.
    RetriedInside,
}

impl Suppressed {
    /// Every reason.
    pub const ALL: &'static [Self] = &[Self::Deadline, Self::Budget, Self::RetriedInside];

    /// The word used in answers, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deadline => "deadline",
            Self::Budget => "budget",
            Self::RetriedInside => "retried_inside",
        }
    }
}

/// What did not let an attempt run.
///
/// ```
/// assert_eq!(resilient_runtime::Rejected::RateLimit.as_str(), "rate_limit");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rejected {
    /// The breaker was open.
    Breaker,
    /// The bulkhead was full, or the wait for a slot was over.
    Bulkhead,
    /// The rate limit was reached.
    RateLimit,
}

impl Rejected {
    /// Every reason.
    pub const ALL: &'static [Self] = &[Self::Breaker, Self::Bulkhead, Self::RateLimit];

    /// The word used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Breaker => "breaker",
            Self::Bulkhead => "bulkhead",
            Self::RateLimit => "rate_limit",
        }
    }
}
