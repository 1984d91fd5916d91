//! Breakers per partition key, up to a maximum number of keys.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use resilient_policy::BreakerSettings;

use super::{Breaker, BreakerSeries, BreakerSnapshot, BreakerState};
use crate::clock::Moment;

/// The time after which a failed search for idle breakers is repeated.
const REST_MS: u64 = 1_000;

struct BreakerMap {
    /// The settings of each of the breakers.
    settings: BreakerSettings,
    /// Whether the code has declared them.
    are_declared: bool,
    by_key: HashMap<u128, Entry>,
    /// The counters of the breakers that were removed.
    gone: Option<BreakerSeries>,
    searched_at_ms: Option<u64>,
}

struct Entry {
    breaker: Arc<Breaker>,
    used_ms: u64,
}

/// The breakers of one name, by partition key.
pub(crate) struct KeyedBreakers {
    name: &'static str,
    breakers: Mutex<BreakerMap>,
    overflow: OnceLock<Arc<Breaker>>,
}

impl KeyedBreakers {
    pub(crate) fn new(name: &'static str, otherwise: BreakerSettings) -> Self {
        let map = BreakerMap {
            settings: otherwise,
            are_declared: false,
            by_key: HashMap::new(),
            gone: None,
            searched_at_ms: None,
        };
        Self { name, breakers: Mutex::new(map), overflow: OnceLock::new() }
    }

    /// Sets the settings of the breakers that are created from now on, unless they are already set.
    pub(crate) fn declare(&self, settings: BreakerSettings) {
        let mut map = self.lock();
        if !map.are_declared {
            (map.settings, map.are_declared) = (settings, true);
        }
    }

    /// Replaces the settings of all breakers, which keep their states.
    #[cfg(feature = "config")]
    pub(crate) fn adjust(&self, settings: BreakerSettings) {
        let mut map = self.lock();
        (map.settings, map.are_declared) = (settings, true);
        let breakers = map.by_key.values().map(|entry| &entry.breaker);
        breakers.chain(self.overflow.get()).for_each(|breaker| breaker.adjust(settings));
    }

    /// Returns the breaker of this key.
    ///
    /// If there are too many, breakers that are not in use and do not reject calls are removed: first those without any
    /// state to keep, then those that were idle the longest. If none can be removed, the key gets the breaker that all
    /// further keys share.
    pub(crate) fn get(&self, key: u128) -> Arc<Breaker> {
        let now = Moment::now().millis();
        let mut map = self.lock();
        if let Some(found) = map.by_key.get_mut(&key) {
            found.used_ms = now;
            return Arc::clone(&found.breaker);
        }
        let most = map.settings.max_keys.max(1) as usize;
        if map.by_key.len() >= most {
            map.make_room(now, most);
        }
        let fresh = || Arc::new(Breaker::new(self.name, map.settings));
        if map.by_key.len() >= most {
            // Under the lock, so that it does not miss a change of the settings.
            return Arc::clone(self.overflow.get_or_init(fresh));
        }
        let fresh = fresh();
        map.by_key.insert(key, Entry { breaker: Arc::clone(&fresh), used_ms: now });
        fresh
    }

    /// Returns snapshots of the breakers whose state passes the filter.
    pub(crate) fn read(&self, matches: impl Fn(BreakerState) -> bool) -> Vec<BreakerSnapshot> {
        let map = self.lock();
        let mut all: Vec<_> = map.by_key.values().map(|entry| Arc::clone(&entry.breaker)).collect();
        drop(map);
        all.extend(self.overflow.get().cloned());
        let requested = all.iter().filter(|breaker| matches(breaker.state()));
        requested.map(|breaker| BreakerSnapshot { of_key: true, ..breaker.snapshot() }).collect()
    }

    /// Adds the counters of all breakers, including those that were removed.
    pub(crate) fn add_to(&self, series: &mut BreakerSeries) {
        let map = self.lock();
        if let Some(gone) = &map.gone {
            series.count(gone);
        }
        let all: Vec<_> = map.by_key.values().map(|entry| Arc::clone(&entry.breaker)).collect();
        drop(map);
        all.iter().chain(self.overflow.get()).for_each(|breaker| series.and(breaker));
    }

    fn lock(&self) -> MutexGuard<'_, BreakerMap> {
        self.breakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BreakerMap {
    /// Removes up to a quarter of the breakers, so that this is rarely needed.
    fn make_room(&mut self, now_ms: u64, most: usize) {
        if self.searched_at_ms.is_some_and(|last| now_ms < last.saturating_add(REST_MS)) {
            return;
        }
        let mut idle: Vec<_> = self
            .by_key
            .iter()
            .filter(|(_, entry)| Arc::strong_count(&entry.breaker) == 1 && !entry.breaker.rejects_after(Duration::ZERO))
            .map(|(key, entry)| (!entry.breaker.is_pristine(), entry.used_ms, *key))
            .collect();
        idle.sort_unstable();
        for (_, _, key) in idle.iter().take(most.div_ceil(4)) {
            if let Some(entry) = self.by_key.remove(key) {
                let counted = entry.breaker.series();
                match &mut self.gone {
                    Some(gone) => gone.count(&counted),
                    None => self.gone = Some(counted),
                }
            }
        }
        self.searched_at_ms = idle.is_empty().then_some(now_ms);
    }
}
