//! The errors that this crate itself answers with.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use resilient_policy::format_duration;
use serde_json::{Map, Value, json};

use super::ToolError;
use crate::clock::saturating_millis;
use crate::{Classify, ErrorKind};

/// Which limit was reached.
///
/// ```
/// assert_eq!(resilient_runtime::TimeoutScope::Attempt.as_str(), "attempt");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeoutScope {
    /// `timeout`: the whole guarded part of the call.
    Call,
    /// `attempt_timeout`: one attempt.
    Attempt,
}

impl TimeoutScope {
    /// Both.
    pub const ALL: &'static [Self] = &[Self::Call, Self::Attempt];

    /// The word used in answers, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Attempt => "attempt",
        }
    }
}

/// Which limit of this server's own was reached.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use resilient_runtime::{Bulkhead, LimitKind, ResilienceError};
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
    /// `bulkhead`: so many executions at a time.
    Bulkhead,
    /// `rate_limit`: so many calls in a time.
    RateLimit,
    /// `rate_limit` with a key: as many values have a limit of their own as may have one, and the limit of all
    /// others is reached.
    RateLimitKeys,
}

impl LimitKind {
    /// The word used in answers, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bulkhead => "bulkhead",
            Self::RateLimit => "rate_limit",
            Self::RateLimitKeys => "rate_limit_keys",
        }
    }
}

/// Why a circuit breaker rejects a call.
///
/// ```
/// use resilient_runtime::{Breaker, BreakerSettings, CircuitState, ResilienceError};
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
    /// The breaker is half-open, and as many probes as it allows are under way. `retry_after` is the
    /// rest of their lease; a probe that ends earlier may let calls through earlier.
    Probing,
    /// The breaker was isolated by hand: it rejects every call until somebody opens or closes it.
    Isolated,
}

impl CircuitState {
    /// The word used in the `details` of an answer.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Probing => "probing",
            Self::Isolated => "isolated",
        }
    }
}

/// Why a guarded function gave no answer of its own.
///
/// An error type that a `#[resilient]` function returns takes it in with
/// `#[error(transparent)] #[mcp(transparent)] Resilience(#[from] ResilienceError)`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use resilient_runtime::{Classify, ResilienceError, ToolError, resilient};
///
/// #[resilient(timeout = "5s")]
/// async fn hangs() -> Result<(), ResilienceError> {
///     std::future::pending().await
/// }
///
/// let error = hangs().await.unwrap_err();
/// assert!(matches!(error, ResilienceError::Timeout { .. }));
/// assert_eq!(error.code(), "TIMEOUT");
/// assert!(error.kind().is_retryable());
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResilienceError {
    /// The function did not answer within its limit. Whether it took effect is not known.
    #[non_exhaustive]
    Timeout {
        /// Which limit was reached.
        scope: TimeoutScope,
        /// How long that limit was.
        limit: Duration,
    },
    /// The breaker rejected the call: the function was not run.
    #[non_exhaustive]
    CircuitOpen {
        /// The breaker's name.
        breaker: &'static str,
        /// Whether the breaker is open, waits for its probes, or was isolated by hand.
        state: CircuitState,
        /// The time after which a call may be let through. `None` where the breaker was isolated
        /// by hand and opens for no time that is known.
        retry_after: Option<Duration>,
    },
    /// A limit of this server's own was reached: the function was not run.
    #[non_exhaustive]
    Overloaded {
        /// Which limit.
        limit: LimitKind,
        /// The time after which a call may be let through: exact for a rate limit, where nobody
        /// else comes first. `None` for a bulkhead: when somebody else ends is not known.
        retry_after: Option<Duration>,
    },
    /// The client cancelled the call.
    Cancelled,
    /// The function panicked. The panic's own text is in the log only.
    Panicked,
    /// A test had the function fail, in the place of its body. Only with the feature `testing`.
    #[cfg(feature = "testing")]
    #[non_exhaustive]
    Injected {
        /// As what kind of error.
        kind: ErrorKind,
        /// After which time the service that failed may be asked again, where it says so.
        retry_after: Option<Duration>,
    },
}

