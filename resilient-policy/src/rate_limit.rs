//! The settings of a rate limit: `"100/1s"` is a number of calls per period.

use std::time::Duration;

use crate::duration::format_duration;
use crate::form::Form;
use crate::name::check_name;
use crate::problem::Problem;
use crate::schema::{Settings, settings};
use crate::setting::Rate;

const LONGEST_PERIOD: Duration = Duration::from_secs(24 * 60 * 60);

/// The maximum time in which a used-up burst is restored. A longer one is a mistake, and would overflow the arithmetic
/// in nanoseconds.
const LONGEST_REFILL: Duration = Duration::from_secs(365 * 24 * 60 * 60);

settings! {
    /// The settings of one rate limit.
    ///
    /// Allows `calls` calls in each `period`, spread evenly: the permit of a call is restored after `period / calls`.
    /// While there are no calls, up to `burst` permits accumulate.
    ///
    /// ```
    /// use std::time::Duration;
    /// use resilient_runtime::policy::RateLimitSettings;
    ///
    /// let settings = RateLimitSettings::new(100, Duration::from_secs(60)).burst(20);
    /// assert_eq!(settings.interval(), Duration::from_millis(600));
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct RateLimitSettings, "rate_limit", new(rate); shared
    where
        expected = "a rate: `rate_limit = \"100/1s\"`",
        needed = "how many calls may begin in a time", "rate = \"100/1s\""
    {
        /// The number of calls that may begin per period.
        rate: Rate = Rate { calls: u32::MAX, period: Duration::from_secs(1) }, Form::Rate;
        /// The number of calls that may begin at once after an idle time. Default the number of calls in the rate.
        burst: u32 | None = None, Form::COUNT;
        /// The maximum number of keys with a separate limit, 1 to 100,000. Further keys share one. Default 1,024.
        max_keys: u32 = 1_024, Form::MAX_KEYS;
    }
}

impl RateLimitSettings {
    /// Returns settings for `calls` in each `period`, all of which may begin at once.
    #[must_use]
    pub const fn new(calls: u32, period: Duration) -> Self {
        Self::DEFAULTS.rate(Rate { calls, period })
    }

    /// Returns the number of calls that may begin at once after an idle time.
    #[must_use]
    pub const fn bursts(&self) -> u32 {
        match self.burst {
            Some(burst) => burst,
            None => self.rate.calls,
        }
    }

    /// Returns the time after which the permit of one call is restored, at least a nanosecond.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.rate.period.checked_div(self.rate.calls).unwrap_or(self.rate.period).max(Duration::from_nanos(1))
    }

    /// Checks the rules between the values.
    fn rules(&self, found: &mut Vec<Problem>) {
        let before = found.len();
        if self.rate.calls == 0 {
            found.push(Problem::new(
                "rate_limit.rate",
                "a rate of 0 lets nothing through; `rate_limit = none` refuses an inherited one, otherwise remove it",
            ));
        }
        if self.rate.period.is_zero() || self.rate.period > LONGEST_PERIOD {
            found.push(Problem::new(
                "rate_limit.rate",
                format!("expected a period of at most 24h, found {}", format_duration(self.rate.period)),
            ));
        }
        if self.burst == Some(0) {
            found.push(Problem::new(
                "rate_limit.burst",
                "a burst of 0 lets nothing through; expected at least 1, or remove `burst`",
            ));
        }
        if found.len() == before && self.interval().saturating_mul(self.bursts()) > LONGEST_REFILL {
            found.push(Problem::new(
                "rate_limit.burst",
                format!("a burst of {} would take more than a year to come back at this rate", self.bursts()),
            ));
        }
    }
}

/// The rate limit of a function.
///
/// ```
/// use std::time::Duration;
/// use resilient_runtime::Policy;
/// use resilient_runtime::policy::{RateLimitSettings, RateLimitUse};
///
/// let search = RateLimitUse::new(RateLimitSettings::new(5, Duration::from_secs(1))).named("search").by_caller();
/// assert_eq!(Policy::new().rate_limit(search).rate_limit.unwrap().name, Some("search"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimitUse {
    /// The name under which functions share the limit. Without a name, it belongs to this function alone.
    pub name: Option<&'static str>,
    /// The settings of the limit.
    pub settings: RateLimitSettings,
    /// Whether each caller has a separate limit.
    pub by_caller: bool,
    /// Whether all replicas of the server share the limit. It needs a name.
    pub distributed: bool,
}

impl RateLimitUse {
    /// Creates a rate limit that belongs to this function alone.
    #[must_use]
    pub const fn new(settings: RateLimitSettings) -> Self {
        Self { name: None, settings, by_caller: false, distributed: false }
    }

    /// Shares the limit with every function that uses the same name.
    #[must_use]
    pub const fn named(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// Gives each caller a separate limit.
    #[must_use]
    pub const fn by_caller(mut self) -> Self {
        self.by_caller = true;
        self
    }

    /// Shares the limit with all replicas of the server, which find it by its name. It needs the crate
    /// `resilient-redis`, or another shared state.
    ///
    /// ```
    /// use std::time::Duration;
    /// use resilient_runtime::policy::{RateLimitSettings, RateLimitUse};
    ///
    /// const SEARCH: RateLimitSettings = RateLimitSettings::new(100, Duration::from_secs(1));
    /// assert!(RateLimitUse::new(SEARCH).named("search").distributed().distributed);
    /// ```
    #[must_use]
    pub const fn distributed(mut self) -> Self {
        self.distributed = true;
        self
    }
}

/// Checks that replicas can find the limit that they share.
pub(crate) fn check_distributed(wanted: &RateLimitUse) -> Option<Problem> {
    let message = "replicas find the limit that they share by its name; add `name = \"search\"`, or remove the word";
    (wanted.distributed && wanted.name.is_none()).then(|| Problem::new("rate_limit.distributed", message))
}

/// Checks the name and the settings of a rate limit and returns all problems.
#[must_use]
pub fn check_rate_limit(name: Option<&str>, settings: &RateLimitSettings) -> Vec<Problem> {
    let mut found = Vec::new();
    settings.problems(&mut found);
    if let Some(Err(why)) = name.map(check_name) {
        found.push(Problem::new("rate_limit.name", why));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_permits_of_a_period_are_spread_evenly() {
        assert_eq!(RateLimitSettings::new(100, SECOND).interval(), Duration::from_millis(10));
    }

    #[test]
    fn a_limit_lets_something_through_and_comes_back() {
        let paths = |settings: RateLimitSettings| {
            check_rate_limit(None, &settings).iter().map(|problem| problem.path).collect::<Vec<_>>()
        };
        let day = Duration::from_secs(24 * 60 * 60);
        assert_eq!(paths(RateLimitSettings::new(1, day).burst(365)), Vec::<&str>::new());
        assert_eq!(paths(RateLimitSettings::new(1, day).burst(366)), ["rate_limit.burst"]);
        assert_eq!(paths(RateLimitSettings::new(1, day + SECOND)), ["rate_limit.rate"]);
        assert_eq!(paths(RateLimitSettings::new(0, SECOND).burst(0)), ["rate_limit.rate", "rate_limit.burst"]);
        assert_eq!(paths(RateLimitSettings::new(u32::MAX, SECOND)), Vec::<&str>::new());
        assert_eq!(check_rate_limit(Some(""), &RateLimitSettings::new(1, SECOND)).len(), 1);
    }
}
