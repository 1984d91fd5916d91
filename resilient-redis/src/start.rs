//! The set-up at start.

use resilient_runtime::Resilience;

use crate::Redis;

/// Adds a Redis to [`Resilience`].
///
/// ```no_run
/// use std::sync::Arc;
///
/// use resilient_redis::{Redis, ResilienceExt};
/// use resilient_runtime::Resilience;
/// use resilient_runtime::health::Health;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut resilience = Resilience::from_env();
/// if let Some(redis) = Redis::from_env() {
///     let health = Arc::new(Health::new().check(redis.health_check()));
///     resilience = resilience.health(&health).redis(redis);
/// }
/// resilience.start()?;
/// # Ok(())
/// # }
/// ```
pub trait ResilienceExt: Sized {
    /// Sets the Redis that all replicas of the server share: a URL, or a [`Redis`]. `distributed` in `rate_limit(..)` and
    /// `breaker(..)` needs it.
    ///
    /// The start does not wait for Redis, and fails only if the URL is invalid. The last call wins.
    #[must_use]
    fn redis(self, redis: impl Into<Redis>) -> Self;

    /// Sets the Redis that the variable `RESILIENT_REDIS_URL` names, with the prefix in `RESILIENT_REDIS_PREFIX`. Does
    /// nothing if the variable is not set.
    #[must_use]
    fn redis_from_env(self) -> Self;
}

impl ResilienceExt for Resilience {
    fn redis(self, redis: impl Into<Redis>) -> Self {
        self.shared(redis.into())
    }

    fn redis_from_env(self) -> Self {
        let (url, prefix) = self.redis_variables();
        match url.and_then(|url| Redis::from_variables(url, prefix)) {
            Some(redis) => self.redis(redis),
            None => self,
        }
    }
}
