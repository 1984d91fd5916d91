//! A policy in plain code: what the attribute does, without the attribute.

use std::fmt;
use std::pin::pin;

use resilient_policy::{Policy, Problem};

use crate::breaker::Breaker;
use crate::pipeline::{self, Answer, Call};
use crate::site::{Location, Site};

/// A policy under a name, around whatever future it is given.
///
/// It keeps everything that `#[resilient]` keeps: the timeout, the breaker of the policy's name,
/// retries within their budget, the panic barrier, one outcome for each call. A fallback and last
/// good answers need the function's signature and come with the attribute only; that part of a
/// policy is not looked at here.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use std::time::Duration;
/// use resilient_runtime::{BreakerUse, Guard, Policy, ResilienceError, Retry};
///
/// static SHOP: Guard = Guard::new(
///     "shop",
///     Policy::new().timeout(Duration::from_secs(5)).retry(Retry::new(2)).breaker(BreakerUse::named("shop")),
/// );
///
/// let answer: Result<u32, ResilienceError> = SHOP.call(|| async { Ok(7) }).await;
/// assert_eq!(answer, Ok(7));
/// # });
/// ```
pub struct Guard(Site);

impl Guard {
    /// A guard with this policy, for a `static`. The rules are not asked; see [`Guard::checked`].
    #[must_use]
    #[track_caller]
    pub const fn new(name: &'static str, policy: Policy) -> Self {
        let caller = std::panic::Location::caller();
        let location = Location { module: "", file: caller.file(), line: caller.line() };
        Self(Site::new(name, location, policy))
    }

    /// A guard with a policy that was put together at run time.
    ///
    /// # Errors
    /// Every rule that the policy breaks.
    #[track_caller]
    pub fn checked(name: &'static str, policy: Policy) -> Result<Self, InvalidPolicy> {
        #[cfg_attr(feature = "rate-limit", expect(unused_mut, reason = "without the feature there is one more rule"))]
        let mut problems = resilient_policy::check(&policy);
        #[cfg(not(feature = "rate-limit"))]
        if policy.rate_limit.is_some() {
            problems.push(Problem::new("rate_limit", "needs the feature `rate-limit` of `resilient-runtime`"));
        }
        if problems.is_empty() { Ok(Self::new(name, policy)) } else { Err(InvalidPolicy { name, problems }) }
    }

    /// Guards with this very breaker instead of one of the policy's name.
    #[must_use]
    pub const fn with_breaker(mut self, breaker: &'static Breaker) -> Self {
        self.0.breaker = Some(breaker);
        self
    }

    /// The name, under which it is counted.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.0.name()
    }

    #[cfg(feature = "config")]
    pub(crate) const fn site(&self) -> &Site {
        &self.0
    }

    /// The policy, as the code has it.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        self.0.policy()
    }

    /// Runs what `attempt` makes, once for each attempt. Dropping the future drops the attempt and
    /// gives everything back.
    pub async fn call<R, F>(&self, mut attempt: impl FnMut() -> F) -> R
    where
        R: Answer,
        F: Future<Output = R>,
    {
        let call = pin!(Call::new(self.0.entry()));
        pipeline::repeat(call, move |_| Some(attempt()), pipeline::Special::NONE).await
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guard").field(&self.0).finish()
    }
}

/// A policy that breaks rules: all of them, with the settings that they are about.
///
/// ```
/// use std::time::Duration;
/// use resilient_runtime::{Guard, Policy, Retry};
///
/// let policy = Policy::new().timeout(Duration::from_secs(1)).retry(Retry::new(5));
/// let refused = Guard::checked("shop", policy).unwrap_err();
/// assert_eq!(refused.problems()[0].path, "retry.max");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidPolicy {
    name: &'static str,
    problems: Vec<Problem>,
}

impl InvalidPolicy {
    /// What is wrong, in the order of the settings.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for InvalidPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the policy of `{}` cannot work", self.name)?;
        self.problems.iter().try_for_each(|problem| write!(f, "; {problem}"))
    }
}

impl std::error::Error for InvalidPolicy {}
