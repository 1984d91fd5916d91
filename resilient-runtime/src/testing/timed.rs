//! The measured duration of a future.

use std::time::Duration;

use resilient_policy::format_duration;

use super::duration;

/// The output of a future, and how long it took on the paused clock. See [`Lab::timed`](super::Lab::timed).
///
/// ```
/// use std::time::Duration;
///
/// use resilient_runtime::testing;
///
/// testing::run(async |lab| {
///     let waited = lab.timed(tokio::time::sleep(Duration::from_secs(90))).await;
///     waited.assert_took("1.5m").assert_took_between("1m", "2m");
///     assert_eq!((waited.answer, waited.took.as_secs()), ((), 90));
/// });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timed<T> {
    /// The output of the future.
    pub answer: T,
    /// How long the check took.
    pub took: Duration,
}

impl<T> Timed<T> {
    /// Asserts the duration to the millisecond: `"30s"`, or `"0s"` for no time.
    ///
    /// # Panics
    /// If the duration differs, or if `expected` is not a valid duration.
    #[track_caller]
    pub fn assert_took(&self, expected: &str) -> &Self {
        let (took, is_right) = (self.took, self.took.as_millis() == duration(expected).as_millis());
        assert!(is_right, "expected it to take {expected}\n   found: it took {}", format_duration(took));
        self
    }

    /// Asserts that the duration is between two bounds, both inclusive. Use it for retries with jitter.
    ///
    /// # Panics
    /// If the duration is outside the bounds, or if a bound is not a valid duration.
    #[track_caller]
    pub fn assert_took_between(&self, at_least: &str, at_most: &str) -> &Self {
        let (took, expected) = (self.took, duration(at_least)..=duration(at_most));
        assert!(
            expected.contains(&took),
            "expected it to take between {at_least} and {at_most}\n   found: it took {}",
            format_duration(took)
        );
        self
    }
}
