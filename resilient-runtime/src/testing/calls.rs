//! Assertions about the calls of one function.

use std::fmt;
use std::ops::Deref;

use crate::outcomes::{Outcome, Rejected, Suppressed};
use crate::statistics::ToolSnapshot;

/// A snapshot of the statistics of one tool or other guarded function. See [`Lab::calls`](super::Lab::calls).
///
/// It dereferences to [`ToolSnapshot`], which has everything that no assertion covers.
///
/// ```
/// use resilient_runtime::testing::{self, Chaos, Fault};
/// use resilient_runtime::{Outcome, ResilienceError, resilient};
/// use resilient_runtime::error::TimeoutScope;
///
/// #[resilient(timeout = "9s", retry = 1, read_only)]
/// async fn ask() -> Result<u32, ResilienceError> {
///     Ok(7)
/// }
///
/// # fn main() {
/// testing::run(async |lab| {
///     lab.inject(Chaos::new().on("ask", [Fault::hang().times(1)]));
///     assert_eq!(ask().await, Ok(7));
///
///     let calls = lab.calls("ask");
///     calls.assert_outcomes([(Outcome::Ok, 1)]).assert_attempts(2);
///     assert_eq!(calls.timeouts(TimeoutScope::Attempt), 1);
/// });
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ObservedCalls {
    pub(super) name: String,
    pub(super) counted: ToolSnapshot,
}

impl ObservedCalls {
    /// Asserts the number of calls with each outcome; outcomes that are not listed must not occur.
    ///
    /// # Panics
    /// If the outcomes differ.
    #[track_caller]
    pub fn assert_outcomes(&self, expected: impl IntoIterator<Item = (Outcome, u64)>) -> &Self {
        let expected: Vec<_> = expected.into_iter().collect();
        let is_right = Outcome::ALL.iter().all(|&outcome| {
            let wanted: u64 = expected.iter().filter(|(each, _)| *each == outcome).map(|(_, count)| count).sum();
            wanted == self.counted.outcome(outcome)
        });
        self.check(is_right, &Outcomes(&expected));
        self
    }

    /// Asserts the number of attempts, including those with injected faults.
    ///
    /// # Panics
    /// If the number differs.
    #[track_caller]
    pub fn assert_attempts(&self, expected: u64) -> &Self {
        self.check(self.counted.attempts == expected, &format_args!("attempts: {expected}"));
        self
    }

    /// Asserts the number of attempts that were retries.
    ///
    /// # Panics
    /// If the number differs.
    #[track_caller]
    pub fn assert_retries(&self, expected: u64) -> &Self {
        self.check(self.counted.retries == expected, &format_args!("retries: {expected}"));
        self
    }

    #[track_caller]
    fn check(&self, is_right: bool, expected: &dyn fmt::Display) {
        assert!(is_right, "expected of `{}`: {expected}\n   found: {self}", self.name);
    }
}

impl Deref for ObservedCalls {
    type Target = ToolSnapshot;

    fn deref(&self) -> &ToolSnapshot {
        &self.counted
    }
}

/// All facts about the calls, in one line.
impl fmt::Display for ObservedCalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { counted, .. } = self;
        write!(f, "{}; attempts: {}, retries: {}", Outcomes(&counted.outcomes), counted.attempts, counted.retries)?;
        if counted.in_flight > 0 {
            write!(f, "; still running: {}", counted.in_flight)?;
        }
        for &reason in Rejected::ALL.iter().filter(|reason| counted.rejected(**reason) > 0) {
            write!(f, "; rejected by {}: {}", reason.as_str(), counted.rejected(reason))?;
        }
        for &reason in Suppressed::ALL.iter().filter(|reason| counted.suppressed(**reason) > 0) {
            write!(f, "; retries suppressed by {}: {}", reason.as_str(), counted.suppressed(reason))?;
        }
        counted.errors.iter().try_for_each(|error| write!(f, "; errors {}: {}", error.code, error.count))
    }
}

/// Formats numbers of outcomes, without those that are zero.
struct Outcomes<'o>(&'o [(Outcome, u64)]);

impl fmt::Display for Outcomes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<_> = self.0.iter().filter(|(_, count)| *count > 0).collect();
        if shown.is_empty() {
            return f.write_str("no calls");
        }
        let shown: Vec<_> = shown.iter().map(|(outcome, count)| format!("{count} {}", outcome.as_str())).collect();
        f.write_str(&shown.join(", "))
    }
}
