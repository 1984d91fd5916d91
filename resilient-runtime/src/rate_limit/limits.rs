//! The rate limits of one policy.

#[cfg(feature = "replicas")]
use std::sync::{Arc, OnceLock};

use resilient_policy::RateLimitSettings;

#[cfg(feature = "replicas")]
use super::distributed::{Distributed, LimitResponse};
use super::keyed::LocalLimits;
#[cfg(feature = "replicas")]
use crate::clock::Moment;
use crate::error::ResilienceError;
#[cfg(feature = "replicas")]
use crate::replicas::Replicas;

/// The rate limits of one policy: one for calls without a key, and one per key.
pub(crate) struct RateLimits {
    local: LocalLimits,
    /// What all replicas of the server share, for a limit with `distributed`.
    #[cfg(feature = "replicas")]
    distributed: Option<Arc<Distributed>>,
}

impl RateLimits {
    pub(crate) fn new(settings: RateLimitSettings) -> Self {
        Self {
            local: LocalLimits::new(settings),
            #[cfg(feature = "replicas")]
            distributed: None,
        }
    }

    /// Returns the whole settings, of which a replica that decides alone uses its share.
    pub(crate) fn settings(&self) -> RateLimitSettings {
        self.local.settings()
    }

    /// Takes a permit of this process for one call with this key.
    pub(crate) fn check(&self, key: Option<u128>) -> Result<(), ResilienceError> {
        self.local.check(key)
    }

    /// Replaces the rate and the burst of each limit.
    #[cfg(feature = "config")]
    pub(crate) fn adjust(&self, settings: RateLimitSettings) {
        self.local.adjust(settings);
        #[cfg(feature = "replicas")]
        if let Some(distributed) = &self.distributed {
            distributed.adjust(settings);
        }
    }
}

#[cfg(feature = "replicas")]
impl RateLimits {
    /// Creates limits that all replicas share under this name, once there is a shared state.
    pub(crate) fn distributed(
        name: &'static str,
        settings: RateLimitSettings,
        replicas: &Arc<OnceLock<Arc<Replicas>>>,
    ) -> Self {
        let distributed = Distributed::new(name, Arc::clone(replicas));
        Self { local: LocalLimits::new(settings), distributed: Some(Arc::new(distributed)) }
    }

    /// Returns whether replicas share the limits through a shared state.
    #[inline]
    pub(crate) fn is_shared(&self) -> bool {
        self.distributed.as_ref().is_some_and(|distributed| distributed.is_shared())
    }

    /// Requests a permit of all replicas for one call with this key. Returns `None` if the permits of this process
    /// alone decide.
    pub(crate) fn request(&self, key: Option<u128>, deadline: Moment) -> Option<LimitResponse> {
        self.distributed.as_ref()?.request(|| self.settings(), key, deadline)
    }
}
