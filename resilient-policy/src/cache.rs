//! The settings of a tool's cache: how many successful answers are kept, for how long, and for which callers.

use std::time::Duration;

use crate::form::Form;
use crate::problem::Problem;
use crate::schema::settings;
use crate::setting::Scope;

settings! {
    /// The settings of a tool's cache of successful answers.
    ///
    /// The cache is not read before a call: only `fallback = cached` serves from it.
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
    pub struct CacheSettings, "cache"
    where expected = "settings in brackets: `cache(max_age = \"1h\", max = 1024)`"
    {
        /// The maximum age of a served answer. Default 1 h.
        max_age: Duration = Duration::from_secs(60 * 60), Form::DURATION => ", up to {} old";
        /// The maximum number of cached answers. Default 1,024.
        max: u32 = 1_024, Form::COUNT;
        /// The callers to which an answer may be served. Default [`Scope::Caller`].
        scope: Scope = Scope::Caller, Form::Word("scope", Scope::WORDS), only_in_code;
    }
}

impl CacheSettings {
    /// Returns the default settings.
    #[must_use]
    pub const fn new() -> Self {
        Self::DEFAULTS
    }

    /// Checks the rules between the values.
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
