//! A set of kinds.

use std::fmt;

use super::ErrorKind;
use crate::suggest::one_of;

/// A set of kinds that can be built in a `const`, such as the kinds that a policy retries.
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
    /// The empty set.
    pub const EMPTY: Self = Self(0);

    /// The kinds for which [`ErrorKind::is_retryable`] is true.
    pub const RETRYABLE: Self = Self::EMPTY
        .with(ErrorKind::RateLimited)
        .with(ErrorKind::Timeout)
        .with(ErrorKind::Connection)
        .with(ErrorKind::Unavailable);

    /// The kinds that any policy may retry. A retry after any other kind would fail again, or add to the load that
    /// caused a rejection.
    pub const REPEATABLE: Self =
        Self::RETRYABLE.with(ErrorKind::BadResponse).with(ErrorKind::Conflict).with(ErrorKind::Internal);

    /// The kinds that a policy may retry if a function runs before each retry, which can renew the credentials.
    pub(crate) const REPEATABLE_AFTER_RENEWAL: Self = Self::REPEATABLE.with(ErrorKind::Unauthenticated);

    /// Returns the set with `kind` added.
    #[must_use]
    pub const fn with(self, kind: ErrorKind) -> Self {
        Self(self.0 | 1 << kind as u32)
    }

    /// Returns whether the set contains `kind`.
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

/// Adds the kind of this name to the retried kinds.
///
/// # Errors
/// Returns a sentence that says what is wrong: the kind is unknown, cannot be retried, or is in the set already.
///
/// ```
/// use resilient_policy::{ErrorKind, KindSet, retried_kind};
///
/// let kinds = retried_kind("timeout", KindSet::EMPTY).unwrap();
/// assert!(kinds.contains(ErrorKind::Timeout));
/// assert!(retried_kind("not_found", kinds).is_err());
/// ```
pub fn retried_kind(name: &str, so_far: KindSet) -> Result<KindSet, String> {
    let repeatable = || -> Vec<&str> {
        let kinds = ErrorKind::ALL.iter().filter(|kind| KindSet::REPEATABLE.contains(**kind));
        kinds.map(|kind| kind.as_str()).collect()
    };
    match name.parse::<ErrorKind>() {
        Ok(kind) if so_far.contains(kind) => Err(format!("`{name}` stands here a second time")),
        // Only the whole policy shows whether a function runs before each retry.
        Ok(kind) if KindSet::REPEATABLE_AFTER_RENEWAL.contains(kind) => Ok(so_far.with(kind)),
        Ok(_) => Err(format!("an error of kind `{name}` cannot be retried{}", one_of("", &repeatable()))),
        Err(_) => Err(format!("unknown kind `{name}`{}", one_of(name, &repeatable()))),
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
