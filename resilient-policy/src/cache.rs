//! The settings of a tool's cache: how many answers, for how long each use may serve them, and for which callers.

use std::time::Duration;

use crate::duration::format_duration;
use crate::form::Form;
use crate::problem::Problem;
use crate::schema::{Parts, Settings, settings};
use crate::setting::Scope;

settings! {
    /// The settings of a tool's cache of successful answers.
    ///
    /// The words are those of HTTP caches (RFC 9111 and RFC 5861). Each age is counted from the moment at which the
    /// answer was computed, and each is longer than the one before it:
    ///
    /// | age of the cached answer | effect |
    /// |---|---|
    /// | up to `fresh` | it is the answer, and the body does not run |
    /// | up to `stale_while_revalidate` | it is the answer, and the body runs in the background to replace it |
    /// | up to `stale_if_error` | the body runs, and `fallback = cached` serves the cached answer if no attempt succeeds |
    ///
    /// Without `fresh`, no call reads the cache before its body runs.
    ///
    /// ```
    /// use std::time::Duration;
    /// use resilient_runtime::Policy;
    /// use resilient_runtime::policy::{CacheSettings, Source};
    ///
    /// let cache = CacheSettings::new().fresh(Duration::from_secs(30)).max_bytes(16 * 1024 * 1024);
    /// let policy = Policy::new().fallback(&[Source::Cache]).cache(cache);
    /// assert_eq!(policy.cache.unwrap().stale_if_error, Duration::from_secs(3600));
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct CacheSettings, "cache"
    where expected = "settings in brackets: `cache(fresh = \"30s\", max = 1024)`"
    {
        /// The age up to which a cached answer is served instead of running the body, as `max-age` of RFC 9111. Up to 10 %
        /// of it is subtracted at random for each answer, so that answers do not expire at the same moment. Concurrent
        /// calls with the same key share one run of the body. Default none: each call runs the body.
        fresh: Duration | None = None, Form::DURATION;
        /// The age up to which a cached answer that is no longer fresh is served while the body runs once in the
        /// background to replace it. RFC 5861 counts this time from the end of `fresh`; here it is an age too, so it
        /// includes `fresh`. Requires `fresh`. Default none: a call after `fresh` runs the body.
        stale_while_revalidate: Duration | None = None, Form::DURATION;
        /// The age up to which `fallback = cached` serves a cached answer if no attempt succeeds, as in RFC 5861. Default
        /// 1 h, or the longest of the other ages if that is more; see [`CacheSettings::longest_stale_if_error`].
        stale_if_error: Duration = Self::DEFAULT_STALE_IF_ERROR, Form::DURATION;
        /// The maximum number of cached answers. Default 1,024.
        max: u32 = 1_024, Form::COUNT;
        /// The maximum size of all cached answers of the function together in bytes, at least 1 KiB (1,024). An answer
        /// that is larger is not cached. Default 64 MiB.
        max_bytes: u64 = 64 * 1024 * 1024, Form::Bytes(1024);
        /// The callers to which an answer may be served. Default [`Scope::Caller`].
        scope: Scope = Scope::Caller, Form::Word("scope", Scope::WORDS), only_in_code;
    }
}

impl CacheSettings {
    /// The default age up to which a fallback serves an answer.
    const DEFAULT_STALE_IF_ERROR: Duration = Duration::from_secs(60 * 60);

    /// Returns the default settings.
    #[must_use]
    pub const fn new() -> Self {
        Self::DEFAULTS
    }

    /// Returns the age up to which a fallback serves a cached answer: the longest of the three ages.
    ///
    /// ```
    /// use std::time::Duration;
    /// use resilient_runtime::policy::CacheSettings;
    ///
    /// let day = Duration::from_secs(24 * 60 * 60);
    /// assert_eq!(CacheSettings::new().fresh(day).longest_stale_if_error(), day);
    /// ```
    #[must_use]
    pub fn longest_stale_if_error(&self) -> Duration {
        self.longest_without_error().map_or(self.stale_if_error, |longest| longest.max(self.stale_if_error))
    }

    /// Returns the age up to which a cached answer is served without an error: the longer of `fresh` and
    /// `stale_while_revalidate`, or `None` without either.
    #[must_use]
    pub fn longest_without_error(&self) -> Option<Duration> {
        self.fresh.max(self.stale_while_revalidate)
    }

    /// Checks the rules between the values.
    fn rules(&self, found: &mut Vec<Problem>) {
        for (path, age) in [
            ("cache.fresh", self.fresh),
            ("cache.stale_while_revalidate", self.stale_while_revalidate),
            ("cache.stale_if_error", Some(self.stale_if_error)),
        ] {
            if age == Some(Duration::ZERO) {
                found.push(Problem::new(path, "an answer of no age can never be served"));
            }
        }
        if self.max == 0 {
            found.push(Problem::new("cache.max", "a cache of no entries keeps nothing; remove it"));
        }
        let is_written = self.stale_if_error != Self::DEFAULT_STALE_IF_ERROR;
        found.extend(order(self.fresh, self.stale_while_revalidate, is_written.then_some(self.stale_if_error)));
    }
}

