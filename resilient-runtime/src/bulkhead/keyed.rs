//! Bulkheads per partition key, up to a maximum number of keys.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use resilient_policy::BulkheadSettings;

use super::Bulkhead;

/// The bulkheads of one policy: one for calls without a key, and one per key.
pub(crate) struct Bulkheads {
    plain: Arc<Bulkhead>,
    by_key: Mutex<HashMap<u128, Arc<Bulkhead>>>,
    overflow: OnceLock<Arc<Bulkhead>>,
}

impl Bulkheads {
    pub(crate) fn new(settings: BulkheadSettings) -> Self {
        Self { plain: Arc::new(Bulkhead::with(settings)), by_key: Mutex::default(), overflow: OnceLock::new() }
    }

    pub(crate) fn settings(&self) -> BulkheadSettings {
        self.plain.settings()
    }

    /// Replaces the settings of all bulkheads, which keep their permits.
    #[cfg(feature = "config")]
    pub(crate) fn adjust(&self, settings: BulkheadSettings) {
        // Under the lock, so that no bulkhead is created with the old settings afterwards.
        let by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        let all = by_key.values().chain(self.overflow.get()).chain([&self.plain]);
        all.for_each(|bulkhead| bulkhead.adjust(settings));
    }

    /// Returns the bulkhead of this key. If there are too many, unused bulkheads are removed. If all are in use, the
    /// key gets the bulkhead that all further keys share.
    pub(crate) fn get(&self, key: Option<u128>) -> Arc<Bulkhead> {
        let Some(key) = key else { return Arc::clone(&self.plain) };
        let mut by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = by_key.get(&key) {
            return Arc::clone(found);
        }
        let most = self.settings().max_keys.max(1) as usize;
        if by_key.len() >= most {
            // Every caller holds its `Arc`, and an unused bulkhead has no state.
            by_key.retain(|_, bulkhead| Arc::strong_count(bulkhead) > 1);
        }
        let fresh = || Arc::new(Bulkhead::with(self.settings()));
        if by_key.len() >= most {
            return Arc::clone(self.overflow.get_or_init(fresh));
        }
        Arc::clone(by_key.entry(key).or_insert_with(fresh))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 1_024;

    #[test]
    fn what_is_busy_stays_and_what_is_not_makes_room() {
        let bulkheads = Bulkheads::new(BulkheadSettings::new(1));
        let busy: Vec<_> = (0..MOST as u128).map(|key| bulkheads.get(Some(key))).collect();
        let first = bulkheads.get(Some(5_000));
        let second = bulkheads.get(Some(5_001));
        assert!(Arc::ptr_eq(&first, &second), "these share one");
        assert!(Arc::ptr_eq(&busy[7], &bulkheads.get(Some(7))), "those keep theirs");
        drop(busy);
        assert!(!Arc::ptr_eq(&first, &bulkheads.get(Some(5_000))));
        for key in 0..1_000_000 {
            bulkheads.get(Some(key));
        }
        assert!(bulkheads.by_key.lock().unwrap().len() <= MOST);
    }
}
