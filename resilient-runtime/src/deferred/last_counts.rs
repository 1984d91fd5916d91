//! The last counts of a store. Exporters read them, because an export must not wait for a store.

use std::sync::{Mutex, PoisonError};

use super::store::Counts;
use super::time::Timestamp;

/// The entries of this server as they were counted last.
#[derive(Debug, Default)]
pub(crate) struct LastCounts(Mutex<Option<(Counts, Timestamp)>>);

impl LastCounts {
    /// Replaces the counts by newer ones.
    pub(crate) fn set(&self, counts: Counts, at: Timestamp) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|(_, known)| known <= at) {
            *last = Some((counts, at));
        }
    }

    /// Returns the counts and their time, unless none were set yet.
    pub(crate) fn get(&self) -> Option<(Counts, Timestamp)> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
