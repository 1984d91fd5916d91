//! When a breaker opens, how long it stays open, and what closes it again.

use std::fmt;
use std::time::Duration;

use crate::{Problem, format_duration, keys};

const SHORTEST_OPEN: Duration = Duration::from_millis(100);
const LONGEST_OPEN: Duration = Duration::from_secs(24 * 60 * 60);
const SHORTEST_WINDOW: Duration = Duration::from_secs(1);
const LONGEST_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// The most failures, probes or successes that a breaker can count.
pub(crate) const LARGEST_COUNT: u32 = 1_023;
/// The most results that a window holds: one byte each.
const LARGEST_WINDOW: u32 = 100_000;

/// Which results a rate is taken of.
///
/// ```
/// use std::time::Duration;
/// use resilient_runtime::policy::{BreakerSettings, Window};
///
/// let settings = BreakerSettings::new().rate(0.5).window(Window::Time(Duration::from_secs(60)));
/// assert_eq!(settings.window.to_string(), "1m");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The last so many.
    Count(u32),
    /// Those of the last so long, in ten steps.
    Time(Duration),
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(results) => write!(f, "{results}"),
            Self::Time(length) => f.write_str(&format_duration(*length)),
        }
    }
}

/// The settings of one breaker.
///
/// It opens after `failures` in a row, or, with `rate`, when that share of the results in the
/// window are failures; with `slow` also when `slow_rate` of them took that long. Neutral results,
/// such as a caller's mistake, are in no window, but for calls that were slow before they ended so.
///
/// ```
/// use std::time::Duration;
/// use resilient_runtime::Breaker;
/// use resilient_runtime::policy::BreakerSettings;
///
/// static SHOP: Breaker = Breaker::new(
///     "shop",
///     BreakerSettings::new().rate(0.5).min_calls(10).slow(Duration::from_secs(2)).open(Duration::from_secs(30)),
/// );
/// assert_eq!(SHOP.settings().successes, 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct BreakerSettings {
    /// How many failures in a row open it, where no `rate` is set. Default 5.
    pub failures: u32,
    /// Which share of failures opens it: above 0, at most 1. Default none.
    pub rate: Option<f64>,
    /// Which results the rates are taken of. Default the last 100.
    pub window: Window,
    /// How many results there must be before a rate counts. Default 20, or what a smaller count
    /// window holds.
    pub min_calls: Option<u32>,
    /// How long an execution takes that counts as slow. Default none does.
    pub slow: Option<Duration>,
    /// Which share of slow results opens it: above 0, at most 1. Default 1.
    pub slow_rate: f64,
    /// How long it stays open before a probe is let through. Default 60 s.
    pub open: Duration,
    /// How many probes may run at a time while it is half-open. Default 1.
    pub probes: u32,
    /// How many successful probes close it. Default 2.
    pub successes: u32,
    /// How many values of a key have a breaker of their own, 1 to 100,000. Those beyond share one. Default 1,024.
    pub max_keys: u32,
}

