//! The last good answers of a function.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use resilient_policy::CacheSettings;
use tokio::time::Instant;

/// A limit for the lifetime of entries: moka panics at more than a thousand years.
const LONGEST_AGE: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The cached responses of one function, shared by its clones.
#[derive(Clone)]
pub(crate) struct Answers {
    responses: Cache<u128, CachedResponse>,
    settings: CacheSettings,
}

#[derive(Clone)]
struct CachedResponse {
    answer: Arc<dyn Any + Send + Sync>,
    at: Instant,
}

impl Answers {
    pub(crate) fn new(settings: CacheSettings) -> Self {
        // Moka's expiry uses the wall clock and only frees memory. The age on the Tokio clock, which the rest of the
        // call uses, decides what is served.
        let responses = Cache::builder()
            .max_capacity(settings.max.into())
            .time_to_live(settings.longest_stale_if_error().min(LONGEST_AGE))
            .build();
        Self { responses, settings }
    }

    pub(crate) fn insert(&self, key: u128, answer: Arc<dyn Any + Send + Sync>) {
        self.responses.insert(key, CachedResponse { answer, at: Instant::now() });
    }

    pub(crate) fn find(&self, key: u128) -> Option<(Arc<dyn Any + Send + Sync>, Duration)> {
        let cached = self.responses.get(&key)?;
        let age = cached.at.elapsed();
        (age <= self.settings.longest_stale_if_error()).then_some((cached.answer, age))
    }

    pub(crate) fn remove(&self, key: u128) {
        self.responses.invalidate(&key);
    }
}
