//! Why the pipeline ended a call: which timeout, which limit, which state of a breaker.

/// The timeout that elapsed.
///
/// ```
/// assert_eq!(resilient_runtime::error::TimeoutScope::Attempt.as_str(), "attempt");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TimeoutScope {
    /// `timeout`: the whole guarded part of the call.
    Call,
    /// `attempt_timeout`: one attempt.
    Attempt,
}

impl TimeoutScope {
    /// Both scopes.
    pub const ALL: &'static [Self] = &[Self::Call, Self::Attempt];

    /// Returns the word used in responses, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Attempt => "attempt",
        }
    }
}

/// The limit of this server that was reached.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use resilient_runtime::{Bulkhead, ResilienceError};
/// use resilient_runtime::error::LimitKind;
///
/// let full = Bulkhead::new(1);
/// let _slot = full.acquire().await.unwrap();
/// let rejected = full.acquire().await.unwrap_err();
/// assert!(matches!(rejected, ResilienceError::Overloaded { limit: LimitKind::Bulkhead, .. }));
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LimitKind {
    /// `bulkhead`: a maximum number of concurrent executions.
    Bulkhead,
    /// `rate_limit`: a maximum number of calls in a period.
    RateLimit,
    /// `rate_limit` with a key: `max_keys` is reached, and so is the limit that all further keys share.
    RateLimitKeys,
    /// `concurrency` of a level: a maximum number of calls in flight in the process.
    Concurrency,
}

impl LimitKind {
    /// Returns the word used in responses, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bulkhead => "bulkhead",
            Self::RateLimit => "rate_limit",
            Self::RateLimitKeys => "rate_limit_keys",
            Self::Concurrency => "concurrency",
        }
    }
}

/// The reason why a circuit breaker rejects a call.
///
/// ```
/// use resilient_runtime::{Breaker, ResilienceError};
/// use resilient_runtime::error::CircuitState;
/// use resilient_runtime::policy::BreakerSettings;
///
/// let shop = Breaker::new("shop", BreakerSettings::new());
/// shop.isolate();
/// let rejected = shop.try_acquire().unwrap_err();
/// assert!(matches!(rejected, ResilienceError::CircuitOpen { state: CircuitState::Isolated, .. }));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CircuitState {
    /// The breaker is open: the dependency failed too often, and the open period is not over.
    Open,
    /// The breaker is half-open, and as many probes as it allows are running. `retry_after` is the rest of their lease;
    /// if a probe ends earlier, calls may be admitted earlier.
    Probing,
    /// The breaker was isolated by hand: it rejects every call until it is opened or closed by hand.
    Isolated,
}

impl CircuitState {
    /// Returns the word used in the `details` of a response.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Probing => "probing",
            Self::Isolated => "isolated",
        }
    }
}
