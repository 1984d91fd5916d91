//! Assertions about a breaker.

use std::fmt;
use std::ops::Deref;

use resilient_policy::format_duration;

use super::duration;
use crate::breaker::{BreakerSnapshot, BreakerState};
use crate::clock::Moment;

/// A snapshot of a breaker. See [`Lab::breaker`](super::Lab::breaker).
///
/// It dereferences to [`BreakerSnapshot`], which has everything that no assertion covers.
///
/// ```
/// use std::time::Duration;
///
/// use resilient_runtime::testing::{self, Chaos, Fault};
/// use resilient_runtime::{ErrorKind, ResilienceError, resilient};
///
/// #[resilient(breaker(name = "shop", failures = 2, open = "30s", successes = 1))]
/// async fn ask() -> Result<u32, ResilienceError> {
///     Ok(7)
/// }
///
/// # fn main() {
/// testing::run(async |lab| {
///     lab.inject(Chaos::new().on("ask", [Fault::error(ErrorKind::Connection).times(2)]));
///     for _ in 0..3 {
///         let _ = ask().await;
///     }
///     lab.breaker("shop").assert_open();
///
///     tokio::time::sleep(Duration::from_secs(30)).await;
///     assert_eq!(ask().await, Ok(7));
///     lab.breaker("shop").assert_closed();
/// });
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ObservedBreaker {
    pub(super) read: BreakerSnapshot,
    /// When the lab started.
    pub(super) began: Moment,
}

impl ObservedBreaker {
    /// Asserts that the breaker is closed: calls are admitted.
    ///
    /// # Panics
    /// If it is in another state.
    #[track_caller]
    pub fn assert_closed(&self) -> &Self {
        self.check(BreakerState::Closed)
    }

    /// Asserts that the breaker is open: calls are rejected. A breaker whose open period is over stays open until the
    /// next call.
    ///
    /// # Panics
    /// If it is in another state, including isolated by hand.
    #[track_caller]
    pub fn assert_open(&self) -> &Self {
        self.check(BreakerState::Open)
    }

    /// Asserts that the breaker is half-open: a few calls are admitted as probes.
    ///
    /// # Panics
    /// If it is in another state.
    #[track_caller]
    pub fn assert_half_open(&self) -> &Self {
        self.check(BreakerState::HalfOpen)
    }

    /// Asserts that the breaker made exactly these transitions since the lab started. Each has its time on the paused
    /// clock, to the millisecond, and the states before and after. Only the last 100 transitions are stored.
    ///
    /// An open breaker becomes half-open with the first call after its open period, not by itself.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use resilient_runtime::testing::{self, Chaos, Fault};
    /// use resilient_runtime::breaker::BreakerState::{Closed, HalfOpen, Open};
    /// use resilient_runtime::{ErrorKind, ResilienceError, resilient};
    ///
    /// #[resilient(breaker(name = "shop", failures = 2, open = "30s", successes = 1))]
    /// async fn ask() -> Result<u32, ResilienceError> {
    ///     Ok(7)
    /// }
    ///
    /// # fn main() {
    /// testing::run(async |lab| {
    ///     lab.inject(Chaos::new().on("ask", [Fault::error(ErrorKind::Connection).times(2)]));
    ///     let _ = (ask().await, ask().await);
    ///     tokio::time::sleep(Duration::from_secs(40)).await;
    ///     assert_eq!(ask().await, Ok(7));
    ///     lab.breaker("shop").assert_transitions([
    ///         ("0s", Closed, Open),
    ///         ("40s", Open, HalfOpen),
    ///         ("40s", HalfOpen, Closed),
    ///     ]);
    /// });
    /// # }
    /// ```
    ///
    /// # Panics
    /// If the transitions differ, or if a time is not a valid duration.
    #[track_caller]
    pub fn assert_transitions<'t>(
        &self,
        expected: impl IntoIterator<Item = (&'t str, BreakerState, BreakerState)>,
    ) -> &Self {
        let expected: Vec<_> = expected.into_iter().collect();
        let found = self
            .read
            .transitions
            .iter()
            .map(|moved| (moved.moment.since(self.began).as_millis(), moved.from, moved.to));
        let is_right = expected.iter().map(|(at, from, to)| (duration(at).as_millis(), *from, *to)).eq(found);
        let shown: Vec<_> =
            expected.iter().map(|(at, from, to)| format!("at {at} {} → {}", from.as_str(), to.as_str())).collect();
        let shown = if shown.is_empty() { "no transition".to_owned() } else { shown.join("; ") };
        assert!(is_right, "expected of the breaker `{}`: {shown}\n   found: {self}", self.read.name);
        self
    }

    #[track_caller]
    fn check(&self, expected: BreakerState) -> &Self {
        let (name, word) = (self.read.name, expected.as_str());
        assert!(self.read.state == expected, "expected of the breaker `{name}`: {word}\n   found: {self}");
        self
    }
}

impl Deref for ObservedBreaker {
    type Target = BreakerSnapshot;

    fn deref(&self) -> &BreakerSnapshot {
        &self.read
    }
}

/// All facts about the breaker, in one line.
impl fmt::Display for ObservedBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { read, began } = self;
        f.write_str(read.state.as_str())?;
        if let Some(left) = read.remaining {
            write!(f, " for another {}", format_duration(left))?;
        }
        write!(f, "; successes: {}, failures: {}, neutral: {}", read.successes, read.failures, read.neutral)?;
        write!(f, "; failures in a row: {}; rejected: {}", read.failures_in_a_row, read.rejected)?;
        read.transitions.iter().try_for_each(|moved| {
            let at = format_duration(moved.moment.since(*began));
            write!(f, "; at {at} {} → {} ({})", moved.from.as_str(), moved.to.as_str(), moved.reason.as_str())
        })
    }
}
