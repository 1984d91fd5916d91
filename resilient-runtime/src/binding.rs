//! What a guarded function is bound to: its statistics, its breaker and its limits.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use resilient_policy::Policy;

use crate::breaker::{Breaker, BreakerHandle, KeyedBreakers};
use crate::bulkhead::Bulkheads;
#[cfg(feature = "cache")]
use crate::cache::{Answers, Generation};
use crate::clock::{Length, Moment};
#[cfg(feature = "rate-limit")]
use crate::rate_limit::RateLimits;
use crate::statistics::{AttemptStatistics, CountedOnce, RecentErrors, ToolStatistics};

/// The state that one function is bound to. Its inline fields are what every call reads, in less than a cache line.
pub(crate) struct Binding {
    /// Counts the calls that begin with their first attempt at once.
    pub(crate) counted_once: Arc<CountedOnce>,
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
    pub(crate) statistics: Arc<ToolStatistics>,
    pub(crate) bulkheads: Option<Arc<Bulkheads>>,
    #[cfg(feature = "rate-limit")]
    pub(crate) rate_limits: Option<Arc<RateLimits>>,
    pub(crate) keyed_breakers: Option<Arc<KeyedBreakers>>,
    pub(crate) recent: Arc<RecentErrors>,
    /// The policy, with the settings of the operator applied.
    pub(crate) policy: Policy,
    /// The limits that only this function uses, whether or not the settings remove them at present.
    pub(crate) own: OwnLimits,
    /// The generation of the registry's settings that the binding follows.
    pub(crate) generation: AtomicU64,
    #[cfg(feature = "cache")]
    pub(crate) answers: Option<Answers>,
    /// The generations of the tools whose kept answers the function invalidates.
    #[cfg(feature = "cache")]
    pub(crate) invalidated: Arc<[Arc<Generation>]>,
}

/// The limits of a function that do not have a name. They stay when its settings change.
#[derive(Clone, Default)]
pub(crate) struct OwnLimits {
    pub(crate) bulkheads: Option<Arc<Bulkheads>>,
    #[cfg(feature = "rate-limit")]
    pub(crate) rate_limits: Option<Arc<RateLimits>>,
}

impl OwnLimits {
    /// Creates the limits that the code declares, with the settings that apply.
    pub(crate) fn new(compiled: &Policy, effective: &Policy) -> Self {
        let bulkhead = effective.bulkhead.or(compiled.bulkhead).filter(|bulkhead| bulkhead.name.is_none());
        #[cfg(feature = "rate-limit")]
        let rate_limit = effective.rate_limit.or(compiled.rate_limit).filter(|rate_limit| rate_limit.name.is_none());
        Self {
            bulkheads: bulkhead.map(|bulkhead| Arc::new(Bulkheads::new(bulkhead.settings))),
            #[cfg(feature = "rate-limit")]
            rate_limits: rate_limit.map(|rate_limit| Arc::new(RateLimits::new(rate_limit.settings))),
        }
    }
}

#[cfg(feature = "config")]
impl OwnLimits {
    /// Replaces the settings, as far as a policy has others.
    pub(crate) fn adjust(&self, policy: &Policy) {
        let wanted = policy.bulkhead.filter(|wanted| wanted.name.is_none());
        if let (Some(wanted), Some(bulkheads)) = (wanted, &self.bulkheads)
            && bulkheads.settings() != wanted.settings
        {
            bulkheads.adjust(wanted.settings);
        }
        #[cfg(feature = "rate-limit")]
        if let (Some(wanted), Some(rate_limits)) =
            (policy.rate_limit.filter(|wanted| wanted.name.is_none()), &self.rate_limits)
            && rate_limits.settings() != wanted.settings
        {
            rate_limits.adjust(wanted.settings);
        }
    }
}

impl Binding {
    /// Returns the generation of the settings that the binding follows.
    pub(crate) fn generation(&self) -> u64 {
        self.cold.generation.load(Ordering::Relaxed)
    }

    /// Follows newer settings, which do not change it.
    pub(crate) fn renew(&self, generation: u64) {
        self.cold.generation.fetch_max(generation, Ordering::Relaxed);
    }

    /// Returns whether another binding of the same function in the same registry has the same policy.
    pub(crate) fn has_policy_of(&self, other: &Self) -> bool {
        self.policy() == other.policy() && self.breaker.is_some() == other.breaker.is_some()
    }

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

    /// Returns the statistics of the attempts: those of the breaker, or the function's own without a breaker. The breakers
    /// of all keys are counted as one.
    pub(crate) fn attempts(&self) -> &AttemptStatistics {
        self.breaker.as_deref().map_or_else(|| self.cold.statistics.own_attempts(), Breaker::attempts)
    }
}

/// The binding of a call. The settings may change during the call, which keeps its binding.
pub(crate) enum BindingRef<'a> {
    /// The first one in the registry of the process, as in nearly every process.
    First(&'a Binding),
    /// One in another registry, or with other settings.
    Other(Arc<Binding>),
}

impl Deref for BindingRef<'_> {
    type Target = Binding;

    fn deref(&self) -> &Binding {
        match self {
            Self::First(binding) => binding,
            Self::Other(binding) => binding,
        }
    }
}
