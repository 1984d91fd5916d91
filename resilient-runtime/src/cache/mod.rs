//! The answers that a function keeps, and the runs of its body that concurrent calls share.

mod flight;
mod generation;
mod landing;
mod size;
#[cfg(test)]
mod tests;
mod waits;

use std::any::Any;
use std::cell::RefCell;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};
use resilient_policy::CacheSettings;

use crate::clock::Moment;
use crate::statistics::{CacheStatistics, ToolStatistics};

pub(crate) use flight::{Flights, Followed, Follower, Joined, Lead};
pub(crate) use generation::{Generation, Generations};
pub(crate) use landing::{Landed, Landing, Reported};
pub(crate) use size::serialized;
pub(crate) use waits::Wait;

/// The sum of all weights must not overflow.
const MAX_CAPACITY: u64 = 1 << 60;

/// The shortest time between two searches for entries that are too old.
const SHORTEST_SWEEP: Duration = Duration::from_secs(1);

/// The share of `fresh` that is random, so that answers that were computed together do not expire together.
const JITTER: f64 = 0.1;

/// A value of any type, shared by an entry and those who read it.
pub(crate) type Shared = Arc<dyn Any + Send + Sync>;

/// The kept answers of one function, shared by its bindings in one registry.
#[derive(Clone)]
pub(crate) struct Answers(Arc<Store>);

struct Store {
    entries: Cache<u128, Arc<Entry>, Weights, BuildHasherDefault<KeyIsHash>, DropLater>,
    settings: CacheSettings,
    statistics: Arc<ToolStatistics>,
    generation: Arc<Generation>,
    flights: Arc<Flights>,
    /// The age above which nothing serves an entry.
    longest: Duration,
    created: Moment,
    /// When entries that are too old were last removed, in microseconds since the store was created.
    swept_us: AtomicU64,
}

/// A kept answer.
struct Entry {
    /// `None` only while the entry is dropped.
    answer: Option<Shared>,
    at: Moment,
    /// The age up to which it is fresh.
    fresh: Duration,
    /// The generation in which the read began.
    generation: u64,
    bytes: u64,
    warnings: Box<[String]>,
    statistics: Arc<ToolStatistics>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        bytes(&self.statistics, |counts| counts.bytes.fetch_sub(self.bytes, Ordering::Relaxed));
        let answer = self.answer.take();
        // The destructor of an answer is the user's code.
        crate::panics::catch_panic(|| drop(answer));
    }
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
    pub(crate) age: Duration,
    pub(crate) freshness: Freshness,
    entry: Arc<Entry>,
}

impl Kept {
    /// Returns the answer.
    pub(crate) fn answer(&self) -> Option<&Shared> {
        self.entry.answer.as_ref()
    }

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
        statistics.has_cache(settings.fresh.is_some());
        let longest = settings.longest_without_error().filter(|_| !serves_errors);
        let longest = longest.unwrap_or_else(|| settings.longest_stale_if_error());
        Self(Arc::new(Store {
            entries: Weights::new(settings).cache(),
            settings,
            statistics,
            generation,
            flights: Arc::default(),
            longest,
            created: Moment::now(),
            swept_us: AtomicU64::new(0),
        }))
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
        bytes(&self.0.statistics, |counts| counts.bytes.fetch_add(size, Ordering::Relaxed));
        let statistics = Arc::clone(&self.0.statistics);
        let at = Moment::now();
        let entry = Entry { answer: Some(answer), at, fresh, generation, bytes: size, warnings, statistics };
        self.0.entries.insert(key, Arc::new(entry));
        self.sweep(at);
    }

    /// Removes the entries that nothing serves any more, at most once in the longest age.
    fn sweep(&self, now: Moment) {
        let Store { swept_us, longest, .. } = &*self.0;
        let (age, last) = (now.micros_since(self.0.created), swept_us.load(Ordering::Relaxed));
        let interval = u64::try_from((*longest).max(SHORTEST_SWEEP).as_micros()).unwrap_or(u64::MAX);
        let is_due = age.saturating_sub(last) >= interval;
        if !is_due || swept_us.compare_exchange(last, age, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        let removed = RefCell::new(Vec::new());
        let generation = self.generation();
        self.0.entries.retain(|_, entry| {
            let is_served = entry.generation == generation && now.since(entry.at) <= *longest;
            if !is_served {
                // Their destructors run outside the lock.
                removed.borrow_mut().push(Arc::clone(entry));
            }
            is_served
        });
    }

    /// Returns the kept answer of this key, unless a write has invalidated it.
    pub(crate) fn find(&self, key: u128, now: Moment) -> Option<Kept> {
        let entry = self.0.entries.get(&key)?;
        if entry.generation != self.generation() {
            let _ = self.0.entries.remove_if(&key, |entry| entry.generation != self.generation());
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
        Some(Kept { age, freshness, entry })
    }

    /// Returns the kept answer of this key, if a fallback may serve it.
    pub(crate) fn find_for_error(&self, key: u128) -> Option<Kept> {
        let kept = self.find(key, Moment::now())?;
        (kept.age <= self.0.settings.longest_stale_if_error()).then_some(kept)
    }

    pub(crate) fn remove(&self, key: u128) {
        self.0.entries.remove(&key);
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

/// The weights of entries. The cache has one capacity, and the settings have two: entries and bytes. The smallest weight
/// is such that no more entries than allowed use up all bytes.
#[derive(Debug, Clone, Copy)]
struct Weights {
    least: u64,
    capacity: u64,
    max: u32,
}

impl Weights {
    fn new(settings: CacheSettings) -> Self {
        let capacity = settings.max_bytes.clamp(1, MAX_CAPACITY);
        let max = settings.max.max(1);
        Self { least: capacity.div_ceil(max.into()), capacity, max }
    }

    fn of(self, bytes: u64) -> u64 {
        bytes.max(self.least)
    }

    /// Creates a cache in one part, so that one entry may use all of the capacity.
    fn cache(self) -> Cache<u128, Arc<Entry>, Self, BuildHasherDefault<KeyIsHash>, DropLater> {
        let mut options = OptionsBuilder::new();
        // An entry may have at most the weight that is reserved for entries in use.
        options.shards(1).hot_allocation(1.0).weight_capacity(self.capacity);
        options.estimated_items_capacity(usize::try_from(self.max).unwrap_or(usize::MAX).min(1_024));
        let hasher = BuildHasherDefault::default();
        match options.build() {
            Ok(options) => Cache::with_options(options, self, hasher, DropLater),
            // Unreachable: all options that have no default are set.
            Err(_) => Cache::with(1_024, self.capacity, self, hasher, DropLater),
        }
    }
}

impl Weighter<u128, Arc<Entry>> for Weights {
    fn weight(&self, _: &u128, entry: &Arc<Entry>) -> u64 {
        self.of(entry.bytes)
    }
}

/// Drops evicted entries once the cache is unlocked: the destructor of an answer is the user's code.
#[derive(Clone)]
struct DropLater;

impl Lifecycle<u128, Arc<Entry>> for DropLater {
    type RequestState = Vec<Arc<Entry>>;

    fn begin_request(&self) -> Vec<Arc<Entry>> {
        Vec::new()
    }

    fn on_evict(&self, evicted: &mut Vec<Arc<Entry>>, _: u128, entry: Arc<Entry>) {
        evicted.push(entry);
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
