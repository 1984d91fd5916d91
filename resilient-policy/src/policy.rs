//! The policy of one function.

use std::time::Duration;

use crate::breaker::{BreakerSettings, BreakerUse};
use crate::bulkhead::{BulkheadSettings, BulkheadUse};
use crate::cache::CacheSettings;
use crate::deferred::DeferredSettings;
use crate::effect::Effect;
use crate::form::Form;
use crate::rate_limit::{RateLimitSettings, RateLimitUse};
use crate::retry::Retry;
use crate::schema::Settings;

/// The source of a fallback answer, for a call that failed or was rejected.
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
    /// The last successful answer to the same arguments.
    Cache,
    /// A function that you provide.
    Function,
    /// A fixed value.
    Value,
    /// A receipt: the write is stored, and delivered later.
    Deferred,
}

impl Source {
    /// All sources.
    pub const ALL: &'static [Self] = &[Self::Cache, Self::Function, Self::Value, Self::Deferred];

    /// Returns the name used in answers, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Function => "function",
            Self::Value => "value",
            Self::Deferred => "deferred",
        }
    }
}

/// The policy of one function: a value that can be stored in a `static` and read in a test.
///
/// ```
/// use std::time::Duration;
/// use resilient_runtime::Policy;
/// use resilient_runtime::policy::{BulkheadSettings, BulkheadUse, Retry};
///
/// // The same as `#[resilient(timeout = "5s", retry = 2, bulkhead = 10)]`.
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
    /// The limit of one attempt. If it is not set, [`Policy::attempt_limit`] returns the value that applies.
    pub attempt_timeout: Option<Duration>,
    /// When failed attempts are retried. Default never.
    pub retry: Option<Retry>,
    /// The breaker, which other functions may share. Default none.
    pub breaker: Option<BreakerUse>,
    /// The limit of concurrent attempts. Default none.
    pub bulkhead: Option<BulkheadUse>,
    /// The limit of calls per period. Default none.
    pub rate_limit: Option<RateLimitUse>,
    /// The fallbacks, tried in this order. Default none.
    pub fallback: &'static [Source],
    /// The settings of the cache from which a fallback serves.
    pub cache: Option<CacheSettings>,
    /// How a deferred write is delivered. Default not deferred.
    pub deferred: Option<DeferredSettings>,
    /// The effect of running the function again.
    pub effect: Effect,
    /// Whether a function runs before each retry, which only `retry(.., before = path)` of the attribute can declare.
    #[doc(hidden)]
    pub has_before: bool,
}

impl Policy {
    /// The timeout of a function that does not set one.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

    /// The longest timeout that is allowed.
    pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

    /// The longest time that a fallback function, or storing a write, may take.
    pub const LONGEST_FALLBACK: Duration = Duration::from_secs(5);

    /// The attempt timeout that `retry` implies, unless half the timeout is shorter.
    const ATTEMPT_TIMEOUT_WITH_RETRY: Duration = Duration::from_secs(10);

    /// Returns the default policy: a timeout of 30 s, no retry, no breaker, no other limit, no fallback.
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
            deferred: None,
            effect: Effect::Unknown,
            has_before: false,
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

    /// Sets when failed attempts are retried.
    #[must_use]
    pub const fn retry(mut self, retry: Retry) -> Self {
        self.retry = Some(retry);
        self
    }

    /// Sets the breaker.
    #[must_use]
    pub const fn breaker(mut self, breaker: BreakerUse) -> Self {
        self.breaker = Some(breaker);
        self
    }

    /// Sets the limit of concurrent attempts.
    #[must_use]
    pub const fn bulkhead(mut self, bulkhead: BulkheadUse) -> Self {
        self.bulkhead = Some(bulkhead);
        self
    }

    /// Sets the limit of calls per period.
    #[must_use]
    pub const fn rate_limit(mut self, rate_limit: RateLimitUse) -> Self {
        self.rate_limit = Some(rate_limit);
        self
    }

    /// Sets the fallbacks, in order.
    #[must_use]
    pub const fn fallback(mut self, sources: &'static [Source]) -> Self {
        self.fallback = sources;
        self
    }

