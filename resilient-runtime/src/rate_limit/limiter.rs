//! A limiter of governor's whose rate can be replaced.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

#[cfg(feature = "config")]
use governor::clock::Clock;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, StateStore};
use resilient_policy::RateLimitSettings;

use super::{TokioClock, quota};

/// The limiter of one limit, or of the keys of one limit.
pub(super) struct Limiter<K, S: StateStore<Key = K>> {
    original: OnceLock<Rated<K, S>>,
    /// Whether the rate was replaced: all that is read in a process that never reloads its settings.
    is_replaced: AtomicBool,
    replaced: RwLock<Option<Rated<K, S>>>,
}

/// A limiter with one rate.
pub(super) struct Rated<K, S: StateStore<Key = K>> {
    settings: RateLimitSettings,
    /// The time from which the limiter measures the times in its store.
    #[cfg(feature = "config")]
    start: Nanos,
    pub(super) limiter: governor::RateLimiter<K, S, TokioClock, governor::middleware::NoOpMiddleware<Nanos>>,
    pub(super) store: S,
}

/// A store of theoretical arrival times, shared by its clones.
pub(super) trait Store: StateStore + Clone {
    fn new(settings: RateLimitSettings) -> Self;

    /// Returns a store with the times that `convert` returns.
    #[cfg(feature = "config")]
    fn converted(&self, settings: RateLimitSettings, convert: impl Fn(Nanos) -> Option<Nanos>) -> Self;
}

impl<K, S: Store<Key = K>> Limiter<K, S> {
    pub(super) const fn new() -> Self {
        Self { original: OnceLock::new(), is_replaced: AtomicBool::new(false), replaced: RwLock::new(None) }
    }

    /// Returns the settings that apply.
    pub(super) fn settings(&self, original: RateLimitSettings) -> RateLimitSettings {
        if !self.is_replaced.load(Ordering::Acquire) {
            return original;
        }
        let replaced = self.replaced.read().unwrap_or_else(PoisonError::into_inner);
        replaced.as_ref().map_or(original, |rated| rated.settings)
    }

    /// Uses the limiter with the rate that applies. It is created on first use.
    pub(super) fn with<R>(&self, original: RateLimitSettings, check: impl FnOnce(&Rated<K, S>) -> R) -> R {
        if self.is_replaced.load(Ordering::Acquire) {
            let replaced = self.replaced.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(rated) = &*replaced {
                return check(rated);
            }
        }
        check(self.original.get_or_init(|| Rated::new(original, S::new(original))))
    }

    /// Replaces the rate. Permits that were taken stay taken, up to the new burst, and come back at the new rate.
    #[cfg(feature = "config")]
    pub(super) fn adjust(&self, settings: RateLimitSettings) {
        let mut replaced = self.replaced.write().unwrap_or_else(PoisonError::into_inner);
        let before = replaced.as_ref().or_else(|| self.original.get());
        let store = before.map_or_else(|| S::new(settings), |rated| rated.store_for(settings));
        *replaced = Some(Rated::new(settings, store));
        self.is_replaced.store(true, Ordering::Release);
    }
}

impl<K, S: Store<Key = K>> Rated<K, S> {
    fn new(settings: RateLimitSettings, store: S) -> Self {
        let limiter = governor::RateLimiter::new(quota(settings), store.clone(), TokioClock);
        Self {
            settings,
            #[cfg(feature = "config")]
            start: TokioClock.now(),
            limiter,
            store,
        }
    }

    /// Returns the store of a limiter that starts now, with other settings.
    #[cfg(feature = "config")]
    fn store_for(&self, settings: RateLimitSettings) -> S {
        let elapsed = TokioClock.now().saturating_sub(self.start);
        let [interval, new_interval] = [self.settings, settings].map(|settings| quota(settings).replenish_interval());
        let most = new_interval.as_nanos().saturating_mul(quota(settings).burst_size().get().into());
        self.store.converted(settings, |time| {
            let backlog = u128::from(time.saturating_sub(elapsed).as_u64());
            let backlog = backlog.saturating_mul(new_interval.as_nanos()) / interval.as_nanos().max(1);
            let backlog = u64::try_from(backlog.min(most)).unwrap_or(u64::MAX);
            (backlog > 0).then(|| backlog.into())
        })
    }
}

/// The store of a limit without keys.
#[derive(Clone, Default)]
pub(super) struct Single(Arc<InMemoryState>);

impl StateStore for Single {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, key: &NotKeyed, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0.measure_and_replace(key, measure)
    }
}

impl Store for Single {
    fn new(_: RateLimitSettings) -> Self {
        Self::default()
    }

    #[cfg(feature = "config")]
    fn converted(&self, _: RateLimitSettings, convert: impl Fn(Nanos) -> Option<Nanos>) -> Self {
        let converted = Self::default();
        // A store shows its time only where it could replace it.
        let time = self.measure_and_replace(&NotKeyed::NonKey, Err::<((), Nanos), _>).err().flatten();
        if let Some(time) = time.and_then(convert) {
            let _ = converted.measure_and_replace(&NotKeyed::NonKey, |_| Ok::<_, ()>(((), time)));
        }
        converted
    }
}
