//! How calls, attempts and health checks end, and why an attempt was not made.

use serde::Serialize;

/// The outcome of a call. Every call has exactly one.
///
/// ```
/// use resilient_runtime::Outcome;
///
/// let words: Vec<_> = Outcome::ALL.iter().map(|outcome| outcome.as_str()).collect();
/// assert_eq!(words, ["ok", "fallback", "error", "rejected", "timeout", "cancelled", "panic", "deferred"]);
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
    /// The call was not performed: it was stored and is delivered later, or a stored call with its key answered it.
    Deferred,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: &'static [Self] = &[
        Self::Ok,
        Self::Fallback,
        Self::Error,
        Self::Rejected,
        Self::Timeout,
        Self::Cancelled,
        Self::Panic,
        Self::Deferred,
    ];

    /// The outcomes of calls that did not run, or whose end says nothing about them.
    pub(crate) const NOT_RUN: [Self; 3] = [Self::Rejected, Self::Cancelled, Self::Deferred];

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
            Self::Deferred => "deferred",
        }
    }
}

/// The outcome of an attempt.
///
/// ```
/// assert_eq!(resilient_runtime::statistics::AttemptOutcome::Timeout.as_str(), "timeout");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttemptOutcome {
    /// The attempt returned a response.
    Ok,
    /// The attempt returned an error.
    Error,
    /// The attempt ran into a time limit.
    Timeout,
    /// The client cancelled the call, or the future was dropped.
    Cancelled,
    /// The attempt panicked.
    Panic,
}

impl AttemptOutcome {
    /// All outcomes.
    pub const ALL: &'static [Self] = &[Self::Ok, Self::Error, Self::Timeout, Self::Cancelled, Self::Panic];

    /// Returns the word used in metrics.
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

/// The reason why a retryable error was not retried.
///
/// ```
/// assert_eq!(resilient_runtime::statistics::Suppressed::Budget.as_str(), "budget");
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

/// What rejected an attempt or a call: a guard, a switch, or a function that authorizes.
///
/// ```
/// assert_eq!(resilient_runtime::statistics::Rejected::RateLimit.as_str(), "rate_limit");
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
    /// The server is read-only, and the tool is not known to read.
    ReadOnly,
    /// The tool, or a feature that it belongs to, is off.
    Disabled,
    /// Tools that read answer from the cache alone.
    CacheOnly,
    /// As many calls were in flight as the level admits.
    Concurrency,
    /// A function of `authorize` refused the request, for want of permission.
    Unauthorized,
}

impl Rejected {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Breaker,
        Self::Bulkhead,
        Self::RateLimit,
        Self::ReadOnly,
        Self::Disabled,
        Self::CacheOnly,
        Self::Concurrency,
        Self::Unauthorized,
    ];

    /// Returns the word used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Breaker => "breaker",
            Self::Bulkhead => "bulkhead",
            Self::RateLimit => "rate_limit",
            Self::ReadOnly => "read_only",
            Self::Disabled => "disabled",
            Self::CacheOnly => "cache_only",
            Self::Concurrency => "concurrency",
            Self::Unauthorized => "unauthorized",
        }
    }
}

/// The status that a check reports.
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
    /// The check passed.
    Pass,
    /// The component works, but needs attention.
    Warn,
    /// The component does not work.
    Fail,
}

impl CheckStatus {
    /// Returns the word used in reports and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What the cache of a function had for a call.
///
/// ```
/// assert_eq!(resilient_runtime::statistics::CacheResult::Shared.as_str(), "shared");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CacheResult {
    /// A fresh answer.
    Hit,
    /// An answer that was served while it is refreshed.
    Stale,
    /// Nothing: the call ran the body.
    Miss,
    /// The answer of another call that was under way.
    Shared,
}

impl CacheResult {
    /// All results.
    pub const ALL: &'static [Self] = &[Self::Hit, Self::Stale, Self::Miss, Self::Shared];

    /// Returns the word used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Miss => "miss",
            Self::Shared => "shared",
        }
    }
}
