//! The settings of a deferred write: how often and how long its delivery is tried.

use std::time::Duration;

use crate::duration::format_duration;
use crate::form::Form;
use crate::problem::Problem;
use crate::retry::Retry;
use crate::schema::{Parts, Settings, settings};
use crate::setting::OnExhausted;

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST_DELAY: Duration = Duration::from_secs(24 * 60 * 60);
const LONGEST_TTL: Duration = Duration::from_secs(30 * 24 * 60 * 60);

settings! {
    /// How a write that was deferred is delivered later.
    ///
    /// The nominal delay before try `n` (counted from 0, from the acceptance) is `base · 2ⁿ`, at most `cap`. Jitter
    /// shortens it by up to a half.
    ///
    /// ```
    /// use resilient_runtime::policy::DeferredSettings;
    ///
    /// let settings = DeferredSettings::new();
    /// let seconds: Vec<_> = (0..8).map(|used| settings.delay(used, 1.0).as_secs()).collect();
    /// assert_eq!(seconds, [30, 60, 120, 240, 480, 960, 1800, 1800]);
    /// assert_eq!(settings.delay(0, 0.0).as_secs(), 15);
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct DeferredSettings, "deferred"
    where expected = "settings in brackets: `deferred(tries = 8, key = req.request_id)`"
    {
        /// The maximum number of tries, 1 to 100. Default 8.
        tries: u32 = 8, Form::Count(1, 100);
        /// The nominal delay before the first try; each further delay is twice as long. Default 30 s.
        base: Duration = Self::DEFAULT_BASE, Form::Duration(SHORTEST, LONGEST_DELAY);
        /// The longest delay. Default 30 min.
        cap: Duration = Duration::from_secs(30 * 60), Form::Duration(SHORTEST, LONGEST_DELAY);
        /// The time from the acceptance after which no try begins, at most 30 days. Default 24 h.
        ttl: Duration = Duration::from_secs(24 * 60 * 60), Form::Duration(SHORTEST, LONGEST_TTL);
        /// What happens if tries or time are used up. Default [`OnExhausted::DeadLetter`].
        on_exhausted: OnExhausted = OnExhausted::DeadLetter, Form::Word("end", OnExhausted::WORDS);
    }
}

impl DeferredSettings {
    /// The default delay before the first try.
    const DEFAULT_BASE: Duration = Duration::from_secs(30);

    /// Returns the default settings.
    #[must_use]
    pub const fn new() -> Self {
        Self::DEFAULTS
    }

    /// Returns the delay before the next try if `tries_used` tries were used. `random` is in `0.0..1.0`.
    ///
    /// The jitter is that of [`Retry`]: between a half and the whole of the nominal delay.
    #[must_use]
    pub fn delay(&self, tries_used: u32, random: f64) -> Duration {
        self.backoff().delay(tries_used, random)
    }

    /// Returns the nominal delays before the tries, in order.
    pub fn schedule(&self) -> impl Iterator<Item = Duration> + '_ {
        let backoff = self.backoff();
        (0..self.tries).map(move |tries_used| backoff.nominal_delay(tries_used))
    }

    const fn backoff(&self) -> Retry {
        Retry::new(1).base(self.base).cap(self.cap)
    }

    /// Checks the rules between the values.
    fn rules(&self, found: &mut Vec<Problem>) {
        if self.base <= self.cap {
            return;
        }
        let (base, cap) = (format_duration(self.base), format_duration(self.cap));
        found.push(if self.base == Self::DEFAULT_BASE {
            let message = format!(
                "the cap ({cap}) is shorter than the first delay ({base}); set a `base` of at most {cap} too, as in \
                 `base = \"{cap}\"`"
            );
            Problem::new("deferred.cap", message)
        } else {
            Problem::new("deferred.base", format!("the first delay ({base}) is longer than the cap ({cap})"))
        });
    }
}

impl Default for DeferredSettings {
    fn default() -> Self {
        Self::new()
    }
}