impl fmt::Display for ResilienceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout { scope: TimeoutScope::Call, limit } => {
                write!(f, "no answer within {}", format_duration(*limit))
            }
            Self::Timeout { scope: TimeoutScope::Attempt, limit } => {
                write!(f, "an attempt gave no answer within {}", format_duration(*limit))
            }
            Self::CircuitOpen { breaker, state, .. } => match state {
                CircuitState::Open => write!(f, "the circuit breaker `{breaker}` is open"),
                CircuitState::Probing => {
                    write!(f, "the circuit breaker `{breaker}` is half-open, and its probes are under way")
                }
                CircuitState::Isolated => write!(f, "the circuit breaker `{breaker}` was isolated by hand"),
            },
            Self::Overloaded { limit: LimitKind::Bulkhead, .. } => f.write_str("the bulkhead is full"),
            Self::Overloaded { limit: LimitKind::RateLimit, .. } => f.write_str("the rate limit is reached"),
            Self::Overloaded { limit: LimitKind::RateLimitKeys, .. } => {
                f.write_str("the rate limit has no room for more keys; `max_keys` sets how many")
            }
            Self::Cancelled => f.write_str("the call was cancelled"),
            Self::Panicked => f.write_str("the function panicked"),
            #[cfg(feature = "testing")]
            Self::Injected { kind, .. } => write!(f, "an injected fault of kind `{}`", kind.as_str()),
        }
    }
}

impl std::error::Error for ResilienceError {}

impl Classify for ResilienceError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Timeout { .. } => ErrorKind::Timeout,
            Self::CircuitOpen { .. } => ErrorKind::CircuitOpen,
            Self::Overloaded { .. } => ErrorKind::Overloaded,
            Self::Cancelled => ErrorKind::Cancelled,
            Self::Panicked => ErrorKind::Internal,
            #[cfg(feature = "testing")]
            Self::Injected { kind, .. } => *kind,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::CircuitOpen { retry_after, .. } | Self::Overloaded { retry_after, .. } => *retry_after,
            Self::Timeout { .. } | Self::Cancelled | Self::Panicked => None,
            #[cfg(feature = "testing")]
            Self::Injected { retry_after, .. } => *retry_after,
        }
    }
}

impl ToolError for ResilienceError {
    fn code(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Timeout { .. } => "TIMEOUT",
            Self::CircuitOpen { .. } => "CIRCUIT_OPEN",
            Self::Overloaded { .. } => "OVERLOADED",
            Self::Cancelled => "CANCELLED",
            Self::Panicked => "INTERNAL",
            #[cfg(feature = "testing")]
            Self::Injected { .. } => "INJECTED",
        })
    }

    fn public_message(&self) -> Cow<'_, str> {
        match self {
            Self::Timeout { limit, .. } => {
                // Whoever let it wait: the service, or the line before it.
                format!("there was no answer within {}", format_duration(*limit)).into()
            }
            Self::Overloaded { limit: LimitKind::RateLimit, .. } => "this tool was called too often".into(),
            Self::Overloaded { limit: LimitKind::RateLimitKeys, .. } => {
                "the rate limit of this tool has no room for more callers at present".into()
            }
            Self::CircuitOpen { state: CircuitState::Isolated, .. } => {
                "the operator of this server has stopped all calls to the service behind this tool".into()
            }
            Self::CircuitOpen { .. } | Self::Overloaded { .. } | Self::Cancelled | Self::Panicked => {
                self.kind().public_sentence().into()
            }
            #[cfg(feature = "testing")]
            Self::Injected { kind, .. } => kind.public_sentence().into(),
        }
    }

    fn details(&self) -> Map<String, Value> {
        let mut details = Map::new();
        match self {
            Self::Timeout { scope, limit } => {
                details.insert("scope".into(), json!(scope.as_str()));
                details.insert("limit_ms".into(), json!(saturating_millis(*limit)));
            }
            Self::CircuitOpen { breaker, state, .. } => {
                details.insert("breaker".into(), json!(breaker));
                details.insert("state".into(), json!(state.as_str()));
            }
            Self::Overloaded { limit, .. } => {
                details.insert("limit".into(), json!(limit.as_str()));
            }
            Self::Cancelled | Self::Panicked => {}
            #[cfg(feature = "testing")]
            Self::Injected { .. } => {}
        }
        details
    }

    fn as_resilience(&self) -> Option<&ResilienceError> {
        Some(self)
    }

    crate::__injected!();
}
