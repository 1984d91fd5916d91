//! One thing that goes wrong, and for how many attempts.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use resilient_policy::ErrorKind;
use tokio::time::sleep;

use super::duration;
use crate::ToolError;
use crate::registry::{Make, Met, What};

/// What attempts meet in the place of their body, or before it.
///
/// By itself it is met by every attempt that comes to it; [`times`](Self::times) and
/// [`probability`](Self::probability) say otherwise. See [`Chaos::on`](super::Chaos::on) for what comes after it.
#[derive(Debug, Clone)]
pub struct Fault {
    what: What,
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
    const fn new(what: What) -> Self {
        Self { what, latency: None, times: None, probability: 1.0 }
    }

    /// The body is not run, and an error of this kind is its answer.
    ///
    /// It is [`ResilienceError::Injected`](crate::ResilienceError::Injected), made into the function's own
    /// error by its `From<ResilienceError>`. What that says of itself decides: a `transparent` variant keeps the
    /// kind. A tool that returns `CallToolResult` has no errors, so there it is an answer with `is_error`.
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
        Self::new(What::Error { kind, retry_after: None })
    }

    /// The error says after which time the service may be asked again, as a `Retry-After` does: `"5s"`.
    ///
    /// # Panics
    /// If this is no duration, or the fault is not an [`error`](Self::error). An
    /// [`own_error`](Self::own_error) has its own field for it.
    #[must_use]
    #[track_caller]
    pub fn retry_after(mut self, after: &str) -> Self {
        let What::Error { retry_after, .. } = &mut self.what else {
            panic!("only `Fault::error` can have a `retry_after`")
        };
        *retry_after = Some(duration(after));
        self
    }

    /// The body is not run, and this error of the function's own type is its answer.
    ///
    /// The type has to derive `McpError` and have neither type parameters nor lifetimes. If the function has
    /// another type of error, the test fails when its lab ends.
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
        Self::new(What::OwnError(Make { of: std::any::type_name::<E>(), make }))
    }

    /// The body is not run, and a `CallToolResult` with `is_error` and this text is its answer: what a tool says
    /// itself about a failure. It is passed on as it is, never retried, and neutral for the breaker.
    ///
    /// If the function returns neither `CallToolResult` nor `CallToolResponse`, by itself or in a `Result`, the test
    /// fails when its lab ends.
    #[must_use]
    pub fn is_error(text: impl Into<String>) -> Self {
        Self::new(What::IsError(text.into()))
    }

    /// What the fault does comes later, by a time between these two, both included: an upstream that takes its time
    /// and then fails. See [`latency`](Self::latency), after which the body runs.
    ///
    /// # Panics
    /// If one of them is no duration, the second is shorter than the first, the fault has a latency already, or it is
    /// a [`hang`](Self::hang), which never ends.
    #[must_use]
    #[track_caller]
    pub fn after(mut self, at_least: &str, at_most: &str) -> Self {
        assert!(!matches!(self.what, What::Hang), "a fault that hangs does not end later; leave `after` out");
        assert!(self.latency.is_none(), "the fault has a latency already; write one of the two");
        self.latency = Some(Latency::new(at_least, at_most));
        self
    }

    /// The body begins later, by a time between these two, both included: `"250ms"`, `"2s"`. Twice the same is
    /// exactly that. What is cut off meanwhile never ran.
    ///
    /// # Panics
    /// Where one of them is no duration, or the second is shorter than the first.
    #[must_use]
    #[track_caller]
    pub fn latency(at_least: &str, at_most: &str) -> Self {
        Self { latency: Some(Latency::new(at_least, at_most)), ..Self::new(What::Nothing) }
    }

    /// The body is not run, and nothing ever answers: the attempt ends by its timeout, by the call's, or because
    /// it is cancelled.
    #[must_use]
    pub const fn hang() -> Self {
        Self::new(What::Hang)
    }

    /// The body is not run, and the attempt panics.
    #[must_use]
    pub const fn panic() -> Self {
        Self::new(What::Panic)
    }

    /// Only so many attempts come to it, and the ones after them to the next fault of the list, or to none.
    ///
    /// # Panics
    /// Where it is none at all.
    #[must_use]
    #[track_caller]
    pub const fn times(mut self, times: u32) -> Self {
        assert!(times > 0, "a fault that no attempt comes to is none; leave it out");
        self.times = Some(times);
        self
    }

    /// Only this share of the attempts that come to it meets it, `0.0` to `1.0`; the seed decides which.
    ///
    /// # Panics
    /// Where it is not between 0 and 1.
    #[must_use]
    #[track_caller]
    pub fn probability(mut self, share: f64) -> Self {
        assert!((0.0..=1.0).contains(&share), "a probability is between 0.0 and 1.0, and {share} is not");
        self.probability = share;
        self
    }

    /// How many attempts come to it; `None`: all there are.
    pub(super) const fn takes(&self) -> Option<u32> {
        self.times
    }

    /// What an attempt meets that comes to it, by a die of its own.
    pub(super) fn meets(&self, mut die: fastrand::Rng) -> Option<Met> {
        let is_met = die.f64() < self.probability;
        is_met.then(|| Met {
            what: self.what.clone(),
            latency: self.latency.map(|Latency { least, spread }| Box::pin(sleep(least + spread.mul_f64(die.f64())))),
        })
    }
}
