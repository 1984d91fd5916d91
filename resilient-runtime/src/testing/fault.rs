//! A fault, and the attempts that it applies to.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use resilient_policy::ErrorKind;
use tokio::time::sleep;

use super::duration;
use crate::ToolError;
use crate::registry::{ErrorFactory, FaultAction, Injection};

/// A fault that replaces or delays the body of an attempt.
///
/// By default it applies to every attempt that reaches it; limit this with [`times`](Self::times) and
/// [`probability`](Self::probability). For the order of several faults, see [`Chaos::on`](super::Chaos::on).
#[derive(Debug, Clone)]
pub struct Fault {
    what: FaultAction,
    latency: Option<Latency>,
    times: Option<u32>,
    probability: f64,
}

#[derive(Debug, Clone, Copy)]
struct Latency {
    least: Duration,
    spread: Duration,
}

impl Latency {
    #[track_caller]
    fn new(at_least: &str, at_most: &str) -> Self {
        let least = duration(at_least);
        let Some(spread) = duration(at_most).checked_sub(least) else {
            panic!("a latency of at least {at_least} and at most {at_most} is none; swap the two")
        };
        Self { least, spread }
    }
}

impl Fault {
    const fn new(what: FaultAction) -> Self {
        Self { what, latency: None, times: None, probability: 1.0 }
    }

    /// Creates a fault that returns an error of this kind instead of running the body.
    ///
    /// The error is [`ResilienceError::Injected`](crate::ResilienceError::Injected), converted to the function's error
    /// type by its `From<ResilienceError>`. The resulting variant determines the kind; a `transparent` variant keeps
    /// it. For a tool that returns `CallToolResult`, which has no error type, the fault is a result with `is_error`.
    ///
    /// ```
    /// use resilient_runtime::testing::{self, Chaos, Fault};
    /// use resilient_runtime::{Classify, ErrorKind, ResilienceError, resilient};
    ///
    /// #[resilient]
    /// async fn ask() -> Result<u32, ResilienceError> {
    ///     Ok(7)
    /// }
    ///
    /// # fn main() {
    /// testing::run(async |lab| {
    ///     lab.inject(Chaos::new().on("ask", [Fault::error(ErrorKind::RateLimited)]));
    ///     assert_eq!(ask().await.unwrap_err().kind(), ErrorKind::RateLimited);
    /// });
    /// # }
    /// ```
    #[must_use]
    pub const fn error(kind: ErrorKind) -> Self {
        Self::new(FaultAction::Error { kind, retry_after: None })
    }

    /// Sets the delay that the error requests before a retry, like a `Retry-After` header: `"5s"`.
    ///
    /// # Panics
    /// If this is not a valid duration, or if the fault is not an [`error`](Self::error). For an
    /// [`own_error`](Self::own_error), set the field of your error type.
    #[must_use]
    #[track_caller]
    pub fn retry_after(mut self, after: &str) -> Self {
        let FaultAction::Error { retry_after, .. } = &mut self.what else {
            panic!("only `Fault::error` can have a `retry_after`")
        };
        *retry_after = Some(duration(after));
        self
    }

