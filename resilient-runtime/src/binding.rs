//! What a guarded function is bound to: its statistics, its breaker and its limits.

use std::ops::Deref;
use std::sync::Arc;

use resilient_policy::Policy;

use crate::breaker::{Breaker, BreakerHandle, KeyedBreakers};
use crate::bulkhead::Bulkheads;
#[cfg(feature = "cache")]
use crate::cache::Answers;
use crate::clock::{Length, Moment};
#[cfg(feature = "rate-limit")]
use crate::rate_limit::RateLimits;
use crate::statistics::{RecentErrors, ToolStatistics};

/// What one function is bound to: what every call reads, in less than a cache line.
pub(crate) struct Binding {
    pub(crate) statistics: Arc<ToolStatistics>,
    pub(crate) breaker: Option<BreakerHandle>,
    /// That of the whole call by its policy.
    pub(crate) timeout: Length,
    /// That of one attempt; endless where it has none.
    pub(crate) attempt_limit: Length,
    pub(crate) retries: u32,
    /// Whether first attempts count for a budget of retries.
    pub(crate) earns_retries: bool,
    /// Whether there is a bulkhead or a rate limit.
    pub(crate) is_limited: bool,
    pub(crate) seldom: Box<Seldom>,
}

/// What few calls need of it.
pub(crate) struct Seldom {
    pub(crate) bulkheads: Option<Arc<Bulkheads>>,
    #[cfg(feature = "rate-limit")]
    pub(crate) rate_limits: Option<Arc<RateLimits>>,
    pub(crate) keyed_breakers: Option<Arc<KeyedBreakers>>,
    pub(crate) recent: Arc<RecentErrors>,
    /// Its policy, with what was set at start.
    pub(crate) policy: Policy,
    #[cfg(feature = "cache")]
    pub(crate) answers: Option<Answers>,
}

impl Binding {
    /// The breaker of this key, where the policy has keys.
    #[cold]
    pub(crate) fn keyed_breaker(&self, key: u128) -> Option<Arc<Breaker>> {
        Some(self.seldom.keyed_breakers.as_ref()?.get(key))
    }

    /// When an attempt that began then has had its own time, if ever.
    pub(crate) fn attempt_end(&self, started: Moment) -> Moment {
        started.after(self.attempt_limit)
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.seldom.policy
    }
}

/// What a function is bound to, in the process's registry or in one of its own.
pub(crate) enum BindingRef<'a> {
    Global(&'a Binding),
    Scoped(Arc<Binding>),
}

impl Deref for BindingRef<'_> {
    type Target = Binding;

    fn deref(&self) -> &Binding {
        match self {
            Self::Global(binding) => binding,
            Self::Scoped(binding) => binding,
        }
    }
}
