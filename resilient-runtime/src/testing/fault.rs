//! One thing that goes wrong, and for how many attempts.

use std::pin::Pin;
use std::time::Duration;

use resilient_policy::ErrorKind;
use tokio::time::{Sleep, sleep};

use super::duration;

/// What attempts meet in the place of their body, or before it.
///
/// By itself it is met by every attempt that comes to it; [`times`](Self::times) and
/// [`probability`](Self::probability) say otherwise. See [`Chaos::on`](super::Chaos::on) for what comes after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fault {
    what: What,
    times: Option<u32>,
    probability: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum What {
    Error(ErrorKind),
    Latency { least: Duration, spread: Duration },
    Hang,
    Panic,
}

/// What one attempt meets.
pub(crate) enum Met {
    Error(ErrorKind),
    /// The body begins when this is over.
    Latency(Pin<Box<Sleep>>),
    Hang,
    Panic,
}

impl Fault {
    const fn new(what: What) -> Self {
        Self { what, times: None, probability: 1.0 }
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
        Self::new(What::Error(kind))
    }

    /// The body begins later, by a time between these two, both included: `"250ms"`, `"2s"`. Twice the same is
    /// exactly that. What is cut off meanwhile never ran.
    ///
    /// # Panics
    /// Where one of them is no duration, or the second is shorter than the first.
    #[must_use]
    #[track_caller]
    pub fn latency(at_least: &str, at_most: &str) -> Self {
        let least = duration(at_least);
        let Some(spread) = duration(at_most).checked_sub(least) else {
            panic!("a latency of at least {at_least} and at most {at_most} is none; swap the two")
        };
        Self::new(What::Latency { least, spread })
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
        is_met.then(|| match self.what {
            What::Error(kind) => Met::Error(kind),
            What::Latency { least, spread } => Met::Latency(Box::pin(sleep(least + spread.mul_f64(die.f64())))),
            What::Hang => Met::Hang,
            What::Panic => Met::Panic,
        })
    }
}
