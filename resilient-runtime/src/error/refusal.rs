//! A call that the gate refuses.

use std::num::NonZeroU32;
use std::time::SystemTime;

use resilient_policy::Level;

use super::causes::LimitKind;
use super::refused::RefusalReason;
use super::resilience::ResilienceError;
use crate::outcomes::Rejected;

/// Why the gate refuses a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A switch refuses it.
    Switched {
        reason: RefusalReason,
        /// The level that holds.
        level: Level,
        /// Whether the level is the cause.
        by_level: bool,
        since: SystemTime,
        /// Whether tools that read answer from the cache alone.
        cache_only: bool,
        /// Whether another call of a tool made this one.
        is_nested: bool,
    },
    /// As many calls are in flight as the level admits, which holds since then.
    Concurrency { level: Level, since: SystemTime },
}

impl Refusal {
    /// Returns the error of the call.
    pub(crate) fn error(self) -> ResilienceError {
        match self {
            Self::Switched { reason, level, by_level, since, cache_only, is_nested } => {
                ResilienceError::Refused { reason, level, by_level, since, cache_only, is_nested }
            }
            Self::Concurrency { level, since } => {
                let seconds = since.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
                ResilienceError::Overloaded {
                    limit: LimitKind::Concurrency,
                    retry_after: None,
                    level: Some(level),
                    since_unix_s: NonZeroU32::new(u32::try_from(seconds).unwrap_or(u32::MAX)),
                }
            }
        }
    }

    /// Returns what is counted.
    pub(crate) const fn rejected(self) -> Rejected {
        match self {
            Self::Switched { reason: RefusalReason::ReadOnly, .. } => Rejected::ReadOnly,
            Self::Switched { reason: RefusalReason::Disabled, .. } => Rejected::Disabled,
            Self::Switched { reason: RefusalReason::CacheOnly, .. } => Rejected::CacheOnly,
            Self::Concurrency { .. } => Rejected::Concurrency,
        }
    }
}
