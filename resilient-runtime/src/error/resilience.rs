//! The errors that this crate returns itself.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;
use std::time::{Duration, SystemTime};

use resilient_policy::{Level, Severity, format_duration};
use serde_json::{Map, Value, json};

use super::ToolError;
use super::causes::{CircuitState, LimitKind, TimeoutScope};
use super::refused::{RefusalReason, cause, rfc3339};
use super::shared::SharedError;
use crate::clock::saturating_millis;
use crate::{Classify, ErrorKind};

/// The reason why the pipeline, and not the guarded function, ended a call.
///
/// Include it in the error type of a `#[resilient]` function with
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
    /// The function did not finish within its timeout. Whether it took effect is unknown.
    #[non_exhaustive]
    Timeout {
        /// The timeout that elapsed.
        scope: TimeoutScope,
        /// The length of that timeout.
        limit: Duration,
    },
    /// The breaker rejected the call: the function did not run.
    #[non_exhaustive]
    CircuitOpen {
        /// The breaker's name.
        breaker: &'static str,
        /// Whether the breaker is open, waits for its probes, or was isolated by hand.
        state: CircuitState,
        /// The time after which a call may be admitted. `None` if the breaker was isolated by hand.
        retry_after: Option<Duration>,
    },
    /// A limit of this server was reached: the function did not run.
    #[non_exhaustive]
    Overloaded {
        /// The limit that was reached.
        limit: LimitKind,
        /// The time after which a call may be admitted: exact for a rate limit, unless another call is admitted first.
        /// `None` for a bulkhead and for calls in flight, because the end of the running calls is unknown.
        retry_after: Option<Duration>,
        /// The level that sets the limit, for calls in flight.
        level: Option<Level>,
        /// Since when that level holds, in seconds since 1970. Four bytes keep a layout in which answers are moved fast.
        since_unix_s: Option<NonZeroU32>,
    },
    /// A switch of the operator or a level refused the call: the function did not run.
    #[non_exhaustive]
    Refused {
        /// The switch that refused it.
        reason: RefusalReason,
        /// The level that holds.
        level: Level,
        /// Whether the level is what refuses such calls.
        by_level: bool,
        /// Since when it refuses such calls, by the wall clock.
        since: SystemTime,
        /// Whether tools that read answer from the cache alone.
        cache_only: bool,
        /// Whether another call of a tool made this one, so that the refusal does not show what that call has changed.
        is_nested: bool,
    },
    /// The client cancelled the call.
    Cancelled,
    /// The function panicked. Only the log contains the panic message.
    Panicked,
    /// The function did not run, because nothing has authorized the call: its tool has the key `authorize`, which the hook
    /// applies, and it was called without the hook.
    Unauthorized,
    /// The function has no answer, but the call was stored and is delivered later, or a stored call with its key
    /// answers it: for a tool with `fallback = deferred`. The client receives the receipt.
    Deferred,
    /// The function did not run, because a stored call with the same idempotency key has other arguments: for a tool
    /// with `fallback = deferred`. The client receives the receipt of that call.
    KeyConflict,
    /// The function did not run, because a stored call has its idempotency key, and the store failed before the client
    /// could receive its receipt: for a tool with `fallback = deferred`.
    KeyUnknown,
    /// The function ran once for several concurrent calls, for another one than this, and returned this error. Only for
    /// error types that are not `Clone`: the others are shared themselves.
    Shared(SharedError),
    /// A test injected an error in place of the function's body. Only with the feature `testing`.
    #[cfg(feature = "testing")]
    #[non_exhaustive]
    Injected {
        /// The kind of the injected error.
        kind: ErrorKind,
        /// The delay that the simulated service requests before a retry, if any.
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
            Self::Overloaded { limit: LimitKind::Concurrency, .. } => {
                f.write_str("as many calls are in flight as the level admits")
            }
            Self::Refused { reason, since, .. } => {
                let cause = cause(self.causing_level(), *since, SystemTime::now());
                write!(f, "refused by the switch `{}` ({cause})", reason.as_str())
            }
            Self::Cancelled => f.write_str("the call was cancelled"),
            Self::Panicked => f.write_str("the function panicked"),
            Self::Unauthorized => f.write_str("the hook, which applies `authorize`, did not serve the call"),
            Self::Deferred => f.write_str("the call was stored, to be delivered later"),
            Self::KeyConflict => f.write_str("a stored call with this key has other arguments"),
            Self::KeyUnknown => f.write_str("there is a stored call with this key, and its receipt could not be read"),
            Self::Shared(error) => f.write_str(error.text()),
            #[cfg(feature = "testing")]
            Self::Injected { kind, .. } => write!(f, "an injected fault of kind `{}`", kind.as_str()),
        }
    }
}

