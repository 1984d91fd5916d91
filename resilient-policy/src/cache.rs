//! The settings of a tool's cache: which answers are kept, for how long each use may serve them, and for which callers.

use std::time::Duration;

use crate::duration::format_duration;
use crate::form::Form;
use crate::problem::Problem;
use crate::schema::{Parts, Settings, settings};
use crate::setting::{Scope, Setting};

settings! {
    /// The settings of a tool's cache of successful answers.
    ///
    /// The words are those of HTTP caches (RFC 9111, RFC 5861). All three ages are counted from the moment at which the
    /// answer was computed, and each is longer than the one before it:
    ///
    /// | age of the kept answer | effect |
    /// |---|---|
    /// | up to `fresh` | it is the answer, and the body does not run |
    /// | up to `stale_while_revalidate` | it is the answer, and the body runs in the background to replace it |
    /// | up to `stale_if_error` | the body runs; `fallback = cached` serves the kept answer if it fails |
    ///
    /// Without `fresh`, no call reads the cache before its body runs.
    ///
    /// ```
    /// use std::time::Duration;
    /// use resilient_runtime::Policy;
    /// use resilient_runtime::policy::{CacheSettings, Source};
    ///
    /// let kept = CacheSettings::new().fresh(Duration::from_secs(30)).max_bytes(16 * 1024 * 1024);
    /// let policy = Policy::new().fallback(&[Source::Cache]).cache(kept);
    /// assert_eq!(policy.cache.unwrap().stale_if_error, Duration::from_secs(3600));
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct CacheSettings, "cache"
    where expected = "settings in brackets: `cache(fresh = \"30s\", max = 1024)`"
    {
        /// The age up to which a kept answer is served instead of running the body. Concurrent calls with the same key
        /// then share one run of the body. This is `max-age` of RFC 9111, less up to 10 % jitter. Default none: each
        /// call runs the body.
        fresh: Duration | None = None, Form::DURATION;
        /// The age up to which a kept answer that is no longer fresh is served while the body runs once in the
        /// background to replace it. RFC 5861 counts this time from the end of freshness, this setting from the moment
        /// at which the answer was computed. Needs `fresh`. Default none: each call after `fresh` runs the body.
        stale_while_revalidate: Duration | None = None, Form::DURATION;
        /// The age up to which `fallback = cached` serves a kept answer if no attempt succeeds, as in RFC 5861. Default
        /// 1 h, or the longer of the other two ages; see [`CacheSettings::longest_stale_if_error`].
        stale_if_error: Duration = Self::DEFAULT_STALE_IF_ERROR, Form::DURATION;
        /// The maximum number of kept answers. Default 1,024.
        max: u32 = 1_024, Form::COUNT;
        /// The maximum size of all kept answers together in bytes, at least 1 KiB. An answer that is larger is not
        /// kept. Default 64 MiB.
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

    /// Returns the age up to which a fallback serves a kept answer: `stale_if_error`, or the longer of the other two
    /// ages if that exceeds it.
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

    /// Returns the age up to which a kept answer is served without an error: the longer of `fresh` and
    /// `stale_while_revalidate`. Returns `None` without either.
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
        if self.max_bytes == 0 {
            found.push(Problem::new("cache.max_bytes", "a cache of no bytes keeps nothing; remove it"));
        }
        let is_written = self.stale_if_error != Self::DEFAULT_STALE_IF_ERROR;
        found.extend(order(self.fresh, self.stale_while_revalidate, is_written.then_some(self.stale_if_error)));
    }
}

/// Checks that the ages that were written are in their order. Ages of zero are another mistake.
fn order(fresh: Option<Duration>, revalidate: Option<Duration>, on_error: Option<Duration>) -> Option<Problem> {
    let written = |name: &'static str, age: Option<Duration>| age.filter(|age| !age.is_zero()).map(|age| (name, age));
    let fresh = written("fresh", fresh);
    let revalidate = written("stale_while_revalidate", revalidate);
    let counted = "all ages are counted from the moment at which the answer was computed";
    if let (Some((_, fresh)), Some((_, stale))) = (fresh, revalidate)
        && stale <= fresh
    {
        let [stale, fresh] = [stale, fresh].map(format_duration);
        let message = format!(
            "no answer is stale before this age: `stale_while_revalidate` ({stale}) must be longer than `fresh` \
             ({fresh}), as {counted}"
        );
        return Some(Problem::new("cache.stale_while_revalidate", message));
    }
    let (_, on_error) = written("stale_if_error", on_error)?;
    let (name, longest) = revalidate.or(fresh).filter(|(_, age)| *age > on_error)?;
    let [on_error, longest] = [on_error, longest].map(format_duration);
    let message = format!(
        "answers are served for longer without an error: `stale_if_error` ({on_error}) must be at least `{name}` \
         ({longest}), as {counted}"
    );
    Some(Problem::new("cache.stale_if_error", message))
}

/// Checks the order of the ages that are written. [`check`](crate::check()) cannot distinguish a written
/// `stale_if_error` from its default.
#[must_use]
pub fn check_cache_parts<L>(parts: &Parts<L>) -> Option<Problem> {
    let age = |name| match parts.get(name)?.value {
        Setting::Duration(age) => Some(age),
        _ => None,
    };
    let settings = CacheSettings::of(parts);
    order(settings.fresh, settings.stale_while_revalidate, age("stale_if_error"))
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self::new()
    }
}
