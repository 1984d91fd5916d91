//! How calls, attempts and health checks end, and why an attempt was not made.

use serde::Serialize;

/// How a call ended. Every call has exactly one outcome.
///
/// ```
/// use resilient_runtime::Outcome;
///
/// let words = Outcome::ALL.map(Outcome::as_str);
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
    pub const ALL: [Self; 7] =
        [Self::Ok, Self::Fallback, Self::Error, Self::Rejected, Self::Timeout, Self::Cancelled, Self::Panic];

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

/// How an attempt ended.
///
/// ```
/// assert_eq!(resilient_runtime::AttemptOutcome::Timeout.as_str(), "timeout");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttemptOutcome {
    /// It answered.
    Ok,
    /// It answered with an error.
    Error,
    /// It was cut off.
    Timeout,
    /// The client gave up, or the future was dropped.
    Cancelled,
    /// It panicked.
    Panic,
}

impl AttemptOutcome {
    /// Every outcome.
    pub const ALL: [Self; 5] = [Self::Ok, Self::Error, Self::Timeout, Self::Cancelled, Self::Panic];

    /// The word used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
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
    pub const ALL: [Self; 3] = [Self::Deadline, Self::Budget, Self::RetriedInside];

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
    pub const ALL: [Self; 3] = [Self::Breaker, Self::Bulkhead, Self::RateLimit];

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

/// What a check found.
///
/// ```
/// use resilient_runtime::health::CheckStatus;
///
/// assert!(CheckStatus::Fail > CheckStatus::Warn);
/// assert_eq!(CheckStatus::Pass.as_str(), "pass");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "rmcp", derive(rmcp::schemars::JsonSchema), schemars(crate = "rmcp::schemars"))]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// Everything is as it should be.
    Pass,
    /// It works, and somebody should look.
    Warn,
    /// It does not work.
    Fail,
}

impl CheckStatus {
    /// The word used in reports and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}
