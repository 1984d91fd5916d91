//! The rejections of the shared state that are still true.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{AtomicMoment, Moment};

/// Until when the shared state rejects the calls of a limit, for calls without a key and for a bounded number of keys.
#[derive(Debug)]
pub(super) struct Rejections {
    /// Set under the lock of the others, and read without it.
    plain: AtomicMoment,
    by_key: Mutex<ByKey>,
    /// How often the settings have changed.
    generation: AtomicU64,
}

/// A rejection of the shared state.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rejection {
    pub(super) until: Moment,
    /// The generation of the settings of the request.
    pub(super) generation: u64,
}

#[derive(Debug)]
struct ByKey {
    until: HashMap<u128, Moment>,
    /// A lower bound of the times in the map. Before that time, no entry has expired.
    earliest: Moment,
}

impl Rejections {
    pub(super) fn new() -> Self {
        let by_key = ByKey { until: HashMap::new(), earliest: Moment::LAST };
        let plain = AtomicMoment::new(Moment::FIRST);
        Self { plain, by_key: Mutex::new(by_key), generation: AtomicU64::new(0) }
    }

    /// Returns the generation of the settings, for a request that reads the settings after this.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Returns for how long calls with this key are still rejected, if they are.
    pub(super) fn remaining(&self, key: Option<u128>, now: Moment) -> Option<Duration> {
        let until = match key {
            None => self.plain.get(),
            Some(key) => *self.lock().until.get(&key)?,
        };
        (now < until).then(|| until.since(now))
    }

    /// Adds a rejection. It is left out if there are already `most` keys with one, or if the settings have changed
    /// since the request.
    pub(super) fn add(&self, key: Option<u128>, rejection: Rejection, now: Moment, most: u32) {
        let Rejection { until, generation } = rejection;
        let most = most.max(1) as usize;
        let mut by_key = self.lock();
        if self.generation() != generation {
            return;
        }
        let Some(key) = key else { return self.plain.set(until) };
        if by_key.until.len() >= most && !by_key.until.contains_key(&key) {
            by_key.remove_expired(now);
            if by_key.until.len() >= most {
                return;
            }
        }
        by_key.until.insert(key, until);
        by_key.earliest = by_key.earliest.min(until);
    }

    /// Removes all of them: with other settings they are no longer true.
    #[cfg(feature = "config")]
    pub(super) fn clear(&self) {
        let mut by_key = self.lock();
        self.generation.fetch_add(1, Ordering::Release);
        self.plain.set(Moment::FIRST);
        by_key.until.clear();
        by_key.earliest = Moment::LAST;
    }

    fn lock(&self) -> MutexGuard<'_, ByKey> {
        self.by_key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ByKey {
    fn remove_expired(&mut self, now: Moment) {
        // A full map of rejections that are still true is not searched on each call.
        if now < self.earliest {
            return;
        }
        self.until.retain(|_, until| now < *until);
        self.earliest = self.until.values().copied().min().unwrap_or(Moment::LAST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A rejection until then, with the first settings.
    const fn until(until: Moment) -> Rejection {
        Rejection { until, generation: 0 }
    }

    #[test]
    fn a_rejection_is_true_until_its_time_and_for_its_key() {
        let (rejections, now) = (Rejections::new(), Moment::FIRST.after(ms(1)));
        rejections.add(Some(7), until(now.after(ms(10))), now, 4);
        assert_eq!((rejections.remaining(Some(8), now), rejections.remaining(None, now)), (None, None));
        assert_eq!(rejections.remaining(Some(7), now.after(ms(4))), Some(ms(6)));
        assert_eq!(rejections.remaining(Some(7), now.after(ms(10))), None);
        rejections.add(None, until(now.after(ms(10))), now, 4);
        assert_eq!(rejections.remaining(None, now.after(ms(9))), Some(ms(1)));
        assert_eq!(rejections.remaining(None, now.after(ms(10))), None);
    }

    #[test]
    fn a_full_map_makes_room_only_for_what_has_expired() {
        let (rejections, now) = (Rejections::new(), Moment::FIRST);
        rejections.add(Some(1), until(now.after(ms(10))), now, 2);
        rejections.add(Some(2), until(now.after(ms(20))), now, 2);
        rejections.add(Some(3), until(now.after(ms(30))), now, 2);
        assert_eq!(rejections.remaining(Some(3), now), None, "there is no room");
        rejections.add(Some(1), until(now.after(ms(15))), now, 2);
        assert_eq!(rejections.remaining(Some(1), now), Some(ms(15)), "its place is its own");
        let later = now.after(ms(15));
        rejections.add(Some(3), until(now.after(ms(30))), later, 2);
        assert_eq!(rejections.remaining(Some(3), later), Some(ms(15)));
        assert_eq!(rejections.remaining(Some(2), later), Some(ms(5)));
        assert_eq!(rejections.lock().until.len(), 2);
    }

    #[test]
    fn a_million_keys_take_no_more_room_than_the_bound() {
        let rejections = Rejections::new();
        for key in 0..1_000_000 {
            let now = Moment::FIRST.after(ms(key / 1_000));
            rejections.add(Some(key.into()), until(now.after(ms(5))), now, 1_024);
        }
        assert!(rejections.lock().until.len() <= 1_024);
    }

    #[cfg(feature = "config")]
    #[test]
    fn other_settings_end_all_rejections() {
        let (rejections, now) = (Rejections::new(), Moment::FIRST);
        for key in [None, Some(1)] {
            rejections.add(key, until(now.after(ms(10))), now, 2);
        }
        rejections.clear();
        let remaining = || (rejections.remaining(None, now), rejections.remaining(Some(1), now));
        assert_eq!(remaining(), (None, None));
        for key in [None, Some(1)] {
            rejections.add(key, until(now.after(ms(10))), now, 2);
        }
        assert_eq!(remaining(), (None, None), "the answer to a request with the old settings");
        for key in [None, Some(1)] {
            let rejection = Rejection { until: now.after(ms(10)), generation: rejections.generation() };
            rejections.add(key, rejection, now, 2);
        }
        assert_eq!(remaining(), (Some(ms(10)), Some(ms(10))));
    }
}
