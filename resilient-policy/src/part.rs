//! What one place says about a setting: some of its parts, the others left as they are.

use std::time::Duration;

use crate::{
    BreakerKeys, BreakerSettings, BulkheadSettings, CacheSettings, Jitter, KindSet, RateLimitSettings, Retry, Window,
};

/// A value, or `none`, which takes away what a weaker place gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Given<T> {
    /// Taken away.
    None,
    /// This.
    Is(T),
}

impl<T> Given<T> {
    /// The value, if there is one.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::None => None,
            Self::Is(value) => Some(value),
        }
    }
}

/// Parts of a [`Retry`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RetryPart {
    /// See [`Retry::max`].
    pub max: Option<u32>,
    /// See [`Retry::base`].
    pub base: Option<Duration>,
    /// See [`Retry::factor`].
    pub factor: Option<f64>,
    /// See [`Retry::cap`].
    pub cap: Option<Duration>,
    /// See [`Retry::jitter`].
    pub jitter: Option<Jitter>,
    /// See [`Retry::on`].
    pub on: Option<KindSet>,
    /// See [`Retry::budget`].
    pub budget: Option<Given<f64>>,
}

impl RetryPart {
    /// A retry with these parts and the defaults for all others.
    #[must_use]
    pub fn whole(&self) -> Retry {
        let mut retry = Retry::new(Retry::DEFAULT_MAX);
        self.apply(&mut retry);
        retry
    }

    /// Changes these parts.
    pub fn apply(&self, to: &mut Retry) {
        // Without `..`, so that no part can be forgotten.
        let Self { max, base, factor, cap, jitter, on, budget } = *self;
        to.max = max.unwrap_or(to.max);
        to.base = base.unwrap_or(to.base);
        to.factor = factor.unwrap_or(to.factor);
        to.cap = cap.unwrap_or(to.cap);
        to.jitter = jitter.unwrap_or(to.jitter);
        to.on = on.unwrap_or(to.on);
        match budget {
            Some(Given::Is(share)) => to.budget = Some(share),
            Some(Given::None) => to.budget = None,
            None => {}
        }
    }
}

/// Parts of [`BreakerSettings`], and whether the breaker is there at all.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct BreakerPart {
    /// `false` takes the breaker out of everything that uses it.
    pub enabled: Option<bool>,
    /// See [`BreakerSettings::failures`].
    pub failures: Option<u32>,
    /// See [`BreakerSettings::rate`].
    pub rate: Option<f64>,
    /// See [`BreakerSettings::window`].
    pub window: Option<Window>,
    /// See [`BreakerSettings::min_calls`].
    pub min_calls: Option<u32>,
    /// See [`BreakerSettings::slow`].
    pub slow: Option<Duration>,
    /// See [`BreakerSettings::slow_rate`].
    pub slow_rate: Option<f64>,
    /// See [`BreakerSettings::open`].
    pub open: Option<Duration>,
    /// See [`BreakerSettings::probes`].
    pub probes: Option<u32>,
    /// See [`BreakerSettings::successes`].
    pub successes: Option<u32>,
    /// See [`BreakerSettings::max_keys`].
    pub max_keys: Option<u32>,
}

impl BreakerPart {
    /// Settings with these parts and the defaults for all others.
    #[must_use]
    pub fn whole(&self) -> BreakerSettings {
        let mut settings = BreakerSettings::new();
        self.apply(&mut settings);
        settings
    }

    /// Changes these parts.
    pub fn apply(&self, to: &mut BreakerSettings) {
        let Self { enabled: _, failures, rate, window, min_calls, slow, slow_rate, open, probes, successes, max_keys } =
            *self;
        to.failures = failures.unwrap_or(to.failures);
        to.rate = rate.or(to.rate);
        to.window = window.unwrap_or(to.window);
        to.min_calls = min_calls.or(to.min_calls);
        to.slow = slow.or(to.slow);
        to.slow_rate = slow_rate.unwrap_or(to.slow_rate);
        to.open = open.unwrap_or(to.open);
        to.probes = probes.unwrap_or(to.probes);
        to.successes = successes.unwrap_or(to.successes);
        to.max_keys = max_keys.unwrap_or(to.max_keys);
    }

    /// Which of the keys are here that make no sense beside, or without, others.
    #[must_use]
    pub const fn written(&self) -> BreakerKeys {
        BreakerKeys {
            failures: self.failures.is_some(),
            rate: self.rate.is_some(),
            window: self.window.is_some(),
            min_calls: self.min_calls.is_some(),
            slow: self.slow.is_some(),
            slow_rate: self.slow_rate.is_some(),
        }
    }
}

/// Parts of [`BulkheadSettings`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BulkheadPart {
    /// See [`BulkheadSettings::max`].
    pub max: Option<u32>,
    /// See [`BulkheadSettings::queue`].
    pub queue: Option<u32>,
    /// See [`BulkheadSettings::wait`].
    pub wait: Option<Duration>,
    /// See [`BulkheadSettings::max_keys`].
    pub max_keys: Option<u32>,
}

impl BulkheadPart {
    /// Changes these parts.
    pub fn apply(&self, to: &mut BulkheadSettings) {
        let Self { max, queue, wait, max_keys } = *self;
        to.max = max.unwrap_or(to.max);
        to.queue = queue.unwrap_or(to.queue);
        to.wait = wait.or(to.wait);
        to.max_keys = max_keys.unwrap_or(to.max_keys);
    }
}

/// Parts of [`RateLimitSettings`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateLimitPart {
    /// See [`RateLimitSettings::calls`] and [`RateLimitSettings::period`].
    pub rate: Option<(u32, Duration)>,
    /// See [`RateLimitSettings::burst`].
    pub burst: Option<u32>,
    /// See [`RateLimitSettings::max_keys`].
    pub max_keys: Option<u32>,
}

impl RateLimitPart {
    /// Changes these parts.
    pub fn apply(&self, to: &mut RateLimitSettings) {
        let Self { rate, burst, max_keys } = *self;
        (to.calls, to.period) = rate.unwrap_or((to.calls, to.period));
        to.burst = burst.or(to.burst);
        to.max_keys = max_keys.unwrap_or(to.max_keys);
    }
}

/// Parts of [`CacheSettings`]. Whose answers they are is a matter of the code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CachePart {
    /// See [`CacheSettings::max_age`].
    pub max_age: Option<Duration>,
    /// See [`CacheSettings::max`].
    pub max: Option<u32>,
}

impl CachePart {
    /// Changes these parts.
    pub fn apply(&self, to: &mut CacheSettings) {
        let Self { max_age, max } = *self;
        to.max_age = max_age.unwrap_or(to.max_age);
        to.max = max.unwrap_or(to.max);
    }
}
