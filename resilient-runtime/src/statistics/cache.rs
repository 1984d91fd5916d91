//! The counters of the cache of a function.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::sharded::Sharded;
use crate::outcomes::CacheResult;

/// The counters of the cache of a function.
pub(crate) struct CacheStatistics {
    counts: Sharded<{ CacheResult::ALL.len() }>,
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

    pub(super) fn read(&self) -> CacheSnapshot {
        let results = if self.is_read_first.load(Ordering::Relaxed) { CacheResult::ALL } else { &[] };
        CacheSnapshot {
            results: results.iter().map(|result| (*result, self.counts.sum(*result as usize))).collect(),
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
