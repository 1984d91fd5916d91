//! A set of kinds: what a policy retries.

use std::fmt;

use crate::ErrorKind;

/// A set of kinds, small enough to sit in a `const`.
///
/// ```
/// use resilient_runtime::ErrorKind;
/// use resilient_runtime::policy::KindSet;
///
/// let kinds = KindSet::RETRYABLE.with(ErrorKind::Conflict);
/// assert!(kinds.contains(ErrorKind::Timeout) && kinds.contains(ErrorKind::Conflict));
/// assert!(!kinds.contains(ErrorKind::NotFound));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KindSet(u32);

impl KindSet {
    /// No kind at all.
    pub const EMPTY: Self = Self(0);

    /// The kinds that [`ErrorKind::is_retryable`] names.
    pub const RETRYABLE: Self = Self::EMPTY
        .with(ErrorKind::RateLimited)
        .with(ErrorKind::Timeout)
        .with(ErrorKind::Connection)
        .with(ErrorKind::Unavailable);

    /// The kinds that a policy may retry: the others would be no better the second time, or are
    /// refusals that a retry only makes worse.
    pub const REPEATABLE: Self =
        Self::RETRYABLE.with(ErrorKind::BadResponse).with(ErrorKind::Conflict).with(ErrorKind::Internal);

    /// The set with `kind` in it.
    #[must_use]
    pub const fn with(self, kind: ErrorKind) -> Self {
        Self(self.0 | 1 << kind as u32)
    }

    /// Whether `kind` is in the set.
    #[must_use]
    pub const fn contains(self, kind: ErrorKind) -> bool {
        self.0 & (1 << kind as u32) != 0
    }
}

impl fmt::Display for KindSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = ErrorKind::ALL.iter().filter(|kind| self.contains(**kind));
        f.write_str(&kinds.map(|kind| kind.as_str()).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_retryable_set_is_the_retryable_column() {
        for kind in ErrorKind::ALL {
            assert_eq!(KindSet::RETRYABLE.contains(*kind), kind.is_retryable(), "{kind}");
        }
    }
}