/// Checks what only the written parts show: that the delays reach a written `cap`, and end before a written `ttl`.
///
/// [`check`](crate::check()) sees values, and cannot distinguish a `cap` of 30 min from its default.
#[must_use]
pub fn check_deferred_parts<L>(parts: &Parts<L>) -> Vec<Problem> {
    check_deferred_schedule(&DeferredSettings::of(parts), parts.has("cap"), parts.has("ttl"))
}

fn check_deferred_schedule(settings: &DeferredSettings, has_cap: bool, has_ttl: bool) -> Vec<Problem> {
    let mut found = Vec::new();
    settings.problems(&mut found);
    if !found.is_empty() {
        // `check` reports them.
        return Vec::new();
    }
    let schedule: Vec<_> = settings.schedule().collect();
    let printed = || schedule.iter().copied().map(format_duration).collect::<Vec<_>>().join(" + ");
    let longest = schedule.last().copied().unwrap_or(settings.base);
    if has_cap && longest < settings.cap {
        found.push(Problem::new(
            "deferred.cap",
            format!(
                "no delay reaches the cap: {} tries wait {}; more `tries` or a longer `base` do, or write `\"{}\"`",
                settings.tries,
                printed(),
                format_duration(longest)
            ),
        ));
    }
    let whole = schedule.iter().copied().fold(Duration::ZERO, Duration::saturating_add);
    if has_ttl && whole >= settings.ttl {
        found.push(Problem::new(
            "deferred.ttl",
            format!(
                "the last try would begin after the time to live: {} tries wait {}, together {}; expected a longer \
                 `ttl`, or fewer `tries`",
                settings.tries,
                printed(),
                format_duration(whole)
            ),
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Written;
    use crate::setting::Setting;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn paths(settings: DeferredSettings) -> Vec<&'static str> {
        let mut found = Vec::new();
        settings.problems(&mut found);
        found.iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn each_value_is_in_its_range() {
        let settings = DeferredSettings::new();
        assert_eq!(paths(settings), Vec::<&str>::new());
        assert_eq!(paths(settings.tries(0)), ["deferred.tries"]);
        assert_eq!(paths(settings.tries(101)), ["deferred.tries"]);
        assert_eq!(paths(settings.ttl(s(31 * 24 * 60 * 60))), ["deferred.ttl"]);
        assert_eq!(paths(settings.cap(s(20))), ["deferred.cap"]);
        assert_eq!(paths(settings.base(s(40)).cap(s(20))), ["deferred.base"]);
    }

    #[test]
    fn a_written_cap_is_reached_and_a_written_ttl_outlives_the_schedule() {
        let found = |parts: &[(&'static str, &'static str, Setting)]| -> Vec<String> {
            let written = |&(name, path, value)| Written { name, path, value, location: () };
            let parts = Parts(parts.iter().map(written).collect());
            check_deferred_parts(&parts).iter().map(ToString::to_string).collect()
        };
        let tries = |tries| ("tries", "deferred.tries", Setting::Count(tries));
        let cap = |cap| ("cap", "deferred.cap", Setting::Duration(cap));
        let ttl = |ttl| ("ttl", "deferred.ttl", Setting::Duration(ttl));
        assert_eq!(found(&[tries(5)]), Vec::<String>::new(), "the default cap need not be reached");
        assert_eq!(found(&[tries(100)]), Vec::<String>::new(), "the default ttl may end the tries");
        assert_eq!(found(&[cap(s(1_800)), ttl(s(24 * 60 * 60))]), Vec::<String>::new());
        assert_eq!(
            found(&[tries(4), cap(s(1_800))]),
            ["deferred.cap: no delay reaches the cap: 4 tries wait 30s + 1m + 2m + 4m; more `tries` or a longer \
                 `base` do, or write `\"4m\"`"]
        );
        assert_eq!(
            found(&[tries(3), ttl(s(210))]),
            ["deferred.ttl: the last try would begin after the time to live: 3 tries wait 30s + 1m + 2m, together \
                 210s; expected a longer `ttl`, or fewer `tries`"]
        );
        assert_eq!(found(&[tries(3), ttl(s(211))]), Vec::<String>::new());
    }
}
