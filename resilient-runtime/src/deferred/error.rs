//! Errors of stores.

use std::error::Error;
use std::fmt;

/// Why a store could not do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The arguments are larger than [`Bounds::arguments`](super::Bounds::arguments).
    TooLarge,
    /// The store has as many entries or bytes as it may have, or its disk is full.
    Full,
    /// Another client of the store blocked it for too long. It may work later.
    Busy,
    /// The store can be read but not written.
    ReadOnly,
    /// The data of the store is damaged.
    Corrupt,
    /// The store cannot be reached, or reading or writing it failed.
    Unavailable,
}

impl StoreErrorKind {
    /// Returns the word used in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Full => "full",
            Self::Busy => "busy",
            Self::ReadOnly => "read_only",
            Self::Corrupt => "corrupt",
            Self::Unavailable => "unavailable",
        }
    }
}

/// An error of a [`DeferredStore`](super::DeferredStore). Its text contains no arguments and no principal.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// Creates an error.
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
