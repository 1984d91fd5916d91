//! The settings of retries: how often an attempt is repeated, and after which delays.

use std::time::Duration;

use crate::duration::format_duration;
use crate::form::Form;
use crate::kind::{ErrorKind, KindSet};
use crate::problem::Problem;
use crate::schema::settings;
use crate::setting::Jitter;

settings! {
    /// The settings that decide when a failed attempt is retried.
    ///
    /// `max` counts retries, not attempts: three retries are up to four attempts. The nominal delay before retry `n`
    /// (counted from 0) is `base · factorⁿ`, at most `cap`; [`Jitter`] only shortens it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use resilient_runtime::ErrorKind;
    /// use resilient_runtime::policy::{KindSet, Retry};
    ///
    /// let retry = Retry::new(3)
    ///     .base(Duration::from_millis(200))
    ///     .cap(Duration::from_millis(500))
    ///     .on(KindSet::RETRYABLE.with(ErrorKind::Conflict));
    /// let schedule: Vec<_> = retry.schedule().map(|delay| delay.as_millis()).collect();
    /// assert_eq!(schedule, [200, 400, 500]);
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub struct Retry, "retry", new(max)
    where expected = "a number: `retry = 3`"
    {
        /// The maximum number of retries, 1 to 10.
        max: u32 = Self::DEFAULT_MAX, Form::Count(1, 10);
        /// The nominal delay before the first retry. Default 1 s.
        base: Duration = Self::DEFAULT_BASE, Form::DURATION;
        /// The factor from one delay to the next. Default 2.
        factor: f64 = 2.0, Form::Number;
        /// The longest delay. Default 30 s.
        cap: Duration = Duration::from_secs(30), Form::DURATION;
        /// The randomization of delays. Default [`Jitter::Equal`].
        jitter: Jitter = Jitter::Equal, Form::Word("jitter", Jitter::WORDS);
        /// The kinds that are retried. Default [`KindSet::RETRYABLE`].
        on: KindSet = KindSet::RETRYABLE, Form::Kinds;
        /// The budget: the number of retries for each first attempt of the last ten seconds, 0 to 1, in addition to one
        /// retry a second. `None` disables the budget. Default 0.2. Functions with the same breaker share one budget;
        /// without a breaker, functions with the same name in statistics do.
        budget: f64 | None = Some(Self::DEFAULT_BUDGET), Form::Share
            => ", while retries are at most {} of calls, and one a second";
    }
}

impl Retry {
    /// The default number of retries.
    pub const DEFAULT_MAX: u32 = 3;

    /// The default delay before the first retry.
    pub(crate) const DEFAULT_BASE: Duration = Duration::from_secs(1);

    /// The default budget.
    pub const DEFAULT_BUDGET: f64 = 0.2;

    /// Returns settings for up to `max` retries, with defaults for everything else.
    #[must_use]
    pub const fn new(max: u32) -> Self {
        Self::DEFAULTS.max(max)
    }

    /// Disables the budget.
    #[must_use]
    pub const fn without_budget(mut self) -> Self {
        self.budget = None;
        self
    }

    /// Returns the nominal delay before retry `n`, counted from 0, at most the cap.
    #[must_use]
    pub fn nominal_delay(&self, n: u32) -> Duration {
        let exponent = i32::try_from(n).unwrap_or(i32::MAX);
        let seconds = self.base.as_secs_f64() * self.factor.powi(exponent);
        Duration::try_from_secs_f64(seconds).unwrap_or(self.cap).min(self.cap)
    }

    /// Returns the delay before retry `n` with jitter. `random` is in `0.0..1.0`.
    #[must_use]
    pub fn delay(&self, n: u32, random: f64) -> Duration {
        let nominal = self.nominal_delay(n);
        let share = match self.jitter {
            Jitter::Off => 1.0,
            Jitter::Equal => 0.5 + 0.5 * random,
            Jitter::Full => random,
        };
        // Rounding up the longest durations would overflow.
        let seconds = nominal.as_secs_f64() * share.clamp(0.0, 1.0);
        Duration::try_from_secs_f64(seconds).unwrap_or(nominal).min(self.cap)
    }

    /// Returns the jitter that is added to a delay that the dependency asked for before retry `n`. `random` is in
    /// `0.0..1.0`.
    #[must_use]
    pub fn spread(&self, n: u32, random: f64) -> Duration {
        let share = match self.jitter {
            Jitter::Off => 0.0,
            Jitter::Equal => 0.5 * random,
            Jitter::Full => random,
        };
        let nominal = self.nominal_delay(n);
        // Rounding up the longest durations would overflow.
        Duration::try_from_secs_f64(nominal.as_secs_f64() * share.clamp(0.0, 1.0)).unwrap_or(nominal)
    }

    /// Returns the shortest delay before retry `n` that jitter can produce.
    #[must_use]
    pub fn shortest_delay(&self, n: u32) -> Duration {
        self.delay(n, 0.0)
    }

    /// Returns the nominal delays, in order.
    pub fn schedule(&self) -> impl Iterator<Item = Duration> + '_ {
        (0..self.max).map(|n| self.nominal_delay(n))
    }

    /// Checks the rules between the values.
    fn rules(&self, found: &mut Vec<Problem>) {
        if self.max == 0 {
            found.push(Problem::new(
                "retry.max",
                "`retry = 0` retries nothing; `retry = none` refuses an inherited one, otherwise remove it",
            ));
        } else if self.max > 10 {
            found.push(Problem::new("retry.max", format!("at most 10 retries, found {}", self.max)));
        }
        if !self.factor.is_finite() || self.factor < 1.0 {
            found.push(Problem::new("retry.factor", "expected a finite number of at least 1"));
        }
        let repeatable = KindSet::REPEATABLE_AFTER_RENEWAL;
        let others = ErrorKind::ALL.iter().filter(|kind| self.on.contains(**kind) && !repeatable.contains(**kind));
        for kind in others {
            found.push(Problem::new("retry.on", format!("an error of kind `{kind}` cannot be retried")));
        }
        if self.base > self.cap {
            let (base, cap) = (format_duration(self.base), format_duration(self.cap));
            found.push(if self.base == Self::DEFAULT_BASE {
                let message = format!(
                    "the cap ({cap}) is shorter than the first delay ({base}); set a `base` of at most {cap} too, as \
                     in `base = \"{cap}\"`"
                );
                Problem::new("retry.cap", message)
            } else {
                Problem::new("retry.base", format!("the first delay ({base}) is longer than the cap ({cap})"))
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn delays_double_up_to_the_cap() {
        let schedule: Vec<_> = Retry::new(7).schedule().map(|delay| delay.as_secs()).collect();
        assert_eq!(schedule, [1, 2, 4, 8, 16, 30, 30]);
    }

    proptest! {
        #[test]
        fn jitter_shortens_and_never_passes_the_cap(
            n in 0_u32..2_000_000_000,
            base in 0_u64..u64::MAX,
            cap in 0_u64..u64::MAX,
            factor in 1.0_f64..1e300,
            random in 0.0_f64..1.0,
        ) {
            let retry = Retry::new(3)
                .base(Duration::from_nanos(base))
                .cap(Duration::from_nanos(cap))
                .factor(factor);
            for jitter in [Jitter::Off, Jitter::Equal, Jitter::Full] {
                let retry = retry.jitter(jitter);
                let delay = retry.delay(n, random);
                prop_assert!(delay <= retry.cap);
                prop_assert!(delay <= retry.nominal_delay(n));
                if jitter == Jitter::Equal {
                    prop_assert!(delay >= retry.nominal_delay(n).mul_f64(0.49));
                }
            }
        }
    }
}
