//! The answers that a function keeps, and the runs of its body that concurrent calls share.

mod flight;
mod generation;
mod landing;
mod size;
#[cfg(test)]
mod tests;
mod waits;

use std::any::Any;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::ops::compute::Op;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use resilient_policy::CacheSettings;

use crate::clock::Moment;
use crate::statistics::{CacheStatistics, ToolStatistics};

pub(crate) use flight::{Flights, Followed, Follower, Joined, Lead};
pub(crate) use generation::{Generation, Generations};
pub(crate) use landing::{Landed, Landing, Reported};
pub(crate) use size::serialized;
pub(crate) use waits::Wait;

/// A limit for the lifetime of entries: moka panics at more than a thousand years.
const LONGEST_AGE: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The share of `fresh` that is random, so that answers that were computed together do not expire together.
const JITTER: f64 = 0.1;

/// A value of any type, shared by an entry and those who read it.
pub(crate) type Shared = Arc<dyn Any + Send + Sync>;

/// The kept answers of one function, shared by its bindings in one registry.
#[derive(Clone)]
pub(crate) struct Answers(Arc<Store>);

struct Store {
    entries: Cache<u128, Arc<Entry>, BuildHasherDefault<KeyIsHash>>,
    settings: CacheSettings,
    statistics: Arc<ToolStatistics>,
    generation: Arc<Generation>,
    flights: Arc<Flights>,
}

/// A kept answer.
struct Entry {
    /// Empty once the entry is evicted. Moka frees an entry later than it evicts it, and answers may be large.
    answer: Mutex<Option<Shared>>,
    at: Moment,
    /// The age up to which it is fresh.
    fresh: Duration,
    /// The generation in which the read began.
    generation: u64,
    bytes: u64,
    warnings: Box<[String]>,
}

/// An answer to keep.
pub(crate) struct NewAnswer {
    pub(crate) answer: Shared,
    pub(crate) bytes: u64,
    /// The generation in which the read began.
    pub(crate) generation: u64,
    pub(crate) warnings: Box<[String]>,
}

/// A kept answer that was found.
pub(crate) struct Kept {
    pub(crate) answer: Shared,
    pub(crate) age: Duration,
    pub(crate) freshness: Freshness,
    entry: Arc<Entry>,
}

impl Kept {
    /// Returns the warnings for the client that belong to the answer.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.entry.warnings
    }
}

/// What a kept answer may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// It is the answer.
    Fresh,
    /// It is the answer, and is to be refreshed.
    Stale,
    /// Only a fallback may serve it.
    Old,
}

impl Answers {
    /// Creates an empty store. `serves_errors`: a fallback serves kept answers.
    pub(crate) fn new(
        settings: CacheSettings,
        serves_errors: bool,
        statistics: Arc<ToolStatistics>,
        generation: Arc<Generation>,
    ) -> Self {
        let weights = Weights::new(settings);
        let counted = Arc::clone(&statistics);
        counted.has_cache(settings.fresh.is_some());
        let longest = settings.longest_without_error().filter(|_| !serves_errors);
        let longest = longest.unwrap_or_else(|| settings.longest_stale_if_error());
        // Moka's expiry uses the wall clock and only frees memory. The age on the Tokio clock, which the rest of the
        // call uses, decides what is served.
        let entries = Cache::builder()
            // A new answer is always kept. Moka's default policy rejects the keys that it has seen less often.
            .eviction_policy(EvictionPolicy::lru())
            .max_capacity(weights.capacity.into())
            .weigher(move |_, entry: &Arc<Entry>| weights.weight(entry.bytes))
            .time_to_live(longest.min(LONGEST_AGE))
            .eviction_listener(move |_, entry: Arc<Entry>, _| {
                let answer = entry.answer.lock().unwrap_or_else(PoisonError::into_inner).take();
                if answer.is_some() {
                    bytes(&counted, |counts| counts.bytes.fetch_sub(entry.bytes, Ordering::Relaxed));
                }
                crate::panics::catch_panic(|| drop(answer));
            })
            .build_with_hasher(BuildHasherDefault::default());
        Self(Arc::new(Store { entries, settings, statistics, generation, flights: Arc::default() }))
    }

    pub(crate) fn flights(&self) -> &Arc<Flights> {
        &self.0.flights
    }

