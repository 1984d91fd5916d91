//! Rate limits per partition key, up to a maximum number of keys.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;
use resilient_policy::RateLimitSettings;

use super::limiter::{Limiter, Rated, Store};
use super::{RateLimit, overloaded};
use crate::error::{LimitKind, ResilienceError};

/// The rate limits of one policy in this process: one for calls without a key, and one per key.
pub(super) struct LocalLimits {
    plain: RateLimit,
    original: RateLimitSettings,
    by_key: Limiter<u128, Bounded>,
}

impl LocalLimits {
    pub(super) fn new(settings: RateLimitSettings) -> Self {
        Self { plain: RateLimit::with(settings), original: settings, by_key: Limiter::new() }
    }

    pub(super) fn settings(&self) -> RateLimitSettings {
        self.plain.settings()
    }

    /// Takes a permit for one call with this key.
    pub(super) fn check(&self, key: Option<u128>) -> Result<(), ResilienceError> {
        let Some(key) = key else { return self.plain.check() };
        self.by_key.with(self.original, |Rated { limiter, store, .. }| {
            if store.is_full() {
                limiter.retain_recent();
            }
            limiter.check_key(&key).map_err(|until| {
                let limit = if store.contains(key) { LimitKind::RateLimit } else { LimitKind::RateLimitKeys };
                overloaded(limit, &until)
            })
        })
    }

    /// Replaces the rate and the burst of each limit.
    #[cfg(feature = "config")]
    pub(super) fn adjust(&self, settings: RateLimitSettings) {
        self.plain.adjust(settings);
        self.by_key.adjust(settings);
    }
}

/// A store for the limits of a bounded number of keys, and one limit that all further keys share. Each entry is a
/// GCRA theoretical arrival time, measured from the creation of the limiter.
#[derive(Debug, Clone)]
pub(super) struct Bounded {
    inner: Arc<Mutex<Inner>>,
    most: usize,
}

#[derive(Debug, Default)]
struct Inner {
    by_key: HashMap<u128, Nanos>,
    overflow: Option<Nanos>,
    /// A lower bound of the times in the map. Before that time, no entry has expired.
    earliest: Option<Nanos>,
}

impl Bounded {
    fn of(most: u32) -> Self {
        Self { inner: Arc::default(), most: most.max(1) as usize }
    }

    fn is_full(&self) -> bool {
        self.len() >= self.most
    }

    /// Returns whether this key has a separate limit.
    fn contains(&self, key: u128) -> bool {
        self.lock().by_key.contains_key(&key)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for Bounded {
    fn new(settings: RateLimitSettings) -> Self {
        Self::of(settings.max_keys)
    }

    #[cfg(feature = "config")]
    fn converted(&self, settings: RateLimitSettings, convert: impl Fn(Nanos) -> Option<Nanos>) -> Self {
        let inner = self.lock();
        let by_key: HashMap<_, _> =
            inner.by_key.iter().filter_map(|(key, time)| Some((*key, convert(*time)?))).collect();
        let earliest = by_key.values().copied().min();
        let converted = Inner { by_key, overflow: inner.overflow.and_then(convert), earliest };
        Self { inner: Arc::new(Mutex::new(converted)), ..Self::new(settings) }
    }
}

impl StateStore for Bounded {
    type Key = u128;

    fn measure_and_replace<T, F, E>(&self, key: &u128, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut inner = self.lock();
        let Inner { by_key, overflow, earliest } = &mut *inner;
        if let Some(known) = by_key.get_mut(key) {
            let (taken, next) = measure(Some(*known))?;
            *known = next;
            return Ok(taken);
        }
        if by_key.len() >= self.most {
            let (taken, next) = measure(*overflow)?;
            *overflow = Some(next);
            return Ok(taken);
        }
        let (taken, next) = measure(None)?;
        by_key.insert(*key, next);
        *earliest = Some(earliest.map_or(next, |earliest| earliest.min(next)));
        Ok(taken)
    }
}

impl ShrinkableKeyedStateStore<u128> for Bounded {
    /// Removes the limits that are back in their initial state. Times only grow, so there are none before the
    /// earliest one: a store full of limits in use is not searched on each call.
    fn retain_recent(&self, drop_below: Nanos) {
        let mut inner = self.lock();
        if inner.earliest.is_none_or(|earliest| drop_below < earliest) {
            return;
        }
        inner.by_key.retain(|_, time| *time > drop_below);
        inner.earliest = inner.by_key.values().copied().min();
    }

    fn len(&self) -> usize {
        self.lock().by_key.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MOST: usize = 1_024;

    fn limits() -> LocalLimits {
        LocalLimits::new(RateLimitSettings::new(1, Duration::from_secs(1)))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_in_use_stays_and_the_rest_shares_one() {
        let limits = limits();
        for key in 0..MOST as u128 {
            assert_eq!(limits.check(Some(key)), Ok(()));
        }
        assert_eq!(limits.check(Some(5_000)), Ok(()));
        assert!(limits.check(Some(5_001)).is_err(), "these share one");
        assert!(limits.check(Some(7)).is_err(), "those keep theirs");
        assert_eq!(limits.check(None), Ok(()), "and who has no key has one of its own");
        tokio::time::advance(Duration::from_secs(2)).await;
        for key in 5_000..5_010 {
            assert_eq!(limits.check(Some(key)), Ok(()), "there is room again");
        }
    }

    #[cfg(feature = "config")]
    #[tokio::test(start_paused = true)]
    async fn each_key_keeps_what_it_has_taken_when_the_rate_changes() {
        let limits = limits();
        assert!(limits.check(Some(1)).is_ok() && limits.check(Some(1)).is_err());
        limits.adjust(RateLimitSettings::new(1, Duration::from_secs(10)).burst(2));
        assert!(limits.check(Some(1)).is_ok() && limits.check(Some(1)).is_err());
        assert!(limits.check(Some(2)).is_ok() && limits.check(Some(2)).is_ok() && limits.check(Some(2)).is_err());
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(limits.check(Some(1)).is_ok() && limits.check(Some(1)).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_million_keys_take_no_more_room_than_the_bound() {
        let limits = limits();
        for key in 0..1_000_000 {
            let _ = limits.check(Some(key));
            if key % 1_000 == 0 {
                tokio::time::advance(Duration::from_secs(3)).await;
            }
        }
        assert!(limits.by_key.with(limits.original, |rated| rated.store.len()) <= MOST);
    }
}