impl std::error::Error for ResilienceError {}

impl Classify for ResilienceError {
    fn kind(&self) -> ErrorKind {
        // Apart from the others, which are read from a table then.
        if let Self::Shared(error) = self {
            return error.facts().failure.kind;
        }
        match self {
            Self::Timeout { .. } => ErrorKind::Timeout,
            Self::CircuitOpen { .. } => ErrorKind::CircuitOpen,
            Self::Overloaded { .. } => ErrorKind::Overloaded,
            Self::Refused { reason, .. } => reason.kind(),
            Self::Cancelled => ErrorKind::Cancelled,
            Self::Deferred | Self::KeyUnknown => ErrorKind::Unavailable,
            Self::KeyConflict => ErrorKind::Conflict,
            Self::Panicked | Self::Unauthorized | Self::Shared(_) => ErrorKind::Internal,
            #[cfg(feature = "testing")]
            Self::Injected { kind, .. } => *kind,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        if let Self::Shared(error) = self {
            return error.facts().failure.retry_after;
        }
        match self {
            Self::CircuitOpen { retry_after, .. } | Self::Overloaded { retry_after, .. } => *retry_after,
            Self::Timeout { .. }
            | Self::Refused { .. }
            | Self::Cancelled
            | Self::Panicked
            | Self::Unauthorized
            | Self::Deferred
            | Self::KeyConflict
            | Self::KeyUnknown
            | Self::Shared(_) => None,
            #[cfg(feature = "testing")]
            Self::Injected { retry_after, .. } => *retry_after,
        }
    }

    fn was_not_performed(&self) -> bool {
        if let Self::Shared(error) = self {
            return error.facts().was_not_performed;
        }
        self.is_final()
    }
}

impl ResilienceError {
    /// Returns the text that the client reads if the tool is known.
    #[cfg(feature = "rmcp")]
    pub(crate) fn message_about(&self, tool: &str) -> Option<String> {
        match self {
            Self::Refused { reason, since, .. } => Some(reason.sentence(Some(tool), self.causing_level(), *since)),
            _ => None,
        }
    }

    /// Returns whether a switch of the operator or the level refused the call, before anything ran.
    #[cfg(feature = "rmcp")]
    pub(crate) const fn is_of_gate(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Overloaded { limit: LimitKind::Concurrency, .. })
    }

    /// Returns whether the function has not run, and the same call ends in the same way until something changes that
    /// is not the dependency.
    const fn is_final(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Unauthorized | Self::Deferred | Self::KeyConflict)
    }

    /// Returns the level, if it refuses the call.
    const fn causing_level(&self) -> Option<Level> {
        match self {
            Self::Refused { level, by_level: true, .. } => Some(*level),
            _ => None,
        }
    }
}

