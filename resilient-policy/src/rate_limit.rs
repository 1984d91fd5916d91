//! The settings of a rate limit: `"100/1s"` is a number of calls per period.

use std::fmt;
use std::time::Duration;

use crate::breaker::MAX_KEYS;
use crate::schema::settings;
use crate::{Form, Problem, Settings, check_name, corrected_duration, format_duration, parse_duration};

const LONGEST_PERIOD: Duration = Duration::from_secs(24 * 60 * 60);

/// The maximum time in which a used-up burst is restored. A longer one is a mistake, and would overflow the arithmetic
/// in nanoseconds.
const LONGEST_REFILL: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A number of calls per period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The number of calls that may begin in one period.
    pub calls: u32,
    /// The period, at most a day.
    pub period: Duration,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.calls, format_duration(self.period))
    }
}

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
    pub struct RateLimitSettings, "rate_limit", new(rate); shared {
        /// The number of calls that may begin per period.
        rate: Rate = Rate { calls: u32::MAX, period: Duration::from_secs(1) }, Form::Rate;
        /// The number of calls that may begin at once after an idle time. Default the number of calls in the rate.
        burst: u32 | None = None, Form::COUNT;
        /// The maximum number of keys with a separate limit, 1 to 100,000. Further keys share one. Default 1,024.
        max_keys: u32 = 1_024, MAX_KEYS;
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

/// Parses a rate: a number of calls and a duration, `"100/1s"`.
///
/// # Errors
/// Returns a sentence that says what is wrong: no `/`, no whole number before it, no duration after it.
///
/// ```
/// let limit = resilient_policy::parse_rate("100/1m").unwrap();
/// assert_eq!((limit.calls, limit.period.as_secs()), (100, 60));
/// assert!(resilient_policy::parse_rate("100").is_err());
/// ```
pub fn parse_rate(text: &str) -> Result<Rate, String> {
    let Some((calls, period)) = text.split_once('/') else {
        return Err(format!("expected calls and a duration such as `\"100/1s\"`, found `{text}`"));
    };
    let (calls, period) = (calls.trim(), period.trim());
    let Ok(number) = calls.parse::<u32>() else {
        return Err(format!("expected a whole number of calls before the `/`, as in `\"100/1s\"`, found `{calls}`"));
    };
    let period = parse_duration(period).map_err(|why| {
        // `100/min` means one minute. A period that begins with a digit, such as `0s`, is another mistake.
        let one = Some(period).filter(|period| period.starts_with(char::is_alphabetic));
        let right = corrected_duration(period).or_else(|| corrected_duration(&format!("1{}", one?)));
        match right {
            Some(right) => format!("expected a duration behind the `/`; write `\"{number}/{right}\"`"),
            None if period.parse::<u64>().is_ok_and(|count| count > 0) => {
                format!("`{period}` has no unit; expected a duration behind the `/`, as in `\"{number}/{period}s\"`")
            }
            None => why,
        }
    })?;
    Ok(Rate { calls: number, period })
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
}

impl RateLimitUse {
    /// Creates a rate limit that belongs to this function alone.
    #[must_use]
    pub const fn new(settings: RateLimitSettings) -> Self {
        Self { name: None, settings, by_caller: false }
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
    fn rates_are_read() {
        assert_eq!(parse_rate("100/1s"), Ok(Rate { calls: 100, period: SECOND }));
        assert_eq!(parse_rate(" 5 / 1.5m "), Ok(Rate { calls: 5, period: Duration::from_secs(90) }));
        assert_eq!(RateLimitSettings::new(100, SECOND).interval(), Duration::from_millis(10));
    }

    #[test]
    fn what_is_wrong_with_a_rate_is_said() {
        for (text, part) in [
            ("100", "`\"100/1s\"`"),
            ("", "found ``"),
            ("x/1s", "before the `/`"),
            ("-1/1s", "before the `/`"),
            ("1.5/1s", "before the `/`"),
            ("99999999999/1s", "before the `/`"),
            ("100/s", "; write `\"100/1s\"`"),
            ("100/sec", "; write `\"100/1s\"`"),
            ("100/minute", "; write `\"100/1m\"`"),
            ("100/5min", "; write `\"100/5m\"`"),
            ("100/1m30s", "; write `\"100/90s\"`"),
            ("100/", "empty"),
            ("100/30", "no unit"),
            ("100/0s", "zero"),
        ] {
            let said = parse_rate(text).expect_err(text);
            assert!(said.contains(part), "{text}: {said}");
        }
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

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = parse_rate(&text);
        }
    }
}