    /// Sets the settings of the cache.
    #[must_use]
    pub const fn cache(mut self, cache: CacheSettings) -> Self {
        self.cache = Some(cache);
        self
    }

    /// Sets how a deferred write is delivered.
    #[must_use]
    pub const fn deferred(mut self, deferred: DeferredSettings) -> Self {
        self.deferred = Some(deferred);
        self
    }

    /// Sets the effect of running the function again.
    #[must_use]
    pub const fn effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Declares that a function runs before each retry.
    #[doc(hidden)]
    #[must_use]
    pub const fn with_before(mut self) -> Self {
        self.has_before = true;
        self
    }

    /// Returns the limit of one attempt: the value that was set, else, with `retry`, the smaller of 10 s and half the
    /// timeout, else none.
    #[must_use]
    pub fn attempt_limit(&self) -> Option<Duration> {
        match (self.attempt_timeout, self.retry) {
            (Some(limit), _) => Some(limit),
            (None, Some(_)) => Some(Self::ATTEMPT_TIMEOUT_WITH_RETRY.min(self.timeout / 2)),
            (None, None) => None,
        }
    }

    /// Returns the limit of a fallback function, and of storing a write: the smaller of the timeout and 5 s.
    #[must_use]
    pub fn fallback_limit(&self) -> Duration {
        self.timeout.min(Self::LONGEST_FALLBACK)
    }

    /// Returns the maximum number of retries.
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

/// Returns the message about a key whose value ends too early, after this token. `number` is the number before it.
///
/// ```
/// let message = resilient_policy::unfinished("slow_rate", "%", Some(50.0));
/// assert_eq!(message, "`%` is no part of a number; expected a share such as `slow_rate = 0.5`");
/// ```
#[must_use]
pub fn unfinished(key: &str, last: &str, number: Option<f64>) -> String {
    let form = form_of(key);
    match (last, number) {
        ("%", Some(number)) if form == Some(Form::Fraction) && number > 0.0 && number <= 100.0 => {
            format!("`%` is no part of a number; expected a share such as `{key} = {}`", number / 100.0)
        }
        ("%", Some(number)) => format!("a share in per cent stands in quotes; expected `{key} = \"{number}%\"`"),
        ("::", _) => "expected a name after this `::`".into(),
        (".", _) => "expected a field or a method after this `.`".into(),
        _ => {
            let is_name = matches!(key, "breaker" | "profile" | "name");
            match form.and_then(Form::example).or(is_name.then_some("\"make\"")) {
                Some(example) => format!("expected a value after this `{last}`, such as `{key} = {example}`"),
                None => format!("expected something after this `{last}`"),
            }
        }
    }
}

/// Returns the form of a value by the name of its key or part.
fn form_of(name: &str) -> Option<Form> {
    fn of<S: Settings>(name: &str) -> Option<Form> {
        let first = S::PARTS.first().filter(|_| S::FIRST_IS_ARGUMENT && S::KEY == name);
        first.or_else(|| S::part(name)).map(|part| part.form)
    }
    match name {
        "timeout" | "attempt_timeout" => Some(Form::DURATION),
        _ => of::<BreakerSettings>(name)
            .or_else(|| of::<Retry>(name))
            .or_else(|| of::<BulkheadSettings>(name))
            .or_else(|| of::<RateLimitSettings>(name))
            .or_else(|| of::<CacheSettings>(name))
            .or_else(|| of::<DeferredSettings>(name)),
    }
}

/// The owned names and lists that a policy cannot hold while the macro still builds it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Beside<'a> {
    /// The name of the breaker.
    pub breaker: Option<&'a str>,
    /// The name of the bulkhead, if it is shared.
    pub bulkhead: Option<&'a str>,
    /// The name of the rate limit, if it is shared.
    pub rate_limit: Option<&'a str>,
    /// The fallbacks, in order.
    pub fallback: &'a [Source],
    /// The limits that are separate for each key.
    pub keyed: Keyed,
}

/// The limits that are separate for each key.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keyed {
    /// The breaker.
    pub breaker: bool,
    /// The bulkhead.
    pub bulkhead: bool,
    /// The rate limit.
    pub rate_limit: bool,
}