impl BreakerSettings {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            failures: 5,
            rate: None,
            window: Window::Count(100),
            min_calls: None,
            slow: None,
            slow_rate: 1.0,
            open: Duration::from_secs(60),
            probes: 1,
            successes: 2,
            max_keys: keys::DEFAULT,
        }
    }

    /// Sets how many failures in a row open it.
    #[must_use]
    pub const fn failures(mut self, failures: u32) -> Self {
        self.failures = failures;
        self
    }

    /// Opens it at this share of failures instead of at failures in a row.
    #[must_use]
    pub const fn rate(mut self, rate: f64) -> Self {
        self.rate = Some(rate);
        self
    }

    /// Sets which results the rates are taken of.
    #[must_use]
    pub const fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// Sets how many results there must be before a rate counts.
    #[must_use]
    pub const fn min_calls(mut self, min_calls: u32) -> Self {
        self.min_calls = Some(min_calls);
        self
    }

    /// Counts executions of this length or more as slow.
    #[must_use]
    pub const fn slow(mut self, slow: Duration) -> Self {
        self.slow = Some(slow);
        self
    }

    /// Sets which share of slow results opens it.
    #[must_use]
    pub const fn slow_rate(mut self, slow_rate: f64) -> Self {
        self.slow_rate = slow_rate;
        self
    }

    /// Sets how long it stays open before a probe is let through.
    #[must_use]
    pub const fn open(mut self, open: Duration) -> Self {
        self.open = open;
        self
    }

    /// Sets how many probes may run at a time while it is half-open.
    #[must_use]
    pub const fn probes(mut self, probes: u32) -> Self {
        self.probes = probes;
        self
    }

    /// Sets how many successful probes close it.
    #[must_use]
    pub const fn successes(mut self, successes: u32) -> Self {
        self.successes = successes;
        self
    }

    /// Sets how many values of a key have a breaker of their own.
    #[must_use]
    pub const fn max_keys(mut self, max_keys: u32) -> Self {
        self.max_keys = max_keys;
        self
    }

    /// Whether any rate is taken, so that results have to be remembered.
    #[must_use]
    pub const fn has_window(&self) -> bool {
        self.rate.is_some() || self.slow.is_some()
    }

    /// How many results there must be before a rate counts: what was set, else 20, but never more
    /// than the window can hold.
    #[must_use]
    pub fn min_calls_that_hold(&self) -> u32 {
        const DEFAULT: u32 = 20;
        match (self.min_calls, self.window) {
            (set, Window::Count(size)) => set.unwrap_or(DEFAULT).min(size),
            (set, Window::Time(_)) => set.unwrap_or(DEFAULT),
        }
    }

    /// What another place says differently: `` `open` 1m, not 5s ``, theirs first.
    #[must_use]
    pub fn differences(&self, theirs: &Self) -> String {
        fn shown(settings: &BreakerSettings) -> [(&'static str, String); 10] {
            // Without `..`, so that no setting can be forgotten.
            let BreakerSettings {
                failures,
                rate,
                window,
                min_calls,
                slow,
                slow_rate,
                open,
                probes,
                successes,
                max_keys,
            } = *settings;
            let none = || "none".to_owned();
            [
                ("failures", failures.to_string()),
                ("rate", rate.map_or_else(none, |rate| rate.to_string())),
                ("window", window.to_string()),
                ("min_calls", min_calls.map_or_else(none, |calls| calls.to_string())),
                ("slow", slow.map_or_else(none, format_duration)),
                ("slow_rate", slow_rate.to_string()),
                ("open", format_duration(open)),
                ("probes", probes.to_string()),
                ("successes", successes.to_string()),
                ("max_keys", max_keys.to_string()),
            ]
        }
        let pairs = shown(self).into_iter().zip(shown(theirs)).filter(|(own, their)| own != their);
        let told: Vec<_> = pairs.map(|((key, own), (_, their))| format!("`{key}` {their}, not {own}")).collect();
        told.join("; ")
    }

    pub(crate) fn problems(&self, found: &mut Vec<Problem>) {
        for (path, value) in [
            ("breaker.failures", self.failures),
            ("breaker.probes", self.probes),
            ("breaker.successes", self.successes),
        ] {
            if value == 0 || value > LARGEST_COUNT {
                found.push(Problem::new(path, format!("expected 1 to {LARGEST_COUNT}, found {value}")));
            }
        }
        for (path, rate) in [("breaker.rate", self.rate), ("breaker.slow_rate", Some(self.slow_rate))] {
            if let Some(rate) = rate
                && !(rate > 0.0 && rate <= 1.0)
            {
                found.push(Problem::new(path, format!("expected a share above 0 and at most 1, found {rate}")));
            }
        }
        found.extend(keys::problem("breaker.max_keys", self.max_keys));
        self.window_problems(found);
        if self.slow.is_some_and(|slow| slow.is_zero()) {
            found.push(Problem::new("breaker.slow", "every call takes longer than nothing"));
        }
        if self.open < SHORTEST_OPEN || self.open > LONGEST_OPEN {
            found.push(Problem::new(
                "breaker.open",
                format!("expected between 100ms and 24h, found {}", format_duration(self.open)),
            ));
        }
    }

    fn window_problems(&self, found: &mut Vec<Problem>) {
        match self.window {
            Window::Count(size) if size == 0 || size > LARGEST_WINDOW => {
                found.push(Problem::new(
                    "breaker.window",
                    format!("expected 1 to {LARGEST_WINDOW} results, found {size}"),
                ));
            }
            Window::Time(length) if length < SHORTEST_WINDOW || length > LONGEST_WINDOW => {
                found.push(Problem::new(
                    "breaker.window",
                    format!("expected between 1s and 24h, found {}", format_duration(length)),
                ));
            }
            Window::Count(_) | Window::Time(_) => {}
        }
        match (self.min_calls, self.window) {
            (Some(0), _) => found.push(Problem::new("breaker.min_calls", "expected at least 1, found 0")),
            (Some(min_calls), Window::Count(size)) if size > 0 && min_calls > size => {
                found.push(Problem::new(
                    "breaker.min_calls",
                    format!("the window holds {size} results, so there are never {min_calls} of them"),
                ));
            }
            _ => {}
        }
    }
}