    /// Returns the current generation: how often writes have invalidated the answers.
    pub(crate) fn generation(&self) -> u64 {
        self.0.generation.current()
    }

    /// Returns whether an answer of this size can be kept.
    pub(crate) fn fits(&self, bytes: u64) -> bool {
        bytes <= self.0.settings.max_bytes
    }

    /// Keeps an answer, unless a write has invalidated it since its read began. Memory is bounded when this returns.
    pub(crate) fn insert(&self, key: u128, new: NewAnswer) {
        let NewAnswer { answer, bytes: size, generation, warnings } = new;
        if !self.fits(size) {
            return self.remove(key);
        }
        if generation != self.generation() {
            return;
        }
        let fresh = self.0.settings.fresh.unwrap_or_default();
        let fresh = fresh.mul_f64(1.0 - JITTER * fastrand::f64());
        let answer = Mutex::new(Some(answer));
        let entry = Entry { answer, at: Moment::now(), fresh, generation, bytes: size, warnings };
        bytes(&self.0.statistics, |counts| counts.bytes.fetch_add(size, Ordering::Relaxed));
        self.0.entries.insert(key, Arc::new(entry));
        self.0.entries.run_pending_tasks();
    }

    /// Returns the kept answer of this key, unless a write has invalidated it.
    pub(crate) fn find(&self, key: u128, now: Moment) -> Option<Kept> {
        let entry = self.0.entries.get(&key)?;
        if entry.generation != self.generation() {
            self.remove_outdated(key);
            return None;
        }
        let age = now.since(entry.at);
        let freshness = if age < entry.fresh {
            Freshness::Fresh
        } else if self.0.settings.stale_while_revalidate.is_some_and(|stale| age < stale) {
            Freshness::Stale
        } else {
            Freshness::Old
        };
        let answer = entry.answer.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        Some(Kept { answer, age, freshness, entry })
    }

    /// Returns the kept answer of this key, if a fallback may serve it.
    pub(crate) fn find_for_error(&self, key: u128) -> Option<Kept> {
        let kept = self.find(key, Moment::now())?;
        (kept.age <= self.0.settings.longest_stale_if_error()).then_some(kept)
    }

    /// Removes the answer of this key, unless it is of the current generation.
    #[cold]
    fn remove_outdated(&self, key: u128) {
        self.0.entries.entry(key).and_compute_with(|entry| match entry {
            Some(entry) if entry.value().generation != self.generation() => Op::Remove,
            _ => Op::Nop,
        });
        self.0.entries.run_pending_tasks();
    }

    pub(crate) fn remove(&self, key: u128) {
        self.0.entries.invalidate(&key);
        self.0.entries.run_pending_tasks();
    }
}

/// Returns the size of the warnings that belong to an answer.
pub(crate) fn size_of_warnings(warnings: &[String]) -> u64 {
    warnings.iter().map(|warning| (size_of::<String>() + warning.len()) as u64).sum()
}

fn bytes(statistics: &ToolStatistics, change: impl FnOnce(&CacheStatistics) -> u64) {
    if let Some(counts) = statistics.cache() {
        change(counts);
    }
}

/// The weights of entries. Moka has one capacity, and the settings have two: entries and bytes. The smallest weight is
/// such that as many entries as allowed use up the capacity, and the largest that all bytes do.
#[derive(Debug, Clone, Copy)]
struct Weights {
    least: u32,
    capacity: u32,
    max_bytes: u64,
}

impl Weights {
    fn new(settings: CacheSettings) -> Self {
        let most = settings.max.max(1);
        // Bytes are rounded up to a part of an equal share.
        let least = (u32::MAX / most).min(1_024);
        Self { least, capacity: most * least, max_bytes: settings.max_bytes.max(1) }
    }

    fn weight(self, bytes: u64) -> u32 {
        let weight = (u128::from(bytes) * u128::from(self.capacity)).div_ceil(self.max_bytes.into());
        u32::try_from(weight).unwrap_or(u32::MAX).max(self.least)
    }
}

/// A hasher for keys that are random already.
#[derive(Default)]
pub(crate) struct KeyIsHash(u64);

impl Hasher for KeyIsHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lower half is as random as the whole")]
    fn write_u128(&mut self, key: u128) {
        self.0 ^= key as u64;
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = self.0.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    }
}
