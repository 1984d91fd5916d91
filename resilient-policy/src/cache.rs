//! How many last good answers are kept, for how long, and for whom.

use std::time::Duration;

use crate::Problem;

/// Who may be served an answer that was kept.
///
/// ```
/// use resilient_runtime::policy::{CacheSettings, Scope};
///
/// assert_eq!(CacheSettings::new().scope, Scope::Caller);
/// assert_eq!(Scope::from_name("shared"), Some(Scope::Shared));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// Only the caller that it was made for. Without a known caller nothing is kept or served.
    #[default]
    Caller,
    /// Anybody who calls with the same arguments.
    Shared,
}

impl Scope {
    /// The words of the attribute.
    pub const NAMES: &'static [&'static str] = &["caller", "shared"];

    /// The scope of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "caller" => Some(Self::Caller),
            "shared" => Some(Self::Shared),
            _ => None,
        }
    }
}

/// The settings of a tool's last good answers. They are never read first: only
/// `fallback = cached` serves them.
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
#[non_exhaustive]
pub struct CacheSettings {
    /// How old an answer may be when it is served. Default 1 h.
    pub max_age: Duration,
    /// How many answers are kept. Default 1,024.
    pub max: u32,
    /// Who may be served. Default [`Scope::Caller`].
    pub scope: Scope,
}

impl CacheSettings {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self { max_age: Duration::from_secs(60 * 60), max: 1024, scope: Scope::Caller }
    }

    /// Sets how old an answer may be when it is served.
    #[must_use]
    pub const fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    /// Sets how many answers are kept.
    #[must_use]
    pub const fn max(mut self, max: u32) -> Self {
        self.max = max;
        self
    }

    /// Sets who may be served.
    #[must_use]
    pub const fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    pub(crate) fn problems(&self, found: &mut Vec<Problem>) {
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
