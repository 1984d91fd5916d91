//! How many last good answers are kept, for how long, and for whom.

use std::time::Duration;

use crate::schema::settings;
use crate::{Form, Problem};

/// Who may be served an answer that was kept.
///
/// ```
/// use resilient_runtime::policy::{CacheSettings, Scope};
///
/// assert_eq!(CacheSettings::new().scope, Scope::Caller);
/// assert_ne!(CacheSettings::new().scope(Scope::Shared), CacheSettings::new());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Scope {
    /// Only the caller that it was made for. Without a known caller nothing is kept or served.
    #[default]
    Caller,
    /// Every caller with the same arguments.
    Shared,
}

settings! {
    /// The settings of a tool's last good answers. They are never read first: only `fallback = cached` serves them.
    ///
    /// ```
    /// use std::time::Duration;
    /// use resilient_runtime::Policy;
    /// use resilient_runtime::policy::{CacheSettings, Source};
    ///
    /// let kept = CacheSettings::new().max_age(Duration::from_secs(600)).max(500);
    /// let policy = Policy::new().fallback(&[Source::Cache]).cache(kept);
    /// assert_eq!(policy.cache.unwrap().max, 500);
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct CacheSettings, "cache" {
        /// How old an answer may be when it is served. Default 1 h.
        max_age: Duration = Duration::from_secs(60 * 60), Form::DURATION;
        /// How many answers are kept. Default 1,024.
        max: u32 = 1_024, Form::COUNT;
        /// Which callers an answer may be served to. Default [`Scope::Caller`].
        scope: Scope = Scope::Caller, Form::Word("scope", Scope::WORDS), only_in_code;
    }
}

impl CacheSettings {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self::DEFAULTS
    }

    fn rules(&self, found: &mut Vec<Problem>) {
        if self.max_age.is_zero() {
            found.push(Problem::new("cache.max_age", "an answer of no age can never be served"));
        }
        if self.max == 0 {
            found.push(Problem::new("cache.max", "a cache of no entries keeps nothing; remove it"));
        }
    }
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self::new()
    }
}
