//! Caches the value that was last made from a file.

use std::sync::{Arc, Mutex, PoisonError};

/// The last value and its input. In an editor, the process outlives changes of the file.
pub(crate) struct Latest<I, T>(Mutex<Option<(I, Arc<T>)>>);

impl<I: PartialEq, T> Latest<I, T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Returns the last value if it was made from the same input. Otherwise makes it.
    pub(crate) fn get(&self, input: I, make: impl FnOnce(&I) -> T) -> Arc<T> {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, value)) = &*latest
            && *of == input
        {
            return Arc::clone(value);
        }
        let value = Arc::new(make(&input));
        *latest = Some((input, Arc::clone(&value)));
        value
    }
}
