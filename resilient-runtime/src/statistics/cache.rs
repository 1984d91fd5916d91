//! The counters of the cache of a function.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::cache_line::CELLS;
use super::histogram;
use super::sharded::Sharded;
use crate::outcomes::CacheResult;

/// Durations, in the shortest bucket, of the calls that a fresh answer ended at once. Such a call is a hit and a good call
/// of the function, and is counted here alone.
const AT_ONCE: usize = CacheResult::ALL.len();
const COUNTERS: usize = AT_ONCE + histogram::SHORTEST;

const _: () = assert!(COUNTERS <= CELLS);

/// The counters of the cache of a function.
pub(crate) struct CacheStatistics {
    counts: Sharded<COUNTERS>,
    /// The size of the kept answers.
    pub(crate) bytes: AtomicU64,
    /// Whether calls look for a kept answer before they run.
    pub(crate) is_read_first: AtomicBool,
}

impl CacheStatistics {
    pub(super) const fn new() -> Self {
        Self { counts: Sharded::new(), bytes: AtomicU64::new(0), is_read_first: AtomicBool::new(false) }
    }

    pub(crate) fn add(&self, result: CacheResult) {
        self.counts.add(result as usize, 1);
    }

    /// Counts a fresh answer that has ended its call after `micros` microseconds. Returns `false` if that is too long.
    #[cfg(feature = "cache")]
    #[inline]
    pub(super) fn hit_at_once(&self, micros: u64) -> bool {
        self.counts.line().is_some_and(|line| line.record_shortest(AT_ONCE, micros))
    }

    /// Returns the number of calls that a fresh answer ended at once, and the sum of their durations in microseconds.
    pub(super) fn hits_at_once(&self) -> (u64, u64) {
        self.counts.shortest(AT_ONCE)
    }

    pub(super) fn read(&self, hits_at_once: u64) -> CacheSnapshot {
        let counted_once = |result: CacheResult| if result == CacheResult::Hit { hits_at_once } else { 0 };
        let results = if self.is_read_first.load(Ordering::Relaxed) { CacheResult::ALL } else { &[] };
        CacheSnapshot {
            results: results
                .iter()
                .map(|&result| (result, self.counts.sum(result as usize) + counted_once(result)))
                .collect(),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

/// A snapshot of the counters of a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheSnapshot {
    /// The number of calls by what the cache had for them. Empty without `fresh`, since no call reads the cache first
    /// then.
    pub results: Vec<(CacheResult, u64)>,
    /// The size of all kept answers in bytes.
    pub bytes: u64,
}

impl CacheSnapshot {
    /// Returns the number of calls with this result.
    #[must_use]
    pub fn result(&self, result: CacheResult) -> u64 {
        self.results.iter().find(|(each, _)| *each == result).map_or(0, |(_, count)| *count)
    }
}
