//! The last good answers of a function.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use resilient_policy::CacheSettings;
use tokio::time::Instant;

/// A limit for the lifetime of entries: moka panics at more than a thousand years.
const LONGEST_KEPT: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The cached responses of one function.
pub(crate) struct Answers {
    kept: Cache<u128, Kept>,
    settings: CacheSettings,
}

#[derive(Clone)]
struct Kept {
    answer: Arc<dyn Any + Send + Sync>,
    at: Instant,
}

impl Answers {
    pub(crate) fn new(settings: CacheSettings) -> Self {
        // Moka's expiry uses the wall clock and only frees memory. The age on the Tokio clock, which the rest of the
        // call uses, decides what is served.
        let kept =
            Cache::builder().max_capacity(settings.max.into()).time_to_live(settings.max_age.min(LONGEST_KEPT)).build();
        Self { kept, settings }
    }

    pub(crate) fn keep(&self, key: u128, answer: Arc<dyn Any + Send + Sync>) {
        self.kept.insert(key, Kept { answer, at: Instant::now() });
    }

    pub(crate) fn find(&self, key: u128) -> Option<(Arc<dyn Any + Send + Sync>, Duration)> {
        let kept = self.kept.get(&key)?;
        let age = kept.at.elapsed();
        (age <= self.settings.max_age).then_some((kept.answer, age))
    }

    pub(crate) fn forget(&self, key: u128) {
        self.kept.invalidate(&key);
    }
}
