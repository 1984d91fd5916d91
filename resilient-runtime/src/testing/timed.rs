//! How long something took.

use std::time::Duration;

use resilient_policy::format_duration;

use super::duration;

/// An answer, and how long it took on the paused clock. See [`Lab::timed`](super::Lab::timed).
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
    /// The answer.
    pub answer: T,
    /// How long it took.
    pub took: Duration,
}

impl<T> Timed<T> {
    /// It took this long, to the millisecond: `"30s"`, and `"0s"` for at once.
    ///
    /// # Panics
    /// Where it did not, and where this is no duration.
    #[track_caller]
    pub fn assert_took(&self, expected: &str) -> &Self {
        let (took, is_right) = (self.took, self.took.as_millis() == duration(expected).as_millis());
        assert!(is_right, "expected it to take {expected}\n   found: it took {}", format_duration(took));
        self
    }

    /// It took a time between these two, both included: what a retry with jitter does.
    ///
    /// # Panics
    /// Where it did not, and where one of them is no duration.
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