/// Which of a breaker's keys were written, as some make no sense beside, or without, others.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a key is written or not")]
pub struct BreakerKeys {
    /// `failures`
    pub failures: bool,
    /// `rate`
    pub rate: bool,
    /// `window`
    pub window: bool,
    /// `min_calls`
    pub min_calls: bool,
    /// `slow`
    pub slow: bool,
    /// `slow_rate`
    pub slow_rate: bool,
}

impl BreakerKeys {
    /// The problems of the combination.
    #[must_use]
    pub fn problems(self) -> Vec<Problem> {
        let mut found = Vec::new();
        if self.failures && self.rate {
            let message = "`failures` counts failures in a row, `rate` takes their share; remove one of them";
            found.push(Problem::new("breaker.failures", message));
        }
        for (path, written) in [("breaker.window", self.window), ("breaker.min_calls", self.min_calls)] {
            if written && !self.rate && !self.slow {
                found.push(Problem::new(path, "there is no rate to take; add `rate` or `slow`, or remove this"));
            }
        }
        if self.slow_rate && !self.slow {
            found
                .push(Problem::new("breaker.slow_rate", "no call counts as slow; add `slow = \"2s\"`, or remove this"));
        }
        found
    }
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(settings: BreakerSettings) -> Vec<&'static str> {
        let mut found = Vec::new();
        settings.problems(&mut found);
        found.iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn rates_are_shares_and_windows_can_hold_what_is_asked_of_them() {
        let new = BreakerSettings::new;
        assert_eq!(paths(new().rate(1.0).window(Window::Count(5)).min_calls(5)), Vec::<&str>::new());
        for rate in [0.0, -0.5, 1.01, f64::NAN, f64::INFINITY] {
            assert_eq!(paths(new().rate(rate)), ["breaker.rate"], "{rate}");
            assert_eq!(paths(new().slow_rate(rate)), ["breaker.slow_rate"], "{rate}");
        }
        assert_eq!(paths(new().rate(0.5).window(Window::Count(0))), ["breaker.window"]);
        assert_eq!(paths(new().rate(0.5).window(Window::Count(10)).min_calls(11)), ["breaker.min_calls"]);
        assert_eq!(paths(new().rate(0.5).min_calls(0)), ["breaker.min_calls"]);
        assert_eq!(paths(new().rate(0.5).window(Window::Time(Duration::from_millis(999)))), ["breaker.window"]);
        assert_eq!(paths(new().slow(Duration::ZERO)), ["breaker.slow"]);
    }

    #[test]
    fn a_small_count_window_needs_no_more_calls_than_it_holds() {
        assert_eq!(BreakerSettings::new().rate(0.5).window(Window::Count(5)).min_calls_that_hold(), 5);
        assert_eq!(BreakerSettings::new().rate(0.5).min_calls_that_hold(), 20);
    }
}
