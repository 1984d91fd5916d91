//! Everything that is decided about one function.

use std::time::Duration;

use crate::{BreakerSettings, BulkheadUse, CacheSettings, Effect, RateLimitUse, Retry};

/// Where the breaker of a function comes from.
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
    /// The name under which functions share it; by convention the dependency behind them.
    pub name: &'static str,
    /// The settings, where this place gives them.
    pub settings: Option<BreakerSettings>,
}

impl BreakerUse {
    /// The breaker of that name, with the settings that another place gives it or the defaults.
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        Self { name, settings: None }
    }

    /// The breaker of that name with these settings.
    #[must_use]
    pub const fn with(name: &'static str, settings: BreakerSettings) -> Self {
        Self { name, settings: Some(settings) }
    }
}

/// What may answer when the guarded part of a call could not.
///
/// ```
/// use resilient_runtime::Policy;
/// use resilient_runtime::policy::Source;
///
/// let policy = Policy::new().fallback(&[Source::Cache, Source::Value]);
/// assert_eq!(policy.fallback[0].as_str(), "cache");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The last good answer to the same arguments.
    Cache,
    /// A function of the user's.
    Function,
    /// A fixed value.
    Value,
}

impl Source {
    /// Every source.
    pub const ALL: &'static [Self] = &[Self::Cache, Self::Function, Self::Value];

    /// The word used in answers, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Function => "function",
            Self::Value => "value",
        }
    }
}

/// The policy of one function: a value that can sit in a `static` and be read in a test.
///
/// ```
/// use std::time::Duration;
/// use resilient_runtime::Policy;
/// use resilient_runtime::policy::{BulkheadSettings, BulkheadUse, Retry};
///
/// // As `#[resilient(timeout = "5s", retry = 2, bulkhead = 10)]`.
/// let policy = Policy::new()
///     .timeout(Duration::from_secs(5))
///     .retry(Retry::new(2))
///     .bulkhead(BulkheadUse::new(BulkheadSettings::new(10)));
/// assert_eq!(policy.retries(), 2);
/// assert_eq!(policy.attempt_limit(), Some(Duration::from_millis(2_500)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Policy {
    /// The limit of queueing, attempts and backoff together. Default 30 s.
    pub timeout: Duration,
    /// The limit of one attempt. See [`Policy::attempt_limit`] for what holds where it is not set.
    pub attempt_timeout: Option<Duration>,
    /// Whether and how failed attempts are repeated. Default: they are not.
    pub retry: Option<Retry>,
    /// The breaker that the function shares with others. Default none.
    pub breaker: Option<BreakerUse>,
    /// How many attempts may run at a time. Default any number.
    pub bulkhead: Option<BulkheadUse>,
    /// How many calls may begin in a time. Default any number.
    pub rate_limit: Option<RateLimitUse>,
    /// What answers instead, in this order. Default nothing.
    pub fallback: &'static [Source],
    /// How last good answers are kept, where a fallback serves them.
    pub cache: Option<CacheSettings>,
    /// What running the function again would do.
    pub effect: Effect,
}

impl Policy {
    /// The timeout of a function that sets none.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

    /// The longest timeout that there can be.
    pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

    /// The longest time that a fallback function may take.
    pub const LONGEST_FALLBACK: Duration = Duration::from_secs(5);

    /// The attempt timeout that `retry` brings along, unless half the timeout is shorter.
    const ATTEMPT_TIMEOUT_WITH_RETRY: Duration = Duration::from_secs(10);

    /// The defaults: 30 s, no retry, no breaker, no other limit, no fallback.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            timeout: Self::DEFAULT_TIMEOUT,
            attempt_timeout: None,
            retry: None,
            breaker: None,
            bulkhead: None,
            rate_limit: None,
            fallback: &[],
            cache: None,
            effect: Effect::Unknown,
        }
    }

    /// Sets the limit of queueing, attempts and backoff together.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the limit of one attempt.
    #[must_use]
    pub const fn attempt_timeout(mut self, attempt_timeout: Duration) -> Self {
        self.attempt_timeout = Some(attempt_timeout);
        self
    }

    /// Repeats failed attempts.
    #[must_use]
    pub const fn retry(mut self, retry: Retry) -> Self {
        self.retry = Some(retry);
        self
    }

    /// Guards the attempts with a breaker.
    #[must_use]
    pub const fn breaker(mut self, breaker: BreakerUse) -> Self {
        self.breaker = Some(breaker);
        self
    }

    /// Limits how many attempts run at a time.
    #[must_use]
    pub const fn bulkhead(mut self, bulkhead: BulkheadUse) -> Self {
        self.bulkhead = Some(bulkhead);
        self
    }

    /// Limits how many calls begin in a time.
    #[must_use]
    pub const fn rate_limit(mut self, rate_limit: RateLimitUse) -> Self {
        self.rate_limit = Some(rate_limit);
        self
    }

    /// Names what answers instead, in order.
    #[must_use]
    pub const fn fallback(mut self, sources: &'static [Source]) -> Self {
        self.fallback = sources;
        self
    }

    /// Keeps last good answers.
    #[must_use]
    pub const fn cache(mut self, cache: CacheSettings) -> Self {
        self.cache = Some(cache);
        self
    }

    /// Says what running the function again would do.
    #[must_use]
    pub const fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// The limit of one attempt: what was set, else with `retry` the smaller of 10 s and half the
    /// timeout, else none.
    #[must_use]
    pub fn attempt_limit(&self) -> Option<Duration> {
        match (self.attempt_timeout, self.retry) {
            (Some(limit), _) => Some(limit),
            (None, Some(_)) => Some(Self::ATTEMPT_TIMEOUT_WITH_RETRY.min(self.timeout / 2)),
            (None, None) => None,
        }
    }

    /// The limit of a fallback function: the smaller of the timeout and 5 s.
    #[must_use]
    pub fn fallback_limit(&self) -> Duration {
        self.timeout.min(Self::LONGEST_FALLBACK)
    }

    /// How many retries there can be.
    #[must_use]
    pub fn retries(&self) -> u32 {
        self.retry.map_or(0, |retry| retry.max)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}
