//! Answers whose meaning cannot be derived from the type alone.

use crate::answer::Meaning;

/// How to interpret answers whose meaning the type alone does not show, such as the results of `#[tool]`.
#[derive(Debug)]
pub struct Special<R> {
    /// Returns the meaning of an answer, if its type alone does not show it.
    pub(crate) read: Option<fn(&R) -> Option<Meaning>>,
    /// Creates an answer in which the tool itself reports a failure, if the type has one.
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
    /// Reads answers with this function instead.
    #[must_use]
    pub const fn with_read(mut self, read: fn(&R) -> Option<Meaning>) -> Self {
        self.read = Some(read);
        self
    }

    /// Returns the meaning of an answer, if the type alone does not show it.
    pub fn read(&self, answer: &R) -> Option<Meaning> {
        self.read?(answer)
    }

    /// For types that show the whole meaning.
    pub const NONE: Self = Self {
        read: None,
        #[cfg(feature = "testing")]
        own_error: |_| None,
    };
}