/// Checks the order of the ages. Only ages that were written are compared, and zero is reported as another mistake.
fn order(fresh: Option<Duration>, revalidate: Option<Duration>, on_error: Option<Duration>) -> Option<Problem> {
    const COUNTED: &str = "each age is counted from the moment at which the answer was computed";
    let written = |age: Option<Duration>| age.filter(|age| !age.is_zero());
    let [fresh, revalidate, on_error] = [fresh, revalidate, on_error].map(written);
    if let (Some(fresh), Some(revalidate)) = (fresh, revalidate)
        && revalidate <= fresh
    {
        let [revalidate, fresh] = [revalidate, fresh].map(format_duration);
        let message = format!(
            "`stale_while_revalidate` ({revalidate}) must be longer than `fresh` ({fresh}): {COUNTED}, and an answer is \
             stale after `fresh`"
        );
        return Some(Problem::new("cache.stale_while_revalidate", message));
    }
    let (longest, name) = match (fresh, revalidate) {
        (_, Some(revalidate)) => (revalidate, "stale_while_revalidate"),
        (Some(fresh), None) => (fresh, "fresh"),
        (None, None) => return None,
    };
    let on_error = on_error.filter(|on_error| *on_error < longest)?;
    let [on_error, longest] = [on_error, longest].map(format_duration);
    let message = format!(
        "`stale_if_error` ({on_error}) must be at least `{name}` ({longest}): {COUNTED}, and up to `{name}` it is served \
         without an error"
    );
    Some(Problem::new("cache.stale_if_error", message))
}

/// Checks what only the written parts show: the order of the ages, and whether a fallback uses `stale_if_error`.
///
/// [`check`](crate::check()) sees values, and cannot distinguish a `stale_if_error` of one hour from its default.
#[must_use]
pub fn check_cache_parts<L>(parts: &Parts<L>, falls_back_on_cache: bool) -> Option<Problem> {
    let settings = CacheSettings::of(parts);
    let on_error = parts.has("stale_if_error").then_some(settings.stale_if_error);
    // Without `fresh` as well, nothing reads the cache, which is another mistake.
    if on_error.is_some() && !falls_back_on_cache && settings.fresh.is_some() {
        let message = "only `fallback = cached` serves an answer after an error; add it, or remove `stale_if_error`";
        return Some(Problem::new("cache.stale_if_error", message));
    }
    // `check` compares any other value.
    let on_error = on_error.filter(|on_error| *on_error == CacheSettings::DEFAULT_STALE_IF_ERROR);
    order(settings.fresh, settings.stale_while_revalidate, on_error)
        .filter(|found| found.path == "cache.stale_if_error")
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Written;
    use crate::setting::Setting;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn paths(settings: CacheSettings) -> Vec<&'static str> {
        let mut found = Vec::new();
        settings.problems(&mut found);
        found.iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn each_age_that_is_written_is_longer_than_the_one_before_it() {
        let fresh = CacheSettings::new().fresh(s(30));
        let both = fresh.stale_while_revalidate(s(300));
        for settings in [fresh, both, both.stale_if_error(s(300)), fresh.fresh(s(90_000)), CacheSettings::new()] {
            assert_eq!(paths(settings), Vec::<&str>::new(), "{settings:?}");
        }
        assert_eq!(paths(fresh.stale_while_revalidate(s(30))), ["cache.stale_while_revalidate"]);
        assert_eq!(paths(both.stale_if_error(s(299))), ["cache.stale_if_error"]);
        assert_eq!(paths(fresh.stale_if_error(s(29))), ["cache.stale_if_error"]);
        // An age of zero is one mistake.
        assert_eq!(paths(both.fresh(s(0))), ["cache.fresh"]);
        assert_eq!(paths(both.stale_if_error(s(0))), ["cache.stale_if_error"]);
    }

    #[test]
    fn an_age_that_is_not_written_is_at_least_the_others() {
        let day = s(24 * 60 * 60);
        assert_eq!(CacheSettings::new().longest_stale_if_error(), s(3600));
        assert_eq!(CacheSettings::new().longest_without_error(), None);
        let settings = CacheSettings::new().fresh(s(60)).stale_while_revalidate(day);
        assert_eq!((settings.longest_without_error(), settings.longest_stale_if_error()), (Some(day), day));
    }

    #[test]
    fn the_bounds_are_above_zero_and_the_bytes_hold_an_answer() {
        assert_eq!(paths(CacheSettings::new().max(0).max_bytes(0)), ["cache.max", "cache.max_bytes"]);
        assert_eq!(paths(CacheSettings::new().max_bytes(1023)), ["cache.max_bytes"]);
        assert_eq!(paths(CacheSettings::new().max_bytes(1024)), Vec::<&str>::new());
    }

    #[test]
    fn a_written_age_is_distinguished_from_the_default() {
        let hour = s(60 * 60);
        let parts = |fresh| {
            let part = |name, path, age| Written { name, path, value: Setting::Duration(age), location: () };
            Parts(vec![part("fresh", "cache.fresh", fresh), part("stale_if_error", "cache.stale_if_error", hour)])
        };
        assert_eq!(check_cache_parts(&parts(hour), true), None);
        let path = |found: Option<Problem>| found.map(|problem| problem.path);
        assert_eq!(path(check_cache_parts(&parts(2 * hour), true)), Some("cache.stale_if_error"));
        assert_eq!(path(check_cache_parts(&parts(hour), false)), Some("cache.stale_if_error"));
    }
}
