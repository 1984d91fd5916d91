//! Answers whose type alone does not show what they mean.

use crate::answer::Meaning;

/// What is done with an answer of a kind that its type alone does not show, such as `#[tool]`'s own results.
#[derive(Debug)]
pub struct Special<R> {
    /// Reads it.
    pub(crate) read: fn(&R) -> Option<Meaning>,
    /// Makes a tool's own account of a failure, where the type has one.
    #[cfg(feature = "testing")]
    pub(crate) own_error: fn(&str) -> Option<R>,
}

impl<R> Clone for Special<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Special<R> {}

impl<R> Special<R> {
    /// Of a type that shows all that there is.
    pub const NONE: Self = Self {
        read: |_| None,
        #[cfg(feature = "testing")]
        own_error: |_| None,
    };
}
