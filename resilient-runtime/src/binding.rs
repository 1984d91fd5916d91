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

/// The state that one function is bound to. Its inline fields are what every call reads, in less than a cache line.
pub(crate) struct Binding {
    pub(crate) statistics: Arc<ToolStatistics>,
    pub(crate) breaker: Option<BreakerHandle>,
    /// The timeout of the whole call.
    pub(crate) timeout: Length,
    /// The timeout of one attempt; endless if the policy has none.
    pub(crate) attempt_limit: Length,
    pub(crate) retries: u32,
    /// Whether first attempts add to a retry budget.
    pub(crate) earns_retries: bool,
    /// Whether the policy has a bulkhead or a rate limit.
    pub(crate) is_limited: bool,
    pub(crate) cold: Box<ColdFields>,
}

/// The part of a [`Binding`] that few calls need.
pub(crate) struct ColdFields {
    pub(crate) bulkheads: Option<Arc<Bulkheads>>,
    #[cfg(feature = "rate-limit")]
    pub(crate) rate_limits: Option<Arc<RateLimits>>,
    pub(crate) keyed_breakers: Option<Arc<KeyedBreakers>>,
    pub(crate) recent: Arc<RecentErrors>,
    /// The policy, with the settings from start-up applied.
    pub(crate) policy: Policy,
    #[cfg(feature = "cache")]
    pub(crate) answers: Option<Answers>,
}

impl Binding {
    /// Returns the breaker of this partition key, if the policy has one.
    #[cold]
    pub(crate) fn keyed_breaker(&self, key: u128) -> Option<Arc<Breaker>> {
        Some(self.cold.keyed_breakers.as_ref()?.get(key))
    }

    /// Returns the time at which an attempt that started at `started` times out.
    pub(crate) fn attempt_end(&self, started: Moment) -> Moment {
        started.after(self.attempt_limit)
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.cold.policy
    }
}

/// A binding in the registry of the process, or in another one.
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