impl ToolError for ResilienceError {
    fn code(&self) -> Cow<'static, str> {
        if let Self::Shared(error) = self {
            return error.code();
        }
        Cow::Borrowed(match self {
            Self::Timeout { .. } => "TIMEOUT",
            Self::CircuitOpen { .. } => "CIRCUIT_OPEN",
            Self::Overloaded { .. } => "OVERLOADED",
            Self::Refused { reason: RefusalReason::ReadOnly, .. } => "READ_ONLY",
            Self::Refused { reason: RefusalReason::Disabled, .. } => "DISABLED",
            Self::Refused { reason: RefusalReason::CacheOnly, .. } => "CACHE_ONLY",
            Self::Cancelled => "CANCELLED",
            Self::Deferred => "ACCEPTED_FOR_LATER",
            Self::KeyConflict => "KEY_CONFLICT",
            Self::KeyUnknown => "KEY_UNKNOWN",
            Self::Panicked | Self::Unauthorized | Self::Shared(_) => "INTERNAL",
            #[cfg(feature = "testing")]
            Self::Injected { .. } => "INJECTED",
        })
    }

    fn public_message(&self) -> Cow<'_, str> {
        match self {
            Self::Timeout { limit, .. } => {
                // Does not name a cause: the service may be slow, or the call was queued.
                format!("there was no answer within {}", format_duration(*limit)).into()
            }
            Self::Overloaded { limit: LimitKind::RateLimit, .. } => "this tool was called too often".into(),
            Self::Overloaded { limit: LimitKind::RateLimitKeys, .. } => {
                "the rate limit of this tool has no room for more callers at present".into()
            }
            Self::Refused { reason, since, .. } => reason.sentence(None, self.causing_level(), *since).into(),
            Self::CircuitOpen { state: CircuitState::Isolated, .. } => {
                "the operator of this server has stopped all calls to the service behind this tool".into()
            }
            Self::CircuitOpen { .. }
            | Self::Overloaded { .. }
            | Self::Cancelled
            | Self::Panicked
            | Self::Unauthorized => self.kind().public_sentence().into(),
            Self::Deferred => "it is not done yet; this server does it later".into(),
            Self::KeyConflict => "an earlier call with this key has other arguments".into(),
            Self::KeyUnknown => "an earlier call with this key was stored for later, or has been performed".into(),
            Self::Shared(error) => error.text().into(),
            #[cfg(feature = "testing")]
            Self::Injected { kind, .. } => kind.public_sentence().into(),
        }
    }

    // The same call is refused until an operator, the level, a change of the code or a delivery changes that.
    fn retry_override(&self) -> Option<bool> {
        if let Self::Shared(error) = self {
            return error.facts().failure.retry_override;
        }
        self.is_final().then_some(false)
    }

    fn is_retryable(&self) -> bool {
        match self {
            Self::Shared(error) => error.facts().retryable,
            other => other.retry_override().unwrap_or_else(|| other.kind().is_retryable()),
        }
    }

    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match self {
            Self::Shared(error) => return error.facts().hint.as_deref().map(Cow::Borrowed),
            Self::Refused { reason, cache_only, .. } => reason.advice(*cache_only),
            Self::Deferred => "Do not send it again.",
            Self::KeyConflict => "Use another key for another call.",
            Self::KeyUnknown => "To get its receipt, send the same call again later, with the same key and arguments.",
            other => other.kind().default_hint(),
        }))
    }

    // What a switch refuses says nothing about a dependency, and neither does a call without the hook or a stored one.
    fn trips_breaker(&self) -> bool {
        if let Self::Shared(error) = self {
            return error.facts().failure.trips_breaker;
        }
        !self.is_final() && !matches!(self, Self::KeyUnknown) && self.kind().trips_breaker()
    }

    fn falls_back(&self) -> bool {
        match self {
            Self::Refused { reason, .. } => *reason == RefusalReason::CacheOnly,
            Self::Unauthorized | Self::Deferred | Self::KeyConflict | Self::KeyUnknown => false,
            Self::Shared(error) => error.facts().failure.falls_back,
            other => other.kind().falls_back(),
        }
    }

    fn severity(&self) -> Severity {
        if let Self::Shared(error) = self {
            return error.facts().severity;
        }
        if matches!(self, Self::Refused { .. } | Self::Deferred) { Severity::Low } else { self.kind().severity() }
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
            Self::Overloaded { limit, level, since_unix_s, .. } => {
                details.insert("limit".into(), json!(limit.as_str()));
                if let Some(level) = level {
                    details.insert("reason".into(), json!(limit.as_str()));
                    details.insert("level".into(), json!(level.as_str()));
                }
                let since = since_unix_s.map(|s| SystemTime::UNIX_EPOCH + Duration::from_secs(s.get().into()));
                details.extend(since.map(|since| ("since".into(), json!(rfc3339(since)))));
            }
            Self::Refused { reason, level, since, .. } => {
                details.insert("reason".into(), json!(reason.as_str()));
                details.insert("level".into(), json!(level.as_str()));
                details.insert("since".into(), json!(rfc3339(*since)));
            }
            Self::Shared(error) => return error.facts().details.clone(),
            Self::Cancelled
            | Self::Panicked
            | Self::Unauthorized
            | Self::Deferred
            | Self::KeyConflict
            | Self::KeyUnknown => {}
            #[cfg(feature = "testing")]
            Self::Injected { .. } => {}
        }
        details
    }

    fn protocol_code(&self) -> Option<i32> {
        match self {
            Self::Shared(error) => error.facts().protocol_code,
            _ => None,
        }
    }

    fn as_resilience(&self) -> Option<&ResilienceError> {
        Some(self)
    }

    crate::__injected!();
}
