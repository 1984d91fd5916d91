//! The settings of a breaker: when it opens, how long it stays open, and what closes it.

use std::time::Duration;

use crate::duration::format_duration;
use crate::form::Form;
use crate::problem::Problem;
use crate::schema::{Parts, settings};
use crate::setting::Window;

const SHORTEST_OPEN: Duration = Duration::from_millis(100);
const LONGEST_OPEN: Duration = Duration::from_secs(24 * 60 * 60);
const SHORTEST_WINDOW: Duration = Duration::from_secs(1);
const LONGEST_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// The maximum of the counts of failures, probes and successes.
const COUNTED: Form = Form::Count(1, 1_023);
/// The maximum number of results in a window. Each takes one byte.
const LARGEST_WINDOW: u32 = 100_000;

settings! {
    /// The settings of one breaker.
    ///
    /// The breaker opens after `failures` failures in a row or, if `rate` is set, when this share of the results in the
    /// window are failures. If `slow` is set, it also opens when a `slow_rate` share of the results took at least that
    /// long. Neutral results, such as errors caused by the caller, are not part of the window, unless the attempt was
    /// slow.
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
    pub struct BreakerSettings, "breaker"; shared
    where expected = "a name: `breaker = \"make\"`"
    {
        /// The number of consecutive failures that opens the breaker if `rate` is not set. Default 5.
        failures: u32 = 5, COUNTED;
        /// The share of failures that opens the breaker, instead of consecutive failures: above 0, at most 1. Default
        /// none.
        rate: f64 | None = None, Form::Fraction;
        /// The results over which the rates are computed. Default the last 100.
        window: Window = Window::Count(100), Form::Window;
        /// The minimum number of results before a rate counts. Default 20, or the size of a smaller count window.
        min_calls: u32 | None = None, Form::Count(1, u32::MAX);
        /// The duration from which an attempt counts as slow. By default no attempt does.
        slow: Duration | None = None, Form::DURATION;
        /// The share of slow results that opens the breaker: above 0, at most 1. Default 1.
        slow_rate: f64 = 1.0, Form::Fraction;
        /// The time that the breaker stays open before it admits a probe. Default 60 s.
        open: Duration = Duration::from_secs(60), Form::Duration(SHORTEST_OPEN, LONGEST_OPEN);
        /// The maximum number of concurrent probes while the breaker is half-open. Default 1.
        probes: u32 = 1, COUNTED;
        /// The number of successful probes that closes the breaker. Default 2.
        successes: u32 = 2, COUNTED;
        /// The maximum number of keys with a separate breaker, 1 to 100,000. Further keys share one. Default 1,024.
        max_keys: u32 = 1_024, Form::MAX_KEYS;
    }
}

impl BreakerSettings {
    /// Returns the default settings.
    #[must_use]
    pub const fn new() -> Self {
        Self::DEFAULTS
    }

    /// Returns whether a rate is computed, so that the breaker has to keep results.
    #[must_use]
    pub const fn has_window(&self) -> bool {
        self.rate.is_some() || self.slow.is_some()
    }

    /// Returns the minimum number of results before a rate counts: the value that was set, else 20, but at most the
    /// size of the window.
    #[must_use]
    pub fn min_calls_that_hold(&self) -> u32 {
        const DEFAULT: u32 = 20;
        match (self.min_calls, self.window) {
            (set, Window::Count(size)) => set.unwrap_or(DEFAULT).min(size),
            (set, Window::Time(_)) => set.unwrap_or(DEFAULT),
        }
    }

    /// Checks the rules between the values.
    fn rules(&self, found: &mut Vec<Problem>) {
        if self.slow.is_some_and(|slow| slow.is_zero()) {
            found.push(Problem::new("breaker.slow", "every call takes longer than nothing"));
        }
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

impl Default for BreakerSettings {
    fn default() -> Self {
        Self::new()
    }
}

/// The breaker of a function, by its name.
///
/// ```
/// use resilient_runtime::Policy;
/// use resilient_runtime::policy::{BreakerSettings, BreakerUse};
///
/// let shared = Policy::new().breaker(BreakerUse::named("shop"));
/// let set = Policy::new().breaker(BreakerUse::with("shop", BreakerSettings::new().failures(8)));
/// assert_eq!(shared.breaker.unwrap().name, set.breaker.unwrap().name);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct BreakerUse {
    /// The name under which functions share the breaker. By convention the name of their common dependency.
    pub name: &'static str,
    /// The settings, if this source gives them.
    pub settings: Option<BreakerSettings>,
    /// Whether an opening of the breaker is published to the other replicas of the server.
    pub distributed: bool,
}

impl BreakerUse {
    /// Refers to the breaker of this name. Its settings come from another source, or are the defaults.
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        Self { name, settings: None, distributed: false }
    }

    /// Refers to the breaker of this name, with these settings.
    #[must_use]
    pub const fn with(name: &'static str, settings: BreakerSettings) -> Self {
        Self { name, settings: Some(settings), distributed: false }
    }

    /// Publishes the openings of the breaker to the other replicas of the server, and applies theirs. It needs the crate
    /// `resilient-redis`, or another shared state.
    ///
    /// While the breaker is closed, an opening in another replica arms it: its next failure opens it, and a success
    /// disarms it. The breakers of partition keys stay local.
    ///
    /// ```
    /// use resilient_runtime::policy::BreakerUse;
    ///
    /// assert!(BreakerUse::named("make").distributed().distributed);
    /// ```
    #[must_use]
    pub const fn distributed(mut self) -> Self {
        self.distributed = true;
        self
    }
}

/// Checks for parts that exclude or require each other.
#[must_use]
pub fn check_breaker_parts<L>(parts: &Parts<L>) -> Vec<Problem> {
    let mut found = Vec::new();
    if parts.has("failures") && parts.has("rate") {
        let message = "`failures` counts failures in a row, `rate` takes their share; remove one of them";
        found.push(Problem::new("breaker.failures", message));
    }
    for (name, path) in [("window", "breaker.window"), ("min_calls", "breaker.min_calls")] {
        if parts.has(name) && !parts.has("rate") && !parts.has("slow") {
            found.push(Problem::new(path, "there is no rate to take; add `rate` or `slow`, or remove this"));
        }
    }
    if parts.has("slow_rate") && !parts.has("slow") {
        found.push(Problem::new("breaker.slow_rate", "no call counts as slow; add `slow = \"2s\"`, or remove this"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Settings;

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