    /// Creates a fault that returns an error of the function's own type instead of running the body.
    ///
    /// The type must derive `McpError` and have neither type parameters nor lifetimes. If the function has another
    /// error type, the test fails when its lab ends.
    ///
    /// ```
    /// use resilient_runtime::testing::{self, Chaos, Fault};
    /// use resilient_runtime::{McpError, ResilienceError, resilient};
    ///
    /// #[derive(Debug, PartialEq, thiserror::Error, McpError)]
    /// enum ShopError {
    ///     #[error("sold out")]
    ///     #[mcp(kind = conflict)]
    ///     SoldOut,
    ///     #[error(transparent)]
    ///     #[mcp(transparent)]
    ///     Resilience(#[from] ResilienceError),
    /// }
    ///
    /// #[resilient]
    /// async fn buy() -> Result<u32, ShopError> {
    ///     Ok(7)
    /// }
    ///
    /// # fn main() {
    /// testing::run(async |lab| {
    ///     lab.inject(Chaos::new().on("buy", [Fault::own_error(|| ShopError::SoldOut)]));
    ///     assert_eq!(buy().await, Err(ShopError::SoldOut));
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn own_error<E: ToolError + 'static>(make: impl Fn() -> E + Send + Sync + 'static) -> Self {
        let make = Arc::new(move || -> Box<dyn Any> { Box::new(make()) });
        Self::new(FaultAction::OwnError(ErrorFactory { of: std::any::type_name::<E>(), make }))
    }

    /// Creates a fault that returns a `CallToolResult` with `is_error` and this text instead of running the body, like
    /// a tool that reports a failure itself.
    ///
    /// The result is passed on unchanged, never retried, and neutral for the breaker.
    ///
    /// If the function returns neither `CallToolResult` nor `CallToolResponse`, directly or in a `Result`, the test
    /// fails when its lab ends.
    #[must_use]
    pub fn is_error(text: impl Into<String>) -> Self {
        Self::new(FaultAction::IsError(text.into()))
    }

    /// Delays the fault by a random time between two bounds, both inclusive, like a slow upstream that then fails. To
    /// delay the body itself, use [`latency`](Self::latency).
    ///
    /// # Panics
    /// If a bound is not a valid duration, the second is shorter than the first, the fault already has a latency, or it
    /// is a [`hang`](Self::hang), which never ends.
    #[must_use]
    #[track_caller]
    pub fn after(mut self, at_least: &str, at_most: &str) -> Self {
        assert!(!matches!(self.what, FaultAction::Hang), "a fault that hangs does not end later; leave `after` out");
        assert!(self.latency.is_none(), "the fault has a latency already; write one of the two");
        self.latency = Some(Latency::new(at_least, at_most));
        self
    }

    /// Creates a fault that delays the body by a random time between two bounds, both inclusive: `"250ms"`, `"2s"`.
    /// Equal bounds are an exact delay. If the attempt ends during the delay, the body does not run.
    ///
    /// # Panics
    /// If a bound is not a valid duration, or the second is shorter than the first.
    #[must_use]
    #[track_caller]
    pub fn latency(at_least: &str, at_most: &str) -> Self {
        Self { latency: Some(Latency::new(at_least, at_most)), ..Self::new(FaultAction::RunBody) }
    }

    /// Creates a fault that never completes instead of running the body. The attempt ends by its timeout, by the call's
    /// timeout, or by cancellation.
    #[must_use]
    pub const fn hang() -> Self {
        Self::new(FaultAction::Hang)
    }

    /// Creates a fault that panics instead of running the body.
    #[must_use]
    pub const fn panic() -> Self {
        Self::new(FaultAction::Panic)
    }

    /// Limits the fault to this number of attempts. Later attempts meet the next fault of the list, or none.
    ///
    /// # Panics
    /// If `times` is 0.
    #[must_use]
    #[track_caller]
    pub const fn times(mut self, times: u32) -> Self {
        assert!(times > 0, "a fault that no attempt comes to is none; leave it out");
        self.times = Some(times);
        self
    }

    /// Applies the fault only to this share of the attempts that reach it, `0.0` to `1.0`. The seed determines which
    /// ones.
    ///
    /// # Panics
    /// If the share is not between 0 and 1.
    #[must_use]
    #[track_caller]
    pub fn probability(mut self, share: f64) -> Self {
        assert!((0.0..=1.0).contains(&share), "a probability is between 0.0 and 1.0, and {share} is not");
        self.probability = share;
        self
    }

    /// Returns the number of attempts that the fault applies to, or `None` for all.
    pub(super) const fn takes(&self) -> Option<u32> {
        self.times
    }

    /// Returns the fault for an attempt, depending on its random numbers.
    pub(super) fn inject(&self, mut random: fastrand::Rng) -> Option<Injection> {
        let is_met = random.f64() < self.probability;
        is_met.then(|| Injection {
            what: self.what.clone(),
            latency: self
                .latency
                .map(|Latency { least, spread }| Box::pin(sleep(least + spread.mul_f64(random.f64())))),
        })
    }
}
